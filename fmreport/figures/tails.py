"""Tails: how far images differ at every tap, from the middle of them to the last one at either end."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from numpy.typing import NDArray

from fmreport import mapped
from fmreport.figures import plots
from fmreport.figures.layout import Layout, new_figure
from fmreport.figures.naming import Name, marker_style, name_series

if TYPE_CHECKING:
    from fmreport.store import Run

HEIGHT = 4.6
PANELS = {"std": "std. deviation", "gini": "Gini index", "high_frequency": "high frequencies"}
"""Quantities of the panels, and how their axes are labelled."""
SHARES = ("gini",)
"""Those that are drawn from 0 to 1; the others have logarithmic axes."""
FEWEST = 20
"""Images below which shares of 5% are not drawn."""
TICKS = 3
"""Steps on an axis, at most."""
FAR = 5
"""How often the smallest value goes into the largest where an axis has decades."""
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
MEDIAN, ENDS = Name(0, "median", plots.FIRST), Name(0, "extremes", plots.SECOND, "o", filled=False)


def draw(run: Run, layout: Layout) -> plots.Plot | None:
    """A panel for each quantity; nothing where the run has no table of it."""
    table, taps = run.analyses["spread"], list(run.layers["tap"])
    shown = {name: rows for name in PANELS if len(rows := _placed(table, name, taps).dropna(how="all"))}
    if not shown:
        return None
    figure, panels = new_figure(layout, HEIGHT * layout.rise, panels=len(shown))
    plots.depth_axis(panels, taps, layout)
    for axes, quantity in zip(panels, shown, strict=True):
        axes.set_ylabel(PANELS[quantity])
        ends = shown[quantity][["minimum", "maximum"]].to_numpy(np.float64)
        scaled(axes, ends, share=quantity in SHARES)
        name_series(axes, list(_panel(axes, _placed(table, quantity, taps), layout)), layout, gap=0.12)
    images = int(table["images"].max())
    return plots.Plot(
        name="tails",
        title="Tails: how far images differ",
        caption=_caption(images, mapped.of_facts(run.facts)),
        alt=" ".join(_spoken(shown, images)),
        figure=figure,
    )


def _placed(table: pd.DataFrame, quantity: str, taps: list[str]) -> pd.DataFrame:
    return table[table["quantity"] == quantity].drop_duplicates("tap").set_index("tap").reindex(taps)


def scaled(axes: Axes, values: NDArray[np.float64], *, share: bool) -> None:
    """The axis of a quantity: from 0 to 1 where it is a share; else from 0, in decades where values are far apart."""
    if share:
        axes.set_ylim(0, 1)
        axes.set_yticks([0, 0.5, 1])
        return
    positive = values[np.isfinite(values) & (values > 0)]
    low, high = (float(positive.min()), float(positive.max())) if positive.size else (1.0, 1.0)
    if high < FAR * low:
        axes.set_ylim(0, 1.08 * high)
        axes.yaxis.set_major_locator(MaxNLocator(TICKS))
        return
    bottom, top = math.floor(math.log10(low * 0.98)), math.ceil(math.log10(high * 1.02))
    axes.set_yscale("log")
    axes.set_ylim(10.0**bottom, 10.0**top)
    step = max(1, -(-(top - bottom) // TICKS))
    axes.yaxis.set_major_locator(FixedLocator([10.0**power for power in range(top, bottom - 1, -step)]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _decade(value)))


def _decade(value: float) -> str:
    """`0.01`, `100`, `10⁻⁵`."""
    power = round(math.log10(value))
    return f"{value:g}" if -3 <= power <= 4 else "10" + str(power).translate(SUPERSCRIPT)


def _panel(axes: Axes, rows: pd.DataFrame, layout: Layout) -> Iterator[Name]:
    """Bands, the median and the ends of one quantity, with the names of the last two."""
    x, edges = np.arange(1, len(rows) + 1), np.arange(len(rows) + 1) + 0.5
    images = rows["images"].max()
    for low, high, alpha, fewest in (("q05", "q95", 0.14, FEWEST), ("q25", "q75", 0.3, 4)):
        if images >= fewest:
            lower, upper = _values(rows, low), _values(rows, high)
            axes.stairs(
                upper, edges, baseline=lower, fill=True, color=MEDIAN.colour, alpha=alpha, linewidth=0, zorder=2
            )
    middle = _values(rows, "q50")
    axes.stairs(middle, edges, baseline=None, color=MEDIAN.colour, linewidth=1.1, zorder=3)
    style = marker_style(ENDS, min(layout.marker(len(x)), 2.6))
    for end in ("minimum", "maximum"):
        y = _values(rows, end)
        if np.isfinite(y).any():
            axes.plot(x, np.where(y > axes.get_ylim()[0], y, np.nan), zorder=4, clip_on=False, **style)
    yield MEDIAN._replace(y=plots.last(middle))
    yield ENDS._replace(y=plots.last(_values(rows, "maximum")))


def _values(rows: pd.DataFrame, column: str) -> NDArray[np.float64]:
    return rows[column].to_numpy(np.float64, na_value=np.nan)


def _caption(images: int, of_maps: mapped.Mapped) -> str:
    bands = f"Shares of {images} images would say little, so that there are no bands for 5 to 95% of them."
    if images >= FEWEST:
        bands = "Dark: the middle half of the images. Light: 5 to 95% of them."
    some = f" High frequencies are of {of_maps.told}." if of_maps.some else ""
    return (
        f"Of each image one number at each tap, and how {images:,} images are spread: the median, and the smallest and "
        f"the largest value as circles. {bands} Standard deviation of the activations, Gini index, and share of the "
        f"spectrum's power above half the finest frequency; where an axis has decades, values of 0 are left out.{some}"
    )


def _spoken(shown: dict[str, pd.DataFrame], images: int) -> Iterator[str]:
    yield f"Medians, bands and extremes over {images:,} images in {len(shown)} panels."
    for quantity, rows in shown.items():
        median, width = _values(rows, "q50"), _values(rows, "maximum") - _values(rows, "minimum")
        widest = rows.iloc[int(np.argmax(width))]
        yield (
            f"{PANELS[quantity]}: median {median[0]:.3g} at the first tap, {median[-1]:.3g} at the last; widest at "
            f"{widest.name}, from {widest['minimum']:.3g} ({widest['lowest']}) to {widest['maximum']:.3g} "
            f"({widest['highest']})."
        )
