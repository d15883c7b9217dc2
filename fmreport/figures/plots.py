"""How every plot looks, and how it becomes SVG: no pyplot, no dates, the same bytes every time.

Colours are few and known, so that a page can replace them by its own (`fmreport.figures.inline`), as for dark mode.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fmreport.figures import placing
from fmreport.figures.glyphs import drawable
from fmreport.figures.layout import POINTS, Layout

INK, MUTED, RULE, BAND, PAPER = "#20242b", "#5d6673", "#d5dae1", "#f2f4f7", "#fefefe"
FIRST, SECOND, THIRD = "#1b6ca8", "#b54e0a", "#3d2b6b"
ROLES = {
    "ink": INK,
    "muted": MUTED,
    "rule": RULE,
    "band": BAND,
    "paper": PAPER,
    "first": FIRST,
    "second": SECOND,
    "third": THIRD,
}
"""Colours by what they are for; a page says `var(--plot-ink)` (`fmreport.figures.inline`), a PDF may have others
(`recoloured`)."""
CLEAR = 2
"""Points between headings."""
HATCH = 8 * "/"
"""Of what randomised models do."""

STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
    "axes.titlepad": 14,
    "axes.labelsize": 8,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.6,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.grid.axis": "y",
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "xtick.major.width": 0.6,
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "svg.fonttype": "path",
    "hatch.linewidth": 0.5,
    "svg.hashsalt": "fmreport",
    "pdf.fonttype": 42,
}


@dataclass(frozen=True, slots=True)
class Plot:
    """A drawn figure with the words that go with it."""

    name: str
    title: str
    caption: str
    alt: str
    """What the figure shows, in numbers, for who cannot see it."""
    figure: Figure


def style() -> AbstractContextManager[None]:
    """The settings under which figures are drawn and written; matplotlib's own are back afterwards."""
    return mpl.rc_context(STYLE)


def to_svg(plot: Plot) -> bytes:
    """The SVG of a plot, its text drawn as paths."""
    buffer = io.BytesIO()
    with style():
        FigureCanvasSVG(plot.figure)
        plot.figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Title": plot.title})
    return buffer.getvalue()


def to_pdf(plot: Plot) -> bytes:
    """The PDF of a plot, its fonts embedded as TrueType."""
    buffer = io.BytesIO()
    empty = dict.fromkeys(("CreationDate", "Creator", "Producer"))
    with style():
        FigureCanvasPdf(plot.figure)
        plot.figure.savefig(buffer, format="pdf", metadata={**empty, "Title": plot.title})
    return buffer.getvalue()


def recoloured(svg: bytes, colours: Mapping[str, str]) -> bytes:
    """The SVG with other colours, `#rrggbb`, for some of `ROLES`."""
    new = {ROLES[role]: colour for role, colour in colours.items()}
    if not new:
        return svg
    # All at once: the new colour of one role may be the old one of another.
    return re.sub("|".join(new), lambda found: new[found[0]], svg.decode("utf-8")).encode("utf-8")


def depth_axis(axes: Sequence[Axes], taps: Sequence[str], layout: Layout) -> None:
    """The x axis: position in the run, from 1; the top level of the paths as bands, where there are few."""
    count = len(taps)
    for panel in axes:
        panel.set_xlim(0.4, count + 0.6)
        panel.xaxis.set_major_locator(MaxNLocator(nbins=layout.ticks, integer=True, steps=[1, 2, 5, 10]))
    axes[-1].set_xlabel("tap, in the order in which the model runs")
    groups = _groups(taps)
    if not 1 < len(groups) <= 12:
        return
    for panel in axes:
        for _, first, last in groups[::2]:
            panel.axvspan(first - 0.5, last + 0.5, color=BAND, linewidth=0, zorder=-2)
    rooms = [(last - first + 1) / count * layout.across * POINTS - CLEAR for _, first, last in groups]
    shown = [_shortened(drawable(label), room) for (label, _, _), room in zip(groups, rooms, strict=True)]
    for (_, first, last), text in zip(groups, shown, strict=True):
        # What is cut alike tells no group from another.
        if text and (shown.count(text) == 1 or not text.endswith("…")):
            style: Any = {"ha": "center", "va": "bottom", "fontsize": placing.FONT, "color": MUTED}
            axes[0].text((first + last) / 2, 1.02, text, transform=axes[0].get_xaxis_transform(), **style)


def _shortened(label: str, room: float) -> str:
    """As much of a label as there is room for, three letters at least; else empty."""
    if placing.width(label) <= room:
        return label
    cuts = (f"{label[:letters]}…" for letters in range(min(len(label) - 1, 40), 2, -1))
    return next((text for text in cuts if placing.width(text) <= room), "")


def numbered(taps: Sequence[str]) -> dict[str, int]:
    """Where each tap lies on the x axis."""
    return {tap: number for number, tap in enumerate(taps, 1)}


def control_band(axes: Axes, controls: pd.DataFrame, quantity: str, numbers: Mapping[str, int], *, colour: str) -> None:
    """A hatched band between the least and the most of all randomised models, a dashed line of a single one.

    Of the taps that have `numbers`, and from one of them to the next.
    """
    rows = controls[controls["quantity"] == quantity]
    ends = rows.groupby("tap")["value"].agg(["min", "max"]).reindex(list(numbers))
    if not ends["min"].notna().any():
        return
    x = list(numbers.values())
    low, high = ends["min"].to_numpy(np.float64), ends["max"].to_numpy(np.float64)
    if controls["seed"].nunique() == 1:
        axes.plot(x, low, color=colour, linewidth=0.8, linestyle=(0, (4, 2)), alpha=0.6, zorder=1)
        return
    axes.fill_between(x, low, high, facecolor="none", edgecolor=colour, hatch=HATCH, linewidth=0.4, alpha=0.5, zorder=1)


def told_controls(controls: pd.DataFrame) -> str:
    """What the hatched bands are, as a sentence; empty where there are none."""
    count = controls["seed"].nunique()
    if not count:
        return ""
    if count == 1:
        return "Dashed: a model with the same weights in random order."
    return f"Hatched: the range of {count} models with the same weights in random order."


def signed(value: float) -> str:
    """To two digits, with a true minus; never `−0.00`."""
    return f"{round(value, 2) + 0.0:.2f}".replace("-", "−")


def last(values: np.ndarray) -> float:
    """The last finite value; NaN where there is none."""
    finite = values[np.isfinite(values)]
    return float(finite[-1]) if finite.size else float("nan")


def _groups(taps: Sequence[str]) -> list[tuple[str, int, int]]:
    """(first part of the path, first position, last position) of neighbours that share it."""
    groups: list[tuple[str, int, int]] = []
    for position, tap in enumerate(taps, 1):
        label = tap.split("/")[0]
        if groups and groups[-1][0] == label:
            groups[-1] = (label, groups[-1][1], position)
        else:
            groups.append((label, position, position))
    return groups
