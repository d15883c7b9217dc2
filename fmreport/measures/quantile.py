"""A quantile of every channel over any number of images, exact, by counting: from the first bits to the last.

The bits of a float32, turned so that they ascend as the values do, are searched like a radix tree: each pass over the
probes counts what falls into each part of the range that is left, and keeps the part in which the value lies.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fmreport.measures.bins import count_rows

ONE_IN = 200
"""At most one in so many values lies above the quantile."""
QUANTILE = 1 - 1 / ONE_IN
BITS = 32
SIGN = 1 << (BITS - 1)
BYTES = 16
"""Of a count, on the device and where it is added up."""
FEWEST_BITS, MOST_BITS = 4, 11
"""That one pass settles."""


def bits_per_pass(channels: int, memory: int) -> int:
    """As many as counts of so many channels in so many bytes allow; what is found does not depend on it."""
    return int(np.clip(np.log2(max(memory // (BYTES * channels), 1)), FEWEST_BITS, MOST_BITS))


def split(low: np.ndarray) -> np.ndarray:
    """`(2, C)` float32 of whole numbers `(C,)` below 2^32: their upper and lower halves, which float32 holds."""
    return np.stack([low >> (BITS // 2), low & 0xFFFF]).astype(np.float32)


def count_parts(values: Any, counted: Any, low: Any, shift: Any, *, bits: int) -> Any:
    """`(C, 2^bits)` int32: how many float32 values `(B, H, W, C)` lie in each part of a range.

    The parts of channel c begin with `low` (see `split`) and are `2^shift` of the turned bits wide; `shift` is one
    number, `(1,)`. Of NaN and Inf, and where `counted` `(B,)` is not above 0, nothing is counted.
    """
    from keras import ops

    halves = ops.cast(low, "uint32")
    begin = ops.bitwise_or(ops.left_shift(halves[0], ops.cast(BITS // 2, "uint32")), halves[1])
    # What lies before it wraps around and is large, as what lies behind.
    part = ops.right_shift(_turned(values) - begin, ops.cast(shift, "uint32"))
    outside = 1 << bits
    index = ops.cast(ops.minimum(part, ops.cast(outside, "uint32")), "int32")
    finite = ops.logical_and(ops.isfinite(values), counted[:, None, None, None] > 0)
    rows = ops.transpose(ops.reshape(ops.where(finite, index, outside), (-1, values.shape[-1])))
    return count_rows(rows, outside + 1)[:, :outside]


def _turned(values: Any) -> Any:
    """uint32 that ascend as the values do, from -0 to 0 too."""
    from keras import ops

    bits = ops.view(values, "uint32")
    sign = ops.cast(SIGN, "uint32")
    return ops.where(bits >= sign, ops.bitwise_not(bits), ops.bitwise_or(bits, sign))


class Search:
    """The smallest value of each of C channels that at most one in `ONE_IN` of its values exceeds.

    Before each pass, `low` and `shift` say what `count_parts` is to count; `narrow` takes the counts of all probes.
    """

    def __init__(self, channels: int, bits: int) -> None:
        self.bits = bits
        self.low = np.zeros(channels, np.int64)
        self.shift = BITS - bits
        self._rank: np.ndarray | None = None
        self._known = np.zeros(channels, bool)
        self.passes = -(-BITS // bits)

    def narrow(self, counts: np.ndarray) -> None:
        """Keeps, of every channel's parts `(C, 2^bits)`, the one in which the value lies."""
        up_to = np.cumsum(counts, axis=1, dtype=np.int64)
        if self._rank is None:
            total = up_to[:, -1]
            # In whole numbers: 0.995 times a count may round to either side.
            self._rank, self._known = total - total // ONE_IN, total > 0
        at = np.argmax(up_to >= self._rank[:, None], axis=1)[:, None]
        self._rank = self._rank - (np.take_along_axis(up_to - counts, at, axis=1))[:, 0]
        self.low = self.low + (at[:, 0] << self.shift)
        self.shift = max(self.shift - self.bits, 0)

    @property
    def values(self) -> np.ndarray:
        """`(C,)` float32, after all passes; NaN of a channel without a finite value."""
        low = self.low.astype(np.uint32)
        bits = np.where(low >= SIGN, low ^ np.uint32(SIGN), ~low)
        # Added to 0, -0 becomes 0, to which it is equal anyway.
        return np.where(self._known, bits.astype(np.uint32).view(np.float32) + np.float32(0), np.float32(np.nan))
