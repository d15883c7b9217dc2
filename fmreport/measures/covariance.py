"""Covariance of the projected channels over positions and images."""

from __future__ import annotations

from typing import Any

import numpy as np

from fmreport.measures import Derived, Sum, Sums
from fmreport.measures.activations import Activations
from fmreport.measures.projection import COARSE, thinned
from fmreport.records import Column


class Covariance:
    """Products of all pairs of [projected channels, 1], by the share of a position that is not ignored."""

    of_maps = True
    method = "participation-ratio"
    sums = (Sum(Column("covariance", "", "sums over positions of products of projected channels and 1"), "whole"),)
    columns: tuple[Derived, ...] = ()

    def gather(self, x: Activations) -> dict[str, Any]:
        """`(B, D + 1, D + 1)` float64; positions at which some channel is NaN or Inf are left out."""
        from keras import ops

        projected, shown = x.sampled
        weight = shown.weight
        if x.valid is not None:
            weight = weight * ops.cast(thinned(ops.all(x.valid, axis=-1)), weight.dtype)
        projected, weight = thinned(projected, COARSE), thinned(weight, COARSE)
        batch, height, width, channels = projected.shape
        values = ops.reshape(projected, (batch, height * width, channels))
        weight = ops.cast(ops.reshape(weight, (batch, height * width, 1)), values.dtype)
        # About the mean of the image, so that a large mean hides no small variance; moved back to zero in float64.
        pivot = ops.sum(values * weight, axis=1) / ops.maximum(ops.sum(weight, axis=1), 1)
        columns = ops.concatenate([values - pivot[:, None], ops.ones_like(weight)], axis=-1)
        about = ops.cast(ops.matmul(ops.transpose(columns * weight, (0, 2, 1)), columns), "float64")
        origin = ops.pad(ops.cast(pivot, "float64"), ((0, 0), (0, 1)))
        half = about[:, -1] + about[:, -1:, -1] / 2 * origin
        return {"covariance": about + half[:, :, None] * origin[:, None] + origin[:, :, None] * half[:, None]}

    def derive(self, sums: Sums) -> dict[str, np.ndarray]:
        """Nothing: see `fmreport.analysis.dimension`."""
        return {}
