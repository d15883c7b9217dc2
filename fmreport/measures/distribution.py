"""What follows from the histogram on fixed bins: quantiles, Gini coefficient, near-zero share."""

from __future__ import annotations

import math
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
    """What is known of a histogram's values beside their bins."""

    rms: float
    """Root mean square."""
    minimum: float
    maximum: float


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
        low, high = edges()
        counts = ascending(np.asarray(sums["count"], np.int64))
        flat = counts.reshape(-1, BINS)
        scalars = (np.ravel(sums[name]) for name in ("finite", "squares", "minimum", "maximum"))
        rows = [
            from_bins(low, high, row, Scale(rms(n, s), least, most))
            for row, n, s, least, most in zip(flat, *scalars, strict=True)
        ]
        shape = counts.shape[:-1]
        names = [derived.column.name for derived in self.columns]
        return {name: np.array([row[name] for row in rows], np.float64).reshape(shape) for name in names}


def rms(n: int, squares: float) -> float:
    """Root mean square of `n` values whose squares add up to `squares`; NaN where there are none, or no finite sum."""
    return math.sqrt(squares / n) if n and squares < math.inf else math.nan


def from_bins(low: np.ndarray, high: np.ndarray, counts: np.ndarray, scale: Scale) -> dict[str, float]:
    """The derived columns of one histogram: bins `low`, `high`, `counts`, ascending.

    A quantile lies in the bin that holds it, so it is off by 1/16 of itself at most.
    """
    kept = counts > 0
    low, high, counts = low[kept], high[kept], counts[kept].astype(np.float64)
    n = counts.sum()
    if n == 0:
        return dict.fromkeys(["near_zero_fraction", "near_zero_eps", "gini", *QUANTILES], math.nan)
    eps = edge_below(NEAR_ZERO * scale.rms)
    near = math.nan if math.isnan(eps) else counts[np.maximum(np.abs(low), np.abs(high)) <= eps].sum() / n
    # The outer bins end where the values do, so that values which differ little from their mean are told apart.
    low, high = np.clip(low, scale.minimum, scale.maximum), np.clip(high, scale.minimum, scale.maximum)
    derived = {"near_zero_fraction": float(near), "near_zero_eps": eps, "gini": gini(np.abs(low + high) / 2, counts)}
    after = np.cumsum(counts)
    for name, q in QUANTILES.items():
        rank = q * n
        i = min(int(np.searchsorted(after, rank, side="left")), len(counts) - 1)
        inside = (rank - (after[i] - counts[i])) / counts[i]
        derived[name] = float(low[i] + (high[i] - low[i]) * min(max(inside, 0.0), 1.0))
    return derived


def gini(magnitudes: np.ndarray, counts: np.ndarray) -> float:
    """Gini coefficient of `counts[i]` values of size `magnitudes[i]` (0 or more); NaN where all are 0."""
    order = np.argsort(magnitudes, kind="stable")
    size, n = magnitudes[order], counts[order]
    total, mass = n.sum(), (size * n).sum()
    if mass == 0:
        return math.nan
    # Ranks of equal values are averaged: the k-th of N has weight N - k + 1/2, a block of n at its middle.
    above = total - np.cumsum(n) + n / 2
    return float(1 - 2 * (size * n / mass * above).sum() / total)
