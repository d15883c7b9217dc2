"""All sums of single values in one look at each value, where these are float32 in the host's memory.

Operations of a graph read every value anew, and wait for memory: so taken, these sums cost a third of a network's own
time. Here they are taken together, compiled, of a few thousand values at a time that lie in the nearest cache.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from fmreport.measures.activations import Activations
from fmreport.measures.bins import BINS, SHIFT
from fmreport.measures.in_graph import on_host
from fmreport.probes.pool import cores

LANES = 64
"""Values of a row at least, those of several positions where channels are fewer: a processor takes many at once."""
BLOCK = 64
"""Rows that are added in float32; blocks are added in float64."""
PART = 1 << 17
"""Values of a part of an image at least, where there are so many: parts are worked on side by side."""
SHARE = 1 << 18
"""Values that are worth another thread."""
TINY = np.finfo(np.float32).tiny
"""What is smaller counts as 0, in whatever thread: TensorFlow's compute so, others do not."""
SHIFTED = np.uint32(SHIFT)
TOTAL, SQUARES, MAGNITUDE, MINIMUM, MAXIMUM, ZEROS = range(6)


class Found(NamedTuple):
    """Of images of C channels, each `(B, C)`, float64 unless said otherwise."""

    total: Any
    squares: Any
    magnitude: Any
    minimum: Any
    """float32."""
    maximum: Any
    """float32."""
    zeros: Any
    """int64."""
    bins: Any
    """`(B, BINS)` int32, in the bits' order."""
    population_total: Any
    """`(B,)`; see `Activations.population`."""
    population_positions: Any
    """`(B,)` int64."""


DTYPES = Found("float64", "float64", "float64", "float32", "float32", "int64", "int32", "float64", "int64")


class InOnePass(Activations):
    """Activations in float32, every one of them finite, in the host's memory."""

    @cached_property
    def _found(self) -> Found:
        batch, channels = self.values.shape[0], self.values.shape[-1]
        shapes = [*[(batch, channels)] * 6, (batch, BINS), (batch,), (batch,)]
        return Found(*on_host(found, self.values, DTYPES, shapes))

    @property
    def total(self) -> Any:
        """As of any activations, and so are those that follow."""
        return self._found.total

    @property
    def squares(self) -> Any:
        """Taken about the mean of each block, so that a large mean hides no small variance."""
        return self._found.squares

    @property
    def magnitude(self) -> Any:
        """Absolute values."""
        return self._found.magnitude

    @property
    def minimum(self) -> Any:
        """Of no NaN."""
        return self._found.minimum

    @property
    def maximum(self) -> Any:
        """Of no NaN."""
        return self._found.maximum

    @property
    def zeros(self) -> Any:
        """Of either sign."""
        return self._found.zeros

    @property
    def bins(self) -> Any:
        """Of every value."""
        return self._found.bins

    @property
    def population(self) -> tuple[Any, Any]:
        """As of any activations."""
        return self._found.population_total, self._found.population_positions


def found(values: np.ndarray) -> Found:
    """Of float32 `(B, *spatial, C)`; of an image the same, whatever batch it comes in and however many cores there are.

    NaN shows in the sums, and never in the extremes.
    """
    images, channels = len(values), values.shape[-1]
    positions = math.prod(values.shape[1:-1])
    parts = _parts(positions, channels)
    lanes = channels * min(-(-LANES // channels), positions // parts)
    rows = np.ascontiguousarray(values).reshape(images * parts, -1)
    sums, bins = np.empty((len(rows), 6, lanes)), np.empty((len(rows), BINS), np.int32)
    compiled = _compiled()

    def work(some: slice) -> None:
        # Row by row, so that the second loop finds it in the cache.
        for row in range(some.start, some.stop):
            one = slice(row, row + 1)
            compiled.add(rows[one], sums[one])
            compiled.count(rows[one].view(np.uint32), bins[one])

    # This thread works as well, so that there is one less to be woken.
    mine, *others = _shares(len(rows), min(cores(), -(-values.size // SHARE)))
    waiting = [_pool().submit(work, some) for some in others]
    work(mine)
    for each in waiting:
        each.result()
    by_channel = sums.reshape(images, parts, 6, -1, channels).swapaxes(2, 3).reshape(images, -1, 6, channels)
    with np.errstate(over="ignore", invalid="ignore"):
        total, squares, magnitude, zeros = (by_channel[:, :, k].sum(1) for k in (TOTAL, SQUARES, MAGNITUDE, ZEROS))
    # Of a zero the sign does not count.
    least, most = by_channel[:, :, MINIMUM].min(1) + 0.0, by_channel[:, :, MAXIMUM].max(1) + 0.0
    of_bins = bins.reshape(images, parts, BINS).sum(1, dtype=np.int32)
    population = _population(values.reshape(images, positions, channels), (least >= 0).all(1))
    every = (total, squares, magnitude, least, most, zeros, of_bins, *population)
    return Found(*(value.astype(dtype) for value, dtype in zip(every, DTYPES, strict=True)))


def _population(values: np.ndarray, non_negative: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As `Activations.population`, of `(B, P, C)`; signed maps are common, and are not looked at."""
    total, positions = np.zeros(len(values)), np.zeros(len(values), np.int64)
    if values.shape[2] > 1:
        for image in np.flatnonzero(non_negative):
            total[image], positions[image] = _compiled().sparseness(values[image])
    return total, positions


def _parts(positions: int, channels: int) -> int:
    """Into how many equal parts an image of so many positions is divided: the most that are not smaller than `PART`."""
    most = max(positions * channels // PART, 1)
    return max(parts for parts in range(1, min(most, positions) + 1) if positions % parts == 0)


def _shares(rows: int, threads: int) -> list[slice]:
    """The rows in parts of about one size."""
    ends = [rows * number // threads for number in range(threads + 1)]
    return [slice(first, last) for first, last in pairwise(ends)]


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(cores(), "one-pass")


@dataclass(frozen=True, slots=True)
class _Compiled:
    """Loops in the processor's own instructions, which run beside other threads."""

    add: Callable[[np.ndarray, np.ndarray], None]
    count: Callable[[np.ndarray, np.ndarray], None]
    sparseness: Callable[[np.ndarray], tuple[float, int]]


@cache
def _compiled() -> _Compiled:
    from numba import njit

    def compiled(**options: Any) -> _Compiled:
        exact, free = {"contract", "nsz"}, {"contract", "nsz", "reassoc"}
        loops = ((_add, exact), (_count, exact), (_sparseness, free))
        return _Compiled(*(njit(loop, nogil=True, fastmath=may, **options) for loop, may in loops))

    try:
        return compiled(cache=True)
    except RuntimeError:
        # There is no folder that may be written to, so that each process compiles them, which takes seconds.
        return compiled()


def _add(rows: np.ndarray, sums: np.ndarray) -> None:
    """Of rows `(R, N)`, sums `(R, 6, lanes)` of every lanes-th value."""
    lanes = sums.shape[2]
    total, magnitude, about = np.empty(lanes, np.float32), np.empty(lanes, np.float32), np.empty(lanes, np.float32)
    mean, least, most = np.empty(lanes, np.float32), np.empty(lanes, np.float32), np.empty(lanes, np.float32)
    zeros = np.empty(lanes, np.int32)
    for row in range(rows.shape[0]):
        values = rows[row]
        sums[row] = 0
        least[:], most[:], zeros[:] = np.inf, -np.inf, 0
        start = 0
        while start < values.size:
            # What is left behind the last whole line is a block of its own.
            width = min(lanes, values.size - start)
            height = min(BLOCK, (values.size - start) // width)
            total[:width], magnitude[:width], about[:width] = 0, 0, 0
            for y in range(height):
                line = values[start + y * width : start + (y + 1) * width]
                for x in range(width):
                    zero = abs(line[x]) < TINY
                    value = np.float32(0) if zero else line[x]
                    total[x] += value
                    magnitude[x] += abs(value)
                    least[x] = min(value, least[x])
                    most[x] = max(value, most[x])
                    zeros[x] += zero
            for x in range(width):
                mean[x] = total[x] / np.float32(height)
            for y in range(height):
                line = values[start + y * width : start + (y + 1) * width]
                for x in range(width):
                    rest = line[x] - mean[x]
                    about[x] += rest * rest
            for x in range(width):
                whole, middle = np.float64(total[x]), np.float64(mean[x])
                sums[row, 0, x] += whole
                sums[row, 1, x] += about[x] + middle * (2 * whole - height * middle)
                sums[row, 2, x] += magnitude[x]
            start += height * width
        for x in range(lanes):
            sums[row, 3, x], sums[row, 4, x], sums[row, 5, x] = least[x], most[x], zeros[x]


def _count(rows: np.ndarray, bins: np.ndarray) -> None:
    """Of rows `(R, N)` of float32, as uint32, how many fall into each of `bins` `(R, BINS)`."""
    odd = np.empty(bins.shape[1], np.int32)
    for row in range(rows.shape[0]):
        bits, even = rows[row], bins[row]
        even[:], odd[:] = 0, 0
        # In turns into two tables: one that was just written to has to be waited for. By numbers without a sign, which
        # need not be looked at, as those that count from the end would have to be.
        for place in range(bits.size // 2):
            even[np.uint64(bits[2 * place] >> SHIFTED)] += np.int32(1)
            odd[np.uint64(bits[2 * place + 1] >> SHIFTED)] += np.int32(1)
        if bits.size % 2:
            even[np.uint64(bits[-1] >> SHIFTED)] += np.int32(1)
        for k in range(bins.shape[1]):
            even[k] += odd[k]


def _sparseness(values: np.ndarray) -> tuple[float, int]:
    """The sum over positions of the sparseness over channels of `(P, C)`, and at how many it is defined."""
    summed, defined = 0.0, 0
    channels = values.shape[1]
    for position in range(values.shape[0]):
        line = values[position]
        first, second = np.float32(0), np.float32(0)
        # Added in any order, and so by many lanes at once.
        for x in range(channels):
            first += line[x]
            second += line[x] * line[x]
        if second > 0:
            mean = np.float64(first) / channels
            summed += (1 - mean * mean * channels / np.float64(second)) / (1 - 1 / channels)
            defined += 1
    return summed, defined
