"""Which tensors of a graph hold their channels first, `(B, C, *spatial)`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import tensorflow as tf

from fmreport.sources.recorder import Call

FIRST, LAST = True, False
RESHAPES = ("Reshape", "Squeeze", "ExpandDims")
STOPS = ("Einsum",)
"""Operations behind which an axis need not be the one that it was before."""


class Layout:
    """What layers say of their outputs, and where they say nothing, what the outputs were made of.

    Where that tells nothing either, channels are taken to be last; from such a guess nothing else follows.
    """

    def __init__(self, inputs: Iterable[tuple[Any, bool]]) -> None:
        """`inputs` are the tensors that the model is called with, and whether each holds its channels first."""
        self._known: dict[str, bool] = {tensor.name: channels_first for tensor, channels_first in inputs}
        self._guessed: set[str] = set()

    def add(self, call: Call) -> None:
        """Settles the outputs of a call. Calls must come in the order in which they ended."""
        said = {"channels_first": FIRST, "channels_last": LAST}.get(str(getattr(call.layer, "data_format", None)))
        for tensor in call.outputs:
            if tensor.name in self._known:
                continue
            found = self._inherited(tensor, call) if said is None else said
            if found is None:
                self._guessed.add(tensor.name)
            else:
                self._known[tensor.name] = found

    def channels_first(self, tensor: Any) -> bool:
        """Whether the channels of a tensor that was added are its axis 1; False for ranks without spatial axes."""
        return tensor.shape.rank is not None and tensor.shape.rank > 2 and self._known.get(tensor.name, LAST)

    def _inherited(self, tensor: Any, call: Call) -> bool | None:
        if tensor.shape.rank is None:
            return None
        found = self._traced(tensor)
        if found is None:
            # Behind a reshape: a layer that keeps the shape, such as a group normalisation, keeps the layout.
            alike = [each for each in call.inputs if each.shape == tensor.shape and each.name in self._known]
            found = self._known[alike[0].name] if alike else self._returned(tensor)
        return found

    def _traced(self, tensor: Any) -> bool | None:
        """The layout of the nearest known tensor that went into this one, axis by axis; None where there is none."""
        seen: set[str] = set()
        waiting: list[tuple[Any, tuple[Any, ...]]] = [(tensor, ())]
        while waiting:
            current, moves = waiting.pop(0)
            if current.name in seen or current.name in self._guessed or current.shape.rank is None:
                continue
            seen.add(current.name)
            if current.name in self._known:
                return _moved(self._known[current.name], current.shape, moves, tensor.shape.rank)
            if current.op.type in RESHAPES:
                waiting.append((current.op.inputs[0], (current.shape, *moves)))
            elif current.op.type == "Transpose":
                order = tf.get_static_value(current.op.inputs[1])
                if order is not None:
                    waiting.append((current.op.inputs[0], (tuple(int(axis) for axis in order), *moves)))
            elif current.op.type not in STOPS:
                rank = current.shape.rank
                waiting += [(each, moves) for each in current.op.inputs if each.shape.rank == rank]
        return None

    def _returned(self, tensor: Any) -> bool | None:
        """The layout of the tensors of the same shape that were reshaped and, in the end, reshaped back to this one."""
        if tensor.op.type != "Reshape" or not tensor.shape.is_fully_defined() or tensor.shape.rank < 3:
            return None
        if tensor.shape[1] == tensor.shape[-1]:
            return None
        seen: set[str] = set()
        waiting = [tensor.op.inputs[0]]
        while waiting:
            current = waiting.pop(0)
            if current.name in seen:
                continue
            seen.add(current.name)
            if current.shape.rank != tensor.shape.rank:
                waiting += current.op.inputs
            elif current.shape == tensor.shape and current.name in self._known:
                return self._known[current.name]
        return None


def _moved(channels_first: bool, shape: Any, moves: Sequence[Any], rank: int) -> bool | None:
    """The layout after `moves` of a tensor of `shape`, each an order of axes or a new shape; None if it is lost."""
    axis: int | None = 1 if channels_first else shape.rank - 1
    for move in moves:
        if axis is None:
            return None
        axis, shape = _step(axis, shape, move)
    return None if axis is None else {rank - 1: LAST, 1: FIRST}.get(axis)


def _step(axis: int, shape: Any, move: Any) -> tuple[int | None, Any]:
    """Where an axis is after one move, and the shape."""
    if isinstance(move, tuple):
        return move.index(axis), tf.TensorShape([shape[each] for each in move])
    before, after = shape.as_list(), move.as_list()
    behind = len(before) - axis
    # An axis outlives a reshape that leaves it, and either all before it or all behind it, as they were.
    if None not in (head := before[: axis + 1]) and head == after[: axis + 1]:
        return axis, move
    if None not in (tail := before[axis:]) and tail == after[-behind:]:
        return len(after) - behind, move
    return None, move
