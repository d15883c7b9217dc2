"""How wide a figure is and how it is laid out there: a figure for one column is drawn anew, never scaled down.

Lengths are in inches, sizes of letters in points.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

POINTS = 72
"""In an inch."""
SMALLEST = 1.8
"""Marker that can be told from others."""
BOTTOM, TOP = 0.44, 0.24
"""Below and above all panels."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What changes with the width."""

    suffix: str
    """Of the file's name."""
    width: float
    left: float
    """Beside the panels, the same in every figure, so that depth lies at the same place in all of them."""
    right: float
    text: float
    """Letters of axes."""
    small: float
    """All other letters."""
    rise: float
    """Height of a panel, as a share of what it is in the widest layout."""
    ticks: int
    """Numbers on the x axis, at most."""
    beside: bool
    """Whether series are named at the right end of a panel; if not, in rows above it."""

    @property
    def across(self) -> float:
        """Width of the panels."""
        return self.width - self.left - self.right

    @property
    def lettering(self) -> float:
        """From the left edge to the foot of what is written along a y axis."""
        return 1.25 * self.text / POINTS + 0.01

    def marker(self, count: int) -> float:
        """Size of the markers of so many values side by side, so that they stand apart."""
        return min(max(0.6 * self.across * POINTS / count, SMALLEST), 3.8)

    def every(self, count: int) -> int:
        """Of how many of these values joined by a line one has a marker, where there is no room for all."""
        return max(1, math.ceil(1.5 * SMALLEST * count / (self.across * POINTS)))


WIDE = Layout("", 7.1, 0.62, 1.36, text=8.0, small=7.5, rise=1.0, ticks=12, beside=True)
"""Both columns of a paper, and the text of an A4 page."""
COLUMN = Layout("_column", 3.4, 0.5, 0.14, text=7.0, small=6.5, rise=0.8, ticks=6, beside=False)
"""One column of two."""
LAYOUTS = (WIDE, COLUMN)


def new_figure(
    layout: Layout, height: float, panels: int = 1, *, shares: Sequence[float] = ()
) -> tuple[Figure, list[Axes]]:
    """A figure of `height` inches, with panels one above the other on one x axis.

    `shares` of the height that the panels take; equal where not given.
    """
    figure = Figure(figsize=(layout.width, height))
    margins = {
        "left": layout.left / layout.width,
        "right": 1 - layout.right / layout.width,
        "bottom": BOTTOM / height,
        "top": 1 - TOP / height,
    }
    spacing = {**margins, "hspace": 0.12, "height_ratios": shares or [1] * panels}
    grid = figure.subplots(panels, 1, sharex=True, squeeze=False, gridspec_kw=spacing)
    for axes in grid[:, 0]:
        axes.yaxis.set_label_coords((layout.lettering - layout.left) / layout.across, 0.5)
        # What an axis is drawn with last is made when it is drawn, under other settings.
        axes.tick_params(labelsize=layout.text)
        for axis in (axes.xaxis, axes.yaxis):
            axis.label.set_fontsize(layout.text)
    return figure, list(grid[:, 0])


def make_room(axes: Axes, inches: float) -> None:
    """Makes the figure higher, so that so much more of it lies above a panel; all panels keep their size."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    before = figure.get_figheight()
    after = before + inches
    boxes = [(each, each.get_position()) for each in figure.axes]
    top = axes.get_position().y1
    figure.set_figheight(after)
    for each, box in boxes:
        lift = inches if box.y0 > top else 0.0
        each.set_position((box.x0, (box.y0 * before + lift) / after, box.width, box.height * before / after))
