"""Fixed bins for histograms: the float32 values that share sign, exponent and the first bits of the mantissa.

No logarithm is taken, bins are the same for every tap of every model, and merging is addition. With four bits of the
mantissa a bin is at most 1/16 of its value wide.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

MANTISSA_BITS = 4
SHIFT = 23 - MANTISSA_BITS
HALF = 1 << (8 + MANTISSA_BITS)
"""Bins of one sign; in the order of the bits the negative half comes second."""
BINS = 2 * HALF
SUBNORMAL = 1 << MANTISSA_BITS
"""Bins of exponent 0 in one sign: zero, and the subnormal float32, with which TensorFlow computes as with zero."""
ZERO_BINS = (slice(0, SUBNORMAL), slice(HALF, HALF + SUBNORMAL))
LARGEST = float(np.finfo(np.float32).max)


def count_bins(values: Any) -> Any:
    """`(B, BINS)` int32: how many values of each image `(B, *spatial, C)` fall into each bin, in the bits' order.

    Of float64, what is larger than any float32 is counted in the bin of its infinity.
    """
    from keras import ops

    # Unsigned, so that the shift alone makes the index: every further pass over the values costs as much as a measure.
    bits = ops.view(ops.cast(values, "float32"), "uint32")
    index = ops.view(ops.right_shift(bits, ops.cast(SHIFT, "uint32")), "int32")
    # Image by image: one long row is counted by all cores at once, several short rows are not.
    rows = ops.unstack(ops.reshape(index, (values.shape[0], -1)))
    return ops.stack([count_rows(row, BINS) for row in rows])


def count_rows(index: Any, size: int) -> Any:
    """`(..., size)` int32 counts of each index below `size` in the last axis of `(n,)` or `(rows, n)` int32."""
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        # What `keras.ops.bincount` ends in, without the pass over the values in which it looks for the largest index.
        return tf.raw_ops.DenseBincount(input=index, size=size, weights=tf.constant([], tf.int32), binary_output=False)
    return keras.ops.bincount(index, minlength=size)


@cache
def edges() -> tuple[np.ndarray, np.ndarray]:
    """Signed `(low, high)` of every bin, float64, ascending and finite; those of subnormal values are `(0, 0)`.

    Do not change them.
    """
    infinity = 0xFF << MANTISSA_BITS  # bins from here on would hold Inf and NaN, which are never counted
    start = (np.arange(HALF, dtype=np.uint32).clip(max=infinity) << SHIFT).view(np.float32).astype(np.float64)
    start = np.minimum(start, LARGEST)
    stop = np.append(start[1:], LARGEST)
    start[:SUBNORMAL] = stop[:SUBNORMAL] = 0
    return np.concatenate([-stop[::-1], start]), np.concatenate([-start[::-1], stop])


def ascending(counts: np.ndarray) -> np.ndarray:
    """Counts `(..., BINS)` brought from the bits' order into that of `edges`, everything that is 0 in one bin."""
    positive, negative = counts[..., :HALF], counts[..., HALF:]
    ordered = np.concatenate([negative[..., ::-1], positive], axis=-1)
    middle = slice(HALF - SUBNORMAL, HALF + SUBNORMAL)
    zero = ordered[..., middle].sum(-1)
    ordered[..., middle] = 0
    ordered[..., HALF] = zero
    return ordered


def edge_below(values: np.ndarray) -> np.ndarray:
    """The largest edge of a bin at or below each of some values of 0 or more, float64; NaN of NaN."""
    bits = np.minimum(values, LARGEST).astype(np.float32).view(np.uint32) >> SHIFT << SHIFT
    edge = bits.view(np.float32).astype(np.float64)
    return np.where(edge < np.finfo(np.float32).tiny, 0.0, edge)
