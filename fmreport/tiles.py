"""Activations of the shown channels to tiles: maps of at most a given size, 8 bits a pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fmreport.records import Tap, Tiles


@dataclass(frozen=True, slots=True)
class Tile:
    """The shown channels of one tap on one probe."""

    values: np.ndarray
    """(K, h, w) uint8 between `low` and `high`."""
    low: np.ndarray
    """(K,) float32, the smallest value of the native map; NaN where the map holds NaN or Inf."""
    high: np.ndarray
    """(K,) float32, the largest."""


def is_map(tap: Tap) -> bool:
    """Whether a tap has positions to show: a vector has none."""
    return len(tap.grid) >= 1


def plane(shape: tuple[int, ...]) -> tuple[int, int]:
    """(height, width) at which a map of a spatial shape is shown: a sequence is one row, a volume its middle slice."""
    return (1, shape[0]) if len(shape) == 1 else (shape[-2], shape[-1])


def tile(values: np.ndarray, *, longest: int) -> Tile:
    """8-bit maps of activations `(*spatial, K)`; a side over `longest` pixels is area-averaged down to it."""
    while values.ndim > 3:
        values = values[values.shape[0] // 2]
    with np.errstate(over="ignore"):  # what float32 cannot hold is shown as infinite
        maps = (values[None] if values.ndim == 2 else values).astype(np.float32, copy=False)
    # Rows first, as one long axis: several times faster than over both axes of few channels at once.
    low, high = (end(end(maps, axis=0), axis=0) for end in (np.min, np.max))
    finite = np.isfinite(low) & np.isfinite(high)
    if not finite.all():
        maps, low, high = (np.where(finite, part, np.float32(0)) for part in (maps, low, high))
    height, width = maps.shape[:2]
    scale = min(1, longest / max(height, width))
    if scale < 1:
        down, across = (averaging(side, max(1, round(side * scale))) for side in (height, width))
        maps = across @ np.tensordot(down, maps, axes=1)
    # In float64, because the span of float32 values may be more than the largest of them.
    start, span = low.astype(np.float64), high.astype(np.float64) - low
    # Averages of equal values differ by rounding, which is no structure.
    share = np.where(span > 0, (maps - start) / np.where(span > 0, span, 1), 0)
    steps = np.rint(np.clip(share, 0, 1) * 255).astype(np.uint8)
    low, high = (np.where(finite, end, np.float32(np.nan)) for end in (low, high))
    return Tile(np.ascontiguousarray(np.moveaxis(steps, -1, 0)), low, high)


def averaging(size: int, smaller: int) -> np.ndarray:
    """(smaller, size) float32 weights of an area average along one axis: each row sums to 1."""
    edges = np.linspace(0, size, smaller + 1)
    start, end = edges[:-1, None], edges[1:, None]
    pixels = np.arange(size)
    overlap = np.clip(np.minimum(end, pixels + 1) - np.maximum(start, pixels), 0, None)
    return np.asarray(overlap / overlap.sum(axis=1, keepdims=True), np.float32)


def together(tap: Tap, probes: Sequence[str], channels: np.ndarray, chosen: np.ndarray, tiles: Sequence[Tile]) -> Tiles:
    """The tiles of one tap on all displayed probes."""
    return Tiles(
        tap=tap.name,
        probes=tuple(probes),
        channels=channels,
        chosen=chosen,
        values=np.stack([t.values for t in tiles]),
        low=np.stack([t.low for t in tiles]),
        high=np.stack([t.high for t in tiles]),
        grid=plane(tap.grid),
    )
