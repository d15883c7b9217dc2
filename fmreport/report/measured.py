"""What the analyses say of single taps, as a few numbers for each tap's section."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np

from fmreport.report import page
from fmreport.report.rows import records
from fmreport.report.wording import number
from fmreport.store import Run

READ = {
    "edge": ("edges, R²", "held-out R² of the edge map, read from this tap"),
    "mask": ("mask, R²", "held-out R² of the mask, read from this tap"),
    "prediction": ("agreement with itself, R²", "held-out R² of what the model says itself, read from this tap"),
    "centroid_share": ("fineness", "mean frequency of the maps, as a share of the finest that they could hold"),
}
"""Quantities of the table `progression`: label and meaning."""
DIMENSION = "participation ratio over positions and images: along how many directions the channels vary"
BEST = "IoU of the best channel with the mask, on images that it was not chosen on; beside it the prevalence"


def by_tap(run: Run) -> dict[str, list[page.Stat]]:
    """The numbers of each tap that has any, in the order in which they are read."""
    found: dict[str, list[page.Stat]] = defaultdict(list)
    progression = run.analyses["progression"]
    for quantity, (label, meaning) in READ.items():
        for row in records(progression[progression["quantity"] == quantity]):
            found[row["tap"]].append(page.Stat(label, number(row["value"], 2) + _interval(row), meaning))
    for row in records(run.analyses["dimension"]):
        if not np.isnan(row["participation_ratio"]):
            found[row["tap"]].append(page.Stat("dimensions", number(row["participation_ratio"], 2), DIMENSION))
    for row in records(run.analyses["selectivity"]):
        best = f"{number(row['iou'], 2)} (all: {number(row['prevalence'], 2)})"
        found[row["tap"]].append(page.Stat("best channel, IoU", best, BEST))
    return found


def best_channels(run: Run) -> dict[str, str]:
    """Of each tap that masks were compared with, the channels that tell the foreground best, in words."""
    found = {}
    for row in records(run.analyses["selectivity"]):
        chosen = [_told(row, name) for name in ("chosen", "chosen_again") if not np.isnan(row[name])]
        which = (
            chosen[0] if len(set(chosen)) == 1 else f"{chosen[0]} of one half of the images, {chosen[1]} of the other"
        )
        found[row["tap"]] = (
            f"{which} (IoU {number(row['iou'], 2)}, each on the half that it was not chosen on; calling everything "
            f"foreground gives {number(row['prevalence'], 2)})"
        )
    return found


def _told(row: Mapping[str, Any], name: str) -> str:
    """A channel that was chosen, and by which of its values."""
    side = "" if row[f"{name}_polarity"] == "high" else ", by its low values,"
    return f"channel {int(row[name])}{side}"


def _interval(row: Mapping[str, Any]) -> str:
    if np.isnan(row["lower"]):
        return ""
    return f" ({number(row['lower'], 2)} to {number(row['upper'], 2)})"
