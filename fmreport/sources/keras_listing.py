"""What the calls of a Keras model left behind, as a listing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from fmreport.records import Layer
from fmreport.sources.layout import Layout
from fmreport.sources.listing import Listing, Output, why_not
from fmreport.sources.paths import Paths
from fmreport.sources.recorder import Call

INPUT = "an input: it holds what the model is fed"
UNSEEN = (
    "no call returned a tensor: it does not run in inference, or only inside a function, a loop, another layer's code "
    "or a saved graph"
)


def listing(model: Any, calls: Sequence[Call], layout: Layout, batch: int) -> Listing:
    """Every output of every call, in the order in which the calls ended."""
    paths = Paths(model)
    named = [(paths.of(call.holders, call.layer), call) for call in calls]
    times, numbers = Counter(path for path, _ in named), Counter[str]()
    outputs: list[Output] = []
    readers: dict[str, set[str]] = {}
    for path, call in named:
        layout.add(call)
        kind = type(call.layer).__name__
        numbers[path] += 1
        name = f"{path}:{numbers[path]}" if times[path] > 1 else path
        for i, tensor in enumerate(call.outputs, start=1):
            full = f"{name}@{i}" if len(call.outputs) > 1 else name
            first, reason = layout.channels_first(tensor), why_not(tensor, batch)
            outputs.append(Output(full, path, kind, parameters(call.layer), tensor, first, reason))
        for tensor in call.inputs:
            readers.setdefault(tensor.name, set()).add(kind)
    rest = [_unseen(path, layer) for path, layer in paths.others()]
    return Listing(outputs, readers, rest)


def weights(layer: Any) -> list[Any]:
    """All variables of a layer; none of a model that was never built."""
    try:
        return list(getattr(layer, "weights", ()))
    except ValueError:  # tf_keras, of a model inside that was never built
        return []


def parameters(layer: Any) -> tuple[int, int]:
    """Entries of all variables of a layer and of those that are trainable."""
    variables = weights(layer)
    trainable = {id(each) for each in getattr(layer, "trainable_weights", ())}
    sizes = [(int(tf.TensorShape(each.shape).num_elements() or 0), id(each) in trainable) for each in variables]
    return sum(size for size, _ in sizes), sum(size for size, learns in sizes if learns)


def _unseen(path: str, layer: Any) -> Layer:
    kind = type(layer).__name__
    return Layer(path, kind, *parameters(layer), reason=INPUT if kind == "InputLayer" else UNSEEN)
