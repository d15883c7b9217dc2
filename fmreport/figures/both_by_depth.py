"""Two runs by depth: chosen measures of both along their aligned taps, one panel each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from fmreport.figures import plots
from fmreport.figures.layout import Layout, new_figure
from fmreport.figures.naming import Name, marker_style, name_series

A, B = Name(0, "A", plots.FIRST, "o", filled=False), Name(0, "B", plots.SECOND, "s", line=(0, (3, 1.5)))
"""The sides are told apart by marker, filling and line, and not by colour alone."""
PANEL, FIRST = 1.05, 0.5
"""Inches of each panel of the widest figure, and of what is around them."""


@dataclass(frozen=True, slots=True)
class Course:
    """One measure along N aligned rows of taps."""

    label: str
    a: NDArray[np.float64]
    """(N,) the values of A; NaN where it has none."""
    b: NDArray[np.float64]
    share: bool
    """Whether it lies between 0 and 1."""


@dataclass(frozen=True, slots=True)
class Rows:
    """What stands on the axis of depth: taps of both sides, one of them where it has no other."""

    taps: tuple[str, ...]
    changed: tuple[bool, ...]
    """Whether the numbers of a pair changed."""
    lone: tuple[bool, ...]
    """Whether only one side has the tap."""


def draw(rows: Rows, courses: Sequence[Course], names: tuple[str, str], layout: Layout) -> plots.Plot:
    """A panel for each measure; rows that changed are marked at the foot of the lowest."""
    with plots.style():
        figure, panels = new_figure(layout, (FIRST + PANEL * len(courses)) * layout.rise + 0.2, panels=len(courses))
        plots.depth_axis(panels, rows.taps, layout)
        for axes, course in zip(panels, courses, strict=True):
            named = list(_panel(axes, course, layout))
            name_series(axes, named, layout, gap=0.16)
        _marks(panels[-1], rows)
    return plots.Plot(
        name="both_by_depth",
        title="A and B along their taps",
        caption=_caption(rows, names),
        alt=" ".join(_spoken(rows, courses)),
        figure=figure,
    )


def _panel(axes: Axes, course: Course, layout: Layout) -> Iterator[Name]:
    axes.set_ylabel(course.label)
    size = layout.marker(len(course.a))
    x = np.arange(1, len(course.a) + 1)
    # A beneath B and larger than it: where both are equal, both are seen.
    for side, values, more in ((A, course.a, 1.6), (B, course.b, 0.8)):
        there = np.isfinite(values)
        if there.any():
            axes.plot(
                x[there], values[there], color=side.colour, linewidth=0.8, alpha=0.75, linestyle=side.line, zorder=2
            )
            style = {**marker_style(side, size * more), "markevery": layout.every(len(x))}
            axes.plot(x[there], values[there], clip_on=False, zorder=3, **style)
            yield side._replace(y=plots.last(values))
    if course.share:
        axes.set_ylim(min(0.0, float(axes.get_ylim()[0])), max(1.0, float(np.nanmax([*course.a, *course.b, 0]))))
        axes.set_yticks([0, 0.5, 1])


def _marks(axes: Axes, rows: Rows) -> None:
    """Ticks along the foot: of what changed, and of what only one side has."""
    for held, colour, width in ((rows.changed, plots.INK, 1.4), (rows.lone, plots.THIRD, 3.0)):
        for x in np.flatnonzero(held) + 1:
            axes.plot([x - 0.35, x + 0.35], [0.02, 0.02], transform=axes.get_xaxis_transform(), color=colour,
                      linewidth=width, solid_capstyle="butt", zorder=4)  # fmt: skip


def _caption(rows: Rows, names: tuple[str, str]) -> str:
    lone = " Thicker: taps of one side alone." if any(rows.lone) else ""
    marked = " A dash at the foot marks taps whose numbers changed." if any(rows.changed) else " No numbers changed."
    return (
        f"A (circles, solid): {names[0]}; B (squares, dashed): {names[1]}. Means over the images that both are "
        f"compared on; R² is over probes of each run.{marked}{lone}"
    )


def _spoken(rows: Rows, courses: Sequence[Course]) -> Iterator[str]:
    yield f"Curves of A and of B over {len(rows.taps)} rows of aligned taps, {sum(rows.changed)} of which changed."
    for course in courses:
        apart = course.b - course.a
        if np.isfinite(apart).any():
            at = int(np.nanargmax(np.abs(apart)))
            largest = plots.signed(float(apart[at]))
            yield f"{course.label}: the largest change is {largest}, at {rows.taps[at]}."
