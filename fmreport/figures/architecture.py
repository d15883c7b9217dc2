"""The architecture as a strip, to scale: every part of the model as wide as its channels and as high as its map."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from fmreport.blocks import parts
from fmreport.figures import plots
from fmreport.figures.beginnings import groups
from fmreport.figures.glyphs import drawable
from fmreport.figures.layout import POINTS, Layout, new_figure
from fmreport.figures.placing import FONT, Box, Label, place, width
from fmreport.layers import PADDING

if TYPE_CHECKING:
    from fmreport.store import Run

HEIGHT = 158.0
"""Of the figure in points, as everything below, with 0 at the strip's left end and half-way up."""
TALLEST = 98.0
"""Of the part whose map has most rows."""
BOTTOM, UNDERLINE, NAMES, SCALE = -90.0, -57.0, -67.0, -84.5
"""The lower end, the line under the parts, that on which their names stand, and the bar of channels."""
MARGIN = 2.5
"""On all sides."""
GAP, THINNEST, FLATTEST = 2.0, 0.6, 0.4
"""Between parts; what is thinner or flatter could not be seen."""
SHAPE = ("block", "shape", "height", "width", "channels")
"""Columns of a part that are drawn."""
NARROWED = 0.15
"""Share of the strip that what has no positions may take: its many channels would leave no room for the maps."""


@dataclass(frozen=True, slots=True)
class _Strip:
    """The parts as they are drawn."""

    table: pd.DataFrame
    """`block`, `shape`, `height`, `width` and `channels` of each."""
    heights: np.ndarray
    """Rows of their maps; 0 where there is none."""
    flat: np.ndarray
    """Whether it has no positions: a vector or one pixel."""
    narrowed: bool
    """Whether what is flat is narrower than to scale."""
    starts: np.ndarray
    widths: np.ndarray

    @property
    def end(self) -> float:
        return float(self.starts[-1] + self.widths[-1])

    @property
    def rises(self) -> np.ndarray:
        """How high each part is drawn."""
        rises: np.ndarray = np.maximum(self.heights / max(self.heights.max(), 1) * TALLEST, FLATTEST)
        return rises

    @property
    def edges(self) -> list[tuple[float, float]]:
        return list(zip(self.starts, self.starts + self.widths, strict=True))


def draw(run: Run, layout: Layout) -> plots.Plot:
    """Rectangles from left to right; a line where a part has no map."""
    across = layout.width * POINTS - 2 * MARGIN
    strip = _strip(run, across)
    figure, (axes,) = new_figure(layout, HEIGHT / POINTS)
    axes.set_position((0, 0, 1, 1))
    axes.set_xlim(-MARGIN, across + MARGIN)
    axes.set_ylim(BOTTOM, BOTTOM + HEIGHT)
    axes.set_axis_off()
    for (left, right), rise in zip(strip.edges, strip.rises, strict=True):
        axes.add_patch(Rectangle((left, -rise / 2), right - left, rise, facecolor=plots.FIRST, alpha=0.75, linewidth=0))
    dropped = _resolutions(axes, strip)
    _names(axes, strip)
    _scale(axes, strip)
    return plots.Plot(
        name="architecture",
        title="Architecture",
        caption=_caption(run, strip, dropped),
        alt=f"Strip of {len(strip.table)} rectangles. {_told(strip.table)}",
        figure=figure,
    )


def _strip(run: Run, across: float) -> _Strip:
    """The parts whose output is known, on a strip as long as `across`."""
    table = _computed(run)
    heights = table["height"].to_numpy(np.float64, na_value=0.0)
    channels = table["channels"].to_numpy(np.float64)
    flat = heights * table["width"].to_numpy(np.float64, na_value=0.0) <= 1
    shares, narrowed = channels.copy(), False
    if flat.any() and not flat.all():
        most = NARROWED / (1 - NARROWED) * channels[~flat].sum() / channels[flat].sum()
        shares, narrowed = np.where(flat, channels * min(most, 1), channels), bool(most < 1)
    gap = min(GAP, 0.3 * across / len(table))
    free = across - gap * (len(table) - 1)
    widths = np.maximum(shares / shares.sum() * free, min(THINNEST, free / len(table)))
    # What was made wide enough to be seen is taken from all.
    widths *= free / widths.sum()
    starts = np.concatenate([[0.0], np.cumsum(widths + gap)[:-1]])
    return _Strip(table, heights, flat, narrowed, starts, widths)


def _computed(run: Run) -> pd.DataFrame:
    """What each part hands on; of one that pads it, the largest output before; without parts that only pad."""
    blocks = run.blocks.loc[run.blocks["channels"].notna(), list(SHAPE)]
    tapped = run.inventory.assign(block=parts(run.inventory))[run.inventory["order"].notna()]
    tapped = tapped[~tapped["type"].str.fullmatch(PADDING).to_numpy(bool)]
    tapped = tapped.assign(size=[math.prod(map(int, str(shape).split(" x "))) for shape in tapped["shape"]])
    rows = []
    for _, block in blocks.iterrows():
        own = tapped[tapped["block"] == block["block"]]
        if block["shape"] in set(own["shape"]):
            rows.append(block)
        elif len(own):
            rows.append(own.loc[own["size"].idxmax(), list(SHAPE)])
    # A model that does nothing but pad is shown as it is.
    return pd.DataFrame(rows) if rows else blocks


def _resolutions(axes: Axes, strip: _Strip) -> int:
    """Writes the rows of the map above the parts that share them; returns how many changes found no room."""
    bars = [Box(left, -rise / 2, right, rise / 2) for (left, right), rise in zip(strip.edges, strip.rises, strict=True)]
    words = [_rows(*each) for each in zip(strip.table["shape"], strip.heights, strict=True)]
    runs = [list(run) for _, run in groupby(range(len(words)), key=lambda i: words[i])]
    labels = [
        Label(
            f"{words[run[0]]}{'s' if len(run) > 1 and words[run[0]] == VECTOR else ''}",
            bars[run[0]].left,
            bars[run[-1]].right,
            bars[run[0]].top + 3,
        )
        for run in (runs[i] for i in _by_importance([float(strip.heights[run[0]]) for run in runs]))
    ]
    placed = list(place(labels, bars, strip.end))
    for label, middle in placed:
        axes.text(middle, label.line, label.text, ha="center", va="baseline", fontsize=FONT, color=plots.MUTED)
    return len(labels) - len(placed)


VECTOR = "vector"


def _rows(shape: str, height: float) -> str:
    """What stands above a part."""
    if height:
        return f"{height:.0f}"
    return "no map" if " x " in shape else VECTOR


def _by_importance(heights: Sequence[float]) -> list[int]:
    """Positions of runs of equal height: the first, the coarsest, the last map, then each new height, then returns.

    Among equals those first that change by the largest factor.
    """
    maps = [i for i, height in enumerate(heights) if height]
    first_of = {height: i for i, height in reversed(list(enumerate(heights)))}
    coarsest = min((i for i in maps if heights[i] > 1), key=lambda i: heights[i], default=0)
    fixed = [0, coarsest, *maps[-1:]]

    def rank(i: int) -> tuple[int, int, float]:
        before = heights[i - 1] if i else 0.0
        factor = max(heights[i] / before, before / heights[i]) if heights[i] and before else 0.0
        return (fixed.index(i) if i in fixed else len(fixed), 0 if first_of[heights[i]] == i else 1, -factor)

    return sorted(range(len(heights)), key=rank)


def _names(axes: Axes, strip: _Strip) -> None:
    """A line under neighbours whose names begin alike, with that beginning where there is room for it."""
    for group in groups([drawable(str(name)) for name in strip.table["block"]], strip.edges, width):
        left, right = strip.edges[group.first][0], strip.edges[group.last][1]
        axes.plot([left, right], [UNDERLINE] * 2, color=plots.MUTED, linewidth=0.8, solid_capstyle="butt")
        axes.text((left + right) / 2, NAMES, group.text, ha="center", va="baseline", fontsize=FONT, color=plots.MUTED)


def _scale(axes: Axes, strip: _Strip) -> None:
    """A bar of a round number of channels."""
    channels = strip.table["channels"].to_numpy(np.float64)
    most = int(np.argmax(np.where(strip.flat & strip.narrowed, 0, channels)))
    round_number = 2 ** int(np.floor(np.log2(max(channels[most], 1))))
    length = float(strip.widths[most]) * round_number / float(channels[most])
    axes.plot([0, length], [SCALE] * 2, color=plots.INK, linewidth=1.2, solid_capstyle="butt")
    axes.text(length + 4, SCALE, f"{round_number:,} channels", va="center", fontsize=FONT, color=plots.INK)


def _caption(run: Run, strip: _Strip, dropped: int) -> str:
    flat = "; a vector or a single pixel is a line" if strip.flat.any() else ""
    flat += ", narrower than to scale" if strip.narrowed else ""
    left_out = f", as far as there is room ({dropped} of the changes without)" if dropped else ""
    return (
        "Each part of the model as what it hands on: as wide as it has channels, as high as its map has rows, both to "
        f"scale, in the order in which the model runs{flat}. Above: rows of the map where they change{left_out}. "
        f"Below: what the names of neighbouring parts begin with.{_inside(run.inventory, strip)}"
    )


def _inside(inventory: pd.DataFrame, strip: _Strip) -> str:
    """Where a map within a part is coarser than all that parts hand on; one pixel is no map."""
    rows, columns = (inventory[side].to_numpy(np.float64, na_value=0.0) for side in ("height", "width"))
    rows = np.where(rows * columns > 1, rows, np.inf)
    coarsest = int(rows.argmin())
    if rows[coarsest] >= strip.heights[~strip.flat].min(initial=np.inf):
        return ""
    return f" Within a part maps are as coarse as {rows[coarsest]:.0f} rows (at {inventory['path'].iloc[coarsest]})."


def _told(table: pd.DataFrame) -> str:
    """Rows and channels wherever the rows change, in words."""
    told, before = [], None
    for height, channels in zip(table["height"], table["channels"], strict=True):
        rows = f"{int(height)} rows" if pd.notna(height) else "no map"
        if rows != before:
            told.append(f"{rows} of {int(channels)} channels")
            before = rows
    return f"In order: {', '.join(told)}."
