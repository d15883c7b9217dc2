"""From fine detail to mask: what is read from every tap, how fine its maps are, how sparse it is, in the model's order.

Three panels on one axis of depth: the one plot that a report begins with.
"""

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
from fmreport.figures.sparsity_by_depth import GAUSSIAN
from fmreport.records import IMAGE

if TYPE_CHECKING:
    from fmreport.store import Run

HEIGHT, SHARES = 4.9, (1.8, 1, 1)
"""Inches of the widest figure, and how its panels share them."""
LOOKS = {"edge": Name(0, "edges", plots.FIRST, "o"), "mask": Name(0, "mask", plots.SECOND, "s")}
"""Quantities of the first panel that are compared."""
OWN = "prediction"
"""A thinner curve of that panel: agreement with itself."""
FINE = "centroid_share"
FINENESS = Name(0, "fineness", plots.THIRD, "^")
GINI, ZEROS = Name(0, "Gini index", plots.INK, "D"), Name(0, "exact zeros", plots.SECOND, "v")
DOTTED = (0, (1, 2))
DEEPEST = -0.3
"""R^2 below which nothing is drawn: what is read worse than that is not read at all."""
DOTS = 1500
"""Single values of one quantity that are shown at most."""
WHITE = 2 / 3
"""The share of white noise, which is as fine as a map can be."""


def draw(run: Run, layout: Layout) -> plots.Plot:
    """Held-out R^2, spectral centroid, Gini index and exact zeros, with intervals, nulls and controls."""
    taps = list(run.layers["tap"])
    table = run.analyses["progression"]
    figure, panels = new_figure(layout, HEIGHT * layout.rise, panels=3, shares=SHARES)
    plots.depth_axis(panels, taps, layout)
    read, fine, sparse = panels
    name_series(read, list(_readability(read, run, layout)), layout, gap=0.1)
    name_series(fine, list(_fineness(fine, run, layout)), layout)
    name_series(sparse, list(_sparsity(sparse, run, layout)), layout, gap=0.14)
    return plots.Plot(
        name="progression",
        title="From fine detail to mask",
        caption=_caption(run, table),
        alt=_alt(run, table),
        figure=figure,
    )


def _readability(axes: Axes, run: Run, layout: Layout) -> Iterator[Name]:
    """The first panel, with the names of what it shows."""
    taps, table = list(run.layers["tap"]), run.analyses["progression"]
    axes.set_ylabel("held-out R²")
    axes.axhline(0, color=plots.MUTED, linewidth=0.6)
    for quantity, look in LOOKS.items():
        rows = _placed(table, quantity, taps)
        if rows["value"].notna().any():
            plots.control_band(axes, run.controls, quantity, plots.numbered(taps), colour=look.colour)
            yield _curve(axes, rows, look, layout)
    own = _placed(table, OWN, taps)
    if own["value"].notna().any():
        yield _thin(axes, own)
    null = _values(_placed(table, "mask", taps), "null")
    if np.isfinite(null).any():
        axes.plot(np.arange(1, len(taps) + 1), null, color=plots.MUTED, linewidth=0.8, linestyle=DOTTED)
        yield Name(plots.last(null), "meaningless masks", plots.MUTED, line=DOTTED)
    axes.set_ylim(max(min(float(axes.get_ylim()[0]), -0.05), DEEPEST), 1.0)
    for quantity, look in LOOKS.items():
        if _dotted(_placed(table, quantity, taps)):
            _dots(axes, _of_images(run, quantity, taps), look)


def _fineness(axes: Axes, run: Run, layout: Layout) -> Iterator[Name]:
    """The second panel; its one curve is named by the axis."""
    taps = list(run.layers["tap"])
    rows = _placed(run.analyses["progression"], FINE, taps)
    plots.control_band(axes, run.controls, FINE, plots.numbered(taps), colour=FINENESS.colour)
    _curve(axes, rows, FINENESS, layout)
    if _dotted(rows):
        _dots(axes, _of_images(run, FINE, taps), FINENESS)
    axes.axhline(WHITE, color=plots.MUTED, linewidth=0.8, linestyle=DOTTED, zorder=1)
    _share_axis(axes, FINENESS.text)
    yield Name(WHITE, "white noise", plots.MUTED, line=DOTTED)


def _sparsity(axes: Axes, run: Run, layout: Layout) -> Iterator[Name]:
    """The third panel: exact zeros only where they are made by design, the Gini index there and elsewhere apart."""
    table = run.layers[["tap", "zeros"]].merge(run.summary, on="tap")
    design = (table["zeros"] == "by design").to_numpy()
    elsewhere = Name(0, "Gini elsewhere" if design.any() else GINI.text, GINI.colour, GINI.marker, filled=False)
    for quantity, look, own in (("zero_fraction", ZEROS, design), ("gini", GINI, design), ("gini", elsewhere, ~design)):
        numbers = {tap: i for i, tap in enumerate(table["tap"], 1) if own[i - 1]}
        if numbers:
            y = _values(table, quantity)[own]
            plots.control_band(axes, run.controls, quantity, numbers, colour=look.colour)
            _line(axes, list(numbers.values()), y, look, layout)
            yield look._replace(y=plots.last(y))
    axes.axhline(GAUSSIAN, color=plots.MUTED, linewidth=0.8, linestyle=DOTTED, zorder=1)
    _share_axis(axes, "sparsity" if design.any() else GINI.text)
    yield Name(GAUSSIAN, "Gaussian noise", plots.MUTED, line=DOTTED)


def _share_axis(axes: Axes, label: str) -> None:
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 0.5, 1])
    axes.set_ylabel(label)


def _placed(table: pd.DataFrame, quantity: str, taps: list[str]) -> pd.DataFrame:
    return table[table["quantity"] == quantity].drop_duplicates("tap").set_index("tap").reindex(taps)


def _values(rows: pd.DataFrame, column: str) -> NDArray[np.float64]:
    return rows[column].to_numpy(np.float64, na_value=np.nan)


def _curve(axes: Axes, rows: pd.DataFrame, look: Name, layout: Layout) -> Name:
    """A curve with its interval, and its name."""
    x, y = list(range(1, len(rows) + 1)), _values(rows, "value")
    lower, upper = (_values(rows, end) for end in ("lower", "upper"))
    axes.fill_between(x, lower, upper, color=look.colour, alpha=0.2, linewidth=0, zorder=2)
    _line(axes, x, y, look, layout)
    return look._replace(y=plots.last(y))


def _line(axes: Axes, x: Sequence[int], y: NDArray[np.float64], look: Name, layout: Layout) -> None:
    axes.plot(x, y, color=look.colour, linewidth=0.9, alpha=0.7, zorder=3)
    seen, count = y >= DEEPEST, round(float(axes.get_xlim()[1]))
    style = {**marker_style(look, layout.marker(count)), "markevery": layout.every(count)}
    # Whole at the ends of the axis, where many are.
    axes.plot(np.array(x)[seen], y[seen], zorder=4, clip_on=not seen.any(), **style)


def _thin(axes: Axes, rows: pd.DataFrame) -> Name:
    """A curve without markers, with its interval."""
    x, y = np.arange(1, len(rows) + 1), _values(rows, "value")
    lower, upper = (_values(rows, end) for end in ("lower", "upper"))
    axes.fill_between(x, lower, upper, color=plots.INK, alpha=0.08, linewidth=0, zorder=1)
    axes.plot(x, y, color=plots.INK, linewidth=0.6, zorder=2.5)
    return Name(plots.last(y), "its own prediction", plots.INK)


def _dotted(rows: pd.DataFrame) -> bool:
    """Whether images are too few for an interval, so that each is shown instead: not a single one, nor a cloud."""
    images = rows["images"].max()
    return bool(rows["lower"].isna().all() and images > 1 and images * len(rows) <= DOTS)


def _of_images(run: Run, quantity: str, taps: list[str]) -> NDArray[np.float64]:
    """`(taps, images)` the quantity of each image alone."""
    if quantity == FINE:
        rows = run.samples_of(["tap", "probe", FINE]).astype({"tap": str, "probe": str})
        wide = rows.pivot_table(index="tap", columns="probe", values=FINE, sort=False)
    else:
        read = run.analyses["readability"]
        rows = read[(read["target"] == quantity) & (read["total"] > 0)]
        rows = rows.assign(r_squared=1 - rows["residual"] / rows["total"])
        wide = rows.pivot_table(index="tap", columns="group", values="r_squared", sort=False)
    return np.asarray(wide.reindex(taps).to_numpy(np.float64))


def _dots(axes: Axes, values: NDArray[np.float64], look: Name) -> None:
    x = np.broadcast_to(np.arange(1, len(values) + 1)[:, None], values.shape)
    axes.scatter(x, values, s=3, color=look.colour, alpha=0.45, linewidths=0, zorder=2)


def _caption(run: Run, table: pd.DataFrame) -> str:
    masks = table[table["quantity"] == "mask"]
    read = "from each tap (R² of a linear readout on held-out images"
    within = mapped.of_facts(run.facts).within
    told = [f"Above: how well edges are read {read}); no probe{within} has a mask that could be read."]
    if len(masks):
        told = [
            f"Above: how well edges and the mask are read {read}; {int(masks['images'].max())}{within} have masks)."
        ]
        told.append("Dotted: the best of meaningless masks.")
    if OWN in set(table["quantity"]):
        told.append(f"Thin: the model's own prediction ({run.facts.target}), agreement with itself.")
    told.append("Middle: fineness, as a share of what the grid can hold.")
    told.append(_told_of_zeros(run.layers["zeros"] == "by design"))
    if table["lower"].notna().any():
        told.append("Bands: 95% intervals.")
    if any(_dotted(_placed(table, quantity, list(run.layers["tap"]))) for quantity in (*LOOKS, FINE)):
        told.append("Dots: single images.")
    return " ".join(filter(None, (*told, plots.told_controls(run.controls))))


def _told_of_zeros(design: pd.Series[bool]) -> str:
    gini = "Gini index, how unequal activity is"
    if not design.any():
        return f"Below: {gini}; no tap makes zeros by design."
    if design.all():
        return f"Below: the share of exact zeros, and {gini}."
    return f"Below: exact zeros where they are made by design, and {gini}, there (filled) and elsewhere."


def _alt(run: Run, table: pd.DataFrame) -> str:
    told = [f"Curves over {len(run.layers)} taps."]
    named = {quantity: look.text for quantity, look in LOOKS.items()}
    named[OWN] = "its own prediction (agreement with itself)"
    for quantity, label in named.items():
        rows = table[(table["quantity"] == quantity) & (table["tap"] != IMAGE)]
        if len(rows):
            best = rows.iloc[int(rows["value"].to_numpy().argmax())]
            ends = (plots.signed(float(row["value"])) for row in (best, rows.iloc[-1]))
            told.append("{}: best at {} with R² {}, {} at the last map.".format(label, best["tap"], *ends))
    image = table[table["tap"] == IMAGE].set_index("quantity")["value"]
    parts = [f"{look.text} {plots.signed(image[name])}" for name, look in LOOKS.items() if name in image.index]
    told.append(f"From the colours of the image itself: {', '.join(parts)}." if parts else "")
    told.append(_prior(run.analyses["readability"]))
    for look, values in ((FINENESS, table.loc[table["quantity"] == FINE, "value"]), (GINI, run.summary["gini"])):
        if values.notna().any():
            told.append(f"{look.text}: {plots.signed(values.min())} to {plots.signed(values.max())}.")
    return " ".join(filter(None, told))


def _prior(read: pd.DataFrame) -> str:
    """What the place in the picture alone says of the mask."""
    sums = read[(read["target"] == "prior") & (read["tap"] != IMAGE)].groupby("tap")[["residual", "total"]].sum()
    scores = 1 - sums["residual"] / sums["total"].where(sums["total"] > 0)
    if not scores.notna().any():
        return ""
    ends = " to ".join(plots.signed(end) for end in (scores.min(), scores.max()))
    return f"The mean mask of other images, as it is, has R² {ends}, by the grid."
