"""Treves and Rolls' sparseness of non-negative maps, over channels (population) and over stimuli (lifetime)."""

from __future__ import annotations

from typing import Any

import numpy as np

from fmreport.measures import Derived, Sum, Sums
from fmreport.measures.activations import Activations
from fmreport.records import Column

SOURCE = "Treves & Rolls 1991; normalised as in Vinje & Gallant 2000"


class TrevesRolls:
    """`S = (1 - a) / (1 - 1/N)` with `a = (sum r / N)^2 / (sum r^2 / N)`, for `r >= 0` only."""

    of_maps = False
    method = "treves-rolls-sparseness"
    version = 1
    sums = (
        Sum(Column("population_total", "1", "sum over positions of the sparseness over channels"), "image"),
        Sum(Column("population_positions", "count", "positions at which some channel is above 0"), "image"),
    )
    columns = (
        Derived(
            Column(
                "population_sparseness", "1", "mean over positions of S over channels; undefined on signed maps", SOURCE
            ),
            ("sample", "tap"),
        ),
        Derived(
            Column("lifetime_sparseness", "1", "S over images and positions; undefined on signed maps", SOURCE),
            ("channel",),
        ),
    )

    def gather(self, x: Activations) -> dict[str, Any]:
        """Per image, in float64; nothing is counted for an image that holds a negative value."""
        from keras import ops

        values = x.values
        batch, channels = values.shape[0], values.shape[-1]
        lowest = ops.min(x.minimum, axis=-1)

        def none() -> tuple[Any, Any]:
            return ops.zeros((batch,), dtype="float64"), ops.zeros((batch,), dtype="int64")

        def measured() -> tuple[Any, Any]:
            ones = ops.ones((channels, 1), dtype=values.dtype)
            first = ops.cast(ops.matmul(values, ones)[..., 0], "float64")
            second = ops.cast(ops.matmul(ops.square(values), ones)[..., 0], "float64")
            defined = ops.logical_and(second > 0, ops.reshape(lowest >= 0, (batch,) + (1,) * len(x.spatial)))
            if x.valid is not None:
                defined = ops.logical_and(defined, ops.all(x.valid, axis=-1))
            a = first * first / channels / ops.where(defined, second, 1)
            sparseness = ops.where(defined, (1 - a) / (1 - 1 / channels), 0)
            return ops.sum(sparseness, axis=x.spatial), ops.sum(ops.cast(defined, "int64"), axis=x.spatial)

        # Signed maps are common and have no value here, so they pay for the minimum alone.
        summed, counted = ops.cond(ops.any(lowest >= 0), measured, none) if channels > 1 else none()
        return {"population_total": summed, "population_positions": counted}

    def derive(self, sums: Sums) -> dict[str, np.ndarray]:
        """NaN where a value is negative, where all are 0, and where there is one value only."""
        derived = {}
        if "population_positions" in sums:
            positions = sums["population_positions"]
            mean = sums["population_total"] / np.where(positions > 0, positions, np.nan)
            derived["population_sparseness"] = np.clip(mean, 0.0, 1.0)
        defined = (sums["finite"] > 1) & (sums["squares"] > 0) & (sums["minimum"] >= 0)
        n = np.where(defined, sums["finite"], np.nan)
        a = (sums["total"] / n) ** 2 / (np.where(defined, sums["squares"], np.nan) / n)
        derived["lifetime_sparseness"] = np.clip((1 - a) / (1 - 1 / n), 0.0, 1.0)
        return derived
