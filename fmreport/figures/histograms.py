"""The histogram of one tap as an outline that templates draw: no plotting library, some hundred bytes each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BARS = 60


@dataclass(frozen=True, slots=True)
class Outline:
    """The distribution of the values that are not zero, on a linear axis, bars of equal width."""

    path: str
    """SVG path data in a box of 600 x 100, y downwards: the bars' silhouette, the tallest 100 high."""
    low: float
    high: float
    """Ends of the axis; they hold all but `outside` of the values that are not zero."""
    zero_at: float | None
    """Where 0 lies on the axis, 0 to 600; None where it lies outside."""
    outside: float
    """Fraction of the values that are not zero and lie beyond the ends."""


Bins = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]
"""Signed edges `low` < `high` and counts; a bin with both edges 0 holds exact zeros."""


def outline(low: NDArray[np.float64], high: NDArray[np.float64], count: NDArray[np.int64]) -> Outline | None:
    """The outline of bins with signed edges `low` < `high`; bins with both edges 0 hold exact zeros and are left out.

    Values are taken as spread evenly over their bin. None where there is no value that is not zero.
    """
    return outlines([(low, high, count)])[0]


def outlines(several: Sequence[Bins]) -> list[Outline | None]:
    """Several distributions on one axis, their bars as shares of all values that are not zero, in one scale."""
    kept = [_values(*bins) for bins in several]
    told = [each for each in kept if each is not None]
    if not told:
        return [None] * len(kept)
    ends = [_ends(*each) for each in told]
    start, end = min(low for low, _ in ends), max(high for _, high in ends)
    edges = np.linspace(start, end, BARS + 1)
    bars = [None if each is None else _bars(*each, edges) for each in kept]
    highest = max(float(each.max()) for each in bars if each is not None)
    zero = -start / (end - start) * 600 if start <= 0 <= end else None
    return [
        None if each is None else Outline(_path(each / highest), start, end, zero, float(1 - each.sum()))
        for each in bars
    ]


def _values(
    low: NDArray[np.float64], high: NDArray[np.float64], count: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]] | None:
    """The bins that are not of zeros, from the lowest up, with the share of the values in each."""
    held = (high > low) & (count > 0)
    low, high, weight = low[held], high[held], count[held].astype(np.float64)
    if not weight.size:
        return None
    order = np.argsort(low)
    return low[order], high[order], weight[order] / weight.sum()


def _ends(low: NDArray[np.float64], high: NDArray[np.float64], weight: NDArray[np.float64]) -> tuple[float, float]:
    """Those of an axis that leaves out what a far, thin tail would make of it: half a percent at each end at most."""
    below = np.concatenate([[0], np.cumsum(weight)])
    first = int(np.searchsorted(below, 0.005, side="right")) - 1
    last = int(np.searchsorted(below, 0.995, side="left"))
    return float(low[first]), float(high[last - 1])


def _bars(
    low: NDArray[np.float64], high: NDArray[np.float64], weight: NDArray[np.float64], edges: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(BARS,) the share of the values between each two edges."""
    cumulative = [np.sum(weight * np.clip((edge - low) / (high - low), 0, 1)) for edge in edges]
    return np.diff(np.array(cumulative))


def _path(bars: NDArray[np.float64]) -> str:
    """The silhouette of bars of heights 0-1."""
    tops, step = 100 * (1 - bars), 600 / BARS
    return f"M0 100{''.join(f'V{_short(top)}H{_short((i + 1) * step)}' for i, top in enumerate(tops))}V100Z"


def _short(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")
