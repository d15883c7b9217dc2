"""Where maps suddenly hold much less: far fewer positions, or far fewer dimensions than their channels allow."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fmreport.analysis.finding import NOTHING, SUPPORTED, Finding, Tables
from fmreport.records import IMAGE

DIMENSIONS = 3.0
"""Times by which a dimension must fall below what every tap before it had."""
POSITIONS = 32.0
"""Times by which positions must fall: two steps by 2 at once, or one by 4, leave a 16th, a step by 8 a 64th."""
_DIMENSION_RULE = (
    f"the first tap whose participation ratio is less than a {DIMENSIONS:g}rd of the least of all maps before it, and "
    "less than so much of its channels and positions, as fewer of these leave fewer dimensions in any model"
)
_RESOLUTION_RULE = (
    f"the first layer, tapped or not, whose map has fewer than a {POSITIONS:g}nd of the positions of the coarsest map "
    "before it: further down than a step by 4 in either direction; maps of 1 x 1, as of global pooling, aside"
)


def dimension(tables: Tables) -> Finding:
    """Where maps begin to vary along far fewer dimensions."""
    subject = "collapse of dimension"
    table = tables.analyses["dimension"]
    table = table[(table["tap"] != IMAGE) & table["participation_ratio"].notna()]
    table = table.merge(tables.layers[["tap", "channels"]], on="tap")
    ratios = table["participation_ratio"].to_numpy(np.float64)
    allowed = np.minimum(table["channels"].to_numpy(np.float64), table["sampled_positions"].to_numpy(np.float64) - 1)
    before = np.minimum.accumulate(ratios)[:-1]
    places = np.flatnonzero(ratios[1:] * DIMENSIONS < np.minimum(before, allowed[1:]))
    if not len(places):
        sentence = "No tap uses far fewer dimensions than all taps before it and than its channels allow."
        return Finding(subject, NOTHING, sentence, _DIMENSION_RULE)
    at = int(places[0])
    tap, channels = str(table["tap"].iloc[at + 1]), int(table["channels"].iloc[at + 1])
    sentence = (
        f"At {tap} maps vary along {ratios[at + 1]:.1f} dimensions, of {channels} channels, after {before[at]:.1f} at "
        "the least before."
    )
    return Finding(subject, SUPPORTED, sentence, _DIMENSION_RULE, (tap,))


def resolution(tables: Tables) -> Finding:
    """Where maps suddenly become far coarser."""
    subject = "collapse of resolution"
    maps = tables.inventory.dropna(subset=["order", "height", "width"]).sort_values("order", kind="stable")
    height, width = maps["height"].to_numpy(np.int64), maps["width"].to_numpy(np.int64)
    positions = height * width
    maps, height, width, positions = (each[positions > 1] for each in (maps, height, width, positions))
    least = np.minimum.accumulate(positions)[:-1]
    places = np.flatnonzero(positions[1:] * POSITIONS < least)
    if not len(places):
        return Finding(subject, NOTHING, "No layer makes maps far coarser at once, 1 × 1 aside.", _RESOLUTION_RULE)
    at = int(places[0]) + 1
    before = int(positions[:at].argmin())
    layer = maps.iloc[at]
    sentence = (
        f"{layer['path']} leaves maps of {height[at]} × {width[at]} positions, after {height[before]} × "
        f"{width[before]} at the coarsest before."
    )
    finer = bool((positions[at:] > positions[at]).any())
    caveat = "later maps are finer again: another path may keep what is lost on this one" if finer else ""
    return Finding(subject, SUPPORTED, sentence, _RESOLUTION_RULE, _taps(layer), caveat)


def _taps(layer: pd.Series) -> tuple[str, ...]:
    return tuple(str(layer["taps"]).split(" ")[-1:])
