"""One photograph through the model: which map stands for which stage, by rules that do not look at the mask.

A stage is neighbouring parts of the model that share the first level of their names and the grid of their maps; where
that makes too many, neighbouring parts that share the grid; where that still does, these thinned evenly. Of each stage
the last tap with the stage's own grid is shown, and of that the channel that the run's rule put first; of the tap that
decides, the channel that does, behind all others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fmreport.blocks import parts
from fmreport.figures import mosaics
from fmreport.figures.beginnings import beginnings
from fmreport.layers import PADDING
from fmreport.probes import Preprocess
from fmreport.records import Tiles

if TYPE_CHECKING:
    from fmreport.store import Run

MOST = 12
"""Stages that can be taken in at one glance."""
BY_RULE, AT_RANDOM, DECIDES = "first by the rule of the run", "first of those drawn at random", "what the model decides"
"""Why a channel is shown."""

Grid = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Stage:
    """Neighbouring parts of the model whose maps have one grid."""

    name: str
    """First level of the name of its last part; empty where its size is all that tells a part."""
    grid: Grid
    taps: tuple[str, ...]
    """Those with that grid, in the order in which the model runs."""


@dataclass(frozen=True, slots=True)
class Stages:
    """The stages of a model that are shown."""

    shown: tuple[Stage, ...]
    """At most `MOST`, the first and the last among them."""
    count: int
    """How many there are."""
    by_name: bool
    """Whether names tell them apart, or grids alone."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The map that stands for a stage."""

    stage: str
    """Its name, which may be empty."""
    tap: str
    position: int
    """Number of the tap in the run, from 1."""
    channel: int
    probe: str
    values: NDArray[np.uint8]
    """(h, w); 0 stands for `low`, 255 for `high`."""
    low: float
    high: float
    """Ends of the native map; NaN where it is not finite."""
    grid: Grid
    """Native (height, width); larger than (h, w) where the map was area-averaged to fit."""
    signed: bool
    limit: float
    """Value at the end of the palette, as in the mosaic of the tap."""
    why: str
    """Why this channel."""

    @property
    def indices(self) -> NDArray[np.uint8]:
        """(h, w) palette indices, as in the mosaic of the tap."""
        found: NDArray[np.uint8] = mosaics.levels(self._tiles, self._scale)[0, 0]
        return found

    @property
    def greys(self) -> NDArray[np.uint8]:
        """(h, w) grey values, for a page that colours."""
        found: NDArray[np.uint8] = mosaics.greys(self._tiles, self._scale)[0, 0]
        return found

    @property
    def _scale(self) -> mosaics.Scale:
        return mosaics.Scale(self.signed, np.array([self.limit]), False)

    @property
    def _tiles(self) -> Tiles:
        return Tiles(
            tap=self.tap,
            probes=(self.probe,),
            channels=np.array([self.channel]),
            chosen=np.ones(1, bool),
            values=self.values[None, None],
            low=np.array([[self.low]], np.float32),
            high=np.array([[self.high]], np.float32),
            grid=self.grid,
        )


def frames(run: Run) -> tuple[Frame, ...]:
    """From the first stage to the last, and behind them the map that decides, where it is shown; empty without maps."""
    probe, shown = probe_shown(run), stages(run).shown
    made = [frame for stage in shown if (frame := _of_stage(run, stage, probe)) is not None]
    decided = _decided(run, shown, probe)
    if decided is None:
        return tuple(made)
    return (*(frame for frame in made if frame.tap != decided.tap), decided)


def stages(run: Run) -> Stages:
    """Those that have a tap that is a map, in the order in which the model runs."""
    columns = (run.blocks[name] for name in ("block", "height", "width"))
    handed_on = {name: (int(h), int(w)) for name, h, w in zip(*columns, strict=True) if pd.notna(h)}
    found = [stage for name, taps in _taps_of_parts(run) for stage in _of_part(name, handed_on.get(name), taps)]
    together = list(_together(found, lambda stage: (stage.name, stage.grid)))
    by_name = len(together) <= MOST and any(stage.name for stage in together)
    if not by_name:
        together = list(_together(found, lambda stage: stage.grid))
    kept = np.unique(np.linspace(0, len(together) - 1, min(MOST, len(together))).round().astype(int))
    return Stages(tuple(together[i] for i in kept), len(together), by_name)


def probe_shown(run: Run) -> str:
    """The first displayed probe with a mask, else the first displayed."""
    masks = run.masks()
    return next((name for name in run.facts.displayed if name in masks), run.facts.displayed[0])


def photograph(run: Run, probe: str) -> NDArray[np.uint8]:
    """(H, W, 3) the picture of a probe at the size at which the model is fed, and placed as it is fed."""
    placed = _preprocess(run).placed(run.pictures()[probe].astype(np.float32))
    pixels: NDArray[np.uint8] = np.clip(np.rint(placed), 0, 255).astype(np.uint8)
    return pixels


def mask(run: Run, probe: str) -> NDArray[np.uint8] | None:
    """(H, W) the mask of a probe in the same place: 0 background, 1 foreground, 255 ignored; None without one."""
    found = run.masks().get(probe)
    return None if found is None else _preprocess(run).apply_mask(found)


def _preprocess(run: Run) -> Preprocess:
    height, width = run.facts.preprocess["size"]
    return Preprocess((int(height), int(width)), str(run.facts.preprocess.get("resize") or "stretch"))


def _taps_of_parts(run: Run) -> Iterator[tuple[str, dict[str, Grid]]]:
    """Every part with a tap that is a map of more than one position, padding left out: its name, these taps' grids."""
    of_layer = dict(zip(run.inventory["path"].fillna(""), parts(run.inventory), strict=True))
    found: dict[str, dict[str, Grid]] = {str(name): {} for name in run.blocks["block"]}
    layers = run.layers[run.layers["height"].notna() & ~run.layers["type"].str.fullmatch(PADDING).astype(bool)]
    for tap, layer, height, width in zip(*(layers[name] for name in ("tap", "layer", "height", "width")), strict=True):
        if height * width > 1:
            found.setdefault(of_layer[layer], {})[tap] = (int(height), int(width))
    return ((name, taps) for name, taps in found.items() if taps)


def _of_part(name: str, handed_on: Grid | None, taps: Mapping[str, Grid]) -> Iterator[Stage]:
    """A part as a stage: with the grid that it hands on, or, where no tap has that, the largest of its taps.

    What a part does besides, such as attention at half its grid, is no stage. A part with more grids than two holds
    several: each run of taps with one grid.
    """
    levels = beginnings(name)
    level = "" if re.match(r"\d+ × \d+", name) else levels[min(1, len(levels) - 1)]
    grids = list(dict.fromkeys(taps.values()))
    if len(grids) > 2:
        for grid, held in groupby(taps, key=lambda tap: taps[tap]):
            yield Stage(level, grid, tuple(held))
        return
    own = next((grid for grid in grids if grid == handed_on), max(grids, key=lambda grid: grid[0] * grid[1]))
    yield Stage(level, own, tuple(tap for tap, grid in taps.items() if grid == own))


def _together(found: Sequence[Stage], alike: Callable[[Stage], Hashable]) -> Iterator[Stage]:
    """Neighbours that are alike as one, by the name of the last, whose map is shown."""
    for _, group in groupby(found, key=alike):
        held = list(group)
        yield Stage(held[-1].name, held[-1].grid, tuple(tap for stage in held for tap in stage.taps))


def _of_stage(run: Run, stage: Stage, probe: str) -> Frame | None:
    """The last tap of a stage of which a map is kept."""
    order = list(run.layers["tap"])
    for tap in sorted(stage.taps, key=order.index, reverse=True):
        tiles = run.tiles(tap)
        if tiles is not None and probe in tiles.probes and len(tiles.channels):
            return _frame(run, tiles, stage.name, probe, 0)
    return None


def _decided(run: Run, shown: Sequence[Stage], probe: str) -> Frame | None:
    """The map of what the model decides, where it is shown."""
    told = re.fullmatch(r"class (\d+) of (.+)", run.facts.target, re.DOTALL)
    if told is None or told[2] not in set(run.layers["tap"]):
        return None
    channel, tap, tiles = int(told[1]), told[2], run.tiles(told[2])
    if tiles is None or tiles.grid == (1, 1) or probe not in tiles.probes or channel not in tiles.channels:
        return None
    name = next((stage.name for stage in shown if tap in stage.taps), beginnings(tap)[0])
    return replace(_frame(run, tiles, name, probe, list(tiles.channels).index(channel)), why=DECIDES)


def _frame(run: Run, tiles: Tiles, stage: str, probe: str, k: int) -> Frame:
    i = tiles.probes.index(probe)
    minimum = run.summary.loc[run.summary["tap"] == tiles.tap, "minimum"].iloc[0]
    signed = mosaics.is_signed(tiles, float(minimum))
    mode = str(run.facts.config.get("figures", {}).get("scale", "channel"))
    return Frame(
        stage=stage,
        tap=tiles.tap,
        position=list(run.layers["tap"]).index(tiles.tap) + 1,
        channel=int(tiles.channels[k]),
        probe=probe,
        values=tiles.values[i, k],
        low=float(tiles.low[i, k]),
        high=float(tiles.high[i, k]),
        grid=tiles.grid,
        signed=signed,
        limit=float(mosaics.scale_of(tiles, signed=signed, mode=mode).limits[k]),
        why=BY_RULE if tiles.chosen[k] else AT_RANDOM,
    )
