"""Facets side by side: the means of single quantities over the images of each group, by depth, with their intervals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from fmreport import mapped
from fmreport.figures import plots
from fmreport.figures.layout import Layout, new_figure
from fmreport.figures.naming import Name, marker_style, name_series
from fmreport.figures.tails import PANELS, SHARES, scaled

if TYPE_CHECKING:
    from fmreport.store import Run

HEIGHT = 4.6
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
        axes.set_ylabel(PANELS[quantity])
        named = list(_panel(axes, [_placed(rows, facet, taps) for facet in drawn], drawn, layout))
        scaled(axes, rows["mean"].to_numpy(np.float64), share=quantity in SHARES)
        name_series(axes, named, layout, gap=0.13)
    return plots.Plot(
        name="facets",
        title="Groups side by side",
        caption=_caption(drawn, len(facets), mapped.of_facts(run.facts)),
        alt=" ".join(_spoken(table, drawn, shown)),
        figure=figure,
    )


def _placed(rows: pd.DataFrame, facet: str, taps: list[str]) -> pd.DataFrame:
    return rows[rows["facet"] == facet].drop_duplicates("tap").set_index("tap").reindex(taps)


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
        f"{which}: means over their images, with 95% intervals where there are 10 or more. Standard deviation of the "
        f"activations, Gini index, and share of the spectrum's power above half the finest frequency.{some}"
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
