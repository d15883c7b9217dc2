"""The same width for every tap: fixed random combinations of the channels, at a bounded number of positions."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from fmreport.measures.in_graph import taken

WIDTH = 64
"""Combinations of channels; narrower taps keep their channels."""
LATTICE = 40
"""Rows and columns at which positions are sampled, at most: what lies between differs little."""
COARSE = 28
"""The same where some hundred positions of an image tell enough, as they do of what repeats."""


@cache
def projection(channels: int) -> np.ndarray:
    """`(channels, WIDTH)` float64 with orthonormal columns, always the same for that many channels; do not change it.

    Combinations that are drawn without a look at the data keep, in the mean, spectra and whatever is linear in the
    channels; without them, wide taps would win by their width alone.
    """
    drawn = np.random.default_rng((WIDTH, channels)).standard_normal((channels, WIDTH))
    orthonormal, upper = np.linalg.qr(drawn)
    # The signs that the factorisation leaves open.
    columns: np.ndarray = orthonormal * np.sign(np.diag(upper))
    return columns


def lattice(side: int, most: int = LATTICE) -> slice:
    """Every n-th of `side` positions, from the middle of the first n: at most so many."""
    step = -(-side // most)
    return slice((step - 1) // 2, None, step)


def narrowed(values: Any) -> Any:
    """`(..., C)` in `WIDTH` combinations of the channels where there are more than so many; else as it is."""
    from keras import ops

    channels = values.shape[-1]
    return values if channels <= WIDTH else ops.matmul(values, ops.cast(projection(channels), values.dtype))


def thinned(maps: Any, most: int = LATTICE) -> Any:
    """`(B, H, W, ...)` at the positions of the lattice; the very same where these are all."""
    for axis, side in enumerate(maps.shape[1:3], start=1):
        if side > most:
            # Not by a slice: where it has a step, values are copied one by one, which takes fifteen times as long.
            maps = taken(maps, np.arange(side)[lattice(side, most)], axis=axis)
    return maps
