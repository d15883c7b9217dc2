"""A whole ONNX graph, drawn node by node."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from fmreport.sources.blueprint.graph import HELD, Blueprint, Undrawn
from fmreport.sources.blueprint.listing import Drawing, Step
from fmreport.sources.graph.listing import opaque
from fmreport.sources.onnx.file import File, another
from fmreport.sources.onnx.known import Known, live
from fmreport.sources.onnx.node import Node
from fmreport.sources.onnx.operations import HANDS_ON, RULES, SHAPED
from fmreport.sources.onnx.stored import branches, reads

SUFFIX = re.compile(r":\d+$")
STRANGE = re.compile(r"[^\w/.+()~-]")
"""What means something else in paths, in the names of taps and where layers are chosen; blanks too."""
NAMED = ("BatchNormalization", "RMSNormalization", "QuantizeLinear", "DequantizeLinear")
"""Operations that are layers of their own name, whatever they are drawn as."""
HOLDS = {"If": "a branch", "Loop": "a loop", "Scan": "a loop"}
"""Operations that run graphs of their own."""


class Drawer:
    """Draws one graph for one size of its inputs."""

    def __init__(self, file: File, known: Mapping[str, Known], blueprint: Blueprint) -> None:
        """`known` holds every tensor of the graph for some inputs, but for weights."""
        self._file, self._known, self._blueprint = file, known, blueprint
        self._live: dict[str, Any] = {}
        self._idle: dict[str, Any] = {}
        self._behind: dict[str, tuple[str, ...]] = {name: (name,) for name in file.weights}
        self._held: dict[str, str] = {}

    def draw(self, fed: Mapping[str, Any]) -> Drawing:
        """From tensors by the names of the inputs that they feed."""
        self._live |= fed
        steps, rest, of_image, taken = [], [], live(self._file.graph, fed), set[str]()
        for number, node in enumerate(self._file.graph.node):
            if not of_image.intersection(node.output):
                self._note(node)
                continue
            with self._blueprint.step() as drawn:
                outputs, kind = self._drawn(node)
            names = [name for name in node.output if name]
            self._live |= dict(zip(names, outputs, strict=True))
            for name, tensor in zip(names, outputs, strict=True):
                self._held.setdefault(tensor.name, name)
            made = [op for op in drawn if op.type not in HELD]
            path = another(path_of(node, number), taken)
            steps.append(Step(path, made, outputs, kind))
            if any(branches([node])):
                rest.append(opaque(path, node.op_type, HOLDS.get(node.op_type, "a graph of its own")))
        returned = [self._live[each.name] for each in self._file.graph.output if each.name in self._live]
        return Drawing(steps, self._blueprint.variables, self._held, returned, rest)

    def _note(self, node: Any) -> None:
        """What a node makes is known, and so are the weights of which it is made."""
        behind = tuple(dict.fromkeys(w for name in reads(node) for w in self._behind.get(name, ())))
        self._behind |= dict.fromkeys(node.output, behind)

    def _drawn(self, node: Any) -> tuple[list[Any], str]:
        """What a node returns, and its type where its operations do not tell it."""
        like = [self._known[name] for name in node.output if name]
        if node.op_type in HANDS_ON and like[0].dtype == self._live[node.input[0]].dtype.as_numpy_dtype:
            beside = [self._blueprint.held(each.shape, each.dtype) for each in like[1:]]
            return [self._live[node.input[0]], *beside], node.op_type
        tensors = [self._tensor(name) if name else None for name in node.input]
        try:
            made = self._by_rule(Node(node, tensors, self._value, self._file.opset), like)
            return made, node.op_type if node.op_type in NAMED else ""
        except Undrawn:
            pass
        # Whatever a rule has not foreseen is not known, and is said so: a fact stops no report.
        except Exception:  # noqa: BLE001, S110
            pass
        present = [self._tensor(name) for name in dict.fromkeys(reads(node)) if name and self._is_there(name)]
        return self._blueprint.opaque(node.op_type, present, [(each.shape, each.dtype) for each in like]), node.op_type

    def _by_rule(self, node: Node, like: Sequence[Known]) -> list[Any]:
        """Raises `Undrawn` where there is no rule, or where one makes something of another shape than the graph."""
        if node.domain not in ("", "ai.onnx"):
            raise Undrawn
        if node.type == "Cast":
            made: Any = tf.cast(node.x, like[0].dtype)
        elif node.type in SHAPED:
            made = SHAPED[node.type](like[0].shape or ())(node)
        elif node.type in RULES:
            made = RULES[node.type](node)
        else:
            raise Undrawn
        outputs = list(made) if isinstance(made, list | tuple) else [made]
        shapes = [tuple(tensor.shape.as_list()) for tensor in outputs]
        if shapes != [each.shape for each in like]:
            raise Undrawn
        # Whole numbers have many formats, which no fact depends on.
        return [
            tensor if tensor.dtype == each.dtype else tf.cast(tensor, each.dtype)
            for tensor, each in zip(outputs, like, strict=True)
        ]

    def _is_there(self, name: str) -> bool:
        return name in self._live or name in self._file.weights or name in self._known

    def _tensor(self, name: str) -> Any:
        """What stands for a tensor: made of the image, a weight, or numbers of no interest."""
        if name in self._live:
            return self._live[name]
        if name not in self._idle:
            self._idle[name] = self._made(name)
        return self._idle[name]

    def _made(self, name: str) -> Any:
        if name in self._file.weights:
            value = self._file.weights[name].value
            return self._blueprint.weight(name, value.shape, value.dtype, trainable=False)
        known = self._known[name]
        behind = [self._tensor(each) for each in self._behind.get(name, ())]
        if behind:
            return self._blueprint.derived(behind, known.shape, known.dtype)
        if known.value is not None:
            return self._blueprint.constant(known.value)
        return self._blueprint.held(known.shape, known.dtype)

    def _value(self, name: str) -> np.ndarray | None:
        """A tensor that the image does not decide; None for one that it does, for weights, and for many numbers."""
        return None if name in self._live or name in self._file.weights else self._known[name].value


def path_of(node: Any, number: int) -> str:
    """The path of a node's layer: its name, else that of what it makes."""
    name = node.name or SUFFIX.sub("", next(filter(None, node.output), ""))
    return "/".join(filter(None, STRANGE.sub("_", name).split("/"))) or f"{node.op_type}_{number}"
