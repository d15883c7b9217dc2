"""A whole TensorFlow Lite graph, drawn operator by operator."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from fmreport.records import Quantisation
from fmreport.sources.blueprint.graph import HELD, Blueprint, Undrawn
from fmreport.sources.blueprint.listing import Drawing, Step
from fmreport.sources.graph.kinds import kind_of
from fmreport.sources.tflite.file import BIASED, File, Operator
from fmreport.sources.tflite.layers import heaviest, layers, paths
from fmreport.sources.tflite.node import Node
from fmreport.sources.tflite.operations import ACTIVATIONS, HANDS_ON, RULES

SHAPES = ("SHAPE", "RANK")
"""Operators that read no values of an activation."""
NAMED = {"QUANTIZE": "Quantize", "DEQUANTIZE": "Dequantize", "PRELU": "PReLU"}
"""Types of layers that their operations do not tell."""


class Drawer:
    """Draws the model for one size of its inputs."""

    def __init__(self, file: File, known: Callable[[int], np.ndarray], blueprint: Blueprint) -> None:
        """`known` gives any tensor, as the model computes it for some images: real numbers."""
        self._file, self._known, self._blueprint = file, known, blueprint
        self._live: dict[int, Any] = {}
        self._idle: dict[int, Any] = {}
        self._behind: dict[int, tuple[int, ...]] = {index: (index,) for index in file.weights}
        self._same: dict[int, int] = {}
        """Tensors that hold the numbers of another in another format."""
        self._held: dict[str, int] = {}

    def draw(self, fed: Mapping[int, Any]) -> Drawing:
        """From tensors by the indices of the inputs that they feed."""
        self._live |= fed
        steps, named = list[Step](), dict(zip(self._file.operators, paths(self._file), strict=True))
        for together in layers(self._file):
            for operator in together:
                self._note(operator)
            read = [i for i in together[0].inputs if i in self._live]
            if not read or together[0].type in SHAPES:
                continue
            with self._blueprint.step() as drawn:
                kinds = [self._draw_one(operator) for operator in together]
            outputs = [self._live[i] for i in together[-1].outputs]
            main = heaviest(together)
            kind = kinds[together.index(main)]
            steps.append(Step(named[main], [op for op in drawn if op.type not in HELD], outputs, kind))
        returned = [self._live[i] for i in self._file.outputs if i in self._live]
        return Drawing(steps, self._blueprint.variables, self._held, returned, quantised=self._quantised())

    def _quantised(self) -> dict[str, Quantisation]:
        found = {name: self._file.tensors[index].quantisation for name, index in self._held.items()}
        return {name: each for name, each in found.items() if each is not None}

    def _note(self, operator: Operator) -> None:
        """What is made of no image is known, and so are the weights of which it is made."""
        if operator.type in SHAPES or not any(i in self._live for i in operator.inputs):
            if operator.type == "DEQUANTIZE":
                self._same[operator.outputs[0]] = operator.inputs[0]
            behind = tuple(dict.fromkeys(w for i in operator.inputs for w in self._behind.get(i, ())))
            self._behind |= dict.fromkeys(operator.outputs, () if operator.type in SHAPES else behind)

    def _draw_one(self, operator: Operator) -> str:
        """The type of layer that it is."""
        outputs, kind = self._drawn(operator, sum(i in self._live for i in operator.inputs))
        for index, tensor in zip(operator.outputs, outputs, strict=True):
            self._live[index] = tensor
            self._held.setdefault(tensor.name, index)
        return kind

    def _drawn(self, operator: Operator, incoming: int) -> tuple[list[Any], str]:
        """The tensors that it returns, and the type of its layer: what it is without its activation."""
        like = [self._known(index) for index in operator.outputs]
        if operator.type in HANDS_ON:
            return [self._live[operator.inputs[0]]], NAMED[operator.type]
        tensors = [self._tensor(i) if i >= 0 else None for i in operator.inputs]
        try:
            with self._blueprint.step() as drawn:
                made = self._by_rule(operator, tensors, like)
            weights = sum(i in self._file.weights for i in operator.inputs)
            doing = [op for op in drawn if op.type not in HELD]
            kind = NAMED.get(operator.type) or kind_of(doing, weights, incoming=incoming)
            return [self._finished(each, operator, i) for i, each in enumerate(made)], kind
        # Whatever a rule has not foreseen is not known, and is said so: a fact stops no report.
        except Exception:  # noqa: BLE001
            present = [tensor for tensor in tensors if tensor is not None]
            shapes = [(each.shape, each.dtype) for each in like]
            return self._blueprint.opaque(operator.type, present, shapes), operator.type

    def _by_rule(self, operator: Operator, tensors: Sequence[Any], like: Sequence[np.ndarray]) -> list[Any]:
        """Raises where there is no rule, or where it makes something of another shape than the model does."""
        node = Node(operator, tensors, [each.shape for each in like], self._value)
        if operator.type == "CAST":
            made: Any = tf.cast(node.x, like[0].dtype)
        elif operator.type in RULES:
            made = RULES[operator.type](node)
        else:
            raise Undrawn
        outputs = list(made) if isinstance(made, list | tuple) else [made]
        if [tuple(tensor.shape.as_list()) for tensor in outputs] != [each.shape for each in like]:
            raise Undrawn
        # Whole numbers have many formats, which no fact depends on.
        return [
            tensor if tensor.dtype == each.dtype else tf.cast(tensor, each.dtype)
            for tensor, each in zip(outputs, like, strict=True)
        ]

    def _finished(self, tensor: Any, operator: Operator, output: int) -> Any:
        """Rounded to whole numbers where the model does so, and behind the activation that is part of the operator."""
        quantisation = self._file.tensors[operator.outputs[output]].quantisation
        if quantisation is not None and (operator.type in BIASED or quantisation not in self._of_inputs(operator)):
            low, high = quantisation.ends
            bits = (quantisation.highest - quantisation.lowest).bit_length()
            tensor = tf.raw_ops.FakeQuantWithMinMaxArgs(inputs=tensor, min=low, max=high, num_bits=bits)
        activation = int(operator.options.get("fusedActivationFunction") or 0)
        if not activation:
            return tensor
        if activation not in ACTIVATIONS:
            raise Undrawn
        # Behind the rounding, so that it is the activation that makes zeros.
        return ACTIVATIONS[activation](tensor)

    def _of_inputs(self, operator: Operator) -> list[Quantisation | None]:
        return [self._file.tensors[i].quantisation for i in operator.inputs if i in self._live]

    def _tensor(self, index: int) -> Any:
        """What stands for a tensor: made of the image, a weight, or numbers of no interest."""
        if index in self._live:
            return self._live[index]
        if index not in self._idle:
            self._idle[index] = self._made(index)
        return self._idle[index]

    def _made(self, index: int) -> Any:
        if index in self._file.weights:
            weight = self._file.weights[index]
            # Whole numbers that stand for others are drawn as these.
            real = weight.dtype if weight.dtype is not None and weight.dtype.kind == "f" else np.float32
            return self._blueprint.weight(weight.name, weight.shape, real, trainable=False)
        held = self._known(index)
        if index in self._same:
            return tf.cast(self._tensor(self._same[index]), held.dtype)
        behind = [self._tensor(each) for each in self._behind.get(index, ())]
        if not behind:
            return self._blueprint.constant(held)
        return self._blueprint.derived(behind, held.shape, held.dtype)

    def _value(self, index: int) -> np.ndarray | None:
        """Numbers that no image decides; None for others, and for those of weights."""
        return None if index in self._live or index in self._file.weights else self._known(index)
