"""What operations see that take parts of an axis: slices, splits, single indices."""

from __future__ import annotations

from dataclasses import replace

from fmreport.sources.facts.operation import Operation
from fmreport.sources.facts.shapes import reshaped
from fmreport.sources.facts.state import (
    IMAGE,
    PARTS,
    PLAIN,
    TOKENS,
    State,
    States,
    Unread,
    along,
    made,
    one,
    only,
    size_of,
)
from fmreport.sources.facts.window import shifted


def slicing(op: Operation, states: States) -> State:
    """Slice and StridedSlice: a part of some axes."""
    state, cuts = only(states), op.cuts()
    if cuts is None:
        raise Unread
    for axis, cut in enumerate(cuts):
        start, count, step = (cut, 1, 1) if isinstance(cut, int) else cut
        state = taken(state, axis, range(start, start + count * step, step), op.name)
    return reshaped(state, op.out_shape)


def taken(state: State, axis: int, indices: range, operation: str) -> State:
    """The state of some indices of an axis, which stays where it is only one."""
    atoms = state.axes[axis]
    kinds = {kind for kind, _ in atoms}
    if len(indices) == size_of(atoms) and indices.step == 1:
        return state
    shape = [len(indices) if i == axis else size_of(each) for i, each in enumerate(state.axes)]
    if TOKENS in kinds or len(kinds & set(IMAGE)) > 1:
        state = replace(state, order=(state.order, atoms, indices))
        return made(state, shape, {axis: TOKENS})
    if not kinds & set(IMAGE):
        state = replace(state, bound=state.bound or operation) if PARTS in kinds else state
        return made(state, shape, {axis: PLAIN})
    if indices.step < 1:
        raise Unread
    return made(along(state, axis, shifted(indices.start, indices.step), operation, size=len(indices)), shape)


def parting(op: Operation, states: States) -> list[State]:
    """Split, SplitV and Unpack: one state for each output."""
    state = only(states)
    if op.type == "Unpack":
        axis = int(op.attribute("axis")) % len(op.shape(0))
        counts, source = [1] * len(op.outputs), 0
    else:
        source, at = (1, 0) if op.type == "Split" else (0, 2)
        value = op.value(at)
        if value is None:
            raise Unread
        axis = int(value) % len(op.shape(source))
        counts = [int(output.shape[axis]) for output in op.outputs]
    found, start = [], 0
    for count, output in zip(counts, op.outputs, strict=True):
        part = taken(state, axis, range(start, start + count), op.name)
        found.append(reshaped(part, [int(side) for side in output.shape]))
        start += count
    return found


def gathering(op: Operation, states: States) -> State:
    """GatherV2 with constant indices along one axis."""
    state, indices, axis = states[0], op.value(1), op.value(2)
    if state is None or indices is None or axis is None or op.attribute("batch_dims"):
        raise Unread
    at = int(axis) % len(op.shape(0))
    if any(kind in (*IMAGE, TOKENS) for kind, _ in state.axes[at]) and indices.ndim:
        raise Unread
    if not indices.ndim:
        return reshaped(taken(state, at, range(int(indices), int(indices) + 1), op.name), op.out_shape)
    if any(kind == PARTS for kind, _ in state.axes[at]):
        state = replace(state, bound=state.bound or op.name)
    atoms = tuple(one(PLAIN, size) for size in indices.shape)
    return replace(state, axes=(*state.axes[:at], *atoms, *state.axes[at + 1 :]))
