"""A signature of each channel's maps, of fixed size, from which any two channels' correlation is estimated.

Row r of it is the sum over all positions of all images of the map times a random sign, drawn for that position and
image. The products of two channels' signatures add up, in the mean, to the products of their maps: it is a random
projection (Johnson & Lindenstrauss 1984; with signs, Achlioptas 2003) from positions to a few numbers.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from fmreport.measures import Derived, Sum, Sums
from fmreport.measures.activations import Activations
from fmreport.measures.in_graph import taken
from fmreport.measures.projection import COARSE, thinned
from fmreport.measures.scene import NUMBERS
from fmreport.records import Column

ROWS = 64
"""Random sums per channel. A correlation of .9 is taken for .99 less than once in 10**18 pairs of channels, and once in
10**6 at most where all images have the same maps, which then say as much as a third of the rows."""


class Signature:
    """Sums of the maps themselves, and times each of `ROWS` patterns of random signs."""

    of_maps = True
    method = "near-duplicate-channels"
    version = 1
    sums = (Sum(Column("signature", "activation", "sums over positions of maps, and of maps times signs"), "whole"),)
    columns: tuple[Derived, ...] = ()

    def gather(self, x: Activations) -> dict[str, Any]:
        """`(B, 1 + ROWS, C + 1)` in the format of the sums, that of the maps; NaN for a channel that has NaN or Inf.

        The last column is of a map of ones, so that every channel can be centred on its mean when all is added up.
        """
        from keras import ops

        assert x.shown is not None
        maps = thinned(x.values, COARSE)
        batch, height, width, channels = maps.shape
        values = ops.reshape(maps, (batch, height * width, channels))
        weight = ops.cast(ops.reshape(thinned(x.shown.weight, COARSE), (batch, 1, height * width)), values.dtype)
        signs = ops.convert_to_tensor(patterns(height * width), dtype=values.dtype) * weight
        sums = ops.concatenate([ops.matmul(signs, values), ops.sum(signs, axis=-1, keepdims=True)], axis=-1)
        drawn = taken(ops.convert_to_tensor(image_signs(), dtype=sums.dtype), x.shown.number, axis=0)
        signature = sums * drawn[:, :, None]
        if x.valid is None:
            return {"signature": signature}
        whole = ops.all(x.valid, axis=x.spatial)[:, None]
        defined = ops.where(whole, signature[..., :channels], np.nan)
        return {"signature": ops.concatenate([defined, signature[..., channels:]], axis=-1)}

    def derive(self, sums: Sums) -> dict[str, np.ndarray]:
        """Nothing: see `fmreport.analysis.redundancy`."""
        return {}


@cache
def patterns(positions: int) -> np.ndarray:
    """`(1 + ROWS, positions)` float32 of 1 and -1, the first row all 1; do not change it."""
    drawn = np.random.default_rng((ROWS, positions)).integers(2, size=(1 + ROWS, positions))
    drawn[0] = 1
    return (2 * drawn - 1).astype(np.float32)


@cache
def image_signs() -> np.ndarray:
    """`(NUMBERS, 1 + ROWS)` float64 of 1 and -1 by the number of an image, the first all 1; do not change it."""
    drawn = np.random.default_rng((ROWS, NUMBERS)).integers(2, size=(NUMBERS, 1 + ROWS))
    drawn[:, 0] = 1
    return 2.0 * drawn - 1
