"""A coarse lattice of positions at which all channels are looked at, and the regions that are told apart there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fmreport.measures.in_graph import taken

NULLS = 8
"""Masks of no meaning, at most: with the own one, 9 x 9 ways to put them in the two halves of the images."""
SIDE = 10
"""Rows and columns, at most: images differ far more than what lies between two positions of one image."""


def places(grid: tuple[int, int]) -> np.ndarray:
    """`(P,)` numbers of positions, spread evenly over the rows and columns of a grid (H, W)."""
    rows, columns = (_spread(side) for side in grid)
    numbers: np.ndarray = rows[:, None] * grid[1] + columns
    return numbers.ravel()


def scattered(maps: Any) -> Any:
    """`(B, P, ...)` of maps `(B, H, W, ...)` at the `places` of their grid."""
    from keras import ops

    batch, height, width, *rest = maps.shape
    return taken(ops.reshape(maps, (batch, height * width, *rest)), places((height, width)), axis=1)


def regions(planes: Sequence[str]) -> tuple[str, ...]:
    """The mask among a scene's planes, and behind it the masks of no meaning that it is compared with.

    These are the masks of other images; where there are fewer than `NULLS`, the image's own, moved, make up for them.
    """
    nulls = [plane for plane in planes if plane.startswith("shuffled")]
    nulls += [plane for plane in planes if plane.startswith("shifted")]
    return ("mask", *nulls[:NULLS]) if "mask" in planes else ()


def _spread(side: int) -> np.ndarray:
    count = min(side, SIDE)
    # In whole numbers: the middle of each of `count` equal parts.
    return (2 * np.arange(count) + 1) * side // (2 * count)
