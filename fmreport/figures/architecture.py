"""The architecture as a strip, to scale: every part of the model as wide as its channels and as high as its map."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from fmreport.figures import plots
from fmreport.figures.glyphs import drawable

if TYPE_CHECKING:
    from fmreport.store import Run

GAP = 0.004
"""Between parts, as a share of the strip."""
THINNEST = 0.0012
"""Share of the strip below which a part could not be seen."""


def draw(run: Run) -> plots.Plot:
    """Rectangles from left to right; a line where a part has no map."""
    parts = run.blocks[run.blocks["channels"].notna()]
    heights = parts["height"].to_numpy(np.float64, na_value=0.0)
    channels = parts["channels"].to_numpy(np.float64)
    figure, (axes,) = plots.new_figure(2.2)
    axes.set_position((0.005, 0.01, 0.99, 0.98))
    widths = np.maximum(channels / channels.sum(), THINNEST)
    starts = np.concatenate([[0.0], np.cumsum(widths + GAP)[:-1]])
    tallest = max(float(heights.max()), 1.0)
    for start, width, height in zip(starts, widths, heights, strict=True):
        rise = height / tallest
        axes.add_patch(
            Rectangle((start, -rise / 2), width, max(rise, 0.004), facecolor=plots.FIRST, alpha=0.75, linewidth=0)
        )
    end = float(starts[-1] + widths[-1])
    _resolutions(axes, starts, widths, heights)
    _names(axes, list(parts["block"]), starts, widths)
    axes.set_xlim(-0.01, end + 0.01)
    axes.set_ylim(-0.92, 0.66)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    _scale(axes, channels, widths)
    return plots.Plot(
        name="architecture",
        title="Architecture",
        caption="Each part of the model as its output: as wide as it has channels, as high as its map has rows, "
        "both to scale, in the order in which the model runs. Numbers are rows of the map where they change.",
        alt=f"Strip of {len(parts)} rectangles. {_told(parts)}",
        figure=figure,
    )


def _resolutions(axes: Axes, starts: np.ndarray, widths: np.ndarray, heights: np.ndarray) -> None:
    """The rows of the map, above the first part of each run of equal maps, where there is room."""
    free = -1.0
    for i, height in enumerate(heights):
        if i and height == heights[i - 1]:
            continue
        middle = float(starts[i] + widths[i] / 2)
        text = f"{height:.0f}" if height else "–"
        room = 0.011 * (len(text) + 1)
        if middle - room / 2 > free:
            top = height / max(float(heights.max()), 1.0) / 2
            axes.text(middle, top + 0.03, text, ha="center", va="bottom", fontsize=7, color=plots.MUTED)
            free = middle + room / 2


def _names(axes: Axes, names: list[str], starts: np.ndarray, widths: np.ndarray) -> None:
    """A line under the parts whose paths begin alike, with that beginning where there is room for it."""
    for begun, run in groupby(range(len(names)), key=lambda i: names[i].partition("/")[0]):
        held = list(run)
        left, right = float(starts[held[0]]), float(starts[held[-1]] + widths[held[-1]])
        axes.plot([left, right], [-0.58, -0.58], color=plots.MUTED, linewidth=0.8, solid_capstyle="butt")
        room = int((right - left) * 110)
        if room >= min(len(begun), 5):
            short = begun if len(begun) <= room else f"{begun[: room - 1]}…"
            axes.text((left + right) / 2, -0.62, drawable(short), ha="center", va="top", fontsize=7, color=plots.MUTED)


def _scale(axes: Axes, channels: np.ndarray, widths: np.ndarray) -> None:
    """A bar of a round number of channels."""
    most = int(np.argmax(channels))
    round_number = 2 ** int(np.floor(np.log2(max(channels[most], 1))))
    length = float(widths[most]) * round_number / float(channels[most])
    axes.plot([0, length], [-0.86, -0.86], color=plots.INK, linewidth=1.2, solid_capstyle="butt")
    axes.text(length + 0.008, -0.86, f"{round_number:,} channels", va="center", fontsize=7, color=plots.INK)


def _told(parts: pd.DataFrame) -> str:
    """Rows and channels wherever the rows change, in words."""
    told, before = [], None
    for height, channels in zip(parts["height"], parts["channels"], strict=True):
        rows = f"{int(height)} rows" if pd.notna(height) else "no map"
        if rows != before:
            told.append(f"{rows} of {int(channels)} channels")
            before = rows
    return f"In order: {', '.join(told)}."
