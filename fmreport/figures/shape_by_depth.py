"""Shape by depth: the grid and the number of channels of every tap, in the order in which the model runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator, ScalarFormatter

from fmreport.figures import plots
from fmreport.figures.layout import Layout, new_figure
from fmreport.figures.naming import Name, name_series

if TYPE_CHECKING:
    from fmreport.store import Run


def draw(run: Run, layout: Layout) -> plots.Plot:
    """Two panels on logarithmic axes: the map's rows and columns above, channels below; a gap where there is no map."""
    table = run.layers
    figure, (above, below) = new_figure(layout, 3.6 * layout.rise, panels=2)
    height, width = (table[name].to_numpy(np.float64, na_value=np.nan) for name in ("height", "width"))
    channels = table["channels"].to_numpy(np.float64, na_value=np.nan)
    square = bool(np.array_equal(height, width, equal_nan=True))
    plots.depth_axis([above, below], list(table["tap"]), layout)
    _steps(above, height, plots.FIRST)
    _log_axis(above, [height, width])
    above.set_ylabel("grid side (pixels)" if square else "grid (pixels)")
    if not square:
        _steps(above, width, plots.SECOND)
        sides = (("height", height, plots.FIRST), ("width", width, plots.SECOND))
        name_series(above, [Name(plots.last(y), text, colour) for text, y, colour in sides], layout, gap=0.16)
    _steps(below, channels, plots.THIRD)
    _log_axis(below, [channels])
    below.set_ylabel("channels")
    finite = height[np.isfinite(height)]
    grid = "No tap is a map."
    if finite.size:
        grid = (
            f"Grid height: {finite[0]:.0f} at the first map, at least {finite.min():.0f}, {finite[-1]:.0f} at the last."
        )
    return plots.Plot(
        name="shape_by_depth",
        title="Shape by depth",
        caption="Rows and columns of each tap's map (above; a gap where a tap is no map) and its number of channels "
        "(below), both on logarithmic axes.",
        alt=f"Step plot over {len(table)} taps. {grid} "
        f"Channels: {channels[0]:.0f} at the first tap, at most {channels.max():.0f}, {channels[-1]:.0f} at the last.",
        figure=figure,
    )


def _steps(axes: Axes, values: np.ndarray, colour: str) -> None:
    edges = np.arange(len(values) + 1) + 0.5
    axes.stairs(values, edges, baseline=0.8, fill=True, color=colour, alpha=0.12, linewidth=0)
    axes.stairs(values, edges, baseline=None, color=colour, linewidth=1.2)


def _log_axis(axes: Axes, values: list[np.ndarray]) -> None:
    """Base 2, with at most six ticks at powers of it."""
    largest = max((float(v[np.isfinite(v)].max()) for v in values if np.isfinite(v).any()), default=1.0)
    top = int(np.ceil(np.log2(max(largest, 2))))
    axes.set_yscale("log", base=2)
    axes.set_ylim(0.8, 2**top * 1.25)
    axes.yaxis.set_major_locator(FixedLocator([2.0**power for power in range(0, top + 1, max(1, -(-top // 5)))]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(ScalarFormatter())
