"""Loops over single values and bins in the processor's own instructions, which run beside other threads.

Numba compiles them: they are written value by value, as operations on whole arrays would read all of them many times.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from fmreport.measures.bins import HALF, SHIFT, SUBNORMAL

F = TypeVar("F", bound=Callable[..., Any])

LINES = 64
"""Lines that are added in float32; what they add up to is added in float64."""
TINY = np.finfo(np.float32).tiny
"""What is smaller counts as 0, in whatever thread: TensorFlow's compute so, others do not."""
SHIFTED = np.uint32(SHIFT)
LINE = 16
"""Values that memory gives at a time."""
AHEAD = 1024
"""Values ahead of those in use that are asked for: no loop waits for memory then, which takes as long as the loop."""
TOTAL, SQUARES, MAGNITUDE, MINIMUM, MAXIMUM, ZEROS = range(6)
EXACT = {"contract", "nsz"}
"""Freedom to multiply and add in one step, and to give a zero either sign."""


def compiled(fastmath: set[str]) -> Callable[[F], F]:
    """A decorator for loops that are compiled once for a machine, with such freedom in arithmetic."""

    def decorate(loop: F) -> F:
        try:
            made: F = njit(loop, nogil=True, fastmath=fastmath, cache=True)
        except RuntimeError:
            # There is no folder that may be written to, so that each process compiles it, which takes seconds.
            made = njit(loop, nogil=True, fastmath=fastmath)
        return made

    return decorate


@compiled(EXACT)
def lower(value: Any, other: Any) -> Any:
    """The lower one; the other where the value is NaN."""
    return value if value < other else other


@compiled(EXACT)
def higher(value: Any, other: Any) -> Any:
    """The higher one; the other where the value is NaN."""
    return value if value > other else other


def adding(flushed: Callable[[Any], Any], is_zero: Callable[[Any], Any]) -> Callable[[np.ndarray, np.ndarray], None]:
    """A loop that adds values up as `flushed` makes them, and counts those of which `is_zero` holds."""

    @compiled(EXACT)
    def add(values: np.ndarray, sums: np.ndarray) -> None:
        """Sums `(6, lanes)`, those of squares about the means of blocks of `LINES` lines of lanes."""
        lanes = sums.shape[1]
        total, magnitude, about = np.empty(lanes, np.float32), np.empty(lanes, np.float32), np.empty(lanes, np.float32)
        mean, zeros = np.empty(lanes, np.float32), np.zeros(lanes, np.int32)
        least, most = np.full(lanes, np.float32(np.inf)), np.full(lanes, np.float32(-np.inf))
        sums[:] = 0
        start = 0
        while start < values.size:
            # What is left behind the last whole line is a block of its own.
            width = min(lanes, values.size - start)
            height = min(LINES, (values.size - start) // width)
            block = values[start : start + height * width].reshape(height, width)
            total[:width], magnitude[:width], about[:width] = 0, 0, 0
            # Four lines at a time, so that what is added up is fetched and put back a quarter as often.
            whole = height - height % 4
            for y in range(0, whole, 4):
                for x in range(width):
                    a, b = flushed(block[y, x]), flushed(block[y + 1, x])
                    c, d = flushed(block[y + 2, x]), flushed(block[y + 3, x])
                    total[x] += (a + b) + (c + d)
                    magnitude[x] += (abs(a) + abs(b)) + (abs(c) + abs(d))
                    least[x] = lower(lower(a, b), lower(lower(c, d), least[x]))
                    most[x] = higher(higher(a, b), higher(higher(c, d), most[x]))
                    zeros[x] += (
                        np.int32(is_zero(a)) + np.int32(is_zero(b)) + np.int32(is_zero(c)) + np.int32(is_zero(d))
                    )
            for y in range(whole, height):
                for x in range(width):
                    value = flushed(block[y, x])
                    total[x] += value
                    magnitude[x] += abs(value)
                    least[x], most[x] = lower(value, least[x]), higher(value, most[x])
                    zeros[x] += is_zero(value)
            for x in range(width):
                mean[x] = total[x] / np.float32(height)
            for y in range(0, whole, 4):
                for x in range(width):
                    middle = mean[x]
                    a, b, c, d = block[y, x], block[y + 1, x], block[y + 2, x], block[y + 3, x]
                    a, b, c, d = a - middle, b - middle, c - middle, d - middle
                    about[x] += (a * a + b * b) + (c * c + d * d)
            for y in range(whole, height):
                for x in range(width):
                    rest = block[y, x] - mean[x]
                    about[x] += rest * rest
            for x in range(width):
                sum_of, middle_of = np.float64(total[x]), np.float64(mean[x])
                sums[TOTAL, x] += sum_of
                sums[SQUARES, x] += about[x] + middle_of * (2 * sum_of - height * middle_of)
                sums[MAGNITUDE, x] += magnitude[x]
            start += height * width
        for x in range(lanes):
            sums[MINIMUM, x], sums[MAXIMUM, x], sums[ZEROS, x] = least[x], most[x], zeros[x]

    return add


@compiled(EXACT)
def flushed(value: Any) -> Any:
    """The value, or 0 where it is below `TINY`."""
    return np.float32(0) if abs(value) < TINY else value


@compiled(EXACT)
def is_zero(value: Any) -> Any:
    """Whether it is 0, of either sign."""
    return value == 0


@compiled(EXACT)
def itself(value: Any) -> Any:
    """The value."""
    return value


@compiled(EXACT)
def never(_: Any) -> Any:
    """False."""
    return False


add_with_zeros, add_without = adding(flushed, is_zero), adding(itself, never)


def _fetch(_context: Any, _address: Any) -> Any:
    """Asks memory for what stands at an address, which may be anywhere, and does not wait."""

    def generate(_: Any, builder: Any, __: Any, given: Any) -> Any:
        byte, number, name = ir.IntType(8).as_pointer(), ir.IntType(32), "llvm.prefetch.p0"
        known = builder.module.globals.get(name)
        prefetch = known or ir.Function(builder.module, ir.FunctionType(ir.VoidType(), [byte, *[number] * 3]), name)
        # To be read, into the second cache, as data.
        return builder.call(prefetch, [builder.inttoptr(given[0], byte), number(0), number(2), number(1)])

    return types.void(types.intp), generate


fetch: Any = intrinsic(_fetch)


@compiled(EXACT)
def count(bits: np.ndarray, bins: np.ndarray) -> None:
    """How many values, as uint32, fall into each of the `(BINS,)`."""
    other = np.zeros(bins.size, np.int32)
    bins[:] = 0
    address = bits.ctypes.data
    for line in range(bits.size // LINE):
        fetch(address + 4 * (line * LINE + AHEAD))
        # In turns into two tables: one that was just written to has to be waited for. By numbers without a sign, which
        # need not be looked at, as those that count from the end would have to be.
        for place in range(line * LINE, line * LINE + LINE, 2):
            bins[np.uint64(bits[place] >> SHIFTED)] += np.int32(1)
            other[np.uint64(bits[place + 1] >> SHIFTED)] += np.int32(1)
    for place in range(bits.size - bits.size % LINE, bits.size):
        bins[np.uint64(bits[place] >> SHIFTED)] += np.int32(1)
    for k in range(bins.size):
        bins[k] += other[k]


@compiled(EXACT)
def gather(rows: np.ndarray, bits: np.ndarray, sums: np.ndarray, bins: np.ndarray) -> None:
    """Of rows `(R, N)` of float32, sums `(R, 6, lanes)` of every lanes-th value and counts `(R, BINS)` in bins.

    `bits` are the rows as uint32.
    """
    for row in range(rows.shape[0]):
        count(bits[row], bins[row])
        # The row is in the cache still.
        if bins[row, :SUBNORMAL].any() or bins[row, HALF : HALF + SUBNORMAL].any():
            add_with_zeros(rows[row], sums[row])
        else:
            add_without(rows[row], sums[row])


@compiled(EXACT | {"reassoc"})
def sparseness(images: np.ndarray, which: np.ndarray, total: np.ndarray, positions: np.ndarray) -> None:
    """Of some images of `(B, P, C)`, sums over positions of the sparseness over channels, and at how many it is known.

    Both `(B,)`; what stands there is left of the others.
    """
    channels = images.shape[2]
    for image in which:
        total[image], positions[image] = 0, 0
        for position in range(images.shape[1]):
            first, second = np.float32(0), np.float32(0)
            # Added in any order, and so by many lanes at once.
            for x in range(channels):
                first += images[image, position, x]
                second += images[image, position, x] ** 2
            if second > 0:
                mean = np.float64(first) / channels
                total[image] += (1 - mean * mean * channels / np.float64(second)) / (1 - 1 / channels)
                positions[image] += 1


@compiled(EXACT)
def within(value: float, least: float, most: float) -> float:
    """The nearest value between these two."""
    return min(max(value, least), most)


@compiled(EXACT)
def of_bins(edges: np.ndarray, counts: np.ndarray, known: np.ndarray, shares: np.ndarray, made: np.ndarray) -> None:
    """Of histograms `counts` `(R, K)`, their near-zero share, Gini coefficient and quantiles `(R, 2 + Q)`.

    The bins' `edges` `(2, K)` ascend, and so do the quantiles' `shares` `(Q,)`. `known` `(R, 3)` of each histogram are
    what is near zero, and between which values all lie, where its outer bins end. NaN of no values.
    """
    # Of the bins that hold something: how much, and the value in their middle.
    held, middle = np.empty(counts.shape[1]), np.empty(counts.shape[1])
    for row in range(counts.shape[0]):
        total, (near, least, most) = float(counts[row].sum()), known[row]
        if total == 0:
            made[row] = np.nan
            continue
        close, mass, below, asked, filled, up = 0.0, 0.0, 0.0, 0, 0, 0
        for k in range(counts.shape[1]):
            n = float(counts[row, k])
            if n == 0:
                continue
            if max(abs(edges[0, k]), abs(edges[1, k])) <= near:
                close += n
            low, high = within(edges[0, k], least, most), within(edges[1, k], least, most)
            while asked < shares.size and shares[asked] * total <= below + n:
                inside = (shares[asked] * total - below) / n
                made[row, 2 + asked] = low + (high - low) * within(inside, 0.0, 1.0)
                asked += 1
            below += n
            held[filled], middle[filled] = n, (low + high) / 2
            mass += abs(middle[filled]) * n
            up += low + high < 0
            filled += 1
        made[row, 0] = close / total
        # By size, from 0 on to either side. Ranks of equal values are averaged: the k-th of N has weight N - k + 1/2, a
        # block of n at its middle.
        weighed, down, above = 0.0, up - 1, total
        while down >= 0 or up < filled:
            if up == filled or (down >= 0 and -middle[down] <= middle[up]):
                k = down
                down -= 1
            else:
                k = up
                up += 1
            above -= held[k]
            weighed += abs(middle[k]) * held[k] * (above + held[k] / 2)
        made[row, 1] = 1 - 2 * weighed / mass / total if mass > 0 else np.nan
