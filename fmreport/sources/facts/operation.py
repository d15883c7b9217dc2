"""One TensorFlow operation with static shapes, as the rules read it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf

CALLS = {"PartitionedCall", "StatefulPartitionedCall"}
"""Operations that run a function, whose body is read too."""
STANDS_FOR = "_fmreport_stands_for"
"""Attribute of an operation of a blueprint that stands for one which TensorFlow does not have: its type there."""
Cut = tuple[int, int, int] | int
"""What a slice takes of an axis: start, number and step of indices, or the one index after which the axis is gone."""


class Operation:
    """An operation of a graph; its shapes are known, but for those of what is no tensor of numbers."""

    def __init__(self, op: Any, call: str = "") -> None:
        """`call` names the call of the function that holds the operation, where one does."""
        self.op, self.name, self.type = op, call or str(op.name), str(op.type)
        self.inputs, self.outputs = list(op.inputs), list(op.outputs)

    def shape(self, i: int) -> tuple[int, ...]:
        """Sizes of input `i`; raises `ValueError` where they are not known."""
        return sizes(self.inputs[i])

    @cached_property
    def out_shape(self) -> tuple[int, ...]:
        """Sizes of the first output."""
        return sizes(self.outputs[0])

    def value(self, i: int) -> Any:
        """Input `i` as an array, where it does not depend on what the graph is fed; else None."""
        return tf.get_static_value(self.inputs[i])

    def attribute(self, name: str) -> Any:
        """An attribute; None where the operation has none of the name."""
        return self.op.get_attr(name) if name in self.op.node_def.attr else None

    @cached_property
    def data_format(self) -> str:
        """E.g. `NHWC`; channels last where the operation does not say."""
        said = self.attribute("data_format")
        rank = len(self.out_shape)
        return said.decode() if said else {3: "NWC", 4: "NHWC"}.get(rank, "NDHWC")

    @property
    def channel(self) -> int:
        """The axis of channels."""
        return self.data_format.index("C")

    @cached_property
    def spatial(self) -> tuple[int, ...]:
        """The axes of positions."""
        return tuple(i for i, letter in enumerate(self.data_format) if letter not in "NC")

    @cached_property
    def strides(self) -> list[int]:
        """Of each spatial axis."""
        return [int(self.attribute("strides")[axis]) for axis in self.spatial]

    @cached_property
    def dilations(self) -> list[int]:
        """Of each spatial axis."""
        said = self.attribute("dilations")
        return [int(said[axis]) if said else 1 for axis in self.spatial]

    def padding(self, taps: Sequence[int], *, small: Sequence[int], large: Sequence[int]) -> list[int]:
        """Positions before each spatial axis for a kernel that makes the shape `small` of `large`."""
        how = self.attribute("padding").decode()
        if how == "VALID":
            return [0] * len(taps)
        if how == "EXPLICIT":
            said = self.attribute("explicit_paddings")
            return [int(said[2 * axis]) for axis in self.spatial]
        before = []
        for tap, stride, dilation, axis in zip(taps, self.strides, self.dilations, self.spatial, strict=True):
            reach = (small[axis] - 1) * stride + (tap - 1) * dilation + 1
            before.append(max(reach - large[axis], 0) // 2)
        return before

    def cuts(self) -> list[Cut] | None:
        """What a `Slice` or `StridedSlice` takes of each axis; None where that depends on what the graph is fed."""
        if self.type == "Slice":
            begin = self.value(1)
            same = self.out_shape == self.shape(0)
            if begin is None and not same:
                return None
            return [(0 if same else int(begin[i]), size, 1) for i, size in enumerate(self.out_shape)]
        values = [self.value(i) for i in (1, 2, 3)]
        if any(value is None for value in values):
            return None
        return self._strided(*(value.tolist() for value in values))

    def _strided(self, begin: list[int], end: list[int], stride: list[int]) -> list[Cut]:
        masks = {each: int(self.attribute(f"{each}_mask")) for each in MASKS}

        def has(mask: str, i: int) -> bool:
            return bool(masks[mask] >> i & 1)

        shape, cuts = self.shape(0), list[Cut]()
        new = sum(has("new_axis", i) and not has("ellipsis", i) for i in range(len(begin)))
        named = len(begin) - new - any(has("ellipsis", i) for i in range(len(begin)))
        for i in range(len(begin)):
            if has("ellipsis", i):
                cuts += [(0, shape[axis], 1) for axis in range(len(cuts), len(cuts) + len(shape) - named)]
            elif has("new_axis", i):
                continue
            elif has("shrink_axis", i):
                cuts.append(begin[i] % shape[len(cuts)])
            else:
                first = None if has("begin", i) else begin[i]
                last = None if has("end", i) else end[i]
                indices = range(shape[len(cuts)])[slice(first, last, stride[i])]
                cuts.append((indices.start, len(indices), indices.step))
        return cuts + [(0, size, 1) for size in shape[len(cuts) :]]


MASKS = ("begin", "end", "ellipsis", "new_axis", "shrink_axis")


def type_of(op: Any) -> str:
    """The type of a TensorFlow operation, or of what it stands for: to be told, as rules are for TensorFlow's own."""
    held = op.node_def.attr
    return str(held[STANDS_FOR].s.decode()) if STANDS_FOR in held else str(op.type)


def sizes(tensor: Any) -> tuple[int, ...]:
    """The shape of a tensor; raises `ValueError` where it is not known."""
    return tuple(int(side) for side in tensor.shape.as_list()) if _known(tensor) else _unknown(tensor)


def _known(tensor: Any) -> bool:
    return tensor.shape.rank is not None and None not in tensor.shape.as_list()


def _unknown(tensor: Any) -> Any:
    raise ValueError(f"the shape of {tensor.name} is not known")


def elements(shape: Sequence[int]) -> int:
    """How many numbers a tensor of a shape holds."""
    return math.prod(shape)


def axes_of(value: Any, rank: int) -> list[int]:
    """Axes as a reduction names them, counted from 0."""
    return [int(axis) % rank for axis in np.ravel(value)]
