"""Where maps exceed a threshold, at the pixels of the image: as if they were upsampled, but only where it may be so.

Between elements a map is bilinear, so that no pixel exceeds what none of the four elements around it exceeds. Those
squares of four elements of which one does are few, and only their pixels are computed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from fmreport.records import EXACT, GLOBAL, Tap

AT_ONCE = 1 << 20
"""Pixels, times what is counted of each, that one step computes: memory does not grow with the size of a map."""


@dataclass(frozen=True, slots=True)
class Axis:
    """How pixels lie between the elements of one axis of a map; beyond the outermost ones these are repeated."""

    first: np.ndarray
    """(cells,) the element before the pixels of each cell; cells stand between neighbours."""
    second: np.ndarray
    """(cells,) the element behind them."""
    pixel: np.ndarray
    """(cells, n) the pixels of each cell; where there are less than n, the first of them again."""
    share: np.ndarray
    """(cells, n) float32, 0-1: how far each pixel is from the first to the second element."""
    real: np.ndarray
    """(cells, n) float32: 1 for a pixel, 0 for what only fills the row."""


def axis(elements: int, pixels: int, *, centre: float, stride: float) -> Axis:
    """Of elements at the pixels `centre`, `centre + stride`, ...; pixel 0 is centred on 0."""
    at = (np.arange(pixels) - centre) / stride
    cell = np.floor(at).astype(int)
    place = np.arange(cell[0], cell[-1] + 1)
    row = cell - place[0]
    count = np.bincount(row, minlength=len(place))
    start = np.cumsum(count) - count
    number = np.arange(count.max())
    real = number < count[:, None]
    pixel = np.where(real, start[:, None] + number, 0)
    return Axis(
        place.clip(0, elements - 1),
        (place + 1).clip(0, elements - 1),
        pixel,
        np.where(real, (at - cell)[pixel], 0).astype(np.float32),
        real.astype(np.float32),
    )


@dataclass(frozen=True, slots=True)
class Alignment:
    """Where the elements of a map lie in the image; (y, x) each."""

    grid: tuple[int, int]
    size: tuple[int, int]
    """Of the image, in pixels."""
    centre: tuple[float, float]
    stride: tuple[float, float]
    by_receptive_field: bool
    """Otherwise by the extent of the grid, which is taken to cover the image evenly."""

    @property
    def axes(self) -> tuple[Axis, Axis]:
        """Rows and columns."""
        rows, columns = (axis(self.grid[i], self.size[i], centre=self.centre[i], stride=self.stride[i]) for i in (0, 1))
        return rows, columns


def alignment(tap: Tap, size: tuple[int, int]) -> Alignment:
    """Of a map, for images of `size` (H, W).

    By its receptive field where that is exact, or where the only other paths are global ones, which have no place.
    """
    field, (height, width) = tap.receptive_field, tap.grid
    placed = field.status == EXACT or (field.status == GLOBAL and field.disagreement == (0.0, 0.0))
    if placed and field.centre is not None and field.stride is not None and min(field.stride) > 0:
        return Alignment((height, width), size, field.centre, field.stride, by_receptive_field=True)
    stride = (size[0] / height, size[1] / width)
    centre = ((stride[0] - 1) / 2, (stride[1] - 1) / 2)
    return Alignment((height, width), size, centre, stride, by_receptive_field=False)


def tiles(planes: Any, aligned: Alignment) -> Any:
    """`(B * cells, n, P)` of planes `(B, H, W, P)`: the pixels of each cell of a grid, row by row; filling is 0."""
    from keras import ops

    rows, columns = aligned.axes
    count = planes.shape[-1]
    down = ops.take(planes, rows.pixel, axis=1) * rows.real[:, :, None, None]
    across = ops.take(down, columns.pixel, axis=3) * columns.real[:, :, None]
    ordered = ops.transpose(across, (0, 1, 3, 2, 4, 5))
    return ops.reshape(ordered, (-1, rows.pixel.shape[1] * columns.pixel.shape[1], count))


def overlap(values: Any, threshold: Any, shown: Any, aligned: Alignment) -> Any:
    """`(C, P)` int64: sums of P planes of 0 and 1 over the pixels at which channels exceed their thresholds.

    `values` are `(B, H, W, C)` float32, `threshold` `(C,)`, `shown` the planes as `tiles` makes them. NaN and Inf do
    not exceed it, and take no part in what is interpolated beside them: as if they were equal to it.
    """
    from keras import ops

    rows, columns = aligned.axes
    channels, cells = values.shape[-1], (len(rows.first), len(columns.first))
    exceeding = values > threshold
    either = ops.logical_or(ops.take(exceeding, rows.first, axis=1), ops.take(exceeding, rows.second, axis=1))
    lit = ops.logical_or(ops.take(either, columns.first, axis=2), ops.take(either, columns.second, axis=2))
    at = ops.stack(ops.nonzero(lit), axis=-1)
    flat, count = ops.reshape(values, (-1,)), ops.shape(at)[0]
    step = max(AT_ONCE // math.prod(shown.shape[1:]), 1)

    def excess(image: Any, y: Any, x: Any, channel: Any) -> Any:
        place = ((image * values.shape[1] + y) * values.shape[2] + x) * channels + channel
        value = ops.take(flat, place)
        return ops.where(ops.isfinite(value), value - ops.take(threshold, channel), 0.0)[:, None]

    def add(start: Any, counts: Any) -> tuple[Any, Any]:
        image, y, x, channel = ops.unstack(at[start : start + step], 4, axis=-1)
        corners = ((rows.first, y), (rows.second, y), (columns.first, x), (columns.second, x))
        top, bottom, left, right = (ops.cast(ops.take(ends, cell), at.dtype) for ends, cell in corners)
        # Differences from the threshold, so that rounding lifts nothing that is equal to it above it.
        across = ops.take(columns.share, x, axis=0)
        upper, lower = (
            (1 - across) * excess(image, row, left, channel) + across * excess(image, row, right, channel)
            for row in (top, bottom)
        )
        down = ops.take(rows.share, y, axis=0)[:, :, None]
        active = (1 - down) * upper[:, None] + down * lower[:, None] > 0
        active = ops.reshape(ops.cast(active, "float32"), (-1, 1, shown.shape[1]))
        cell = (image * cells[0] + y) * cells[1] + x
        found = ops.matmul(active, ops.take(shown, cell, axis=0))[:, 0]
        return start + step, counts + ops.segment_sum(ops.cast(found, "int64"), channel, num_segments=channels)

    nothing = ops.zeros((channels, shown.shape[-1]), "int64")
    return ops.while_loop(lambda start, counts: start < count, add, (ops.cast(0, "int32"), nothing))[1]
