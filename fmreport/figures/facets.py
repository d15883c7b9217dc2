"""Facets side by side: by depth, how far the means of each group are from those of all other images."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
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
from fmreport.figures.tails import PANELS, SHARES, TICKS

if TYPE_CHECKING:
    from fmreport.store import Run

HEIGHT = 4.6
AGAINST = {"std": "std. ÷ others", "gini": "Gini − others", "high_frequency": "high freq. ÷ others"}
"""How the panels' axes are labelled."""
SMALLEST = 0.05
"""Difference of shares that an axis reaches at least."""
LOOKS = (
    (plots.FIRST, "o", "-"),
    (plots.SECOND, "s", (0, (4, 1.5))),
    (plots.THIRD, "^", (0, (1, 1))),
    (plots.INK, "D", (0, (4, 1.5, 1, 1.5))),
)
"""Colour, marker and line of each facet that is drawn: they are told apart without colours, too."""


def apart(table: pd.DataFrame) -> list[str]:
    """The facets, those that differ most from the others first: by p, then by how far `higher` is from a half."""
    if not len(table):
        return []
    keys = pd.DataFrame(
        {"facet": table["facet"], "p": table["p"].fillna(2.0), "away": -(table["higher"] - 0.5).abs().fillna(0.0)}
    )
    return list(keys.sort_values(["p", "away"], kind="stable").drop_duplicates("facet")["facet"])


def draw(run: Run, layout: Layout) -> plots.Plot | None:
    """A panel for each quantity; nothing where the config declares no groups."""
    table, taps = run.analyses["facets"], list(run.layers["tap"])
    table = table[table["tap"].isin(set(taps))]
    facets = apart(table)
    drawn = facets[: len(LOOKS)]
    table = table[table["facet"].isin(drawn)]
    shown = [name for name in PANELS if (table["quantity"] == name).any()]
    if not shown:
        return None
    figure, panels = new_figure(layout, HEIGHT * layout.rise, panels=len(shown))
    plots.depth_axis(panels, taps, layout)
    for axes, quantity in zip(panels, shown, strict=True):
        rows = table[table["quantity"] == quantity]
        axes.set_ylabel(AGAINST[quantity])
        frames = [_against_others(_placed(rows, facet, taps), quantity) for facet in drawn]
        named = list(_panel(axes, frames, drawn, layout))
        _scaled(axes, pd.concat(frames)["mean"].to_numpy(np.float64), share=quantity in SHARES)
        name_series(axes, named, layout, gap=0.13)
    return plots.Plot(
        name="facets",
        title="Groups by depth",
        caption=_caption(drawn, len(facets), mapped.of_facts(run.facts)),
        alt=" ".join(_spoken(table, drawn, shown)),
        figure=figure,
    )


def _placed(rows: pd.DataFrame, facet: str, taps: list[str]) -> pd.DataFrame:
    return rows[rows["facet"] == facet].drop_duplicates("tap").set_index("tap").reindex(taps)


def _against_others(rows: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """Mean and interval of a quantity less that of the other images, or, where it is no share, divided by it.

    By themselves the means of all groups lie on one another: taps differ far more than groups do.
    """
    others, columns = rows["others"], ["mean", "lower", "upper"]
    return (
        rows[columns].sub(others, axis=0) if quantity in SHARES else rows[columns].div(others.where(others > 0), axis=0)
    )


def _scaled(axes: Axes, values: NDArray[np.float64], *, share: bool) -> None:
    """As far to either side of the other images: a difference, or a ratio in powers of two."""
    finite = values[np.isfinite(values) & (share | (values > 0))]
    axes.axhline(0 if share else 1, color=plots.INK, linewidth=0.5, alpha=0.5, zorder=1)
    if share:
        reach = max(float(np.abs(finite).max(initial=0)), SMALLEST)
        axes.set_ylim(-1.08 * reach, 1.08 * reach)
        axes.yaxis.set_major_locator(MaxNLocator(TICKS, symmetric=True))
        return
    reach = max(math.ceil(float(np.abs(np.log2(finite)).max(initial=0))), 1)
    step = -(-reach // 2)
    axes.set_yscale("log", base=2)
    axes.set_ylim(2.0**-reach, 2.0**reach)
    axes.yaxis.set_major_locator(FixedLocator([2.0**power for power in range(-2 * step, 2 * step + 1, step)]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}" if value >= 1 else f"1/{1 / value:g}"))


def _panel(axes: Axes, frames: Sequence[pd.DataFrame], names: Sequence[str], layout: Layout) -> Iterator[Name]:
    for rows, name, (colour, marker, line) in zip(frames, names, LOOKS, strict=False):
        x = np.arange(1, len(rows) + 1)
        mean, lower, upper = (_values(rows, column) for column in ("mean", "lower", "upper"))
        if not np.isfinite(mean).any():
            continue
        look = Name(plots.last(mean), name, colour, marker)
        axes.fill_between(x, lower, upper, color=colour, alpha=0.18, linewidth=0, zorder=2)
        axes.plot(x, mean, color=colour, linewidth=0.9, linestyle=line, zorder=3)
        style = {**marker_style(look, layout.marker(len(x))), "markevery": layout.every(len(x))}
        axes.plot(x, mean, zorder=4, **style)
        yield look


def _values(rows: pd.DataFrame, column: str) -> NDArray[np.float64]:
    return rows[column].to_numpy(np.float64, na_value=np.nan)


def _caption(drawn: Sequence[str], facets: int, of_maps: mapped.Mapped) -> str:
    which = (
        f"{len(drawn)} of {facets:,} groups, those that differ most from all other images"
        if (len(drawn) < facets)
        else "All groups that the config declares"
    )
    some = f" High frequencies are of {of_maps.told}." if of_maps.some else ""
    return (
        f"{which}: means over their images, held against those of all other images, with 95% intervals where there are "
        f"10 or more. Standard deviation of the activations and share of the spectrum's power above half the finest "
        f"frequency are divided by the others', from the Gini index theirs is subtracted.{some}"
    )


def _spoken(table: pd.DataFrame, drawn: Sequence[str], shown: Sequence[str]) -> Iterator[str]:
    yield f"Curves of {len(drawn)} groups in {len(shown)} panels."
    for quantity in shown:
        rows = table[table["quantity"] == quantity]
        rows = rows.assign(away=(rows["higher"] - 0.5).abs()).dropna(subset="away")
        if len(rows):
            most = rows.sort_values("away", kind="stable").iloc[-1]
            yield (
                f"{PANELS[quantity]}: furthest apart is {most['facet']} at {most['tap']}, {most['mean']:.3g} where the "
                f"other images have {most['others']:.3g}."
            )
