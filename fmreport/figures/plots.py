"""How every plot looks, and how it becomes SVG: no pyplot, no dates, the same bytes every time.

Colours are few and known, so that a page can replace them by its own (`themed`), as for dark mode.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fmreport.figures.glyphs import drawable

INK, MUTED, RULE, BAND, PAPER = "#20242b", "#5d6673", "#d5dae1", "#f2f4f7", "#fefefe"
FIRST, SECOND, THIRD = "#1b6ca8", "#c4570c", "#3d2b6b"
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
"""Colours by what they are for; a themed SVG says `var(--plot-ink, #20242b)`."""
WIDTH = 7.1
"""Inches: the text width of an A4 page."""
LEFT, RIGHT, BOTTOM, TOP = 0.62, 1.36, 0.44, 0.24
"""Inches around the panels, the same in every figure, so that depth lies at the same place in all of them."""
LABEL = 18
"""Letters that a label at the right edge has room for."""

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
    "svg.hashsalt": "fmreport",
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


class EndLabel(NamedTuple):
    """What stands at the right edge of a panel, beside the last value of a series."""

    y: float
    text: str
    colour: str
    marker: str = ""
    """The series' marker, drawn before the text; empty: none."""
    filled: bool = True


def style() -> AbstractContextManager[None]:
    """The settings under which figures are drawn and written; matplotlib's own are back afterwards."""
    return mpl.rc_context(STYLE)


def new_figure(height: float, panels: int = 1, *, shares: Sequence[float] = ()) -> tuple[Figure, list[Axes]]:
    """A figure of the text's width and `height` inches, with panels one above the other on one x axis.

    `shares` of the height that the panels take; equal where not given.
    """
    figure = Figure(figsize=(WIDTH, height))
    margins = {"left": LEFT / WIDTH, "right": 1 - RIGHT / WIDTH, "bottom": BOTTOM / height, "top": 1 - TOP / height}
    spacing = {**margins, "hspace": 0.12, "height_ratios": shares or [1] * panels}
    grid = figure.subplots(panels, 1, sharex=True, squeeze=False, gridspec_kw=spacing)
    for axes in grid[:, 0]:
        axes.yaxis.set_label_coords(-0.8 * LEFT / (WIDTH - LEFT - RIGHT), 0.5)
    return figure, list(grid[:, 0])


def to_svg(plot: Plot) -> bytes:
    """The SVG of a plot, its text drawn as paths."""
    buffer = io.BytesIO()
    with style():
        FigureCanvasSVG(plot.figure)
        plot.figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Title": plot.title})
    return buffer.getvalue()


def themed(svg: bytes, name: str) -> str:
    """The `<svg>` element alone, with colours by role and with ids of its own, to stand inside a page."""
    text = svg.decode("utf-8")
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", text, flags=re.DOTALL)
    used = set(re.findall(r"(?:url\(|href=\")#([^)\"]+)", text))
    text = re.sub(r' id="([^"]+)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", text)
    text = re.sub(r"(url\(|href=\")#", lambda m: f"{m[1]}#{name}-", text)
    text = re.sub(r'<svg ([^>]*?)width="[^"]*"', r"<svg \1", text, count=1)
    text = re.sub(r'<svg ([^>]*?)height="[^"]*"', r"<svg \1", text, count=1)
    # A page with a content security policy drops styles that it does not know: attributes say the same.
    text = re.sub(r"<style.*?</style>", "", text, flags=re.DOTALL)
    text = text.replace("<svg ", '<svg stroke-linejoin="round" stroke-linecap="butt" ', 1)
    text = re.sub(r' style="([^"]*)"', lambda m: _attributes(m[1]), text)
    for role, colour in ROLES.items():
        text = text.replace(colour, f"var(--plot-{role}, {colour})")
    return re.sub(r"\n\s*", "\n", text).strip()


def _attributes(style: str) -> str:
    """The declarations of a `style` attribute as attributes of their own."""
    pairs = (declaration.split(":", 1) for declaration in style.split(";") if declaration.strip())
    return "".join(f' {name.strip()}="{value.strip()}"' for name, value in pairs)


def depth_axis(axes: Sequence[Axes], taps: Sequence[str]) -> None:
    """The x axis: position in the run, from 1; the top level of the paths as bands, where there are few."""
    count = len(taps)
    for panel in axes:
        panel.set_xlim(0.4, count + 0.6)
        panel.xaxis.set_major_locator(MaxNLocator(nbins=12, integer=True, steps=[1, 2, 5, 10]))
    axes[-1].set_xlabel("tap, in the order in which the model runs")
    groups = _groups(taps)
    if not 1 < len(groups) <= 12:
        return
    for i, (label, first, last) in enumerate(groups):
        for panel in axes:
            if i % 2 == 0:
                panel.axvspan(first - 0.5, last + 0.5, color=BAND, linewidth=0, zorder=-2)
        room = int((last - first + 1) / count * 84)
        if room >= 4:
            short = label if len(label) <= room else label[: room - 1] + "…"
            axes[0].text(
                (first + last) / 2,
                1.02,
                drawable(short),
                transform=axes[0].get_xaxis_transform(),
                ha="center",
                va="bottom",
                fontsize=7,
                color=MUTED,
            )


def label_ends(axes: Axes, labels: Sequence[EndLabel], *, gap: float = 0.08) -> None:
    """Writes labels at the right edge, at least `gap` (a fraction of the height) apart; where y is NaN, none.

    The axis must have its final limits.
    """
    to_fraction = axes.transData + axes.transAxes.inverted()
    shown = sorted((label for label in labels if np.isfinite(label.y)), key=lambda label: label.y)
    places = [float(to_fraction.transform((1, label.y))[1]) for label in shown]
    for i in range(1, len(places)):
        places[i] = max(places[i], places[i - 1] + gap)
    # What was pushed out at the top pushes back.
    for i in reversed(range(len(places))):
        places[i] = min(places[i], (1 if i == len(places) - 1 else places[i + 1] - gap))
    for label, place in zip(shown, places, strict=True):
        _label(axes, label, place)


def _label(axes: Axes, label: EndLabel, place: float) -> None:
    start, text = 1.012, drawable(label.text)
    if label.marker:
        axes.plot(
            [start + 0.008], [place], transform=axes.transAxes, clip_on=False, **marker_style(label, label.filled, 4.5)
        )
        start += 0.024
    short = text if len(text) <= LABEL else f"{text[: LABEL - 1]}…"
    axes.text(start, place, short, transform=axes.transAxes, va="center", color=label.colour, fontsize=7.5)


def control_band(axes: Axes, controls: pd.DataFrame, quantity: str, taps: Sequence[str], *, colour: str) -> None:
    """A hatched band between the least and the most of all randomised models, a dashed line of a single one."""
    rows = controls[controls["quantity"] == quantity]
    if not len(rows):
        return
    ends = rows.groupby("tap")["value"].agg(["min", "max"]).reindex(list(taps))
    x = np.arange(1, len(taps) + 1)
    low, high = ends["min"].to_numpy(np.float64), ends["max"].to_numpy(np.float64)
    if controls["seed"].nunique() == 1:
        axes.plot(x, low, color=colour, linewidth=0.8, linestyle=(0, (4, 2)), alpha=0.6, zorder=1)
        return
    axes.fill_between(x, low, high, facecolor="none", edgecolor=colour, hatch="////", linewidth=0, alpha=0.35, zorder=1)


def told_controls(controls: pd.DataFrame) -> str:
    """What the hatched bands are, as a sentence; empty where there are none."""
    count = controls["seed"].nunique()
    if not count:
        return ""
    if count == 1:
        return "Dashed: a model with the same weights in random order."
    return f"Hatched: the range of {count} models with the same weights in random order."


def marker_style(series: EndLabel, filled: bool, size: float) -> dict[str, Any]:
    """How the markers of a series are drawn, without a line."""
    return {
        "linestyle": "none",
        "marker": series.marker,
        "markersize": size,
        "markeredgewidth": 0.8,
        "markeredgecolor": series.colour,
        "markerfacecolor": series.colour if filled else PAPER,
    }


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
