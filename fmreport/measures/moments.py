"""Mean, standard deviation and extremes."""

from __future__ import annotations

from typing import Any

import numpy as np

from fmreport.measures import Derived, Sum, Sums
from fmreport.measures.activations import Activations
from fmreport.records import Column


class Moments:
    """First and second moment, minimum and maximum of the finite values."""

    of_maps = False
    method = "mean-deviation-and-range"
    version = 2
    sums = (
        Sum(Column("total", "activation", "sum of the values"), "channel"),
        Sum(Column("squares", "activation^2", "sum of the squared values"), "channel"),
        Sum(Column("minimum", "activation", "smallest value"), "channel", "min"),
        Sum(Column("maximum", "activation", "largest value"), "channel", "max"),
    )
    columns = (
        Derived(Column("mean", "activation", "mean of the values")),
        Derived(Column("std", "activation", "population standard deviation of the values")),
    )

    def gather(self, x: Activations) -> dict[str, Any]:
        """Sums and squares in float64, and extremes."""
        return {"total": x.total, "squares": x.squares, "minimum": x.minimum, "maximum": x.maximum}

    def derive(self, sums: Sums) -> dict[str, np.ndarray]:
        """NaN where there is no finite value; a standard deviation of exactly 0 where all values are equal."""
        n = np.where(sums["finite"] > 0, sums["finite"], np.nan)
        mean = sums["total"] / n
        variance = np.maximum(sums["squares"] / n - mean**2, 0)
        std = np.where(sums["minimum"] == sums["maximum"], 0.0, np.sqrt(variance))
        return {"mean": mean, "std": np.where(np.isnan(n), np.nan, std)}
