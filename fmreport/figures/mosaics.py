"""Tiles -> PNGs: many maps in 63 colours, for print, or the maps of one channel in grey, for a page that colours.

In colours, indices 0 to 62 are values, then come the gap between tiles and "not finite". In grey, 0 to 254 are values
and 255 is "not finite". Signed maps are diverging and symmetric about 0, the exact middle; others run from 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from fmreport.figures import png
from fmreport.records import Tiles
from fmreport.tiles import averaging

LEVELS = 63
GAP = LEVELS
MISSING = LEVELS + 1
GREYS = 255
CLEAR = GREYS
SEQUENTIAL = "magma"
DIVERGING = "berlin"
PERCENTILE = 99
SMALLEST_TILE, LONGEST_REPEATED = 40, 240
"""Tiles with a shorter side are repeated up to about so many pixels, and to no longer side than that: the gaps between
them stay thin, and their pixels sharp where a viewer smooths what it enlarges."""


@dataclass(frozen=True, slots=True)
class Scale:
    """What the colours of one tap's maps mean."""

    signed: bool
    """True: from -limit to limit; False: from 0 to limit."""
    limits: NDArray[np.float32]
    """(K,) value at the end of the palette, per channel; equal where the tap has one scale. 0: the map is all zero."""
    clipped: bool
    """Whether values beyond a limit are drawn in the last colour."""


@cache
def palette(signed: bool) -> NDArray[np.uint8]:
    """(65, 3) uint8 RGB: the 63 colours, the gap (white where transparency is ignored), "not finite" (grey)."""
    from matplotlib import colormaps

    colours = colormaps[DIVERGING if signed else SEQUENTIAL](np.linspace(0, 1, LEVELS))[:, :3]
    return np.vstack([np.round(colours * 255), [[255, 255, 255], [128, 128, 128]]]).astype(np.uint8)


def shrink(tiles: Tiles, longest: int) -> Tiles:
    """The tiles, area-averaged so that no side is over `longest` pixels."""
    height, width = tiles.values.shape[-2:]
    if max(height, width) <= longest:
        return tiles
    factor = longest / max(height, width)
    down = averaging(height, max(1, round(height * factor)))
    across = averaging(width, max(1, round(width * factor)))
    values = down @ tiles.values.astype(np.float32) @ across.T
    return Tiles(
        tap=tiles.tap,
        probes=tiles.probes,
        channels=tiles.channels,
        chosen=tiles.chosen,
        values=np.round(values).astype(np.uint8),
        low=tiles.low,
        high=tiles.high,
        grid=tiles.grid,
    )


def is_signed(tiles: Tiles, minimum: float) -> bool:
    """Whether maps run both ways from 0: where any is below it, on any probe (`minimum` of the tap) or as drawn."""
    return bool(minimum < 0 or np.any(tiles.low < 0))


def scale_of(tiles: Tiles, *, signed: bool, mode: str) -> Scale:
    """The colour scale of a tap: `mode` "channel" gives each channel its own, "tap" one to all.

    A channel's scale is the same for every probe. Maps that are not finite are left out; a channel that has no
    other gets NaN.
    """
    low = np.where(np.isfinite(tiles.low), tiles.low, np.nan)
    high = np.where(np.isfinite(tiles.high), tiles.high, np.nan)
    ends = np.maximum(np.abs(low), np.abs(high))
    if not signed:
        limits = _largest(ends, axis=0 if mode == "channel" else None)
        return Scale(False, np.broadcast_to(limits, tiles.channels.shape), False)
    # A tile holds 256 steps per map, so its percentile is that of 256 counted values.
    steps = np.arange(256, dtype=np.float32) / 255
    magnitudes = np.abs(low[..., None] + (high - low)[..., None] * steps)
    counts = _counts(tiles.values)
    counts[~np.isfinite(magnitudes)] = 0
    if mode == "channel":
        limits = np.array([_percentile(magnitudes[:, k], counts[:, k]) for k in range(len(tiles.channels))], np.float32)
    else:
        limits = np.full(tiles.channels.shape, _percentile(magnitudes, counts), np.float32)
    return Scale(True, limits, bool(np.any(_largest(ends, axis=0) > limits * 1.0001)))


def levels(tiles: Tiles, scale: Scale) -> NDArray[np.uint8]:
    """(P, K, h, w) palette indices of all tiles."""
    return _steps(tiles, scale, count=LEVELS, missing=MISSING)


def greys(tiles: Tiles, scale: Scale) -> NDArray[np.uint8]:
    """(P, K, h, w) grey values of all tiles: `GREYS` steps from one end of the scale to the other, then `CLEAR`."""
    return _steps(tiles, scale, count=GREYS, missing=CLEAR)


def _steps(tiles: Tiles, scale: Scale, *, count: int, missing: int) -> NDArray[np.uint8]:
    p, k, h, w = tiles.values.shape
    low, high = tiles.low[..., None], tiles.high[..., None]
    values = low + (high - low) * (np.arange(256, dtype=np.float32) / 255)
    limit = np.where(scale.limits > 0, scale.limits, 1)[None, :, None]
    share = (values / limit + 1) / 2 if scale.signed else values / limit
    finite = np.isfinite(share)
    index = np.round(np.clip(np.where(finite, share, 0), 0, 1) * (count - 1)).astype(np.uint8)
    lookup = np.where(finite, index, np.uint8(missing)).reshape(p * k, 256)
    drawn = np.take_along_axis(lookup, tiles.values.reshape(p * k, h * w).astype(np.intp), axis=1)
    return drawn.reshape(p, k, h, w)


def stacked(maps: NDArray[np.uint8]) -> bytes:
    """The PNG of the grey (P, h, w) maps of one channel, one below the other."""
    return png.encode_grey(maps.reshape(-1, maps.shape[-1]), clear=CLEAR)


def mosaic(maps: NDArray[np.uint8], columns: int) -> NDArray[np.uint8]:
    """(K, h, w) palette indices -> one (H, W) array of tiles, `columns` to a row, gaps between, none around.

    Small tiles are repeated (nearest), by one whole number in both directions.
    """
    count, h, w = maps.shape
    factor, gap = enlarged(h, w)
    rows = -(-count // columns)
    h, w = h * factor, w * factor
    canvas = np.full((rows * columns, h + gap, w + gap), GAP, np.uint8)
    canvas[:count, :h, :w] = maps.repeat(factor, axis=1).repeat(factor, axis=2)
    grid = canvas.reshape(rows, columns, h + gap, w + gap).swapaxes(1, 2)
    return grid.reshape(rows * (h + gap), columns * (w + gap))[:-gap, :-gap]


def enlarged(height: int, width: int) -> tuple[int, int]:
    """How often each pixel of a tile is repeated, and the pixels of the gap beside it: a 40th of the tile's width."""
    factor = max(1, min(round(SMALLEST_TILE / min(height, width)), LONGEST_REPEATED // max(height, width)))
    return factor, max(1, round(width * factor / 40))


def encode(indices: NDArray[np.uint8], *, signed: bool) -> bytes:
    """The PNG of a mosaic; the gaps are white."""
    return png.encode(indices, palette(signed))


def colour_bar(signed: bool) -> bytes:
    """The PNG of the 63 colours side by side, one pixel each."""
    return encode(np.arange(LEVELS, dtype=np.uint8)[None], signed=signed)


def ramp() -> bytes:
    """The PNG of all grey values side by side, which a page colours as it does the maps."""
    return png.encode_grey(np.arange(GREYS, dtype=np.uint8)[None], clear=CLEAR)


def _largest(values: NDArray[np.float32], axis: int | None) -> NDArray[np.float32]:
    """The largest finite value along `axis`; NaN where there is none."""
    largest = np.fmax.reduce(values, axis=axis)
    return np.asarray(largest, np.float32)


def _counts(values: NDArray[np.uint8]) -> NDArray[np.int64]:
    """(P, K, h, w) bytes -> (P, K, 256) how often each occurs in its tile."""
    p, k = values.shape[:2]
    offsets = np.arange(p * k).reshape(p, k, 1, 1) * 256
    return np.bincount((values + offsets).ravel(), minlength=p * k * 256).reshape(p, k, 256)


def _percentile(magnitudes: NDArray[np.float32], counts: NDArray[np.int64]) -> float:
    """The 99th percentile of counted magnitudes; their largest where that is 0, NaN where nothing is counted."""
    seen = counts > 0
    values, weights = magnitudes[seen], counts[seen]
    if not values.size:
        return float("nan")
    order = np.argsort(values, kind="stable")
    values, below = values[order], np.cumsum(weights[order])
    found = float(values[np.searchsorted(below, PERCENTILE / 100 * below[-1])])
    return found or float(values[-1])
