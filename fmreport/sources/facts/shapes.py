"""What operations see that move numbers without reading neighbours: reshapes, transpositions, joining, parting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from fmreport.sources.facts.operation import Operation
from fmreport.sources.facts.state import (
    IMAGE,
    PARTS,
    PLAIN,
    TOKENS,
    Atom,
    Axes,
    State,
    States,
    Unread,
    along,
    folded,
    made,
    on,
    one,
    only,
    size_of,
    together,
)
from fmreport.sources.facts.window import kernel, shifted


def reshaping(op: Operation, states: States) -> State:
    """Reshape, Squeeze, ExpandDims and slices that drop an axis."""
    return reshaped(only(states), op.out_shape)


def reshaped(state: State, shape: Sequence[int]) -> State:
    """The state with the same numbers, in the same order, under other axes."""
    left = [atom for atoms in state.axes for atom in atoms][::-1]
    axes: list[tuple[Atom, ...]] = []
    for size in shape:
        atoms: list[Atom] = []
        while size_of(atoms) < size or (left and left[-1][1] == 1):
            if not left:
                raise Unread
            kind, count = left.pop()
            if count == 1 and size > 1:
                continue  # a map of one position is no axis of the result
            need = size // size_of(atoms)
            if need % count:
                if count % need:
                    raise Unread
                state, rest = _split(state, (kind, count), need)
                left.append(rest)
                count = need
            atoms.append((kind, count))
        if size_of(atoms) != size:
            raise Unread
        axes.append(tuple(atoms))
    return replace(state, axes=tuple(axes))


def _split(state: State, atom: Atom, need: int) -> tuple[State, Atom]:
    """What is seen where an atom becomes `need` blocks of the rest; inside a block, indices see a part of it."""
    kind, count = atom
    rest = count // need
    if kind == TOKENS:
        raise Unread
    if kind in IMAGE:
        return on(state, kind, lambda seen: seen.read(kernel(rest, stride=rest), need)), (PARTS, rest)
    return state, (kind, rest)


def transposing(op: Operation, states: States) -> State:
    """Transpose."""
    state, order = only(states), op.value(1)
    if order is None:
        raise Unread
    return replace(state, axes=tuple(state.axes[int(axis)] for axis in order))


def pointwise(op: Operation, states: States) -> State:
    """Index by index, of one or several tensors that are broadcast."""
    shape = op.out_shape
    if op.type == "Bitcast" and len(shape) != len(op.shape(0)):
        raise Unread  # to numbers of another size
    seen = [_expanded(state, len(shape)) for state in states if state is not None]
    if len(seen) == 1 and tuple(size_of(atoms) for atoms in seen[0].axes) == shape:
        return seen[0]
    seen = _alike(seen, shape, op.name)
    return together(seen, _broadcast(seen, shape), op.name)


def _alike(states: Sequence[State], shape: Sequence[int], operation: str) -> list[State]:
    """The states with every axis written in the same atoms, where that can be."""
    for i, size in enumerate(shape):
        if len({state.axes[i] for state in states if size_of(state.axes[i]) == size}) > 1:
            states = [folded(state, i, operation) for state in states]
    return list(states)


def _expanded(state: State, rank: int) -> State:
    """With as many axes as the result, new ones in front."""
    return replace(state, axes=((),) * (rank - len(state.axes)) + state.axes)


def _broadcast(states: Sequence[State], shape: Sequence[int]) -> Axes:
    """What each axis of the result runs over."""
    axes = []
    for i, size in enumerate(shape):
        own = [state.axes[i] for state in states if size_of(state.axes[i]) == size]
        placed = [atoms for atoms in own if any(kind in (*IMAGE, TOKENS) for kind, _ in atoms)]
        parts = [atoms for atoms in own if any(kind == PARTS for kind, _ in atoms)]
        if any(atoms != placed[0] for atoms in placed):
            raise Unread
        axes.append(next(iter(placed or parts or own), one(PLAIN, size)))
    return tuple(axes)


def joining(op: Operation, states: States) -> State:
    """ConcatV2: along channels what all see; along positions only constants may be joined, as padding is."""
    axis_value = op.value(len(op.inputs) - 1)
    if axis_value is None:
        raise Unread
    axis = int(axis_value) % len(op.out_shape)
    parts = list(states[:-1])
    seen = [state for state in parts if state is not None]
    kinds = {kind for state in seen for kind, _ in state.axes[axis]}
    if kinds & {*IMAGE, TOKENS}:
        return _padded(op, parts, axis)
    kind = PARTS if PARTS in kinds or any(each.seen != seen[0].seen for each in seen) else PLAIN
    shape = op.out_shape
    widened = _alike([made(state, shape, {axis: kind}) for state in seen], shape, op.name)
    return together(widened, _broadcast(widened, shape), op.name)


def _padded(op: Operation, parts: States, axis: int) -> State:
    places = [i for i, state in enumerate(parts) if state is not None]
    state = parts[places[0]]
    if len(places) > 1 or state is None:
        raise Unread
    kinds = {kind for kind, _ in state.axes[axis]} & {*IMAGE, TOKENS}
    if len(kinds) > 1 or TOKENS in kinds:
        before = sum(op.shape(i)[axis] for i in range(places[0]))
        state = replace(state, order=(state.order, state.axes[axis], before, op.out_shape[axis]))
        return made(state, op.out_shape, {axis: TOKENS})
    before = sum(op.shape(i)[axis] for i in range(places[0]))
    return made(along(state, axis, shifted(-before), op.name, size=op.out_shape[axis]), op.out_shape)


def stacking(op: Operation, states: States) -> State:
    """Pack: a new axis over several tensors of one shape."""
    axis, shape = int(op.attribute("axis")) % len(op.out_shape), op.out_shape
    if (whole := _put_back(states, axis)) is not None:
        return whole
    seen = [replace(s, axes=(*s.axes[:axis], (), *s.axes[axis:])) for s in states if s is not None]
    seen = [made(state, shape, {axis: PARTS}) for state in seen]
    return together(seen, _broadcast(seen, shape), op.name)


def _put_back(states: States, axis: int) -> State | None:
    """Positions of the image that were taken one by one, along their axis again; None for a stack of anything else."""
    present = [state for state in states if state is not None]
    if len(present) < len(states) or len({(state.axes, state.order, state.everywhere) for state in present}) > 1:
        return None
    for name, other in (IMAGE, IMAGE[::-1]):
        held = any(kind == name and size > 1 for atoms in present[0].axes for kind, size in atoms)
        if held or len({seen.lowest.centre for state in present if (seen := state.seen[name])}) < 2:
            continue
        steps = {_step(one, next_, name) for one, next_ in pairwise(present)}
        step = steps.pop() if len(steps) == 1 else None
        if step is None or step < 1 or any(state.seen[other] != present[0].seen[other] for state in present):
            raise Unread  # single positions in another order
        whole = on(present[0], name, lambda seen, step=step: seen.every(step))  # type: ignore[misc]
        kept = [tuple(atom for atom in atoms if atom[0] != name) for atoms in whole.axes]
        bound = next((state.bound for state in present if state.bound), "")
        return replace(whole, axes=(*kept[:axis], one(name, len(states)), *kept[axis:]), bound=bound)
    return None


def _step(state: State, following: State, name: int) -> int | None:
    """How much further on one state sees than another; None where they differ otherwise."""
    first, second = state.seen[name], following.seen[name]
    if first is None or second is None:
        return None
    step = second.union.at(0)[0] - first.union.at(0)[0]
    return step if second.every(step) == first.every(step).read(shifted(1), 1).every(step) else None


def tiling(op: Operation, states: States) -> State:
    """Tile: an axis of size 1 becomes an axis of copies; other axes may only stay."""
    state = only(states)
    for axis, (before, after) in enumerate(zip(op.shape(0), op.out_shape, strict=True)):
        if before != after and any(kind in (*IMAGE, TOKENS) for kind, _ in state.axes[axis]):
            raise Unread
    return made(state, op.out_shape)
