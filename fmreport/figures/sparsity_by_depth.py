"""Sparsity by depth: exact zeros, Gini index and Hoyer limit of every tap, in the order in which the model runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fmreport.figures import plots

if TYPE_CHECKING:
    from fmreport.store import Run

NULLS = {"gini": 0.414, "hoyer_limit": 0.202}
"""Values of Gaussian noise: the yardstick for a tap without structure."""


def draw(run: Run) -> plots.Plot:
    """One panel from 0 to 1; a gap where a measure is undefined."""
    table = run.layers[["tap", "zeros"]].merge(run.summary, on="tap")
    x = np.arange(1, len(table) + 1)
    figure, (axes,) = plots.new_figure(3.0)
    size = float(np.clip(160 / len(table), 1.5, 4))
    ends = []
    for name, label, colour in (("gini", "Gini index", plots.SECOND), ("hoyer_limit", "Hoyer limit", plots.THIRD)):
        y = table[name].to_numpy(np.float64, na_value=np.nan)
        axes.axhline(NULLS[name], color=colour, linewidth=0.7, linestyle=(0, (1, 3)), zorder=1)
        axes.plot(x, y, color=colour, linewidth=1.1, marker=".", markersize=size, zorder=2)
        ends.append((plots.last(y), label, colour))
    zeros = table["zero_fraction"].to_numpy(np.float64, na_value=np.nan)
    design = (table["zeros"] == "by design").to_numpy()
    axes.plot(x, zeros, color=plots.FIRST, linewidth=0.8, zorder=3)
    for marked, fill in ((design, plots.FIRST), (~design, plots.PAPER)):
        if not marked.any():  # an empty line that is not clipped claims the corner of the sheet
            continue
        axes.plot(
            x[marked],
            zeros[marked],
            linestyle="none",
            marker="o",
            markersize=size,
            markeredgewidth=0.8,
            markeredgecolor=plots.FIRST,
            markerfacecolor=fill,
            clip_on=False,
            zorder=4,
        )
    ends.append((plots.last(zeros), "exact zeros", plots.FIRST))
    axes.set_ylim(0, 1)
    axes.set_yticks(np.linspace(0, 1, 6))
    axes.set_ylabel("fraction or index (0–1)")
    plots.depth_axis([axes], list(table["tap"]))
    plots.label_ends(axes, ends)
    return plots.Plot(
        name="sparsity_by_depth",
        title="Sparsity by depth",
        caption="Share of exact zeros (filled where the operation makes zeros by design, hollow where they occur only "
        "by chance), Gini index and Hoyer limit of each tap, pooled over all probes. Dotted: the value of Gaussian "
        "noise, .414 for the Gini index and .202 for the Hoyer limit.",
        alt=f"Line plot over {len(table)} taps. {_spoken('Exact zeros', zeros)} "
        f"{_spoken('Gini index', table['gini'].to_numpy(np.float64, na_value=np.nan))} "
        f"{_spoken('Hoyer limit', table['hoyer_limit'].to_numpy(np.float64, na_value=np.nan))}",
        figure=figure,
    )


def _spoken(label: str, values: np.ndarray) -> str:
    finite = values[np.isfinite(values)]
    if not finite.size:
        return f"{label}: undefined everywhere."
    return f"{label}: {finite[0]:.2f} at the first tap, {finite[-1]:.2f} at the last, at most {finite.max():.2f}."
