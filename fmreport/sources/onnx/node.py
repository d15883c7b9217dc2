"""One node of an ONNX graph, as the rules that draw it read it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx

from fmreport.sources.blueprint.graph import Undrawn
from fmreport.sources.blueprint.vocabulary import Pads, Window


class Node:
    """A node that the image goes through."""

    def __init__(
        self, node: Any, tensors: Sequence[Any], value: Callable[[str], np.ndarray | None], opset: int
    ) -> None:
        """`tensors` stand for its inputs, None for one that is left out; `value` knows numbers that are no weights."""
        self.opset = opset
        self.type, self.domain = str(node.op_type), str(node.domain)
        self.inputs = tensors
        self.attributes = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
        self.outputs = sum(map(bool, node.output))
        self._names, self._value = list(node.input), value

    @property
    def x(self) -> Any:
        """Its first input."""
        return self.inputs[0]

    @property
    def rank(self) -> int:
        """Of its first input."""
        return int(self.x.shape.rank)

    def input(self, i: int) -> Any:
        """Input `i`; None where it is left out."""
        return self.inputs[i] if i < len(self.inputs) else None

    def value(self, i: int) -> Any:
        """Input `i` as an array that does not depend on the image; None where it is left out."""
        if i >= len(self._names) or not self._names[i]:
            return None
        held = self._value(self._names[i])
        if held is None:
            raise Undrawn
        return held

    def ints(self, name: str, otherwise: Sequence[int]) -> list[int]:
        """A list of whole numbers."""
        return [int(each) for each in self.attributes.get(name, otherwise)]

    def text(self, name: str, otherwise: str) -> str:
        """A word."""
        held = self.attributes.get(name, otherwise)
        return held.decode() if isinstance(held, bytes) else str(held)

    def said(self, name: str, i: int) -> Any:
        """What older versions of an operation say as an attribute and newer ones as input `i`; None where neither."""
        return self.attributes[name] if name in self.attributes else self.value(i)

    def window(self, sides: Sequence[int]) -> Window:
        """How it reads neighbours, by a kernel of such sides."""
        strides, dilations = self.ints("strides", [1] * len(sides)), self.ints("dilations", [1] * len(sides))
        return Window(strides, self._pads(sides, strides, dilations), dilations, sides)

    def _pads(self, window: Sequence[int], strides: Sequence[int], dilations: Sequence[int]) -> Pads:
        how = self.text("auto_pad", "NOTSET")
        if how in ("NOTSET", ""):
            flat = self.ints("pads", [0] * 2 * len(window))
            return list(zip(flat[: len(window)], flat[len(window) :], strict=True))
        if how == "VALID":
            return [(0, 0)] * len(window)
        found = []
        for side, tap, stride, dilation in zip(self.x.shape[2:], window, strides, dilations, strict=True):
            missing = max((-(-side // stride) - 1) * stride + (tap - 1) * dilation + 1 - side, 0)
            few, many = missing // 2, missing - missing // 2
            found.append((few, many) if how == "SAME_UPPER" else (many, few))
        return found
