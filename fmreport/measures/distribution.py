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
    version = 2
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
        counts = ascending(np.asarray(sums["count"]))
        found = from_bins(*edges(), counts.reshape(-1, BINS), Scale.of(sums))
        return {name: value.reshape(counts.shape[:-1]) for name, value in found.items()}


def from_bins(low: np.ndarray, high: np.ndarray, counts: np.ndarray, scale: Scale) -> dict[str, np.ndarray]:
    """The derived columns `(R,)` of histograms `counts` `(R, K)`, whose K bins `low`, `high` ascend; NaN of no values.

    A quantile lies in the bin that holds it, so it is off by 1/16 of itself at most.
    """
    # Only where it is used: numba takes half a second.
    from fmreport.measures import compiled

    eps = edge_below(NEAR_ZERO * scale.rms)
    known = np.stack([eps, scale.minimum, scale.maximum], axis=1).astype(np.float64)
    made = np.empty((len(counts), 2 + len(QUANTILES)))
    compiled.of_bins(np.stack([low, high]).astype(np.float64), counts, known, np.array([*QUANTILES.values()]), made)
    near, gini, *quantiles = made.T
    return {
        "near_zero_fraction": np.where(np.isnan(eps), np.nan, near),
        "near_zero_eps": np.where(np.isnan(near), np.nan, eps),
        "gini": gini,
        **dict(zip(QUANTILES, quantiles, strict=True)),
    }
