"""Exact zeros, and channels that never or always answer."""

from __future__ import annotations

from typing import Any

import numpy as np

from fmreport.measures import Derived, Sum, Sums
from fmreport.measures.activations import Activations
from fmreport.records import Column

APOZ = "APoZ: Hu et al. 2016, arXiv 1607.03250"
NEAR_SILENT = 0.99
IDLE = "silent-and-constant-channels"
"""Entry of docs/methods.md."""


class Zeros:
    """Exact zeros (either sign), per image, per channel (APoZ) and pooled.

    TensorFlow computes with subnormal numbers as with zeros, and here they count as such too.
    """

    of_maps = False
    method = "exact-zeros"
    version = 1
    sums = (Sum(Column("zeros", "count", "values that are exactly 0, of either sign"), "channel"),)
    columns = (
        Derived(Column("zero_fraction", "1", "share of exact zeros; of one channel over all probes: its APoZ", APOZ)),
        Derived(Column("silent", "", "every value is 0 on this probe set", method=IDLE), ("channel",)),
        Derived(
            Column("near_silent", "", f"more than {NEAR_SILENT} of the values are 0 on this probe set", method=IDLE),
            ("channel",),
        ),
        Derived(Column("always_on", "", "no value is 0 on this probe set", method=IDLE), ("channel",)),
        Derived(Column("constant", "", "all values are equal on this probe set", method=IDLE), ("channel",)),
    )

    def gather(self, x: Activations) -> dict[str, Any]:
        """Integer counts per image and channel."""
        return {"zeros": x.zeros}

    def derive(self, sums: Sums) -> dict[str, np.ndarray]:
        """NaN and False where there is no finite value."""
        some = sums["finite"] > 0
        fraction = sums["zeros"] / np.where(some, sums["finite"], np.nan)
        return {
            "zero_fraction": fraction,
            "silent": some & (sums["zeros"] == sums["finite"]),
            "near_silent": some & (fraction > NEAR_SILENT),
            "always_on": some & (sums["zeros"] == 0),
            "constant": some & (sums["minimum"] == sums["maximum"]),
        }
