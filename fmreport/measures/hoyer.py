"""Hoyer's sparsity in its limit, which does not depend on the number of values."""

from __future__ import annotations

from typing import Any

import numpy as np

from fmreport.measures import Derived, Sum, Sums
from fmreport.measures.activations import Activations
from fmreport.records import Column


class Hoyer:
    """`1 - E|x| / RMS`: 0 where all magnitudes are equal, towards 1 where few values hold the energy."""

    of_maps = False
    method = "hoyer-limit"
    version = 2
    sums = (Sum(Column("magnitude", "activation", "sum of the absolute values"), "channel"),)
    columns = (
        Derived(
            Column("hoyer_limit", "1", "1 - E|x| / RMS; undefined where all values are 0", "Hoyer 2004, N to infinity")
        ),
    )

    def gather(self, x: Activations) -> dict[str, Any]:
        """Sums of absolute values per image and channel, in float64."""
        return {"magnitude": x.magnitude}

    def derive(self, sums: Sums) -> dict[str, np.ndarray]:
        """NaN where every value is 0 or there is none; needs the sums of `moments`."""
        defined = (sums["finite"] > 0) & (sums["squares"] > 0)
        n = np.where(defined, sums["finite"], np.nan)
        rms = np.sqrt(np.where(defined, sums["squares"], np.nan) / n)
        # Equal magnitudes give 0 exactly; rounding of the sums would leave a few parts in 10**8 below it.
        return {"hoyer_limit": np.maximum(1 - sums["magnitude"] / n / rms, 0.0)}
