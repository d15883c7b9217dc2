"""Reductions over the positions of a map that are both fast and accurate.

Positions are reduced in two steps, a block of them at a time and then the blocks: a block's rows of channels stay in
the nearest cache, and there are enough of them for every core. Sums add at most a block in float32; blocks are added
in float64.
"""

from __future__ import annotations

import math
from typing import Any

SHORTEST, LONGEST = 16, 256
"""Positions per block, where their number can be divided so."""
VALUES = 1 << 15
"""Values in a block at most, where that leaves it `SHORTEST` positions."""


def total(x: Any) -> Any:
    """`(B, C)` float64 sums over the positions of `(B, *spatial, C)`."""
    from keras import ops

    return ops.sum(ops.cast(ops.sum(_blocks(x), axis=2), "float64"), axis=1)


def least(x: Any) -> Any:
    """`(B, C)` smallest values over the positions of `(B, *spatial, C)`."""
    from keras import ops

    return ops.min(ops.min(_blocks(x), axis=2), axis=1)


def greatest(x: Any) -> Any:
    """`(B, C)` largest values over the positions of `(B, *spatial, C)`."""
    from keras import ops

    return ops.max(ops.max(_blocks(x), axis=2), axis=1)


def count(condition: Any) -> Any:
    """`(B, C)` int64: at how many positions of `(B, *spatial, C)` the condition holds."""
    from keras import ops

    # Exact: float32 holds every integer up to 2**24, far more than a block has, and blocks are added in float64.
    return ops.cast(total(ops.cast(condition, "float32")), "int64")


def block_length(positions: int, channels: int) -> int:
    """Positions per block, a divisor of `positions`; 1, which is slow but as accurate, where none is of use."""
    usable = [k for k in range(SHORTEST, min(positions, LONGEST) + 1) if positions % k == 0]
    if positions < SHORTEST:
        return positions
    return max((k for k in usable if k * channels <= VALUES), default=min(usable, default=1))


def _blocks(x: Any) -> Any:
    """`(B, blocks, positions per block, C)`."""
    from keras import ops

    batch, *spatial, channels = x.shape
    positions = math.prod(spatial)
    length = block_length(positions, channels)
    return ops.reshape(x, (batch, positions // length, length, channels))
