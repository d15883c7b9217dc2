"""Sparsity by depth: exact zeros, Gini index and Hoyer limit of every tap, in the order in which the model runs.

Neighbours differ in what they are rather than in depth: a ReLU stands between two convolutions. So every type of layer
is a series of its own, and nothing joins taps of different types.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from fmreport.figures import plots
from fmreport.figures.layout import Layout, new_figure
from fmreport.figures.naming import Name, marker_style, name_series

if TYPE_CHECKING:
    from fmreport.store import Run

GAUSSIAN = 0.414
"""Gini index of Gaussian noise."""
MEASURES = (
    ("zero_fraction", "exact zeros", None),
    ("gini", "Gini index", GAUSSIAN),
    ("hoyer_limit", "Hoyer limit", 0.202),
)
"""Column, label of its panel, and the value of Gaussian noise: the yardstick for a tap without structure."""
LOOKS = (("o", plots.FIRST), ("s", plots.SECOND), ("^", plots.THIRD))
"""Marker and colour of the most frequent types."""
VERDICTS = {
    "by design": "by design at",
    "by chance": "not by design at",
    "unknown": "unknown whether by design at",
}
OTHERS = ("D", plots.MUTED)
NOISE = (0, (1, 3))
"""How the line of noise is dashed."""


@dataclass(frozen=True, slots=True)
class Series:
    """The taps of one type, or of all types that are too rare to have a look of their own."""

    label: str
    marker: str
    colour: str
    taps: NDArray[np.bool_]
    """(N,) which of all taps."""
    joined: bool
    """Whether a line joins them: only where all are of one type."""


def draw(run: Run, layout: Layout) -> plots.Plot:
    """Three panels from 0 to 1 with the same series; a gap where a measure is undefined."""
    table = run.layers[["tap", "type", "zeros"]].merge(run.summary, on="tap")
    design = (table["zeros"] == "by design").to_numpy()
    found = list(series(table["type"], design))
    figure, panels = new_figure(layout, 4.7 * layout.rise, panels=len(MEASURES), shares=(1.6, 1, 1))
    taps = list(table["tap"])
    plots.depth_axis(panels, taps, layout)
    zeros = table["zero_fraction"].to_numpy(np.float64, na_value=np.nan)
    names = {panels[0]: list(_named(found, zeros, design)), panels[1]: list(_key(table["zeros"]))}
    for axes, (column, label, noise) in zip(panels, MEASURES, strict=True):
        plots.control_band(axes, run.controls, column, plots.numbered(taps), colour=plots.MUTED)
        _panel(axes, table, found, column, layout.marker(len(table)))
        axes.set_ylabel(label)
        named = names.get(axes, [])
        if noise is not None:
            axes.axhline(noise, color=plots.MUTED, linewidth=0.8, linestyle=NOISE, zorder=1)
            named.append(Name(noise, "Gaussian noise", plots.MUTED, line=NOISE))
        name_series(axes, named, layout, gap=0.14)
    panels[0].set_yticks(np.linspace(0, 1, 6))
    medians = _medians(found, zeros, table["zeros"].to_numpy(object))
    return plots.Plot(
        name="sparsity_by_depth",
        title="Sparsity by depth",
        caption="Share of exact zeros, Gini index and Hoyer limit of each tap, pooled over all probes, by type of "
        f"layer. Filled where the operation makes zeros by design, hollow elsewhere. {medians} "
        "Dotted: the value of Gaussian noise, .414 for the Gini index and .202 for the Hoyer limit. "
        f"{plots.told_controls(run.controls)}".strip(),
        alt=f"Dots for {len(table)} taps of {table['type'].nunique()} types in three panels. {medians} "
        f"{_spoken('Gini index', table['gini'], found)} {_spoken('Hoyer limit', table['hoyer_limit'], found)}",
        figure=figure,
    )


def series(types: pd.Series[str], design: NDArray[np.bool_]) -> Iterator[Series]:
    """The most frequent types, each by itself, and the rest together.

    Of those that make zeros by `design` (N,), the most frequent is never among the rest: the figure is about them.
    """
    counts = types.value_counts(sort=False)
    order = list(counts.sort_values(ascending=False, kind="stable").index)
    makers = [name for name in order if design[types == name].any()]
    if makers and makers[0] not in order[: len(LOOKS)]:
        order.remove(makers[0])
        order.insert(len(LOOKS) - 1, makers[0])
    for name, (marker, colour) in zip(order, LOOKS, strict=False):
        yield Series(name, marker, colour, (types == name).to_numpy(), joined=True)
    rest = order[len(LOOKS) :]
    if rest:
        label = rest[0] if len(rest) == 1 else f"{len(rest)} other types"
        yield Series(label, *OTHERS, types.isin(rest).to_numpy(), joined=len(rest) == 1)


def _panel(axes: Axes, table: pd.DataFrame, found: list[Series], column: str, size: float) -> None:
    """One measure of all taps."""
    x = np.arange(1, len(table) + 1)
    y = table[column].to_numpy(np.float64, na_value=np.nan)
    design = (table["zeros"] == "by design").to_numpy()
    for each in found:
        if each.joined:
            axes.plot(x[each.taps], y[each.taps], color=each.colour, linewidth=0.7, alpha=0.45, zorder=2)
        for filled in (False, True):
            look = Name(0, each.label, each.colour, each.marker, filled)
            marked = each.taps & (design == filled) & np.isfinite(y)
            if marked.any():  # an empty line that is not clipped claims the corner of the sheet
                axes.plot(x[marked], y[marked], clip_on=False, zorder=3 + filled, **marker_style(look, size))
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 0.5, 1])


def _named(found: list[Series], zeros: NDArray[np.float64], design: NDArray[np.bool_]) -> Iterator[Name]:
    for each in found:
        yield Name(plots.last(zeros[each.taps]), each.label, each.colour, each.marker, bool(design[each.taps].all()))


def _key(made: pd.Series[str]) -> Iterator[Name]:
    """What filled and hollow mean, where there are both."""
    if made.nunique() > 1 and (made == "by design").any():
        elsewhere = "not, or unknown" if (made == "unknown").any() else "not by design"
        for y, text, filled in ((0.9, "zeros by design", True), (0.75, elsewhere, False)):
            yield Name(y, text, plots.MUTED, "o", filled)


def _medians(found: list[Series], zeros: NDArray[np.float64], made: NDArray[np.object_]) -> str:
    """A sentence: `Median share of exact zeros: by design at ReLU 50%; not by design at Conv2D 0%, Add 0%.`."""
    parts = []
    for verdict, words in VERDICTS.items():
        groups = [(each.label, zeros[each.taps & (made == verdict)]) for each in found]
        told = [f"{label} {_percent(_median(values))}" for label, values in groups if np.isfinite(values).any()]
        if told:
            parts.append(f"{words} {', '.join(told)}")
    return f"Median share of exact zeros: {'; '.join(parts)}." if parts else "Exact zeros: undefined everywhere."


def _spoken(label: str, values: pd.Series[float], found: list[Series]) -> str:
    y = values.to_numpy(np.float64, na_value=np.nan)
    told = [f"{each.label} {_median(y[each.taps]):.2f}" for each in found if np.isfinite(y[each.taps]).any()]
    return f"Median {label}: {', '.join(told)}." if told else f"{label}: undefined everywhere."


def _median(values: NDArray[np.floating]) -> float:
    return float(np.median(values[np.isfinite(values)]))


def _percent(fraction: float) -> str:
    """In whole percent; never rounded to a 0 or 100 that it is not."""
    if 0 < fraction < 0.005:
        return "<1%"
    return ">99%" if 0.995 <= fraction < 1 else f"{100 * fraction:.0f}%"
