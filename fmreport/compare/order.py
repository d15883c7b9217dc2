"""What keeps its place in a model, and what stands elsewhere: reading what it was read by."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from fmreport.store import Run

Edges = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Flow:
    """Which layers read which; nothing where a run does not know that."""

    readers: Edges
    """Paths of the layers that read what a layer hands on."""
    read: Edges
    """Paths of the layers that it reads itself."""

    @classmethod
    def of(cls, run: Run) -> Flow:
        """That of a run's model."""
        inventory = run.inventory
        if "read_by" not in inventory:
            return cls({}, {})
        paths, told = (inventory[name].fillna("").astype(str) for name in ("path", "read_by"))
        readers = {path: tuple(each.split()) for path, each in zip(paths, told, strict=True) if each}
        read: dict[str, list[str]] = {}
        for path, each in readers.items():
            for reader in each:
                read.setdefault(reader, []).append(path)
        return cls(readers, read)


@dataclass(frozen=True, slots=True)
class Side:
    """Items of one run, in the order in which its model runs."""

    layers: Sequence[str]
    flow: Flow


def moved(paired: Mapping[int, int], a: Side, b: Side) -> frozenset[int]:
    """Items of A that stand elsewhere in B: they read what read them, or, where that is not known, run after it.

    Branches that run side by side have no order of their own: which of them comes first moves nothing.
    """
    kept = rising(paired)
    settled = {row for row, _ in kept}
    return frozenset(row for row in paired if row not in settled and _has_turned((row, paired[row]), kept, a, b))


def _has_turned(pair: tuple[int, int], kept: Sequence[tuple[int, int]], a: Side, b: Side) -> bool:
    """Whether it stands behind one of the others on one side, and before it on the other."""
    if not a.flow.readers or not b.flow.readers:
        return True
    (i, j), crossing = pair, [each for each in kept if (each[0] < pair[0]) != (each[1] < pair[1])]
    (below_a, above_a), (below_b, above_b) = (
        (_reached(side.flow.readers, side.layers[at]), _reached(side.flow.read, side.layers[at]))
        for side, at in ((a, i), (b, j))
    )
    return any(
        (a.layers[k] in below_a and b.layers[m] in above_b) or (a.layers[k] in above_a and b.layers[m] in below_b)
        for k, m in crossing
    )


def _reached(edges: Edges, start: str) -> set[str]:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        new = set(edges.get(waiting.pop(), ())) - seen
        seen |= new
        waiting += sorted(new)
    return seen


def rising(paired: Mapping[int, int]) -> list[tuple[int, int]]:
    """As many pairs as keep one order on both sides, in that order."""
    rows = sorted(paired)
    ends: list[int] = []
    at: list[int] = []
    before: list[int] = []
    for place, row in enumerate(rows):
        length = bisect_left(ends, paired[row])
        before.append(at[length - 1] if length else -1)
        ends[length : length + 1], at[length : length + 1] = [paired[row]], [place]
    kept, place = [], at[-1] if at else -1
    while place >= 0:
        kept.append((rows[place], paired[rows[place]]))
        place = before[place]
    return kept[::-1]


def of_what_is_read(side: Side, values: Mapping[int, float]) -> list[float]:
    """Of each item the least value of those that it reads, or, across others, of the nearest that have one.

    Where what reads what is not known it is the value of the last before it; of what reads none of them, the median.
    """
    middle = median(values.values())
    if not side.flow.readers:
        before = [max((k for k in values if k < i), default=None) for i in range(len(side.layers))]
        return [middle if k is None else values[k] for k in before]
    of_layer: dict[str, float] = {}
    for i, value in values.items():
        of_layer[side.layers[i]] = min(value, of_layer.get(side.layers[i], value))
    read = (nearest_read(side.flow, layer, of_layer) for layer in side.layers)
    return [min((of_layer[each] for each in found), default=middle) for found in read]


def nearest_read(flow: Flow, layer: str, known: Container[str]) -> list[str]:
    """The layers that a layer reads, or, across layers that are not `known`, the nearest that are."""
    found: list[str] = []
    seen, waiting = {layer}, [layer]
    while waiting:
        for each in flow.read.get(waiting.pop(), ()):
            if each not in seen:
                (found if each in known else waiting).append(each)
            seen.add(each)
    return sorted(found)
