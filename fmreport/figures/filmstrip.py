"""One photograph through the model as a strip of maps, each as large as its grid, small ones enlarged above it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from fmreport.figures import frames as chosen
from fmreport.figures import mosaics, placing, plots
from fmreport.figures.beginnings import groups
from fmreport.figures.frames import Frame
from fmreport.figures.glyphs import drawable
from fmreport.figures.layout import POINTS, Layout, new_figure
from fmreport.figures.sheet import Cell, Picture, Sheet

if TYPE_CHECKING:
    from fmreport.store import Run

MARGIN = 3.0
"""Points around all."""
LINE = 8.6
"""From one line of a label to the next."""
LINES = 3
"""Of a label, above the name."""
LABEL = (LINES + 2.4) * LINE
"""Below the foot of a row."""
KEY, BAR = 18.0, 48.0
"""Height of the key to the colours, and length of a bar in it."""
SHARP = 160
"""Pixels to which the longer side of a smaller picture is repeated."""
FOREGROUND, BACKGROUND = mosaics.LEVELS - 1, 0
"""Colours of a mask."""


def draw(run: Run, layout: Layout) -> plots.Plot:
    """From the photograph over one map of each stage to its mask."""
    found = chosen.frames(run)
    letters = min(layout.small, placing.FONT)
    across = layout.width * POINTS - 2 * MARGIN
    rows = Sheet(across, letters).arranged(list(_pictures(run, found)))
    highs = [max(cell.height for cell in row) for row in rows]
    height = sum(highs) + LABEL * len(rows) + (KEY if found else 0.0) + 2 * MARGIN
    figure, (axes,) = new_figure(layout, height / POINTS)
    axes.set_position((0, 0, 1, 1))
    axes.set_xlim(-MARGIN, across + MARGIN)
    axes.set_ylim(MARGIN - height, MARGIN)
    axes.set_axis_off()
    foot = 0.0
    for row, high in zip(rows, highs, strict=True):
        foot -= high
        for cell in row:
            _place(axes, cell, foot, letters)
        _name(axes, row, foot, letters)
        foot -= LABEL
    _key(axes, sorted({frame.signed for frame in found}, reverse=True), foot, letters)
    return plots.Plot(
        name="filmstrip",
        title="One photograph through the model",
        caption=_caption(run, found, enlarged=any(cell.enlarged for row in rows for cell in row)),
        alt=_alt(run, found),
        figure=figure,
    )


def _pictures(run: Run, found: Sequence[Frame]) -> Iterator[Picture]:
    probe = chosen.probe_shown(run)
    photograph, mask = chosen.photograph(run, probe), chosen.mask(run, probe)
    height, width = photograph.shape[:2]
    yield Picture("photograph", (_size(height, width),), (height, width), photograph)
    for frame in found:
        lines = (_size(*frame.grid), f"tap {frame.position}", f"ch. {frame.channel}")
        yield Picture(drawable(frame.stage), lines, frame.grid, mosaics.palette(frame.signed)[frame.indices])
    if mask is not None:
        indices = np.select([mask == 1, mask == 0], [FOREGROUND, BACKGROUND], mosaics.MISSING)
        yield Picture("mask", (_size(height, width),), (height, width), mosaics.palette(False)[indices])


def _size(height: int, width: int) -> str:
    return f"{height} × {width}"


def _place(axes: Axes, cell: Cell, foot: float, letters: float) -> None:
    """A picture on the foot of its row, enlarged above it where it is small, and its label below."""
    middle = cell.left + cell.width / 2
    height, width = cell.size
    sides = (middle - width / 2, middle + width / 2)
    _show(axes, cell.picture.pixels, (*sides, foot, foot + height))
    if cell.enlarged:
        below, high = foot + cell.height - cell.enlarged[0], foot + cell.height
        for near, far in zip(sides, (cell.left, cell.left + cell.width), strict=True):
            axes.plot([near, far], [foot + height, below], color=plots.MUTED, linewidth=0.5)
        _show(axes, cell.picture.pixels, (cell.left, cell.left + cell.width, below, high))
    for i, line in enumerate(cell.picture.lines, 1):
        _write(axes, line, (middle, foot - i * LINE), letters)


def _show(axes: Axes, pixels: NDArray[np.uint8], extent: tuple[float, float, float, float]) -> None:
    """A picture pixel by pixel, between left, right, bottom and top."""
    # Repeated, its pixels stay sharp where a viewer smooths what it enlarges.
    factor = max(1, SHARP // max(pixels.shape))
    pixels = pixels.repeat(factor, axis=0).repeat(factor, axis=1)
    image = AxesImage(axes, extent=extent, origin="upper", interpolation="none")
    image.set_data(pixels)
    axes.add_image(image)


def _name(axes: Axes, row: Sequence[Cell], foot: float, letters: float) -> None:
    """A line under neighbours of one stage, with its name where there is room for it."""
    edges = [(cell.left, cell.left + cell.width) for cell in row]
    line = foot - (LINES + 0.5) * LINE

    def width(text: str) -> float:
        return placing.width(text) * letters / placing.FONT

    for group in groups([cell.picture.name for cell in row], edges, width):
        left, right = edges[group.first][0], edges[group.last][1]
        if row[group.first].picture.name:
            axes.plot([left, right], [line] * 2, color=plots.MUTED, linewidth=0.8, solid_capstyle="butt")
        _write(axes, group.text, ((left + right) / 2, line - LINE), letters)


def _write(axes: Axes, text: str, place: tuple[float, float], letters: float, **style: Any) -> None:
    axes.text(*place, text, **{"ha": "center", "va": "baseline", "fontsize": letters, "color": plots.MUTED, **style})


def _key(axes: Axes, kinds: Sequence[bool], foot: float, letters: float) -> None:
    """A bar of colours of each kind of maps, from the left."""
    at, line = 0.0, foot - KEY + LINE
    for signed in kinds:
        low, high = ("−limit", "limit") if signed else ("0", "limit")
        _write(axes, low, (at, line), letters, ha="left")
        at += placing.width(low) * letters / placing.FONT + 4
        bar = mosaics.palette(signed)[None, : mosaics.LEVELS]
        _show(axes, bar, (at, at + BAR, line - 0.5, line + 5.5))
        _write(axes, high, (at + BAR + 4, line), letters, ha="left")
        at += BAR + 4 + placing.width(high) * letters / placing.FONT + 16


def _caption(run: Run, found: Sequence[Frame], *, enlarged: bool) -> str:
    probe = chosen.probe_shown(run)
    if not found:
        return f"{probe}: no tap of this run has a map of more than one position that is kept."
    larger = ", small ones once more above, enlarged" if enlarged else ""
    told = [f"The photograph {probe} on its way through the model. Maps are as large as their grid{larger}."]
    told.append(f"One map per stage; {_rule(run)}")
    told.append(
        "Shown is its last tap with that grid, and of that the first channel by the rule of all mosaics, without a"
    )
    told.append("look at the mask.")
    if found[-1].why == chosen.DECIDES:
        told.append(f"The last map is what the model decides ({run.facts.target}).")
    told.append("Each map has a colour scale of its own.")
    if np.any(_ignored(run, probe)):
        told.append("Grey: ignored by the mask.")
    return " ".join(told)


def _ignored(run: Run, probe: str) -> NDArray[np.bool_]:
    found = chosen.mask(run, probe)
    return np.zeros(1, bool) if found is None else found > 1


def _rule(run: Run) -> str:
    """How stages were made."""
    made = chosen.stages(run)
    names = "the first level of the name and " if made.by_name else ""
    thinned = f", {len(made.shown)} of {made.count}, evenly chosen" if len(made.shown) < made.count else ""
    return f"stages are neighbouring parts that share {names}the grid{thinned}."


def _alt(run: Run, found: Sequence[Frame]) -> str:
    probe = chosen.probe_shown(run)
    told = []
    for frame in found:
        stage = f"{frame.stage} {_size(*frame.grid)}".strip()
        told.append(f"{stage} (tap {frame.position}, channel {frame.channel}, {frame.why})")
    mask = ["its mask"] if probe in run.masks() else []
    return f"Pictures in order: {'; '.join((f'the photograph {probe}', *told, *mask))}."
