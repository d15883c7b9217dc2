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

    ends: np.ndarray
    """(cells, 2) the elements before and behind the pixels of each cell; cells stand between neighbours."""
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
        np.stack([place, place + 1], axis=1).clip(0, elements - 1),
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


def exceeding(values: Any, threshold: Any, aligned: Alignment) -> tuple[Any, Any, Any]:
    """The N cells of maps of which some element exceeds its channel's threshold: the only ones whose pixels may.

    `values` are `(B, H, W, C)` float32, `threshold` `(C,)`. Returned are `(N,)` which of the cells (see `tiles`),
    `(N,)` which channel, and `(N, 2, 2)` by how much the four elements exceed the threshold. NaN and Inf do not, and
    take no part in what is interpolated beside them: as if they were equal to it.
    """
    from keras import ops

    rows, columns = aligned.axes
    above = values > threshold
    either = ops.logical_or(*(ops.take(above, ends, axis=1) for ends in rows.ends.T))
    lit = ops.logical_or(*(ops.take(either, ends, axis=2) for ends in columns.ends.T))
    image, y, x, channel = (ops.cast(index, "int64") for index in ops.nonzero(lit))
    down, across = (ops.take(ops.cast(axis.ends, "int64"), at, axis=0) for axis, at in ((rows, y), (columns, x)))
    row = image[:, None] * values.shape[1] + down
    place = (row[:, :, None] * values.shape[2] + across[:, None]) * values.shape[3] + channel[:, None, None]
    corners = ops.take(ops.reshape(values, (-1,)), place)
    # Differences from the threshold, so that rounding lifts nothing that is equal to it above it.
    excess = ops.where(ops.isfinite(corners), corners - ops.take(threshold, channel)[:, None, None], 0.0)
    return (image * len(rows.ends) + y) * len(columns.ends) + x, channel, excess


def overlap(found: tuple[Any, Any, Any], shown: Any, aligned: Alignment, *, channels: int) -> Any:
    """`(channels, P)` int64: sums of P planes of 0 and 1, as `tiles` makes them, over the pixels at which maps exceed.

    `found` is what `exceeding` returns, of one or of several maps of one alignment, one behind the other.
    """
    from keras import ops

    rows, columns = aligned.axes
    width = len(columns.ends)
    step = max(AT_ONCE // math.prod(shown.shape[1:]), 1)

    def add(start: Any, counts: Any) -> tuple[Any, Any]:
        cell, channel, corners = (each[start : start + step] for each in found)
        across = ops.take(columns.share, cell % width, axis=0)[:, None]
        sides = (1 - across) * corners[:, :, :1] + across * corners[:, :, 1:]
        down = ops.take(rows.share, cell // width % len(rows.ends), axis=0)[:, :, None]
        active = (1 - down) * sides[:, :1] + down * sides[:, 1:] > 0
        active = ops.reshape(ops.cast(active, "float32"), (-1, 1, shown.shape[1]))
        inside = ops.cast(ops.matmul(active, ops.take(shown, cell, axis=0))[:, 0], "int64")
        return start + step, counts + ops.segment_sum(inside, channel, num_segments=channels)

    nothing, count = ops.zeros((channels, shown.shape[-1]), "int64"), ops.shape(found[0])[0]
    return ops.while_loop(lambda start, counts: start < count, add, (ops.cast(0, "int32"), nothing))[1]
