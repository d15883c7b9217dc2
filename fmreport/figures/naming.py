"""What the series of a panel are called: beside their last values where there is room, else in rows above the panel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.transforms import Affine2D, ScaledTranslation, Transform

from fmreport.figures import placing, plots
from fmreport.figures.glyphs import drawable
from fmreport.figures.layout import POINTS, Layout, make_room

LONGEST = 18
"""Letters of a name that there is room for."""
ROW, SIGN, APART = 10.0, 11.0, 9.0
"""Points: the height of a row of names, room for the marker or line of a series, and between two names."""
LIFT, HEADED = 3.0, 12.0
"""Points from a panel to the lowest row above it; the second where the panel has a heading."""


class Name(NamedTuple):
    """A series of a panel, as it is named."""

    y: float
    """Its last value."""
    text: str
    colour: str
    marker: str = ""
    """Empty: it has none, and a piece of its line stands in a row of names."""
    filled: bool = True
    line: Any = "-"
    """How that line is drawn, as matplotlib knows it."""


def marker_style(series: Name, size: float) -> dict[str, Any]:
    """How the markers of a series are drawn, without a line."""
    return {
        "linestyle": "none",
        "marker": series.marker,
        "markersize": size,
        "markeredgewidth": 0.8,
        "markeredgecolor": series.colour,
        "markerfacecolor": series.colour if series.filled else plots.PAPER,
    }


def name_series(axes: Axes, names: Sequence[Name], layout: Layout, *, gap: float = 0.08) -> None:
    """Names the series of a panel that have a value; beside it, at least `gap` (a fraction of its height) apart.

    The axes must have their final limits, and the panel its heading, if it has one.
    """
    shown = [name for name in names if np.isfinite(name.y)]
    if layout.beside:
        _beside(axes, sorted(shown, key=lambda name: name.y), layout, gap)
    elif shown:
        _above(axes, shown, layout)


def _beside(axes: Axes, names: Sequence[Name], layout: Layout, gap: float) -> None:
    """From the lowest up."""
    to_fraction = axes.transData + axes.transAxes.inverted()
    places = [float(to_fraction.transform((1, name.y))[1]) for name in names]
    for i in range(1, len(places)):
        places[i] = max(places[i], places[i - 1] + gap)
    # What was pushed out at the top pushes back.
    for i in reversed(range(len(places))):
        places[i] = min(places[i], (1 if i == len(places) - 1 else places[i + 1] - gap))
    for name, place in zip(names, places, strict=True):
        start = 1.012
        if name.marker:
            axes.plot([start + 0.008], [place], transform=axes.transAxes, clip_on=False, **marker_style(name, 4.5))
            start += 0.024
        _write(axes, name, (start, place), layout, axes.transAxes)


def _above(axes: Axes, names: Sequence[Name], layout: Layout) -> None:
    """From left to right, in as few rows as hold them."""
    rows = list(_rows(names, layout))
    headed = any(text.get_position()[1] > 1 for text in axes.texts)
    lift = HEADED if headed else LIFT
    points = _points(axes)
    for i, row in enumerate(rows):
        y = lift + (len(rows) - 0.5 - i) * ROW
        x = 0.0
        for name in row:
            if name.marker:
                axes.plot([x + 4], [y], transform=points, clip_on=False, **marker_style(name, 4))
            else:
                line = {"color": name.colour, "linestyle": name.line, "linewidth": 0.9}
                axes.plot([x, x + SIGN - 2], [y, y], transform=points, clip_on=False, **line)
            _write(axes, name, (x + SIGN, y), layout, points)
            x += _room(name, layout) + APART
    make_room(axes, (len(rows) * ROW + (0 if headed else LIFT)) / POINTS)


def _points(axes: Axes) -> Transform:
    """From points right of and above the upper left corner of a panel."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    corner = ScaledTranslation(0, 1, axes.transAxes)  # type: ignore[arg-type]  # any transform does
    return Affine2D().scale(1 / POINTS) + figure.dpi_scale_trans + corner


def _rows(names: Sequence[Name], layout: Layout) -> Iterator[list[Name]]:
    row: list[Name] = []
    for name in names:
        whole = sum(_room(each, layout) + APART for each in row) + _room(name, layout)
        if row and whole > layout.across * POINTS:
            yield row
            row = []
        row.append(name)
    yield row


def _room(name: Name, layout: Layout) -> float:
    """Points that a name takes in a row."""
    return SIGN + placing.width(_cut(name.text)) * layout.small / placing.FONT


def _write(axes: Axes, name: Name, place: tuple[float, float], layout: Layout, transform: Transform) -> None:
    style: Any = {"va": "center", "color": name.colour, "fontsize": layout.small}
    axes.text(*place, _cut(name.text), transform=transform, **style)


def _cut(text: str) -> str:
    shown = drawable(text)
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1]}…"
