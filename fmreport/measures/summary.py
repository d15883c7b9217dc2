"""One row per tap, pooled over all probes: a view of the other tables, and what the layer table of a report shows."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pandas as pd

from fmreport.measures import derive, load, merge
from fmreport.measures.distribution import QUANTILES, Scale, from_bins
from fmreport.measures.modes import NOISE, SOURCES, modes
from fmreport.measures.regions import Regions
from fmreport.measures.treves_rolls import SOURCE
from fmreport.measures.zeros import IDLE, NEAR_SILENT
from fmreport.records import Column, explained

Read = Callable[[list[str]], pd.DataFrame]
"""Columns of the table `samples` by their names, as far as it has them: all rows in one order."""
SPARSENESS = "population_sparseness"
SAMPLED = (SPARSENESS, *(s.name for s in Regions.sums))
"""Columns of `samples` that are pooled, as far as a run has them."""
EXTREMES = ("minimum", "maximum")
"""Sums of channels that are undefined where no value is finite."""
SATURATION = ("saturated_low", "saturated_high")
"""Columns that a run has where some tap is quantised."""
STATES = ("silent", "near_silent", "always_on", "constant")

COLUMNS = (
    Column(
        "zero_fraction_macro",
        "1",
        "mean over channels of the share of exact zeros; zero_fraction pools all values",
        method="exact-zeros",
    ),
    *explained(
        "treves-rolls-sparseness",
        Column(
            "population_sparseness",
            "1",
            "mean over images of the sample's population sparseness; undefined on signed taps",
            SOURCE,
        ),
        Column(
            "lifetime_sparseness",
            "1",
            "mean of the channels' lifetime sparseness, silent ones left out; undefined where some value is negative",
            SOURCE,
        ),
    ),
    *explained(
        IDLE,
        Column("silent", "count", "channels whose every value is 0 on this probe set"),
        Column("near_silent", "count", f"channels of which more than {NEAR_SILENT:.0%} of the values are 0"),
        Column("always_on", "count", "channels without a single 0 on this probe set"),
        Column("constant", "count", "channels whose values are all equal on this probe set"),
    ),
    *explained(
        "two-parts-without-a-mask",
        Column("otsu", "1", "largest share of the variance between the values below and above a threshold", SOURCES[0]),
        Column("otsu_noise", "1", "the same of Gaussian noise: of its ReLU where no value is negative"),
        Column(
            "bimodality", "1", "bimodality coefficient; Gaussian noise: 1/3, its ReLU .683, two values: 1", SOURCES[1]
        ),
    ),
)
"""Columns that no other table has, or that mean something else here."""


def summarise(taps: pd.Series, samples: Read, channels: pd.DataFrame, histograms: pd.DataFrame) -> pd.DataFrame:
    """The summary, one row per tap in the order of `taps`."""
    of_images = _of_images(samples)
    by_tap = [dict(list(frame.groupby("tap", sort=False))) for frame in (channels, histograms)]
    nothing = histograms.iloc[:0]
    return pd.DataFrame([_row(tap, of_images[tap], by_tap[0][tap], by_tap[1].get(tap, nothing)) for tap in taps])


def _of_images(read: Read) -> dict[str, dict[str, np.float64]]:
    """Of each tap the columns `SAMPLED`, pooled over the images: one column is held at a time."""
    codes, taps = pd.factorize(read(["tap"])["tap"])
    # A few bytes less for each row: of very many, taps are few.
    codes = codes.astype(np.min_scalar_type(len(taps)))
    found: dict[str, dict[str, np.float64]] = {str(tap): {} for tap in taps}
    for name in SAMPLED:
        rows = read([name])
        for number, tap in enumerate(taps) if name in rows else ():
            values = rows[name][codes == number]
            pooled = _mean(values) if name == SPARSENESS else values.sum(min_count=1)
            found[str(tap)][name] = np.float64(pooled)
    return found


def _row(
    tap: str, samples: dict[str, np.float64], channels: pd.DataFrame, histogram: pd.DataFrame
) -> dict[str, object]:
    measures = tuple(load().values())
    # Some are those of quantised taps alone.
    present = [name for name in channels if not channels[name].isna().all() or name in EXTREMES]
    per_channel = [s for measure in measures for s in measure.sums if s.per == "channel" and s.name in present]
    sums = merge(per_channel, {s.name: channels[s.name].to_numpy()[None] for s in per_channel}, axis=1)
    derived = derive(measures, sums)
    finite = int(sums["finite"][0])
    least, most = (float(sums[name][0]) for name in ("minimum", "maximum"))
    low, high, count = (histogram[name].to_numpy() for name in ("low", "high", "count"))
    bins = {name: float(value[0]) for name, value in from_bins(low, high, count[None], Scale.of(sums)).items()}
    signed = finite > 0 and float(sums["minimum"][0]) < 0
    parts = modes(low, high, count)
    return {
        "tap": tap,
        **{name: int(sums[name][0]) for name in ("finite", "nan", "inf")},
        "zero_fraction": float(derived["zero_fraction"][0]),
        "zero_fraction_macro": _mean(channels["zero_fraction"]),
        **{name: bins[name] for name in ("near_zero_fraction", "near_zero_eps", "gini")},
        "hoyer_limit": float(derived["hoyer_limit"][0]),
        # Images that hold no negative value by luck do not speak for a signed tap.
        SPARSENESS: math.nan if signed else float(samples[SPARSENESS]),
        "lifetime_sparseness": _lifetime(channels),
        **{state: int(channels[state].sum()) for state in STATES},
        **{name: float(derived[name][0]) for name in ("mean", "std")},
        "minimum": least,
        "maximum": most,
        **{name: bins[name] for name in QUANTILES},
        "otsu": parts.otsu,
        "otsu_noise": NOISE["signed" if signed else "relu"].otsu,
        "bimodality": parts.bimodality,
        **{name: float(derived[name][0]) for name in SATURATION if name in derived},
        **_regions(samples),
    }


def _regions(samples: dict[str, np.float64]) -> dict[str, float]:
    """Columns of `regions` over all images; none where no probe has a mask."""
    sums = {s.name: np.array(samples[s.name]) for s in Regions.sums if s.name in samples}
    return {name: float(value) for name, value in Regions().derive(sums).items()}


def _mean(values: pd.Series) -> float:
    """The mean of what is defined; NaN where nothing is."""
    defined = values.to_numpy(np.float64)
    defined = defined[~np.isnan(defined)]
    return float(defined.mean()) if defined.size else math.nan


def _lifetime(channels: pd.DataFrame) -> float:
    """The mean over all channels that are not silent; NaN where it is undefined for one of them, as on signed maps."""
    # Over the few channels without a negative value it would stand for a tap that is signed.
    awake = (channels["finite"] > 0) & ~channels["silent"].astype(bool)
    values = channels.loc[awake, "lifetime_sparseness"].to_numpy(np.float64)
    return float(values.mean()) if values.size else math.nan
