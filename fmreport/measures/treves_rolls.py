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
    version = 2
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
        total, positions = x.population
        return {"population_total": total, "population_positions": positions}

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
