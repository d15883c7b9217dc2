"""Tables -> matplotlib Figures; tiles -> mosaics. Figures are views of a run's tables and need no model."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fmreport.figures.layout import Layout
    from fmreport.figures.plots import Plot
    from fmreport.store import Run

FIGURES = {
    "progression": "fmreport.figures.progression:draw",
    "filmstrip": "fmreport.figures.filmstrip:draw",
    "architecture": "fmreport.figures.architecture:draw",
    "sparsity_by_depth": "fmreport.figures.sparsity_by_depth:draw",
    "shape_by_depth": "fmreport.figures.shape_by_depth:draw",
    "tails": "fmreport.figures.tails:draw",
    "facets": "fmreport.figures.facets:draw",
}
"""Every figure by name, in the order in which a report shows them; what a row names is imported on use."""


def draw(name: str, run: Run, layout: Layout | None = None) -> Plot | None:
    """The named figure of a run, as wide as a page where no layout is given; None where there is nothing to draw."""
    from fmreport.figures import layout as layouts
    from fmreport.figures import plots

    module, _, attribute = FIGURES[name].partition(":")
    with plots.style():
        plot: Plot | None = getattr(import_module(module), attribute)(run, layout or layouts.WIDE)
    return plot


def draw_all(run: Run) -> dict[str, tuple[Plot, ...]]:
    """Every figure that there is something to draw for, by name, in every layout of `layout.LAYOUTS`."""
    from fmreport.figures.layout import LAYOUTS

    drawn = {name: tuple(draw(name, run, layout) for layout in LAYOUTS) for name in FIGURES}
    return {name: tuple(plot for plot in plots if plot) for name, plots in drawn.items() if all(plots)}


def render_all(plots: Mapping[str, tuple[Plot, ...]]) -> dict[str, bytes]:
    """Every drawn figure as SVG and as PDF, by the name of its file; the same bytes for the same tables."""
    from fmreport.figures.layout import LAYOUTS
    from fmreport.figures.plots import to_pdf, to_svg

    made = {}
    for name, drawn in plots.items():
        for layout, plot in zip(LAYOUTS, drawn, strict=True):
            made[f"{name}{layout.suffix}.svg"] = to_svg(plot)
            made[f"{name}{layout.suffix}.pdf"] = to_pdf(plot)
    return made
