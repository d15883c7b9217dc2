"""How far the numbers of two runs lie apart, tap by tap, and where along the model that starts: from tables alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fmreport.analysis.sketch import KERNEL, MEANS, VALUES
from fmreport.compare.align import Pair
from fmreport.compare.comparison import Drift, Onset
from fmreport.compare.rules import Judged, same_maps
from fmreport.compare.values import NOISE
from fmreport.compare.wide import Wide
from fmreport.records import IMAGE
from fmreport.store import Run

TOLERANCE = NOISE
"""Relative error up to which two frameworks agree: float32 of other kernels and orders of summing stays below it, what
is kept in 8 bits does not."""
FLOOR = 1e-7
"""Relative error from which growth is counted: below it is the last bit of a float32."""
OTHER_PIXELS = 1e-3
"""How far the images themselves may lie apart. Signs are drawn by their pixels, so that what was decoded otherwise has
others, and no number of it is that of the other run."""
MADE_OF = ("pooled", "signature", "sketch")
"""Measures and the analysis whose versions decide what a sketch is."""
BOUNDS = ("mean", "std", "minimum", "maximum")
"""Columns of images and of channels that change by no more than some single value does."""
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Side:
    """What one run knows of its taps."""

    shapes: Mapping[str, str]
    channels: Mapping[str, pd.DataFrame]
    sketches: Mapping[tuple[str, str], Floats]

    @classmethod
    def of(cls, run: Run) -> _Side:
        channels = run.channels.sort_values("channel", kind="stable")
        table = run.table("sketch").sort_values("number", kind="stable")
        parts = table.groupby(["tap", "of"], sort=False)["value"]
        return cls(
            dict(zip(run.layers["tap"], map(str, run.layers["shape"]), strict=True)),
            {str(tap): part for tap, part in channels.groupby("tap", sort=False)},
            {(str(tap), str(of)): part.to_numpy(np.float64) for (tap, of), part in parts},
        )


def drifts(a: Run, b: Run, pairs: Sequence[Pair], judged: Judged) -> tuple[dict[str, Drift], str]:
    """The drift of each pair, by the tap of B; or none of all, and why."""
    why = _incomparable(a, b, judged)
    if why:
        return {}, why
    sides = _Side.of(a), _Side.of(b)
    if not all(side.sketches for side in sides):
        older = " and ".join(name for name, side in zip("AB", sides, strict=True) if not side.sketches)
        return {}, f"{older} has no random sums (table sketch), which older versions did not take: run it again"
    if len({tuple(run.facts.measures.get(name) for name in MADE_OF) for run in (a, b)}) > 1:
        return {}, "the runs took their random sums in different ways: run the older one again"
    one, other = (side.sketches.get((IMAGE, VALUES)) for side in sides)
    if one is not None and other is not None and not _apart(one, other) <= OTHER_PIXELS * one[0]:
        return {}, "the images have the same bytes and were not decoded to the same pixels"
    taps = [[pair.a for pair in pairs], [pair.b for pair in pairs]]
    # Of the same probes, in whatever order the tables have them.
    names = [[probe.name for probe in run.facts.probes] for run in (a, b)]
    wide = [Wide(run.samples_of, *held) for run, *held in zip((a, b), taps, names, strict=True)]
    largest = _largest(wide, [[side.channels.get(tap) for tap in held] for side, held in zip(sides, taps, strict=True)])
    return {pair.b: _of_pair(pair, sides, far) for pair, far in zip(pairs, largest, strict=True)}, ""


def onset(found: Sequence[tuple[str, Drift]], why: str = "") -> Onset:
    """Where drift starts and where it grows most, of taps of B in their order."""
    known = [(tap, _size(drift)) for tap, drift in found if drift.infinite or drift.relative is not None]
    first = next((place for place, (_, size) in enumerate(known) if size > TOLERANCE), len(known))
    before = [size for _, size in known[:first]]
    growth = [
        (size / max(last, FLOOR), tap)
        for (_, last), (tap, size) in zip([("", 0.0), *known], known, strict=False)
        if np.isfinite(size)
    ]
    factor, steepest = max(growth, key=lambda each: each[0], default=(0.0, ""))
    return Onset(
        tolerance=TOLERANCE,
        agree=max(before, default=None),
        until=known[first - 1][0] if first else "",
        start=known[first][0] if first < len(known) else "",
        steepest=steepest if factor > 1 else "",
        growth=factor if factor > 1 else None,
        taps=len(known),
        why=why,
    )


def _size(drift: Drift) -> float:
    return np.inf if drift.infinite else drift.relative or 0.0


def _incomparable(a: Run, b: Run, judged: Judged) -> str:
    """Why no number of the one run can be held against one of the other; empty where it can."""
    if any(each.part == "preprocessing" for each in judged.differences):
        return "the runs were preprocessed differently"
    images = [[(probe.sha256, probe.mask_sha256) for probe in run.facts.probes] for run in (a, b)]
    if images[0] != images[1]:
        return "the runs have not the same images with the same masks in the same order"
    return "" if same_maps(a.facts, b.facts) else "maps were measured of other images"


def _of_pair(pair: Pair, sides: tuple[_Side, _Side], largest: float) -> Drift:
    one, other = (side.shapes[tap] for side, tap in zip(sides, (pair.a, pair.b), strict=True))
    if one != other:
        return _nothing(f"A and B have not the same shape: {one or 'unknown'}, {other or 'unknown'}")
    held = [{of: side.sketches.get((tap, of)) for of in (VALUES, MEANS, KERNEL)} for side, tap in _taps(pair, sides)]
    channels = [side.channels.get(tap) for side, tap in _taps(pair, sides)]
    of = VALUES if held[0][VALUES] is not None else MEANS
    first, second = (each[of] for each in held)
    if first is None or second is None or channels[0] is None or channels[1] is None:
        return _nothing("a run has no sums of it")
    finite, finite_too = _finite(channels[0]), _finite(channels[1])
    if not np.array_equal(finite, finite_too):
        return _nothing("A and B have NaN or infinite values in different channels")
    if not finite.any():
        return _nothing("every channel has NaN or infinite values")
    means = [table["mean"].to_numpy(np.float64)[finite] for table in (channels[0], channels[1])]
    shift = float(np.linalg.norm(means[1] - means[0]))
    rest = _apart(first, second)
    infinite = bool(first[0] == 0 < second[0])
    relative, shifted = (_over(size, float(first[0])) for size in (float(np.hypot(shift, rest)), shift))
    return Drift(
        relative=relative,
        shift=shifted,
        largest=None if infinite or not np.isfinite(largest) else float(largest),
        cka=_cka(held[0][KERNEL], held[1][KERNEL]),
        of=of,
        infinite=infinite,
        why="A is 0 everywhere and B is not: its relative error is infinite" if infinite else "",
    )


def _taps(pair: Pair, sides: tuple[_Side, _Side]) -> Iterator[tuple[_Side, str]]:
    return zip(sides, (pair.a, pair.b), strict=True)


def _nothing(why: str) -> Drift:
    return Drift(None, None, None, None, "", infinite=False, why=why)


def _finite(table: pd.DataFrame) -> NDArray[np.bool_]:
    """(C,) whether a channel has neither NaN nor Inf in any image."""
    counts = [table[name].to_numpy() for name in ("nan", "inf") if name in table]
    return np.asarray(sum(counts, np.zeros(len(table))) == 0)


def _apart(one: Floats, other: Floats) -> float:
    """The norm of what two sketches are apart in, as their sums tell it."""
    return float(np.sqrt(np.mean((other[1:] - one[1:]) ** 2)))


def _over(size: float, norm: float) -> float | None:
    """What is nothing is nothing also of nothing; None: infinite."""
    if size == 0:
        return 0.0
    return size / norm if norm > 0 else None


def _cka(one: Floats | None, other: Floats | None) -> float | None:
    """Of two kernels of norm 1: what their product lacks of 1 is half the square of what they are apart."""
    return None if one is None or other is None else float(np.clip(1 - _apart(one, other) ** 2 / 2, -1, 1))


def _largest(wide: Sequence[Wide], tables: Sequence[Sequence[pd.DataFrame | None]]) -> Floats:
    """(N,) the most by which a mean, a spread or an extreme changes, of the largest magnitude of A."""
    most, scale = np.zeros(len(tables[0])), np.zeros(len(tables[0]))
    for name in BOUNDS:
        of_images = [side.of(name) for side in wide]
        for place, (one, other) in enumerate(zip(*tables, strict=True)):
            pairs = [(side[place] if side is not None else None) for side in of_images]
            columns = [_column(table, name) for table in (one, other)]
            for first, second in (pairs, columns):
                if first is None or second is None or first.shape != second.shape:
                    continue
                far = np.abs(second - first)
                most[place] = max(most[place], far[np.isfinite(far)].max(initial=0.0))
                scale[place] = max(scale[place], np.abs(first[np.isfinite(first)]).max(initial=0.0))
    shares: Floats = np.divide(most, scale, out=np.where(most > 0, np.inf, 0.0), where=scale > 0)
    return shares


def _column(table: pd.DataFrame | None, name: str) -> Floats | None:
    return None if table is None or name not in table else table[name].to_numpy(np.float64, na_value=np.nan)
