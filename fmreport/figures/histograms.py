"""The histogram of one tap as an outline that templates draw: no plotting library, some hundred bytes each."""

from __future__ import annotations

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


def outline(low: NDArray[np.float64], high: NDArray[np.float64], count: NDArray[np.int64]) -> Outline | None:
    """The outline of bins with signed edges `low` < `high`; bins with both edges 0 hold exact zeros and are left out.

    Values are taken as spread evenly over their bin. None where there is no value that is not zero.
    """
    kept = (high > low) & (count > 0)
    low, high, weight = low[kept], high[kept], count[kept].astype(np.float64)
    if not weight.size:
        return None
    order = np.argsort(low)
    low, high, weight = low[order], high[order], weight[order]
    total = weight.sum()
    # The axis leaves out what a far, thin tail would make of it: half a percent at each end at most.
    below = np.concatenate([[0], np.cumsum(weight)]) / total
    first = int(np.searchsorted(below, 0.005, side="right")) - 1
    last = int(np.searchsorted(below, 0.995, side="left"))
    start, end = float(low[first]), float(high[last - 1])
    edges = np.linspace(start, end, BARS + 1)
    cumulative = np.array([np.sum(weight * np.clip((edge - low) / (high - low), 0, 1)) for edge in edges])
    bars = np.diff(cumulative)
    tops = 100 * (1 - bars / bars.max())
    step = 600 / BARS
    points = "".join(f"V{_short(top)}H{_short((i + 1) * step)}" for i, top in enumerate(tops))
    zero = -start / (end - start) * 600 if start <= 0 <= end else None
    return Outline(f"M0 100{points}V100Z", start, end, zero, float(1 - bars.sum() / total))


def _short(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")
