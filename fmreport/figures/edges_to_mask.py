"""From edges to mask: how well either is read from every tap, and how fine its maps are, in the model's order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from fmreport.figures import plots
from fmreport.figures.layout import Layout, new_figure
from fmreport.figures.naming import Name, marker_style, name_series
from fmreport.records import IMAGE

if TYPE_CHECKING:
    from fmreport.store import Run

LOOKS = {"edge": ("edges", "o", plots.FIRST), "mask": ("mask", "s", plots.SECOND)}
"""Quantities of the upper panel: label, marker, colour."""
OWN = "prediction"
"""A thinner curve of the upper panel: agreement with itself."""
FINE = "centroid_share"
ABOVE = (
    "Above: share of the variance of the edge map (Sobel magnitude of luminance) and of the mask that a ridge "
    "regression from the channels, of many from 64 combinations, explains on images that it was not learned from."
)
DOTTED = (0, (1, 2))
DEEPEST = -0.3
"""R^2 below which nothing is drawn: what is read worse than that is not read at all."""
WHITE = 2 / 3
"""The share of white noise, which is as fine as a map can be."""


def draw(run: Run, layout: Layout) -> plots.Plot:
    """Held-out R^2 of edges and of the mask above, the spectral centroid below, with intervals, nulls and controls."""
    taps = list(run.layers["tap"])
    table = run.analyses["progression"]
    figure, panels = new_figure(layout, 3.9 * layout.rise, panels=2, shares=(1.8, 1))
    above, below = panels
    plots.depth_axis(panels, taps, layout)
    labels = []
    if len(table[table["quantity"] == OWN]):
        own = _placed(table, OWN, taps)
        _thin(above, own)
        labels.append(Name(plots.last(own["value"].to_numpy(np.float64)), "its own prediction", plots.INK))
    for quantity, (label, marker, colour) in LOOKS.items():
        rows = _placed(table, quantity, taps)
        y = rows["value"].to_numpy(np.float64)
        if not np.isfinite(y).any():
            continue
        plots.control_band(above, run.controls, quantity, taps, colour=colour)
        _curve(above, rows, Name(0, label, colour, marker), layout.marker(len(taps)))
        labels.append(Name(plots.last(y), label, colour, marker))
    null = _placed(table, "mask", taps)["null"].to_numpy(np.float64)
    if np.isfinite(null).any():
        above.plot(np.arange(1, len(taps) + 1), null, color=plots.MUTED, linewidth=0.8, linestyle=DOTTED)
        labels.append(Name(plots.last(null), "meaningless masks", plots.MUTED, line=DOTTED))
    above.set_ylim(max(min(float(above.get_ylim()[0]), -0.05), DEEPEST), 1.0)
    for quantity, (_, _, colour) in LOOKS.items():
        if _few(_placed(table, quantity, taps)):
            _dots(above, _of_images(run, quantity, taps), colour)
    above.axhline(0, color=plots.MUTED, linewidth=0.6)
    above.set_ylabel("held-out R²")
    name_series(above, labels, layout, gap=0.09)
    fine = _placed(table, FINE, taps)
    plots.control_band(below, run.controls, FINE, taps, colour=plots.THIRD)
    _curve(below, fine, Name(0, "fineness", plots.THIRD, "^"), layout.marker(len(taps)))
    if _few(fine):
        _dots(below, _of_images(run, FINE, taps), plots.THIRD)
    below.axhline(WHITE, color=plots.MUTED, linewidth=0.8, linestyle=DOTTED, zorder=1)
    below.set_ylim(0, 1)
    below.set_yticks([0, 0.5, 1])
    below.set_ylabel("fineness")
    name_series(below, [Name(WHITE, "white noise", plots.MUTED, line=DOTTED)], layout)
    return plots.Plot(
        name="edges_to_mask",
        title="From edges to mask",
        caption=_caption(run, table),
        alt=_alt(table, taps),
        figure=figure,
    )


def _placed(table: pd.DataFrame, quantity: str, taps: list[str]) -> pd.DataFrame:
    return table[table["quantity"] == quantity].drop_duplicates("tap").set_index("tap").reindex(taps)


def _curve(axes: Axes, rows: pd.DataFrame, look: Name, size: float) -> None:
    x = np.arange(1, len(rows) + 1)
    y, lower, upper = (rows[name].to_numpy(np.float64) for name in ("value", "lower", "upper"))
    axes.fill_between(x, lower, upper, color=look.colour, alpha=0.2, linewidth=0, zorder=2)
    axes.plot(x, y, color=look.colour, linewidth=0.9, alpha=0.7, zorder=3)
    axes.plot(x, y, zorder=4, **marker_style(look, size))


def _thin(axes: Axes, rows: pd.DataFrame) -> None:
    """A curve without markers, with its interval."""
    x = np.arange(1, len(rows) + 1)
    y, lower, upper = (rows[name].to_numpy(np.float64) for name in ("value", "lower", "upper"))
    axes.fill_between(x, lower, upper, color=plots.INK, alpha=0.08, linewidth=0, zorder=1)
    axes.plot(x, y, color=plots.INK, linewidth=0.6, zorder=2.5)


def _few(rows: pd.DataFrame) -> bool:
    """Whether images are too few for an interval, so that each is shown instead; of a single one there is no more."""
    return bool(rows["lower"].isna().all() and rows["images"].max() > 1)


def _of_images(run: Run, quantity: str, taps: list[str]) -> np.ndarray:
    """`(taps, images)` the quantity of each image alone."""
    if quantity == FINE:
        rows = run.samples[["tap", "probe", FINE]]
        wide = rows.pivot_table(index="tap", columns="probe", values=FINE, sort=False)
    else:
        read = run.analyses["readability"]
        rows = read[(read["target"] == quantity) & (read["total"] > 0)]
        rows = rows.assign(r_squared=1 - rows["residual"] / rows["total"])
        wide = rows.pivot_table(index="tap", columns="group", values="r_squared", sort=False)
    return np.asarray(wide.reindex(taps).to_numpy(np.float64))


def _dots(axes: Axes, values: np.ndarray, colour: str) -> None:
    x = np.broadcast_to(np.arange(1, len(values) + 1)[:, None], values.shape)
    axes.scatter(x, values, s=3, color=colour, alpha=0.45, linewidths=0, zorder=2)


def _caption(run: Run, table: pd.DataFrame) -> str:
    told = [ABOVE]
    masks = table[table["quantity"] == "mask"]
    if not len(masks):
        told.append("No probe has a mask that could be read.")
    else:
        images = int(masks["images"].max())
        told.append(f"{images} images have masks; dotted: the best that is read of masks of no meaning.")
    if len(table[table["quantity"] == OWN]):
        told.append(
            f"Thin: the same of the model's own prediction ({run.facts.target}), on all images: agreement with itself, "
            "right or wrong."
        )
    told.append("Below: mean frequency of the maps, as a share of the finest that they could hold.")
    if table["lower"].notna().any():
        told.append("Bands: 95% intervals, images resampled.")
    if any(_few(rows) for _, rows in table.groupby("quantity")):
        told.append("Dots: single images, where these are too few for an interval.")
    told.append(f"Nothing is drawn below R² {DEEPEST}.".replace("-", "−"))
    told.append(plots.told_controls(run.controls))
    image = table[table["tap"] == IMAGE].set_index("quantity")["value"]
    parts = [f"{LOOKS[name][0]} {image[name]:.2f}" for name in LOOKS if name in image.index]
    told.append(f"From the colours of the image itself: {', '.join(parts)}." if parts else "")
    told.append(_prior(run.analyses["readability"]))
    return " ".join(filter(None, told))


def _prior(read: pd.DataFrame) -> str:
    """What the place in the picture alone says of the mask."""
    sums = read[(read["target"] == "prior") & (read["tap"] != IMAGE)].groupby("tap")[["residual", "total"]].sum()
    scores = 1 - sums["residual"] / sums["total"].where(sums["total"] > 0)
    if not scores.notna().any():
        return ""
    return f"The mean mask of other images, as it is, has R² {scores.min():.2f} to {scores.max():.2f}, by the grid."


def _alt(table: pd.DataFrame, taps: list[str]) -> str:
    told = []
    named = {quantity: label for quantity, (label, _, _) in LOOKS.items()}
    named[OWN] = "its own prediction (agreement with itself)"
    for quantity, label in named.items():
        rows = table[(table["quantity"] == quantity) & (table["tap"] != IMAGE)]
        if len(rows):
            best = rows.iloc[int(rows["value"].to_numpy().argmax())]
            last = rows.iloc[-1]
            told.append(
                f"{label}: best at {best['tap']} with R² {best['value']:.2f}, {last['value']:.2f} at the last map"
            )
    return f"Curves over {len(taps)} taps. {'; '.join(told) or 'Nothing is read'}."
