"""What the target's score owes to a tap -> small pictures beside its maps, with every label and range."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from fmreport.attribution import METHODS
from fmreport.figures import mosaics, png
from fmreport.records import Tiles
from fmreport.report import maps, page
from fmreport.report.maps import Settings
from fmreport.report.wording import full_stop, number, plural
from fmreport.store import Run

TAGS = {
    "no gradient": "the score does not change with any activation here",
    "mean 0": "the gradient's mean over positions is 0 in every channel, as before a normalisation over them",
    "none above 0": "nothing here adds to the score",
    "not finite": "gradients or activations are NaN or infinite",
}
"""What stands in place of a range, and what it means."""


def introduction(run: Run) -> tuple[str, ...]:
    """How to read attribution; nothing where the run has no target."""
    if not run.facts.target:
        return ()
    told = (
        f"Below the maps of each tap: what one score owes to the tap on each picture, by its gradient. The score is "
        f"{run.facts.score}. {METHODS[0]} weighs each channel by the mean of its gradient over positions, {METHODS[1]} "
        "(gradient-weighted activation) each value by its own gradient; both add up all channels and leave out what is "
        "below 0. Colours run from 0 to the largest value that a map is drawn with, printed above it: compare places, "
        "not strengths. No gradient: the score does not change with any value of the tap. Mean 0: in every channel the "
        "gradient adds up to 0 over positions, as it must before a normalisation over them; there Grad-CAM is blind."
    )
    limits = (
        "Attribution is the slope of the score around one picture: bright is where more of the same would raise it. "
        "It is correlational too: it does not show what the model would answer without a region, nor that it is right."
    )
    return told, limits


def missing(run: Run, tap: str) -> str:
    """Why a tap has no attribution, as a sentence; empty where the run has no target."""
    return full_stop(f"No attribution: {_rows(run, tap)['reason'].iloc[0]}") if run.facts.target else ""


def section(run: Run, tap: str, settings: Settings) -> page.Attribution | None:
    """The pictures of a tap; None where it has none."""
    tiles = run.attributed(tap) if run.facts.target else None
    if tiles is None:
        return None
    drawn = tiles if settings.limit is None else mosaics.shrink(tiles, settings.limit.tile)
    rows: dict[str, Any] = {row["probe"]: row for row in _rows(run, tap).to_dict("records")}
    height, width = drawn.values.shape[-2:]
    each_its_own = (run.facts.config.get("target") or {}).get("class") == "predicted"
    made = []
    for i, probe in enumerate(tiles.probes):
        row = rows[probe]
        which = f"class {row['class']}: " if each_its_own else ""
        score = f"{which}{number(float(row['score']))}"
        made.append(page.Attributed(probe, score, _block(_of(drawn, i), row, settings.photos[probe])))
    return page.Attribution(
        grid=1 + len(METHODS),
        probes=tuple(made),
        height_per_width=height / width,
        bar=mosaics.colour_bar(signed=False),
        bar_alt="Colour bar from 0 to the limit of each map",
        bar_low="0",
        bar_high="limit",
        caption=_caption(run, tiles, drawn),
    )


def _rows(run: Run, tap: str) -> pd.DataFrame:
    table = run.attribution
    return table[table["tap"] == tap]


def _of(tiles: Tiles, i: int) -> Tiles:
    """The tiles of one probe."""
    one = slice(i, i + 1)
    return replace(tiles, probes=tiles.probes[one], values=tiles.values[one], low=tiles.low[one], high=tiles.high[one])


def _block(tiles: Tiles, row: Mapping[str, Any], photo: page.Photo) -> page.Block:
    """The maps of one probe, each in its own range."""
    # What area-averaging leaves of a narrow peak, so that the colours are used to the end.
    scale = mosaics.Scale(False, tiles.activations().max(axis=(0, 2, 3)), clipped=False)
    data = mosaics.encode(mosaics.mosaic(mosaics.levels(tiles, scale)[0], len(METHODS)), signed=False)
    labels = tuple(_label(method, float(scale.limits[k]), row) for k, method in enumerate(METHODS))
    told = "; ".join(f"{label.number} {label.tag or label.range}" for label in labels)
    told_of = f"Attribution at {tiles.tap} on {photo.name}:"
    strip = page.Strip(photo.id, photo.name, photo.jpeg, data, *png.size(data), f"{told_of} {told}")
    greys = mosaics.greys(tiles, scale)
    channels = tuple(maps.channel(label, greys[:, k], alt=f"{told_of} {label.title}") for k, label in enumerate(labels))
    return page.Block(labels, (strip,), channels, photo.name, photo.id)


def _label(method: str, limit: float, row: Mapping[str, Any]) -> page.ChannelLabel:
    tag = ""
    if not np.isfinite(limit):
        tag = "not finite"
    elif row["gradient"] == 0:
        tag = "no gradient"
    elif method == METHODS[0] and row["mean_gradient"] == 0:
        tag = "mean 0"
    elif limit == 0:
        tag = "none above 0"
    shown = "" if tag else f"0–{number(limit, 2)}"
    return page.ChannelLabel(method, shown, tag, False, f"{method}: {TAGS[tag] if tag else shown}")


def _caption(run: Run, tiles: Tiles, drawn: Tiles) -> str:
    grid, small = tiles.grid, drawn.values.shape[-2:]
    size = f"{grid[0]} × {grid[1]} pixels"
    if small != grid:
        size += f", drawn at {small[0]} × {small[1]} (area-averaged)"
    return (
        f"{METHODS[0]} and {METHODS[1]} of {run.facts.score}: all channels together; {size}; "
        f"{plural(len(tiles.probes), 'image')}, each with its score. Correlational: the slope of a score, not what the "
        "model would answer without a region."
    )
