"""What a tensor of a graph sees of the image, and along which of its axes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from types import MappingProxyType

from fmreport.sources.facts.window import ITSELF, Reads, Window, repeat, union

Y, X = 0, 1
IMAGE = (Y, X)
"""The axes of the image."""
PLAIN, TOKENS, PARTS = None, 2, 3
"""Other kinds of atoms: of no position; positions in an order of their own; indices that see parts of the window."""
Atom = tuple[int | None, int]
"""What an axis, or a factor of it, runs over (`Y`, `X`, `PLAIN`, `TOKENS`, `PARTS`), and its size."""
Axes = tuple[tuple[Atom, ...], ...]
"""Atoms of each axis, the slowest first; those of size 1 are left out but for positions."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is seen along one axis of the image by paths that keep positions."""

    union: Window
    """All paths together."""
    widest: Window
    """The path that sees most."""
    lowest: Window
    """The path that is centred on the smallest position."""
    highest: Window
    """The path that is centred on the largest position."""
    one_stride: bool = True
    """Whether the windows of all paths move by the same step."""
    block: int = 1
    """Every so many indices are one apart, until `BatchToSpaceND`."""

    @property
    def aligned(self) -> bool:
        """Whether all paths are centred on the same position, at every index."""
        return self.one_stride and self.lowest.centre == self.highest.centre

    def read(self, reads: Reads, size: int) -> Seen:
        """What the output of an operation sees, along its axis of `size` indices."""
        return self.of({window: window.read(reads, size) for window in self.windows})

    @property
    def windows(self) -> set[Window]:
        """All of them, each once."""
        return {self.union, self.widest, self.lowest, self.highest}

    def of(self, windows: Mapping[Window, Window]) -> Seen:
        """With others in place of the windows."""
        return replace(
            self,
            union=windows[self.union],
            widest=windows[self.widest],
            lowest=windows[self.lowest],
            highest=windows[self.highest],
        )

    def every(self, step: int) -> Seen:
        """The windows of an axis along which all is seen that the first index sees, so many positions further on."""
        single = {each: Window(step, each.first[:1], each.last[:1]) for each in self.windows}
        return self.of(single)


@dataclass(frozen=True, slots=True)
class State:
    """What one tensor sees."""

    axes: Axes
    seen: tuple[Seen | None, Seen | None]
    """For each axis of the image; None where no path keeps positions."""
    everywhere: tuple[str, str] = ("", "")
    """For each axis of the image the operation by which every index sees all of it; empty where none does."""
    unknown: str = ""
    """The operation of which it is not known what it reads."""
    bound: str = ""
    """The operation behind which less may be seen than the windows say."""
    normalised: str = ""
    """The first normalisation by statistics over positions, which is left out of the windows."""
    meeting: str = ""
    """The first operation at which paths meet that are centred on different positions."""
    order: object = None
    """What was picked of positions that run in an order of their own; equal for tokens that are ordered alike."""
    source: object = None
    """What stands for the numbers of the tensor: the same object for tensors of the same numbers."""
    claim: Claim | None = None
    """What it may be of a normalisation, where it may be a part of one."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A tensor as a part of a normalisation."""

    of: object
    """The source of what is normalised."""
    degree: Fraction
    """The power of it with which this grows."""
    rest: State | None = None
    """What is seen but for statistics; None where there are only statistics."""
    by: str = ""
    """The operation that took the first statistic."""
    rooted: bool = False
    """Whether a root was taken of a statistic."""


def image(shape: Sequence[int]) -> State:
    """The images themselves, `(B, H, W, C)`."""
    batch, height, width, channels = shape
    axes = (one(PLAIN, batch), one(Y, height), one(X, width), one(PLAIN, channels))
    return State(axes, (Seen(ITSELF, ITSELF, ITSELF, ITSELF),) * 2, source=object())


def one(kind: int | None, size: int) -> tuple[Atom, ...]:
    """The atoms of an axis of one kind."""
    return ((kind, size),) if size != 1 or kind in IMAGE else ()


def size_of(atoms: Sequence[Atom]) -> int:
    """How many indices an axis has."""
    return math.prod(size for _, size in atoms)


States = Sequence[State | None]
"""What the inputs of an operation see; None for what does not depend on the image."""


class Unread(Exception):  # noqa: N818
    """It is not known what an operation reads."""


def only(states: States) -> State:
    """What the one input sees that is made of the image; raises `Unread` where several are."""
    made = [state for state in states if state is not None]
    if len(made) != 1:
        raise Unread
    return made[0]


def unknown(shape: Sequence[int], operation: str) -> State:
    """The state of a tensor of which it is not known what it sees, because of an operation."""
    return State(tuple(one(PLAIN, size) for size in shape), (None, None), unknown=operation)


def twice(axes: Sequence[Sequence[Atom]]) -> set[int | None]:
    """Kinds of positions over which two axes run."""
    names = [kind for atoms in axes for kind, _ in atoms if kind in (*IMAGE, TOKENS)]
    return {kind for kind in names if names.count(kind) > 1}


def made(state: State, shape: Sequence[int], fresh: Mapping[int, int | None] = MappingProxyType({})) -> State:
    """The state of a tensor with as many axes of the sizes `shape`; those of `fresh` get the kind that it names."""
    axes = []
    for i, (atoms, size) in enumerate(zip(state.axes, shape, strict=True)):
        kinds = [kind for kind, _ in atoms if kind is not PLAIN]
        kind = fresh[i] if i in fresh else next(iter(kinds), PLAIN)
        axes.append(atoms if size_of(atoms) == size and i not in fresh else one(kind, size))
    return replace(state, axes=tuple(axes))


def reduced(state: State, axes: Sequence[int], operation: str) -> State:
    """What is seen where all indices of some axes go into one number; the axes stay, of size 1."""
    everywhere, seen = list(state.everywhere), list(state.seen)
    for name in IMAGE:
        if any(kind in (name, TOKENS) for axis in axes for kind, _ in state.axes[axis]):
            everywhere[name], seen[name] = everywhere[name] or operation, None
    kept = tuple(() if i in axes else atoms for i, atoms in enumerate(state.axes))
    return replace(state, axes=kept, everywhere=(everywhere[Y], everywhere[X]), seen=(seen[Y], seen[X]))


def along(state: State, axis: int, reads: Reads, operation: str, *, size: int, block: int = 1) -> State:
    """What the output of an operation sees that reads neighbours along an axis, of which it has `size` indices.

    The axis itself is for the caller to set. `block` is the distance of neighbours for which `reads` was made. Raises
    `Unread` where it is another, and where the axis runs over positions in another order than that of one axis of the
    image.
    """
    atoms = state.axes[axis]
    kinds = [kind for kind, _ in atoms]
    if not any(kind in (Y, X, TOKENS) for kind in kinds):
        return replace(state, bound=state.bound or operation) if PARTS in kinds else state
    state = folded(state, axis, operation)
    kinds = [kind for kind, _ in state.axes[axis]]
    if len(kinds) > 1 or kinds[0] == TOKENS or block_of(state, axis) != block:
        raise Unread
    return on(state, kinds[0], lambda seen: seen.read(reads, size * block))


def on(state: State, name: int | None, change: Callable[[Seen], Seen]) -> State:
    """The state with a change to what is seen along one axis of the image."""
    seen = tuple(change(each) if i == name and each is not None else each for i, each in enumerate(state.seen))
    return replace(state, seen=(seen[Y], seen[X]))


def block_of(state: State, axis: int) -> int:
    """How many positions lie between neighbours of an axis, because of `SpaceToBatchND`."""
    named = (state.seen[kind] for kind, _ in state.axes[axis] if kind in IMAGE)
    return next((seen.block for seen in named if seen is not None), 1)


def folded(state: State, axis: int, operation: str) -> State:
    """An axis of positions, each repeated for the indices of the atoms behind it, as an axis of more positions."""
    atoms = state.axes[axis]
    if len(atoms) < 2 or atoms[0][0] not in IMAGE or any(kind not in (PLAIN, PARTS) for kind, _ in atoms[1:]):
        return state
    times = size_of(atoms[1:])
    state = on(state, atoms[0][0], lambda seen: seen.read(repeat(times), size_of(atoms)))
    if any(kind == PARTS for kind, _ in atoms[1:]):
        state = replace(state, bound=state.bound or operation)
    return replace(state, axes=(*state.axes[:axis], one(atoms[0][0], size_of(atoms)), *state.axes[axis + 1 :]))


def together(states: Sequence[State], axes: Axes, operation: str) -> State:
    """What a tensor with `axes` sees that is made index by index of tensors that see `states`."""
    placed = [_placed(state, axes, operation) for state in states]
    if any(len({seen.block for each in placed if (seen := each.seen[name])}) > 1 for name in IMAGE):
        raise Unread
    order = _order(placed)
    rows, columns = (_joined(placed, name, axes) for name in IMAGE)
    met = all(each is None or each.aligned for each in (rows, columns))
    return State(
        axes,
        (rows, columns),
        (_first(each.everywhere[Y] for each in placed), _first(each.everywhere[X] for each in placed)),
        _first(each.unknown for each in placed),
        _first(each.bound for each in placed),
        _first(each.normalised for each in placed),
        "" if met else _first([*(each.meeting for each in placed), operation]),
        order,
    )


def _order(states: Sequence[State]) -> object:
    """The order of the tokens of all states; raises `Unread` where it is not one."""
    orders = [state.order for state in states if any(state.seen)]
    if any(order != orders[0] for order in orders):
        raise Unread
    return orders[0] if orders else None


def _first(words: Iterable[str]) -> str:
    return next(filter(None, words), "")


def _placed(state: State, axes: Axes, operation: str) -> State:
    """One position that is spread over an axis of positions is seen everywhere along it."""
    everywhere, seen = list(state.everywhere), list(state.seen)
    for name in IMAGE:
        held = [size for atoms in axes for kind, size in atoms if kind == name]
        own = [size for atoms in state.axes for kind, size in atoms if kind == name]
        if seen[name] is not None and held and held != [1] and own in ([], [1]) and not _has_tokens(state):
            everywhere[name], seen[name] = everywhere[name] or operation, None
    return replace(state, everywhere=(everywhere[Y], everywhere[X]), seen=(seen[Y], seen[X]))


def _has_tokens(state: State) -> bool:
    return any(kind == TOKENS for atoms in state.axes for kind, _ in atoms)


def _joined(states: Sequence[State], name: int, axes: Axes) -> Seen | None:
    several = [seen for state in states if (seen := state.seen[name]) is not None]
    if len(several) < 2 or all(each == several[0] for each in several):
        return several[0] if several else None
    widest = max((each.widest for each in several), key=lambda window: window.size)
    windows = [each.union for each in several]
    one_stride = len({window.stride for window in windows}) == 1
    size = _indices(axes, name) * several[0].block
    if not one_stride:
        windows = [window.repeated(size, widest.stride) for window in windows]
    return Seen(
        union(windows, size),
        widest,
        min((each.lowest for each in several), key=lambda window: window.centre),
        max((each.highest for each in several), key=lambda window: window.centre),
        one_stride and all(each.one_stride for each in several),
        several[0].block,
    )


def _indices(axes: Axes, name: int) -> int:
    """How many indices an axis of the image has, at most."""
    atoms = [atom for own in axes for atom in own]
    return max([size for kind, size in atoms if kind in (name, TOKENS)], default=1)
