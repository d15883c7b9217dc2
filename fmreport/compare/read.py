"""Change of what all images tell together: held-out R^2 of edges and masks, with its interval, and pooled values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fmreport import mapped
from fmreport.analysis import readability, regression, resampling
from fmreport.compare.align import Pair
from fmreport.compare.comparison import CHANGED, EQUAL, ROUNDING, Change
from fmreport.compare.values import NOISE
from fmreport.store import Run

TARGETS = ("edge", "mask")
POOLED = {
    "lifetime_sparseness": "summary",
    "otsu": "summary",
    "bimodality": "summary",
    "participation_ratio": "dimension",
    "iou": "selectivity",
}
"""Columns that are of all images together, without an interval, and their tables."""


def of_reading(a: Run, b: Run, pairs: Sequence[Pair]) -> dict[tuple[str, str], list[Change]]:
    """Of each pair of taps the change of what is read from both; none where a run holds no such table.

    Both runs must have the same probes, those among them whose maps are measured, preprocessing and seed, so that their
    groups of images are the same.
    """
    tables = [run.table("readability") for run in (a, b)]
    if any(not len(table) for table in tables):
        return {}
    # As the pairs are numbered, taps have one name on both sides.
    named = [
        table.assign(tap=table["tap"].map({tap: str(n) for n, tap in enumerate(taps)})).dropna(subset=["tap"])
        for table, taps in zip(tables, ([pair.a for pair in pairs], [pair.b for pair in pairs]), strict=True)
    ]
    groups = int(max(table["group"].max() for table in tables)) + 1
    found: dict[tuple[str, str], list[Change]] = {}
    for target in TARGETS:
        images = a.table("progression").query("quantity == @target")["images"].max()
        told = _of_target(named, target, (len(pairs), groups), 0 if pd.isna(images) else int(images))
        for pair, change in zip(pairs, told, strict=True):
            if change is not None:
                found.setdefault((pair.a, pair.b), []).append(change)
    return found


def of_tables(a: Run, b: Run, pairs: Sequence[Pair], *, maps: bool = True) -> dict[tuple[str, str], list[Change]]:
    """Of each pair of taps the change of what is pooled over all images, which must be the same in both runs.

    Without `maps`, of what is pooled over single values alone: maps were measured of other images.
    """
    found: dict[tuple[str, str], list[Change]] = {}
    for measure, table in ((measure, table) for measure, table in POOLED.items() if maps or table == "summary"):
        images = len(a.facts.probes) if table == "summary" else mapped.of_facts(a.facts).images
        one, other = (run.table(table) for run in (a, b))
        if measure not in one or measure not in other:
            continue
        of_a, of_b = (dict(zip(side["tap"], side[measure], strict=True)) for side in (one, other))
        for pair in pairs:
            values = float(of_a.get(pair.a, np.nan)), float(of_b.get(pair.b, np.nan))
            change = _change(measure, values, (np.nan, np.nan), images)
            if change is not None:
                found.setdefault((pair.a, pair.b), []).append(change)
    return found


def _of_target(tables: Sequence[pd.DataFrame], target: str, size: tuple[int, int], images: int) -> list[Change | None]:
    """`size`: how many pairs of taps and groups of images there are."""
    pairs, groups = size
    taps = tuple(str(n) for n in range(pairs))
    seen = readability.seen(tables[0], target, groups) & readability.seen(tables[1], target, groups)
    masked = int(readability.seen(tables[0], "mask", groups).sum())
    errors = [readability.by_group(table, (target,), taps=taps, groups=groups) for table in tables]
    whole = [regression.r_squared(*each, np.where(seen, 1, 0)[None])[0, :, 0] for each in errors]
    enough = images >= resampling.FEWEST
    lower = upper = np.full(pairs, np.nan)
    if enough:
        drawn = resampling.resamples(groups, masked=masked, seed=0, seen=seen)
        of_a, of_b = (regression.r_squared(*each, drawn)[0] for each in errors)
        lower, upper = resampling.interval((of_b - of_a).T)
    return [
        _change(target, (float(one), float(other)), (float(low), float(high)), images)
        for one, other, low, high in zip(*whole, lower, upper, strict=True)
    ]


def _change(target: str, values: tuple[float, float], ends: tuple[float, float], images: int) -> Change | None:
    one, other = values
    if np.isnan(one) or np.isnan(other):
        return None
    low, high = (None if np.isnan(end) else end for end in ends)
    state = EQUAL if one == other else ROUNDING if abs(other - one) <= NOISE else CHANGED
    return Change(target, "1", one, other, other - one, low, high, None, None, images, "", state)
