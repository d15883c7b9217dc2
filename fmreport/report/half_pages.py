"""What of a tap's maps has room on half a page, and at which size: every length in millimetres, as Typst gets it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from fmreport.report import page
from fmreport.report.wording import listed

TEXT, ASIDE, GUTTER = 174.0, 36.0, 5.0
"""Width of the text, of the numbers beside the maps, and of what lies between."""
HALF = 129.0
"""Height of half a page."""
HEAD, WARNING, LABELS, BETWEEN, CAPTION = 16.0, 6.0, 4.8, 2.2, 10.0
"""Height of what stands above the maps, of a warning, of the numbers above a block, of a gap, and of a caption."""
SMALLEST, LEAST = 6.0, 2.0
"""Width of a map that is still a picture, below which fewer are printed; and of one that is printed all the same."""
BESIDE = 4
"""Attributions side by side, in one row."""
ATTRIBUTED = 9.0
"""Width of a map of attribution, and height at most."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How large a tap's maps are printed."""

    unit: float
    """Width of one map."""
    attributed: float
    """Width of one map of attribution."""
    note: str
    """What is left out of both, and where it is; empty where nothing is."""


def fitted(tap: page.TapSection, elsewhere: str) -> tuple[page.TapSection, Layout]:
    """The tap with the maps for which half a page has room, and their size; `elsewhere` is where all of them are."""
    layout = Layout(0, 0, "")
    notes: list[str] = []
    attribution = tap.attribution
    if attribution is not None:
        kept = attribution.probes[:BESIDE]
        notes += _of(len(kept), len(attribution.probes), "attribution of {} of {} pictures")
        attribution = replace(attribution, probes=kept)
        layout = replace(layout, attributed=min(ATTRIBUTED, ATTRIBUTED / attribution.height_per_width))
    maps = tap.maps
    if maps is not None:
        room = HALF - HEAD - WARNING * len(tap.warnings) - CAPTION
        if attribution is not None:
            room -= BETWEEN + layout.attributed * attribution.height_per_width + CAPTION
        blocks, unit = _fitted(maps, room)
        notes = [
            *_of(len(blocks[0].strips), len(maps.blocks[0].strips), "maps of {} of {} pictures"),
            *_of(_channels(blocks), _channels(maps.blocks), "the first {} of the {} channels"),
            *notes,
        ]
        maps = replace(maps, blocks=blocks)
        layout = replace(layout, unit=unit)
    note = f"Printed are {listed(notes)}; all are in {elsewhere}." if notes else ""
    return replace(tap, maps=maps, attribution=attribution), replace(layout, note=note)


def _fitted(maps: page.Maps, room: float) -> tuple[tuple[page.Block, ...], float]:
    """The blocks that a height has room for, and the width of a map; pictures are left out first, then blocks."""
    widest = (TEXT - ASIDE - GUTTER) / maps.grid
    count, pictures = len(maps.blocks), len(maps.blocks[0].strips)
    choices = [(count, rows) for rows in range(pictures, 0, -1)] + [(few, 1) for few in range(count - 1, 0, -1)]
    for blocks, rows in choices:
        unit = (room - blocks * LABELS - (blocks - 1) * BETWEEN) / (blocks * rows * maps.height_per_width)
        if unit >= min(SMALLEST, widest):
            break
    kept = tuple(replace(block, strips=block.strips[:rows]) for block in maps.blocks[:blocks])
    return kept, math.floor(100 * max(min(unit, widest), LEAST)) / 100


def _channels(blocks: Sequence[page.Block]) -> int:
    return sum(len(block.labels) for block in blocks)


def _of(shown: int, of: int, told: str) -> list[str]:
    return [told.format(shown, of)] if shown < of else []
