"""Which tap of one run is which of another: by path, then by order, type, shape and what their tables hold.

1. The same path pairs two taps, wherever they stand, if anything else of them is alike. A path that a framework
   numbered (`conv2d_7`) is no name: it shifts where a layer is added before it, and counts as little more than a hint.
2. What is left between two pairs of the first kind is aligned in order (Needleman & Wunsch 1970), all of it at once:
   the sum of scores is as large as it can be, and taps that are not alike are never paired.
3. What is left of that is paired out of order where each is the other's nearest and their content says so.

What is alike is settled by the two runs themselves: where what two layers read is more alike in content than layers of
one kind are by chance, a pair with other paths is to be nearer to the former; where it is not, as after training anew,
order, type and shape alone decide.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from fmreport.compare import items as of
from fmreport.compare.items import Items
from fmreport.compare.likeness import Bools, Floats, Likeness, likeness
from fmreport.compare.order import Flow, Side, moved, of_what_is_read, rising
from fmreport.facts import Facts
from fmreport.store import Run

SAME, RENAMED, MOVED, BOTH = "same path", "renamed", "moved", "renamed and moved"
WEIGHTS = {"type": 1.0, "shape": 1.0, "parameters": 0.5, "words": 0.5, "content": 2.0, "held": 1.5}
"""What a comparison adds to the score of a pair, times 0 to 1."""
HELD = 0.95
"""How alike the content of two taps of one shape is where they hold the same, whatever their layers are called: 8 bits
for a value change less. A framework that takes a normalisation or an activation into the convolution before it has what
another has behind these."""
HINT = 0.4
"""What the same path adds where a framework numbered it: less than content can."""
MOST_UNLIKE = 1.5
"""Score below which a pair is none."""
TOLD_APART = 0.1
"""How much more alike than by chance content is to be where it says which layer is which."""
UNRELATED = 0.5
"""How alike the content of two layers of one kind is by chance, where that cannot be seen."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A tap of A and the tap of B that stands for the same."""

    a: str
    b: str
    how: str
    """`same path`, `renamed`, `moved` or `renamed and moved`."""
    evidence: str
    """What pairs them, and what of it differs: parts of a sentence, apart by semicolons."""
    likeness: float | None
    """How alike their content is, 0-1; None where it cannot be told."""


@dataclass(frozen=True, slots=True)
class Alignment:
    """Every tap of both runs once."""

    pairs: tuple[Pair, ...]
    """In the order of A."""
    added: tuple[str, ...]
    """Taps of B alone, in its order."""
    removed: tuple[str, ...]
    """Taps of A alone, in its order."""

    def count(self, *hows: str) -> int:
        """Pairs that were made in one of these ways."""
        return sum(pair.how in hows for pair in self.pairs)


def align(a: Run, b: Run) -> Alignment:
    """The taps of A and of B; `align(b, a)` is its mirror."""
    shared = shared_probes(a.facts, b.facts)
    sides = of.of_taps(a, [first for first, _ in shared]), of.of_taps(b, [second for _, second in shared])
    return aligned(*sides, Flow.of(a), Flow.of(b))


def align_untapped(a: Run, b: Run) -> Alignment:
    """The same of the layers of which neither run has a tap: by path, order, type, shape and parameters."""
    return aligned(of.of_untapped(a), of.of_untapped(b), Flow.of(a), Flow.of(b))


def shared_probes(a: Facts, b: Facts) -> list[tuple[str, str]]:
    """The names that each image of both runs has in A and in B, in the order of A; images are told by their SHA-256."""
    waiting: dict[str, list[str]] = {}
    for probe in b.probes:
        waiting.setdefault(probe.sha256, []).append(probe.name)
    found = ((probe.name, waiting.get(probe.sha256)) for probe in a.probes)
    return [(name, there.pop(0)) for name, there in found if there]


def aligned(a: Items, b: Items, flow_a: Flow, flow_b: Flow) -> Alignment:
    """Two lists of items, in the orders in which their models run."""
    if b.key < a.key:
        # Whichever comes first, ties are broken alike.
        return _mirrored(_aligned(b, a, flow_b, flow_a), a)
    return _aligned(a, b, flow_a, flow_b)


def _mirrored(found: Alignment, a: Items) -> Alignment:
    place = {name: i for i, name in enumerate(a.names)}
    pairs = sorted((replace(pair, a=pair.b, b=pair.a) for pair in found.pairs), key=lambda pair: place[pair.a])
    return Alignment(tuple(pairs), found.removed, found.added)


def _aligned(a: Items, b: Items, flow_a: Flow, flow_b: Flow) -> Alignment:
    alike = likeness(a, b)
    paired = _by_path(alike)
    sides = Side(a.layers, flow_a), Side(b.layers, flow_b)
    scores, expected = _scores(alike, paired, sides)
    paired |= _in_order(scores, paired)
    paired |= _out_of_order(scores, alike, expected, paired)
    out_of_place = moved(paired, *sides)
    pairs = []
    for i, j in sorted(paired.items()):
        renamed = a.names[i] != b.names[j]
        how = (BOTH if renamed else MOVED) if i in out_of_place else (RENAMED if renamed else SAME)
        content = float(alike.content[i, j])
        known = None if np.isnan(content) else round(content, 4)
        pairs.append(Pair(a.names[i], b.names[j], how, "; ".join(_evidence(a, b, (i, j), alike, expected)), known))
    there = set(paired.values())
    return Alignment(
        tuple(pairs),
        tuple(name for j, name in enumerate(b.names) if j not in there),
        tuple(name for i, name in enumerate(a.names) if i not in paired),
    )


def _by_path(alike: Likeness) -> dict[int, int]:
    """Taps with the same path that a person gave, where type, channels or content is alike, too."""
    told = alike.type | alike.channels | (alike.content > UNRELATED)
    rows, columns = np.nonzero(alike.path & ~alike.numbered & told)
    return dict(zip(rows.tolist(), columns.tolist(), strict=True))


def _scores(alike: Likeness, paired: dict[int, int], sides: tuple[Side, Side]) -> tuple[Floats, Floats]:
    """The score of every pair, 0 of those that are none; and how alike its content would be if it were one.

    The latter is NaN where content does not tell layers apart.
    """
    kind = alike.type & alike.channels & (alike.shape | alike.parameters)
    whole = np.where(alike.shape, 1.0, 0.5 * alike.channels)
    held = alike.shape & alike.channels & (alike.content > HELD)
    parts = {
        "type": alike.type,
        "shape": whole,
        "parameters": alike.parameters & alike.type,
        "words": alike.words,
        "content": np.nan_to_num(alike.content),
        "held": held,
    }
    score = sum((WEIGHTS[name] * part for name, part in parts.items()), HINT * alike.numbered) - MOST_UNLIKE
    hinted = alike.numbered & alike.type
    # Without content there is no more to go by than that nothing speaks against it.
    untold = np.isnan(alike.content) & alike.type & alike.shape & (alike.parameters | alike.channels)
    possible = np.where((kind | untold | hinted | held) & (score > 0), score, 0.0)
    kept = dict(paired) or _in_order(possible, {})
    expected = _expected(alike, kind | held, kept, sides)
    # Nearer to what the layers read than to what layers of one kind are by chance.
    chance = _by_chance(alike, kind, kept)
    unlike = kind & (alike.content < (expected + chance) / 2)
    return np.where(unlike, 0.0, possible), expected


def _by_chance(alike: Likeness, kind: Bools, kept: dict[int, int]) -> float:
    """The median content of two layers of one kind that are not paired."""
    others = kind & ~alike.path & ~np.isnan(alike.content)
    others[list(kept), list(kept.values())] = False
    return float(np.median(alike.content[others])) if others.any() else UNRELATED


def _expected(alike: Likeness, kind: Bools, kept: dict[int, int], sides: tuple[Side, Side]) -> Floats:
    """How alike the content of each pair would be if it were one: as what its layers read is, the least of it.

    NaN where that is hardly more than by chance: what content says of a pair there is nothing.
    """
    known = {i: (j, float(alike.content[i, j])) for i, j in kept.items() if kind[i, j]}
    known = {i: (j, value) for i, (j, value) in known.items() if not np.isnan(value)}
    if not known:
        return np.full(alike.content.shape, np.nan)
    of_a = of_what_is_read(sides[0], {i: value for i, (_, value) in known.items()})
    of_b = of_what_is_read(sides[1], dict(known.values()))
    found = np.minimum(np.array(of_a)[:, None], np.array(of_b)[None, :])
    return np.where(found - _by_chance(alike, kind, kept) > TOLD_APART, found, np.nan)


def _in_order(scores: Floats, paired: dict[int, int]) -> dict[int, int]:
    """What is left between pairs, aligned: the sum of scores is the largest that keeps the order."""
    ends = [(-1, -1), *rising(paired), scores.shape]
    found: dict[int, int] = {}
    there = set(paired.values())
    for (i, j), (k, m) in pairwise(ends):
        rows = [row for row in range(i + 1, k) if row not in paired]
        columns = [column for column in range(j + 1, m) if column not in there]
        if rows and columns:
            part = _best(scores[np.ix_(rows, columns)])
            found |= {rows[row]: columns[column] for row, column in part}
    return found


def _best(scores: Floats) -> Iterator[tuple[int, int]]:
    """The pairs (row, column) in one order with the largest sum of scores; leaving out costs nothing."""
    rows, columns = scores.shape
    sums: NDArray[np.float64] = np.zeros((rows + 1, columns + 1))
    for i in range(rows):
        with_it = np.maximum(sums[i, 1:], sums[i, :-1] + scores[i])
        sums[i + 1, 1:] = np.maximum.accumulate(with_it)
    i, j = rows, columns
    while i and j:
        if scores[i - 1, j - 1] > 0 and sums[i, j] == sums[i - 1, j - 1] + scores[i - 1, j - 1]:
            i, j = i - 1, j - 1
            yield i, j
        elif sums[i, j] == sums[i - 1, j]:
            i -= 1
        else:
            j -= 1


def _out_of_order(scores: Floats, alike: Likeness, expected: Floats, paired: dict[int, int]) -> dict[int, int]:
    """Pairs of what is left, each the other's nearest and of the same shape; only where content tells layers apart."""
    left = np.where(alike.shape & ~np.isnan(expected), scores, 0.0)
    left[list(paired), :] = 0
    left[:, list(paired.values())] = 0
    found = {}
    for i in range(len(left) if left.size else 0):
        j = int(left[i].argmax())
        if left[i, j] > 0 and int(left[:, j].argmax()) == i:
            found[i] = j
    return found


def _evidence(a: Items, b: Items, at: tuple[int, int], alike: Likeness, expected: Floats) -> Iterator[str]:
    """What speaks for a pair, and what of it differs, as parts of one sentence."""
    i, j = at
    same = [name for name in ("path", "type", "shape", "parameters") if getattr(alike, name)[at]]
    changed = [
        name for name, one, other in (("type", a.types[i], b.types[j]), ("shape", a.shapes[i], b.shapes[j]))
        if one != other
    ]  # fmt: skip
    words = ["path, which a framework numbered" if name == "path" and alike.numbered[at] else name for name in same]
    yield f"the same {', '.join(name for name in words if name not in changed)}" if same else "the same place"
    if changed:
        yield f"another {' and '.join(changed)}"
    content = float(alike.content[at])
    if not np.isnan(content):
        of_what = "channels" if alike.channels[at] else "images"
        told = "equal" if content == 1 else f"alike to {content:.2f}"
        yield f"{of_what} {told} in mean and spread"
    if not alike.path[at]:
        read = expected[at]
        yield "the place in the order" if np.isnan(read) else f"what they read is alike to {read:.2f}"
