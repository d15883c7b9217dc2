"""Fine detail along the network: what each tap could hold, what it holds, and that within what all of them can."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from fmreport.analysis import Evidence
from fmreport.measures.detail import (
    CHANGE,
    CHANGE_PER_IMAGE,
    HIGH_FREQUENCY,
    VARIATION,
    VARIATION_SOURCE,
    of_axes,
    relative,
)
from fmreport.measures.spectrum import (
    FREQUENCIES,
    PER_CYCLE,
    POWER,
    SMALLEST,
    SOURCE,
    centroid,
    high_frequency,
    nyquist,
    ratio,
)
from fmreport.records import TAP_OR_IMAGE, Column, explained

LARGE_ENOUGH = 28
"""Elements along the shorter side below which a slope would be noise."""
NOISE = "white noise: 3/4"
FIRST = 2
"""Cycles per image at which a slope begins: around 1, the mean that is removed takes power with it."""


class Detail:
    """One row per tap, the image itself first; power is averaged over channels and images before anything else."""

    version = 1
    columns = explained(
        "spectral-centroid",
        TAP_OR_IMAGE,
        Column(
            "nyquist",
            "cycles per image",
            "finest detail that the map can hold: half of its shorter side",
            "",
            "resolution",
        ),
        Column(
            "centroid", "cycles per image", "mean frequency, weighted by power, up to the Nyquist frequency", SOURCE
        ),
        Column("centroid_share", "1", "centroid divided by the map's Nyquist frequency; white noise: 2/3", SOURCE),
        Column(
            "band",
            "cycles per image",
            "the common band: up to the Nyquist frequency of the coarsest of these maps",
            method="common-band",
        ),
        Column("centroid_common", "cycles per image", "mean frequency, weighted by power, in the common band", SOURCE),
        Column(
            "high_frequency",
            "1",
            f"share of the power above half of the Nyquist frequency; {NOISE}",
            SOURCE,
            HIGH_FREQUENCY,
        ),
        Column(
            "high_frequency_common",
            "1",
            f"share of the common band's power in its upper half; {NOISE}",
            SOURCE,
            HIGH_FREQUENCY,
        ),
        Column(
            "slope",
            "1",
            f"slope of log mean power on log frequency, from {FIRST} cycles per image; natural images: about -2; empty "
            f"below {LARGE_ENOUGH} x {LARGE_ENOUGH}",
            "Field 1987, doi 10.1364/JOSAA.4.002379",
            "spectral-slope",
        ),
        Column(
            "total_variation_y",
            "1",
            "mean |difference| from row to row, in standard deviations",
            VARIATION_SOURCE,
            VARIATION,
        ),
        Column("total_variation_x", "1", "the same from column to column", VARIATION_SOURCE, VARIATION),
        Column("total_variation", "1", "mean of both axes; white noise: 2/sqrt(pi)", VARIATION_SOURCE, VARIATION),
        Column(
            "gradient",
            "1",
            "total variation times the size of the grid: in standard deviations per image",
            method="gradient",
        ),
    )

    def table(self, evidence: Evidence) -> pd.DataFrame:
        """Every tap, in order; empty where it is no map."""
        names = [column.name for column in self.columns]
        limits = [_nyquist(evidence, tap) for tap in evidence.taps]
        if np.isnan(limits).all():
            return pd.DataFrame(columns=names)
        found = values(evidence, np.ones(len(evidence.sizes), np.int64))
        known = {"tap": list(evidence.taps), "nyquist": limits, "band": common_band(evidence) or np.nan}
        return pd.DataFrame({**known, **found})[names]


MEASURED = tuple(column.name for column in Detail.columns if column.name not in ("tap", "nyquist", "band"))


def common_band(evidence: Evidence) -> float:
    """The Nyquist frequency of the coarsest map that has a spectrum, in cycles per image; 0 where none has."""
    limits = [_nyquist(evidence, tap) for tap in evidence.taps]
    return min((limit for limit in limits if limit >= SMALLEST / 2), default=0.0)


def values(evidence: Evidence, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Each measured column, `(..., taps)`, with the images of each group counted `weights` `(..., groups)` times.

    All ones make the table; how often groups are drawn makes a resample of it.
    """
    band = common_band(evidence)
    # What float64 does not hold is undefined, not a failure.
    with np.errstate(over="ignore", invalid="ignore"):
        of_taps = [_of_tap(evidence.grouped[tap], weights, band) for tap in evidence.taps]
    return {name: np.stack([each[name] for each in of_taps], axis=-1) for name in MEASURED}


def slope(profiles: np.ndarray) -> np.ndarray:
    """Slope of log mean power on log frequency of profiles `(..., rings, 3)`, ring by ring of one cycle per image."""
    limit = nyquist(profiles)
    if limit < LARGE_ENOUGH / 2:
        return np.full(profiles.shape[:-2], np.nan)
    cycles = np.arange(FIRST, int(limit) + 1)
    # A ring reaches half a cycle to either side; the last one ends with the band.
    starts = PER_CYCLE * cycles - PER_CYCLE // 2
    summed = np.add.reduceat(profiles, starts, axis=-2)
    mean = ratio(summed[..., POWER], summed[..., FREQUENCIES])
    level = np.log(np.where(mean > 0, mean, np.nan))
    along = np.log(cycles) - np.log(cycles).mean()
    return np.asarray((level * along).sum(axis=-1) / (along**2).sum())


def _of_tap(sums: Mapping[str, np.ndarray], weights: np.ndarray, band: float) -> dict[str, np.ndarray]:
    """Each measured column, `(...)`, of one tap; NaN where it is no map."""
    if "spectrum" not in sums:
        return dict.fromkeys(MEASURED, np.full(weights.shape[:-1], np.nan))
    profiles, variation = (np.tensordot(weights, sums[name], axes=(-1, 0)) for name in ("spectrum", "variation"))
    limit, per_element = nyquist(profiles), relative(variation, CHANGE)
    return {
        "centroid": centroid(profiles, limit),
        "centroid_share": centroid(profiles, limit) / limit,
        "centroid_common": centroid(profiles, band),
        "high_frequency": high_frequency(profiles, limit),
        "high_frequency_common": high_frequency(profiles, band),
        "slope": slope(profiles),
        "total_variation_y": per_element[..., 0],
        "total_variation_x": per_element[..., 1],
        "total_variation": of_axes(per_element),
        "gradient": of_axes(relative(variation, CHANGE_PER_IMAGE)),
    }


def _nyquist(evidence: Evidence, tap: str) -> float:
    """Of a tap, in cycles per image; NaN where it is no map."""
    profiles = evidence.grouped[tap].get("spectrum")
    return np.nan if profiles is None else nyquist(profiles)
