"""All sums of single values in one look at each value, where these are float32 in the host's memory.

Operations of a graph read every value anew, and wait for memory: so taken, these sums cost a third of a network's own
time. Here they are taken together, compiled, of a few thousand values at a time that lie in the nearest cache.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from functools import cache, cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from fmreport.environment import cores
from fmreport.measures.activations import Activations
from fmreport.measures.bins import BINS
from fmreport.measures.in_graph import on_host

LANES = 64
"""Values of a row at least, those of several positions where channels are fewer: a processor takes many at once."""
PART = 1 << 17
"""Values of a part of an image at least, where there are so many: parts are worked on side by side."""
SHARE = 1 << 18
"""Values that are worth another thread."""


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
    # Only where it is used: numba takes half a second.
    from fmreport.measures import compiled

    images, channels = len(values), values.shape[-1]
    positions = math.prod(values.shape[1:-1])
    parts = _parts(positions, channels)
    lanes = channels * min(-(-LANES // channels), positions // parts)
    rows = np.ascontiguousarray(values).reshape(images * parts, -1)
    sums, bins = np.empty((len(rows), 6, lanes)), np.empty((len(rows), BINS), np.int32)
    bits = rows.view(np.uint32)

    def work(some: slice) -> None:
        compiled.gather(rows[some], bits[some], sums[some], bins[some])

    # This thread works as well, so that there is one less to be woken.
    mine, *others = _shares(len(rows), min(cores(), -(-values.size // SHARE)))
    waiting = [_pool().submit(work, some) for some in others]
    work(mine)
    for each in waiting:
        each.result()
    by_channel = sums.reshape(images, parts, 6, -1, channels).swapaxes(2, 3).reshape(images, -1, 6, channels)
    with np.errstate(over="ignore", invalid="ignore"):
        total, squares, magnitude, _, _, zeros = np.moveaxis(by_channel.sum(axis=1), 1, 0)
    # Of a zero the sign does not count.
    least, most = by_channel[:, :, compiled.MINIMUM].min(1) + 0.0, by_channel[:, :, compiled.MAXIMUM].max(1) + 0.0
    of_bins = bins if parts == 1 else bins.reshape(images, parts, BINS).sum(1, dtype=np.int32)
    summed, defined = np.zeros(images), np.zeros(images, np.int64)
    # Signed maps are common, and have no such value.
    which = np.flatnonzero((least >= 0).all(1)) if channels > 1 else np.arange(0)
    if which.size:
        compiled.sparseness(rows.reshape(images, positions, channels), which, summed, defined)
    every = (total, squares, magnitude, least, most, zeros, of_bins, summed, defined)
    return Found(*(value.astype(dtype, copy=False) for value, dtype in zip(every, DTYPES, strict=True)))


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
