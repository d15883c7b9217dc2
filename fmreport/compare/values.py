"""Measures of single images as arrays, and what can be said of their change with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fmreport import measures
from fmreport.analysis import resampling
from fmreport.compare.comparison import CHANGED, EQUAL, NOT_IN_A, NOT_IN_B, ROUNDING, UNDEFINED, Change
from fmreport.records import Column

Floats = NDArray[np.float64]


Counts = NDArray[np.integer[Any]]
PART = 1 << 14
"""Images that are resampled at once."""
EXTREMES = ("minimum", "maximum")
BY_THE_WAY = ("near_zero_eps",)
"""Columns that say how another was made."""
NOISE, OF_BINS = 1e-4, 2e-3
"""Share of its scale by which a number differs where a processor, a batch or a library sums in another order; the
second of what is read off a histogram, in which a value may fall into the next bin."""


@cache
def of_images() -> tuple[Column, ...]:
    """The measures of one image, in the order of their registry."""
    loaded = measures.load().values()
    sums = [each.column for measure in loaded for each in measure.sums if each.name in EXTREMES]
    derived = [each.column for measure in loaded for each in measure.columns if "sample" in each.levels]
    return tuple(column for column in (*derived, *sums) if column.name not in BY_THE_WAY)


@cache
def of_masks() -> frozenset[str]:
    """Those that take a mask."""
    return _columns("regions")


@cache
def of_maps() -> frozenset[str]:
    """Those of maps, which a run may have of some of its images alone."""
    return frozenset().union(*(_columns(name) for name, each in measures.load().items() if each.of_maps))


@cache
def of_nulls() -> frozenset[str]:
    """Those that take masks of no meaning, which come of other images."""
    return frozenset(name for name in of_masks() if name.endswith("_null"))


@cache
def _of_bins() -> frozenset[str]:
    return _columns("distribution")


def _columns(measure: str) -> frozenset[str]:
    return frozenset(each.column.name for each in measures.load((measure,))[measure].columns)


@dataclass(frozen=True, slots=True)
class Draws:
    """How often each image counts in each resample, `(draws, images)`; None where there are too few for an interval."""

    a: Counts | None
    b: Counts | None
    """That of A, where images are paired."""

    @classmethod
    def of(cls, a: Sequence[bool], b: Sequence[bool], *, paired: bool) -> Draws:
        """For images of which each has a mask or not; those that have come first."""
        if min(len(a), len(b)) < resampling.FEWEST:
            return cls(None, None)
        first = resampling.resamples(len(a), masked=sum(a), seed=0)
        return cls(first, first if paired else resampling.resamples(len(b), masked=sum(b), seed=1))


@dataclass(frozen=True, slots=True)
class Sides:
    """One measure of N pairs of taps: `(N, images)` of each side, or None where its table lacks it."""

    column: Column
    a: Floats | None
    b: Floats | None
    scale: Floats
    """(N,) what a difference is small beside: the spread of the tap, for what is in its unit."""


def changes(sides: Sides, draws: Draws, *, paired: bool) -> list[Change]:
    """The change of one measure of each pair."""
    if sides.a is None or sides.b is None:
        missing = NOT_IN_A if sides.a is None else NOT_IN_B
        there = sides.b if sides.a is None else sides.a
        assert there is not None
        return [_lone(sides.column, missing, row) for row in there]
    told = _paired(sides.a, sides.b, draws) if paired else _unpaired(sides.a, sides.b, draws)
    noise = OF_BINS if sides.column.name in _of_bins() else NOISE
    made = []
    for n in range(len(sides.a)):
        one, other = sides.a[n], sides.b[n]
        if np.isnan(told.change[n]):
            where = [side for side, row in (("A", one), ("B", other)) if np.isnan(row).all()]
            missing = f"{UNDEFINED} in {' and in '.join(where)}" if where else f"{UNDEFINED} in any image of both"
            made.append(_lone(sides.column, missing, one if np.isnan(other).all() else other, one, other))
            continue
        made.append(_change(sides.column, told, n, _state(one, other, noise * float(sides.scale[n]), paired=paired)))
    return made


def _change(column: Column, told: _Told, n: int, state: str) -> Change:
    mean_a, mean_b, change, lower, upper, least, most = (_known(float(each[n])) for each in told.values)
    images = int(told.images[n])
    return Change(column.name, column.unit, mean_a, mean_b, change, lower, upper, least, most, images, "", state)


def _lone(column: Column, missing: str, row: Floats, one: Floats | None = None, other: Floats | None = None) -> Change:
    """A measure that one side has alone, or neither: no change can be told."""
    value = _known(float(np.nanmean(row))) if not np.isnan(row).all() else None
    in_b = missing == NOT_IN_A or (one is not None and bool(np.isnan(one).all()))
    images = int(np.isfinite(row).sum())
    a, b = (None, value) if in_b else (value, None)
    both = one is not None and other is not None and bool(np.isnan(one).all() and np.isnan(other).all())
    state = EQUAL if both or missing in (NOT_IN_A, NOT_IN_B) else CHANGED
    return Change(column.name, column.unit, a, b, None, None, None, None, None, images, missing, state)


@dataclass(frozen=True, slots=True)
class _Told:
    values: tuple[Floats, ...]
    """`(N,)` each, NaN where there is none: both means, the change, ends of its interval, least and most."""
    images: NDArray[np.int64]

    @property
    def change(self) -> Floats:
        """B less A."""
        return self.values[2]


def _paired(a: Floats, b: Floats, draws: Draws) -> _Told:
    """Over the images in which both sides have a value."""
    both = np.isfinite(a) & np.isfinite(b)
    apart = np.where(both, b - a, 0.0)
    images = both.sum(axis=1)
    means = [_over(np.where(both, each, 0.0).sum(axis=1), images) for each in (a, b, apart)]
    lower = upper = np.full(len(a), np.nan)
    if draws.a is not None:
        drawn = _over(summed(apart, draws.a), counted(both, draws.a))
        lower, upper = _interval(drawn, images)
    few = (images > 0) & (images < resampling.FEWEST)
    least, most = (
        np.where(few, end(np.where(both, apart, fill), axis=1), np.nan)
        for end, fill in ((np.min, np.inf), (np.max, -np.inf))
    )
    return _Told((*means, lower, upper, least, most), images)


def _unpaired(a: Floats, b: Floats, draws: Draws) -> _Told:
    """Between the means of different images."""
    (mean_a, drawn_a, of_a), (mean_b, drawn_b, of_b) = (
        _means(side, drawn) for side, drawn in ((a, draws.a), (b, draws.b))
    )
    nothing, images = np.full(len(a), np.nan), np.minimum(of_a, of_b)
    lower, upper = (nothing, nothing)
    if drawn_a is not None and drawn_b is not None:
        lower, upper = _interval(drawn_b - drawn_a, images)
    return _Told((mean_a, mean_b, mean_b - mean_a, lower, upper, nothing, nothing), images)


def _means(side: Floats, draws: Counts | None) -> tuple[Floats, Floats | None, NDArray[np.int64]]:
    there = np.isfinite(side)
    values, images = np.where(there, side, 0.0), there.sum(axis=1)
    drawn = None if draws is None else _over(summed(values, draws), counted(there, draws))
    return _over(values.sum(axis=1), images), drawn, images


def summed(values: Floats, draws: Counts) -> Floats:
    """`(N, draws)` sums over the images of each resample, `(N, images)`."""
    total: Floats = values[:, :PART] @ draws[:, :PART].T
    for start in range(PART, values.shape[1], PART):
        # In parts, because draws are multiplied as float64.
        total += values[:, start : start + PART] @ draws[:, start : start + PART].T
    return total


def counted(there: NDArray[np.bool_], draws: Counts) -> Floats:
    """`(N, draws)` how many of the images of each resample are there."""
    some = ~there.all(axis=1)
    count = np.tile(draws.sum(axis=1, dtype=np.float64), (len(there), 1))
    count[some] = summed(there[some].astype(np.float64), draws)
    return count


def _over(total: Floats, count: NDArray[np.floating] | NDArray[np.int64]) -> Floats:
    """A mean; NaN where nothing counts."""
    made: Floats = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return made


def _interval(drawn: Floats, images: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Ends `(N,)` of the interval of `(N, draws)`; none of measures that are defined in too few images."""
    lower, upper = resampling.interval(drawn.T)
    enough = images >= resampling.FEWEST
    return np.where(enough, lower, np.nan), np.where(enough, upper, np.nan)


def _state(one: Floats, other: Floats, noise: float, *, paired: bool) -> str:
    """`noise` is how much a value may differ all the same."""
    if paired:
        if np.array_equal(one, other, equal_nan=True):
            return EQUAL
        alike = np.array_equal(np.isfinite(one), np.isfinite(other))
        near = alike and bool(np.nanmax(np.abs(other - one), initial=0.0) <= noise)
    else:
        near = bool(abs(np.nanmean(other) - np.nanmean(one)) <= noise)
    return ROUNDING if near else CHANGED


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
