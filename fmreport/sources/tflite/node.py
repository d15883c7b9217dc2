"""One operator of a TensorFlow Lite model, as the rules that draw it read it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fmreport.sources.blueprint.graph import Undrawn
from fmreport.sources.blueprint.vocabulary import Pads, Window
from fmreport.sources.tflite.file import Operator

SAME = 0
"""Padding that leaves a position for every stride; the other is none."""


class Node:
    """An operator that the image goes through."""

    def __init__(
        self,
        operator: Operator,
        tensors: Sequence[Any],
        shapes: Sequence[tuple[int, ...]],
        value: Callable[[int], np.ndarray | None],
    ) -> None:
        """`tensors` stand for its inputs, None for one that is left out; `shapes` are those of what it returns.

        `value` gives the numbers of a tensor that depends on no image; None for those of weights and of others.
        """
        self.type, self.options = operator.type, operator.options
        self.inputs, self.shapes = tensors, shapes
        self._operator, self._value = operator, value

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

    def known(self, i: int) -> np.ndarray | None:
        """Input `i` as an array, if no image decides it and it is no weight."""
        return self._value(self._operator.inputs[i])

    def value(self, i: int) -> Any:
        """Input `i` as such an array; raises `Undrawn` where it is none."""
        held = self.known(i)
        if held is None:
            raise Undrawn
        return held

    def ints(self, i: int) -> list[int]:
        """Input `i` as whole numbers."""
        return [int(each) for each in np.ravel(self.value(i))]

    def window(self, sides: Sequence[int], *, over: Sequence[int] = (), into: Sequence[int] = ()) -> Window:
        """How it reads neighbours by a kernel of such sides: those of positions `over`, one stride from another.

        `over` and `into` are the sizes of what a window moves over and of what comes of it; those of input and output
        where they are left out.
        """
        axes = {1: "W", 2: "HW", 3: "DHW"}[len(sides)]
        strides = [int(self.options[f"stride{letter}"]) for letter in axes]
        dilations = [int(self.options.get(f"dilation{letter}Factor", 1)) for letter in axes]
        small, large = into or self.shapes[0][1:-1], over or tuple(self.x.shape[1:-1])
        pads: list[tuple[int, int]] = []
        for i, side in enumerate(sides):
            reach = (small[i] - 1) * strides[i] + (side - 1) * dilations[i] + 1
            missing = max(reach - large[i], 0) if self.options["padding"] == SAME else 0
            pads.append((missing // 2, missing - missing // 2))
        around: Pads = pads
        return Window(strides, around, dilations, sides)
