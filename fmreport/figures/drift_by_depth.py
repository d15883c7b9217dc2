"""Numerical drift by depth: how far each tap of B lies from that of A, in powers of ten, and where that starts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from numpy.typing import NDArray

from fmreport.figures import plots
from fmreport.figures.layout import Layout, new_figure
from fmreport.figures.naming import Name, marker_style, name_series

HEIGHT = 2.5
"""Inches of the widest figure."""
DOTTED, DASHED = (0, (1, 2)), (0, (4, 2))
FOOT, HEAD = 0.04, 0.96
"""Where on the panel stands what no logarithm has: equal taps, and infinite drift."""


@dataclass(frozen=True, slots=True)
class Course:
    """The drift along N aligned rows of taps; NaN where it is not known, as of a tap of one side alone."""

    taps: tuple[str, ...]
    relative: NDArray[np.float64]
    """(N,) relative errors, infinite where A is 0 and B is not."""
    largest: NDArray[np.float64]
    """(N,) the largest changes of a value, as far as they are known, of the largest magnitude of A."""
    tolerance: float
    start: int | None
    """The first row whose relative error is above the tolerance."""


def draw(course: Course, layout: Layout) -> plots.Plot:
    """One panel; a row without a mark is one of which no drift is known."""
    with plots.style():
        figure, (axes,) = new_figure(layout, HEIGHT * layout.rise + 0.3)
        plots.depth_axis([axes], course.taps, layout)
        axes.set_ylabel("of A")
        _scale(axes, course)
        name_series(axes, list(_panel(axes, course, layout)), layout, gap=0.1)
    return plots.Plot(
        name="drift_by_depth",
        title="Numerical drift by depth",
        caption=_caption(course),
        alt=" ".join(_spoken(course)),
        figure=figure,
    )


def _scale(axes: Axes, course: Course) -> None:
    """Whole powers of ten, one beyond what is shown at either end."""
    shown = np.array([*course.relative, *course.largest, course.tolerance])
    powers = np.log10(shown[np.isfinite(shown) & (shown > 0)])
    axes.set_yscale("log")
    axes.set_ylim(10.0 ** (np.floor(powers.min()) - 0.5), 10.0 ** (np.ceil(powers.max()) + 0.5))
    axes.yaxis.set_major_locator(LogLocator(numticks=7))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: power(value)))


def power(value: float) -> str:
    """A power of ten as it stands on an axis: `0.01`, `1e-7`."""
    return f"{value:g}" if value >= 1e-3 else f"1e{round(np.log10(value))}"


def _panel(axes: Axes, course: Course, layout: Layout) -> Iterator[Name]:
    size, x = layout.marker(len(course.taps)), np.arange(1, len(course.taps) + 1)
    for values, look in (
        (course.largest, Name(0, "largest, at least", plots.MUTED, "s", filled=False)),
        (course.relative, Name(0, "relative error", plots.THIRD, "o")),
    ):
        there = np.isfinite(values) & (values > 0)
        if there.any():
            axes.plot(x[there], values[there], color=look.colour, linewidth=0.8, alpha=0.6, zorder=2)
            style = {**marker_style(look, size), "markevery": layout.every(len(x))}
            axes.plot(x[there], values[there], clip_on=False, zorder=3, **style)
            yield look._replace(y=plots.last(np.where(there, values, np.nan)))
    bottom, top = (float(end) for end in axes.get_ylim())
    for held, place, look in (
        (course.relative == 0, FOOT, Name(0, "equal", plots.MUTED, "v", filled=False)),
        (np.isinf(course.relative), HEAD, Name(0, "infinite", plots.INK, "^")),
    ):
        if held.any():
            transform = axes.get_xaxis_transform()
            axes.plot(x[held], np.full(held.sum(), place), transform=transform, zorder=3, **marker_style(look, size))
            yield look._replace(y=bottom * (top / bottom) ** place)
    axes.axhline(course.tolerance, color=plots.MUTED, linewidth=0.8, linestyle=DOTTED, zorder=1)
    yield Name(course.tolerance, "tolerance", plots.MUTED, line=DOTTED)
    if course.start is not None:
        axes.axvline(course.start + 1, color=plots.INK, linewidth=0.7, linestyle=DASHED, zorder=1)


def _caption(course: Course) -> str:
    start = ""
    if course.start is not None:
        start = " The dashed line stands where drift starts: the first tap above the tolerance."
    return (
        "Relative error of each tap of B: the norm of B less A over that of A, estimated from random sums with a "
        "standard error of 9%. The largest change of a single value is told as far as it is known, of the largest "
        f"magnitude of A. Dotted: the tolerance, {course.tolerance:g}.{start} Taps without a mark were not compared."
    )


def _spoken(course: Course) -> Iterator[str]:
    known = np.isfinite(course.relative)
    yield f"Relative errors of {np.count_nonzero(~np.isnan(course.relative))} of {len(course.taps)} rows of taps."
    if known.any():
        at = int(np.argmax(np.where(known, course.relative, -1)))
        yield f"The largest is {course.relative[at]:.2g}, at {course.taps[at]}."
    if course.start is not None:
        yield f"The first above {course.tolerance:g} is that of {course.taps[course.start]}."
