"""Values at the ends of a number format: what would lie beyond them is held as the end itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from fmreport.measures import Derived, Sum, Sums
from fmreport.measures.activations import Activations
from fmreport.measures.reduce import count
from fmreport.records import Column


class Saturation:
    """Shares of the values that are the smallest and the largest number of a quantised tap; other taps have neither."""

    of_maps = False
    method = "saturation"
    version = 1
    sums = (
        Sum(Column("at_lowest", "count", "values that are held as the smallest number; of quantised taps"), "channel"),
        Sum(Column("at_highest", "count", "values that are held as the largest number; of quantised taps"), "channel"),
    )
    columns = (
        Derived(Column("saturated_low", "1", "share of values that are held as the smallest number that there is")),
        Derived(Column("saturated_high", "1", "share of values that are held as the largest number that there is")),
    )

    def gather(self, x: Activations) -> dict[str, Any]:
        """Integer counts per image and channel; nothing of values that are no whole numbers."""
        from keras import ops

        if x.ends is None:
            return {}
        low, high = ops.cast(x.ends[0], x.values.dtype), ops.cast(x.ends[1], x.values.dtype)
        return {"at_lowest": count(ops.equal(x.values, low)), "at_highest": count(ops.equal(x.values, high))}

    def derive(self, sums: Sums) -> dict[str, np.ndarray]:
        """NaN where there is no finite value."""
        if "at_lowest" not in sums:
            return {}
        n = np.where(sums["finite"] > 0, sums["finite"], np.nan)
        return {"saturated_low": sums["at_lowest"] / n, "saturated_high": sums["at_highest"] / n}
