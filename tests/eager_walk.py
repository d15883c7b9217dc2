"""Runs functional models eagerly, node by node: what a tap must hold, found without the recorder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

Rows = list[tuple[str, Any]]
"""`(path, outputs)` for each call of a layer, in the order in which they end."""


def eager_walk(model: Any, inputs: Sequence[Any], prefix: str = "") -> Rows:
    """Runs the nodes of a functional model one by one; those of functional models inside it too."""
    return walk(model, inputs, prefix)[0]


def walk(model: Any, inputs: Sequence[Any], prefix: str) -> tuple[Rows, list[Any]]:
    rows: Rows = []
    values = {id(x): y for x, y in zip(model.inputs, inputs, strict=True)}
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            if node.is_input:
                continue
            layer = node.operation if hasattr(node, "operation") else node.layer
            path = prefix + layer.name.replace(".", "/")
            args, kwargs = _arguments(node, values)
            if hasattr(layer, "_nodes_by_depth"):
                inner, outputs = walk(layer, tf.nest.flatten(args), f"{path}/")
                rows += inner
            else:
                outputs = tf.nest.flatten(layer(*args, **kwargs))
            rows.append((path, outputs))
            values |= {id(x): y for x, y in zip(tf.nest.flatten(node.outputs), outputs, strict=True)}
    return rows, [values[id(x)] for x in model.outputs]


def _arguments(node: Any, values: dict[int, Any]) -> tuple[Any, Any]:
    if hasattr(node, "arguments"):
        return node.arguments.fill_in(values)
    return node.map_arguments({str(key): [value] * 9 for key, value in values.items()})


def named(rows: Rows) -> dict[str, Any]:
    """Every output by the name that a tap on it must have."""
    times, numbers, outputs = Counter(path for path, _ in rows), Counter[str](), {}
    for path, made in rows:
        numbers[path] += 1
        name = f"{path}:{numbers[path]}" if times[path] > 1 else path
        flat = tf.nest.flatten(made)
        for i, value in enumerate(flat, start=1):
            outputs[f"{name}@{i}" if len(flat) > 1 else name] = value
    return outputs


def shake(model: Any, seed: int = 0) -> Any:
    """Random variables everywhere, so that no normalisation is the identity."""
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        drawn = rng.normal(0.1, 0.5, variable.shape)
        variable.assign(np.abs(drawn) + 0.1 if "variance" in variable.name else drawn)
    return model
