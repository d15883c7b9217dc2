"""What follows from the histogram on fixed bins: quantiles, Gini coefficient, near-zero share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fmreport.measures import Derived, Sum, Sums
from fmreport.measures.activations import Activations
from fmreport.measures.bins import BINS, ascending, edge_below, edges
from fmreport.records import Column

QUANTILES = {"q01": 0.01, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q99": 0.99}
NEAR_ZERO = 0.01
NEAR = "near-zeros"
"""Entry of docs/methods.md."""
GINI = "Hurley & Rickard 2009, arXiv 0811.4706"


@dataclass(frozen=True, slots=True)
class Scale:
    """What is known of the values of R histograms beside their bins."""

    rms: np.ndarray
    """(R,) root mean square; NaN where there are none, or no finite sum of squares."""
    minimum: np.ndarray
    maximum: np.ndarray

    @classmethod
    def of(cls, sums: Sums) -> Scale:
        """From the sums of `counts` and `moments`, of any shape."""
        n, squares, least, most = (np.ravel(sums[name]) for name in ("finite", "squares", "minimum", "maximum"))
        known = (n > 0) & (squares < np.inf)
        return cls(np.sqrt(np.where(known, squares, np.nan) / np.maximum(n, 1)), least, most)


class Distribution:
    """Quantiles, Gini coefficient and near-zero share of the finite values."""

    of_maps = False
    method = "histogram-and-quantiles"
    version = 1
    sums = (Sum(Column("count", "count", "values in the bin"), "bin"),)
    columns = (
        Derived(
            Column(
                "near_zero_fraction",
                "1",
                "share of values with |x| < near_zero_eps; 1 where all values are 0",
                method=NEAR,
            ),
            ("sample", "tap"),
        ),
        Derived(
            Column(
                "near_zero_eps",
                "activation",
                f"{NEAR_ZERO} times the root mean square, rounded down to a bin's edge so that the count is exact",
                method=NEAR,
            ),
            ("sample", "tap"),
        ),
        Derived(
            Column("gini", "1", "Gini coefficient of |x|; undefined where all values are 0", GINI, "gini-coefficient"),
            ("sample", "tap"),
        ),
        *(
            Derived(Column(name, "activation", f"{q:.0%} quantile, interpolated within its bin"), ("sample", "tap"))
            for name, q in QUANTILES.items()
        ),
    )

    def gather(self, x: Activations) -> dict[str, Any]:
        """Integer counts per image and bin, in the bits' order."""
        return {"count": x.bins}

    def derive(self, sums: Sums) -> dict[str, np.ndarray]:
        """From counts `(..., BINS)` in the bits' order and the sums of `moments`."""
        if "count" not in sums:
            return {}
        counts = ascending(np.asarray(sums["count"], np.int64))
        found = from_bins(*edges(), counts.reshape(-1, BINS), Scale.of(sums))
        return {name: value.reshape(counts.shape[:-1]) for name, value in found.items()}


def from_bins(low: np.ndarray, high: np.ndarray, counts: np.ndarray, scale: Scale) -> dict[str, np.ndarray]:
    """The derived columns `(R,)` of histograms `counts` `(R, K)`, whose K bins `low`, `high` ascend; NaN of no values.

    A quantile lies in the bin that holds it, so it is off by 1/16 of itself at most.
    """
    bins = _Filled.of(counts)
    eps = edge_below(NEAR_ZERO * scale.rms[bins.rows])
    low, high = low[bins.at], high[bins.at]
    near = bins.sum(np.where(np.maximum(np.abs(low), np.abs(high)) <= eps[bins.row], bins.count, 0)) / bins.total
    # The outer bins end where the values do, so that values which differ little from their mean are told apart.
    least, most = (each[bins.rows][bins.row] for each in (scale.minimum, scale.maximum))
    low, high = np.clip(low, least, most), np.clip(high, least, most)
    derived = {
        "near_zero_fraction": np.where(np.isnan(eps), np.nan, near),
        "near_zero_eps": eps,
        "gini": gini(np.abs(low + high) / 2, bins),
    }
    for name, q in QUANTILES.items():
        rank = q * bins.total
        i = bins.holding(rank)
        inside = (rank - (bins.after[i] - bins.count[i])) / bins.count[i]
        derived[name] = low[i] + (high[i] - low[i]) * np.clip(inside, 0, 1)
    whole = {name: np.full(len(counts), np.nan) for name in derived}
    for name, value in derived.items():
        whole[name][bins.rows] = value
    return whole


@dataclass(frozen=True, slots=True)
class _Filled:
    """The bins that hold something, row after row, and so few: what is summed of a row depends on no other row."""

    rows: np.ndarray
    """Numbers of the rows that hold something."""
    first: np.ndarray
    """Where the bins of each of these begin."""
    row: np.ndarray
    """Of each bin its place in `rows`."""
    at: np.ndarray
    """Of each bin its place in its row."""
    count: np.ndarray
    """Of each bin, float64."""

    @classmethod
    def of(cls, counts: np.ndarray) -> _Filled:
        """Of `(R, K)` counts."""
        number, at = np.nonzero(counts)
        begins = np.diff(number, prepend=-1) > 0
        first = np.flatnonzero(begins)
        return cls(number[first], first, np.cumsum(begins) - 1, at, counts[number, at].astype(np.float64))

    def sum(self, values: np.ndarray) -> np.ndarray:
        """Of each row, of one value per bin."""
        return np.asarray(np.add.reduceat(values, self.first) if len(values) else np.zeros(0))

    @property
    def total(self) -> np.ndarray:
        """What each row holds."""
        return self.sum(self.count)

    @property
    def after(self) -> np.ndarray:
        """What each row holds up to the end of each bin: whole numbers, which no order of adding rounds."""
        return self.up_to(self.count)

    def up_to(self, counts: np.ndarray) -> np.ndarray:
        """Of each bin, what those of its row hold up to its end."""
        running = np.cumsum(counts)
        before = running[self.first] - counts[self.first]
        return np.asarray(running - before[self.row])

    def holding(self, rank: np.ndarray) -> np.ndarray:
        """Of each row the bin that holds its value of that rank, above 0."""
        below = self.sum((self.after < rank[self.row]).astype(np.int64))
        return self.first + np.asarray(below, np.int64)


def gini(size: np.ndarray, bins: _Filled) -> np.ndarray:
    """Gini coefficient of each row, whose bins hold values of such sizes (0 or more); NaN where all are 0."""
    order = np.lexsort((size, bins.row))
    size, n = size[order], bins.count[order]
    mass = bins.sum(size * n)
    # Ranks of equal values are averaged: the k-th of N has weight N - k + 1/2, a block of n at its middle.
    above = bins.total[bins.row] - bins.up_to(n) + n / 2
    with np.errstate(invalid="ignore"):
        return np.asarray(1 - 2 * bins.sum(size * n / mass[bins.row] * above) / bins.total)
