"""Activations of the shown channels to tiles: maps of at most a given size, 8 bits a pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from fmreport.records import Tap, Tiles


@dataclass(frozen=True, slots=True)
class Tile:
    """The shown channels of one tap on one probe."""

    values: np.ndarray
    """(K, h, w) uint8 between `low` and `high`."""
    low: np.ndarray
    """(K,) float32; NaN where the map holds NaN or Inf."""
    high: np.ndarray


def is_map(tap: Tap) -> bool:
    """Whether a tap has positions to show: a vector has none."""
    return len(tap.grid) >= 1


def plane(shape: tuple[int, ...]) -> tuple[int, int]:
    """(height, width) at which a map of a spatial shape is shown: a sequence as one row, a volume by its middle slice."""
    return (1, shape[0]) if len(shape) == 1 else (shape[-2], shape[-1])


def tile(values: np.ndarray, *, longest: int) -> Tile:
    """8-bit maps of activations `(*spatial, K)`; a side over `longest` pixels is area-averaged down to it."""
    while values.ndim > 3:
        values = values[values.shape[0] // 2]
    maps = np.moveaxis(values[None] if values.ndim == 2 else values, -1, 0).astype(np.float32)
    finite = np.isfinite(maps).all(axis=(1, 2))
    low = np.where(finite, maps.min(axis=(1, 2)), np.nan).astype(np.float32)
    high = np.where(finite, maps.max(axis=(1, 2)), np.nan).astype(np.float32)
    span = np.where(high > low, high - low, 1)[:, None, None]
    share = np.where(finite[:, None, None], (maps - low[:, None, None]) / span, 0)
    height, width = share.shape[1:]
    if max(height, width) > longest:
        scale = longest / max(height, width)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        share = np.stack(
            [np.asarray(Image.fromarray(m).resize(size, Image.Resampling.BOX)) for m in share.astype(np.float32)]
        )
    return Tile(np.rint(np.clip(share, 0, 1) * 255).astype(np.uint8), low, high)


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
