"""Which tensors of a graph hold their channels first, `(B, C, *spatial)`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import tensorflow as tf

from fmreport.sources.recorder import Call

Moves = tuple[tuple[int, ...], ...]
"""Transpositions, the earliest first."""
FIRST, LAST = True, False
STOPS = ("Reshape", "Einsum")
"""Operations behind which an axis need not be the one that it was before."""


class Layout:
    """What layers say of their outputs, and where they say nothing, what the outputs were made of."""

    def __init__(self, inputs: Iterable[tuple[Any, bool]]) -> None:
        """`inputs` are the tensors that the model is called with, and whether each holds its channels first."""
        self._known: dict[str, bool] = {tensor.name: channels_first for tensor, channels_first in inputs}

    def add(self, call: Call) -> None:
        """Settles the outputs of a call. Calls must come in the order in which they ended."""
        said = {"channels_first": FIRST, "channels_last": LAST}.get(str(getattr(call.layer, "data_format", None)))
        for tensor in call.outputs:
            if tensor.name not in self._known:
                self._known[tensor.name] = self._inherited(tensor, call) if said is None else said

    def channels_first(self, tensor: Any) -> bool:
        """Whether the channels of a tensor that was added are its axis 1; False for ranks without spatial axes."""
        return tensor.shape.rank is not None and tensor.shape.rank > 2 and self._known[tensor.name]

    def _inherited(self, tensor: Any, call: Call) -> bool:
        found = self._traced(tensor)
        if found is None:
            # Behind a reshape: a layer that keeps the shape, such as a group normalisation, keeps the layout.
            alike = [each for each in call.inputs if each.shape == tensor.shape and each.name in self._known]
            found = self._known[alike[0].name] if alike else LAST
        return found

    def _traced(self, tensor: Any) -> bool | None:
        """The layout of the nearest known tensor of the same rank that went into this one; None where there is none."""
        seen: set[str] = set()
        waiting: list[tuple[Any, Moves]] = [(tensor, ())]
        while waiting:
            current, moves = waiting.pop(0)
            if current.name in seen or current.shape.rank != tensor.shape.rank:
                continue
            seen.add(current.name)
            if current.name in self._known:
                return _moved(self._known[current.name], moves, current.shape.rank)
            if current.op.type == "Transpose":
                order = tf.get_static_value(current.op.inputs[1])
                if order is None:
                    continue
                moves = (tuple(int(axis) for axis in order), *moves)
            if current.op.type not in STOPS:
                waiting += [(each, moves) for each in current.op.inputs]
        return None


def _moved(channels_first: bool, moves: Moves, rank: int) -> bool | None:
    """The layout after transpositions; None where the channels end up in between."""
    axis = 1 if channels_first else rank - 1
    for order in moves:
        axis = order.index(axis)
    return {rank - 1: LAST, 1: FIRST}.get(axis)
