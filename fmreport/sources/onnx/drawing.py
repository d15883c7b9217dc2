"""A whole ONNX graph, drawn node by node."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from fmreport.sources.onnx.file import Initializer
from fmreport.sources.onnx.node import Node
from fmreport.sources.onnx.operations import HANDS_ON, RULES, SHAPED
from fmreport.sources.sketch.graph import Sketch, Unsketched
from fmreport.sources.sketch.listing import Drawing, Step

SHAPES = ("Shape", "Size")
"""Operations that read no values of an activation."""
HELD = ("Placeholder", "Const")
"""Operations that hold numbers, and do nothing."""
SUFFIX = re.compile(r":\d+$")


class Drawer:
    """Draws one graph for one size of its inputs."""

    def __init__(
        self, graph: Any, weights: Mapping[str, Initializer], known: Mapping[str, np.ndarray], sketch: Sketch
    ) -> None:
        """`known` holds every tensor that the graph computes for some inputs, by name."""
        self._graph, self._weights, self._known, self._sketch = graph, weights, known, sketch
        self._live: dict[str, Any] = {}
        self._idle: dict[str, Any] = {}
        self._behind: dict[str, tuple[str, ...]] = {name: (name,) for name in weights}
        self._held: dict[str, str] = {}

    def draw(self, fed: Mapping[str, Any]) -> Drawing:
        """From tensors by the names of the inputs that they feed."""
        self._live |= fed
        steps = []
        for number, node in enumerate(self._graph.node):
            read = [name for name in node.input if name in self._live]
            if not read or node.op_type in SHAPES:
                self._note(node)
                continue
            with self._sketch.step() as drawn:
                outputs = self._drawn(node)
            names = [name for name in node.output if name]
            self._live |= dict(zip(names, outputs, strict=True))
            for name, tensor in zip(names, outputs, strict=True):
                self._held.setdefault(tensor.name, name)
            made = [op for op in drawn if op.type not in HELD]
            steps.append(Step(path_of(node, number), made, outputs, "" if made else node.op_type))
        returned = [self._live[each.name] for each in self._graph.output if each.name in self._live]
        return Drawing(steps, self._sketch.variables, self._held, returned)

    def _note(self, node: Any) -> None:
        """What a node makes is known, and so are the weights of which it is made."""
        behind = tuple(dict.fromkeys(w for name in node.input for w in self._behind.get(name, ())))
        self._behind |= dict.fromkeys(node.output, () if node.op_type in SHAPES else behind)

    def _drawn(self, node: Any) -> list[Any]:
        like = [self._known[name] for name in node.output if name]
        if node.op_type in HANDS_ON and like[0].dtype == self._live[node.input[0]].dtype.as_numpy_dtype:
            return [self._live[node.input[0]]] + [self._sketch.constant(each) for each in like[1:]]
        tensors = [self._tensor(name) if name else None for name in node.input]
        try:
            made = self._by_rule(Node(node, tensors, self._value), like)
        # Whatever a rule has not foreseen is not known, and is said so: a fact stops no report.
        except Exception:  # noqa: BLE001
            made = None
        if made is None:
            present = [tensor for tensor in tensors if tensor is not None]
            return self._sketch.opaque(node.op_type, present, [(each.shape, each.dtype) for each in like])
        return made

    def _by_rule(self, node: Node, like: Sequence[np.ndarray]) -> list[Any] | None:
        """None where a rule makes something of another shape than the graph does."""
        if node.type == "Cast":
            made: Any = tf.cast(node.x, like[0].dtype)
        elif node.type in SHAPED:
            made = SHAPED[node.type](like[0].shape)(node)
        elif node.type in RULES:
            made = RULES[node.type](node)
        else:
            raise Unsketched
        outputs = list(made) if isinstance(made, list | tuple) else [made]
        shapes = [tuple(tensor.shape.as_list()) for tensor in outputs]
        if shapes != [each.shape for each in like]:
            return None
        # Whole numbers have many formats, which no fact depends on.
        return [
            tensor if tensor.dtype == each.dtype else tf.cast(tensor, each.dtype)
            for tensor, each in zip(outputs, like, strict=True)
        ]

    def _tensor(self, name: str) -> Any:
        """What stands for a tensor: made of the image, a weight, or numbers of no interest."""
        if name in self._live:
            return self._live[name]
        if name not in self._idle:
            self._idle[name] = self._made(name)
        return self._idle[name]

    def _made(self, name: str) -> Any:
        if name in self._weights:
            weight = self._weights[name]
            return self._sketch.weight(name, weight.shape, weight.dtype, trainable=False)
        held = self._value(name)
        assert held is not None
        behind = [self._tensor(each) for each in self._behind.get(name, ())]
        if not behind:
            return self._sketch.constant(held)
        return self._sketch.opaque("weights", behind, [(held.shape, held.dtype)])[0]

    def _value(self, name: str) -> np.ndarray | None:
        """A tensor that the image does not decide; None for one that it does, and for weights."""
        return None if name in self._live or name in self._weights else self._known[name]


def path_of(node: Any, number: int) -> str:
    """The path of a node's layer: its name, else that of what it makes."""
    name = node.name or SUFFIX.sub("", next(filter(None, node.output), "")) or f"{node.op_type}_{number}"
    return "/".join(part for part in name.replace(":", "_").split("/") if part)
