"""Pooled features: what each channel says of an image as a whole."""

from __future__ import annotations

from typing import Any

import numpy as np

from fmreport.measures import Derived, Sum, Sums
from fmreport.measures.activations import Activations
from fmreport.records import Column


class Pooled:
    """The mean of each image's channels, and beside it the mean square: what deviations are small against."""

    of_maps = False
    method = "similarity-of-taps"
    version = 2
    sums = (Sum(Column("pooled", "activation", "mean and mean square of each channel of an image"), "group"),)
    columns: tuple[Derived, ...] = ()

    def gather(self, x: Activations) -> dict[str, Any]:
        """`(B, 2, C)` float64, of the finite values; NaN where there is none."""
        from keras import ops

        finite = x.positions - x.missing
        n = ops.where(finite > 0, finite, np.nan)
        return {"pooled": ops.stack([x.total / n, x.squares / n], axis=1)}

    def derive(self, sums: Sums) -> dict[str, np.ndarray]:
        """Nothing: similarity takes several images."""
        return {}
