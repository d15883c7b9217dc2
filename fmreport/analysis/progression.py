"""What changes along the network: each quantity at each tap, with its interval, its nulls, and the image as layer 0."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from fmreport.analysis import Evidence, detail, readability, regression, resampling, selectivity
from fmreport.analysis.nulls import p_value
from fmreport.records import TAP_OR_IMAGE, Column, explained

READ = ("edge", "mask", "prediction")
"""Quantities that are held-out R^2."""
DETAIL = ("centroid_common", "centroid_share")
"""Quantities of the table `detail` that are followed here."""
QUANTITIES = (*READ, *DETAIL)
SPARSITY = ("zero_fraction", "gini", "hoyer_limit")
"""Columns of the table `summary` that models with randomised weights are compared in, too."""
NULL = ("shuffled", "shifted")
"""Targets that mean nothing, by what their names begin with."""


class Progression:
    """One row per tap and quantity."""

    version = 1
    columns = explained(
        "progression",
        TAP_OR_IMAGE,
        Column(
            "quantity",
            "",
            "edge, mask: held-out R^2 with which it can be read from the tap; prediction: the same of the model's own "
            "final map, which is agreement with itself; centroid_common: mean frequency within the common band; "
            "centroid_share: mean frequency as a share of what the map can hold",
        ),
        Column("value", "1", "the quantity over the images; of centroid_common in cycles per image"),
        Column(
            "lower", "1", f"lower end of its {resampling.LEVEL:.0%} interval; images are resampled", method="intervals"
        ),
        Column(
            "upper",
            "1",
            "upper end of that interval; both are empty where there are fewer than 10 images",
            method="intervals",
        ),
        Column("images", "count", "images that tell it"),
        Column("null", "1", "of mask: the largest R^2 of a shuffled or shifted mask at this tap", method="p-values"),
        Column(
            "p",
            "1",
            "of mask: (1 + number of such masks that are read as well) / (1 + their number)",
            method="p-values",
        ),
    )

    def table(self, evidence: Evidence) -> pd.DataFrame:
        """Every tap that has a value, in order, a quantity at a time."""
        names = [column.name for column in self.columns]
        groups = len(evidence.sizes)
        read = readability.Readability().table(evidence)
        whole = values(evidence, read, np.ones(groups, np.int64))
        every = np.ones(groups, bool)
        told = dict.fromkeys(QUANTITIES, every) | {name: readability.seen(read, name, groups) for name in READ}
        drawn = {
            name: resampling.resamples(groups, masked=evidence.masked_groups, seed=evidence.seed, seen=seen)
            for name, seen in told.items()
        }
        spread = {name: r_squared(read, (name,), evidence.taps, drawn[name])[name] for name in READ}
        spread |= detail.values(evidence, drawn[DETAIL[0]])
        nulls = of_nulls(read, evidence.taps, groups)
        frames = []
        for quantity in QUANTITIES:
            images = int(evidence.sizes[told[quantity]].sum())
            enough = images >= resampling.FEWEST
            lower, upper = resampling.interval(spread[quantity]) if enough else (np.nan, np.nan)
            frame = pd.DataFrame({"tap": evidence.taps, "quantity": quantity, "value": whole[quantity]})
            of_mask = quantity == "mask" and len(nulls)
            null = np.fmax.reduce(nulls, axis=0) if of_mask else np.nan
            p = p_value(whole[quantity], nulls) if of_mask else np.nan
            frames.append(frame.assign(lower=lower, upper=upper, images=images, null=null, p=p))
        table = pd.concat(frames, ignore_index=True)
        return table[table["value"].notna()][names].reset_index(drop=True)


CONTROLS = explained(
    "randomised-weights",
    Column("seed", "count", "number of the model with randomised weights, from 1"),
    TAP_OR_IMAGE,
    Column(
        "quantity",
        "",
        f"as in progression; {', '.join(SPARSITY)}: as in summary; iou_above: IoU of the best channel, less the "
        "prevalence, as in selectivity",
    ),
    Column("value", "1", "the quantity with these weights"),
)
"""Columns of the table of controls."""


def controls(randomised: Sequence[tuple[Evidence, pd.DataFrame]]) -> pd.DataFrame:
    """The same quantities of models with randomised weights, one row per model, tap and quantity.

    Of each model there is the evidence and its table `summary`.
    """
    frames = []
    for seed, (evidence, summary) in enumerate(randomised, 1):
        read = readability.Readability().table(evidence)
        found = values(evidence, read, np.ones(len(evidence.sizes), np.int64))
        frames += [
            pd.DataFrame({"seed": seed, "tap": evidence.taps, "quantity": name, "value": found[name]})
            for name in QUANTITIES
        ]
        frames += [
            pd.DataFrame({"seed": seed, "tap": summary["tap"], "quantity": name, "value": summary[name]})
            for name in SPARSITY
        ]
        best = selectivity.Selectivity().table(evidence)
        above = best["iou"] - best["prevalence"]
        frames.append(pd.DataFrame({"seed": seed, "tap": best["tap"], "quantity": "iou_above", "value": above}))
    names = [column.name for column in CONTROLS]
    table = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=names)
    return table[table["value"].notna()][names].reset_index(drop=True)


def values(evidence: Evidence, read: pd.DataFrame, weights: np.ndarray) -> Mapping[str, np.ndarray]:
    """Each quantity `(..., taps)`, the groups counted `weights` `(..., groups)` times; NaN where it is undefined."""
    of_detail = detail.values(evidence, weights)
    return {**r_squared(read, READ, evidence.taps, weights), **{name: of_detail[name] for name in DETAIL}}


def r_squared(
    read: pd.DataFrame, targets: tuple[str, ...], taps: tuple[str, ...], weights: np.ndarray
) -> dict[str, np.ndarray]:
    """Held-out R^2 `(..., taps)` of each target from the table `readability`; NaN where there is nothing to explain."""
    residual, total = readability.by_group(read, targets, taps=taps, groups=weights.shape[-1])
    scores = regression.r_squared(residual, total, np.atleast_2d(weights))
    return {name: score.T.reshape(*weights.shape[:-1], len(taps)) for name, score in zip(targets, scores, strict=True)}


def of_nulls(read: pd.DataFrame, taps: tuple[str, ...], groups: int) -> np.ndarray:
    """R^2 `(nulls, taps)` of every target that means nothing."""
    found = tuple(name for name in read["target"].unique() if name.startswith(NULL))
    made = r_squared(read, found, taps, np.ones(groups, np.int64))
    return np.array([made[name] for name in found]).reshape(len(found), len(taps))
