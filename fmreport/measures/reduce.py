"""Reductions over the positions of a map that are both fast and accurate.

A sum over positions is a product with a vector of ones: it runs as a matrix product, several times faster than a
reduction over the middle axes of a channels-last tensor. At most `ROW` values, or one row of the map, are added in
float32; what is left is added in float64.
"""

from __future__ import annotations

import math
from typing import Any

ROW = 512


def total(x: Any) -> Any:
    """`(B, C)` float64 sums over the positions of `(B, *spatial, C)`."""
    from keras import ops

    shape = x.shape
    positions = math.prod(shape[1:-1])
    length = positions if positions <= ROW else shape[-2]
    rows = ops.reshape(x, (shape[0], positions // length, length, shape[-1]))
    sums = ops.cast(ops.matmul(ops.ones((1, length), dtype=x.dtype), rows), "float64")
    return ops.reshape(sums, (shape[0], shape[-1])) if length == positions else ops.sum(sums, axis=(1, 2))


def count(condition: Any) -> Any:
    """`(B, C)` int64: at how many positions of `(B, *spatial, C)` the condition holds."""
    from keras import ops

    # Exact: float32 holds every integer up to 2**24, far more than a row has, and rows are added in float64.
    return ops.cast(total(ops.cast(condition, "float32")), "int64")
