"""How well target maps can be read from a tap: the Gram matrices of a ridge regression, image by image.

Gram matrices add up, so those of training images give the regression, and those of held-out images its errors there,
exactly and without a second pass; see `fmreport.analysis.readability`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fmreport.measures import Derived, Sum, Sums
from fmreport.measures.activations import Activations
from fmreport.measures.in_graph import taken
from fmreport.measures.reduce import block_length
from fmreport.measures.scene import PREDICTION, Shown
from fmreport.records import Column

TARGETS = ("edge", "mask", PREDICTION)
"""Planes that are read from taps, where a scene has them."""
INSTEAD = ("prior", "shuffled", "shifted")
"""Planes that stand in for the mask, by their first word."""
LEVELS = tuple(number / 16 for number in range(1, 9))
"""A mask on a coarse grid is drawn by the elements that it covers by more than such a share. The best level of all is
IoU / (1 + IoU) of the mask so drawn, which never exceeds a half."""


class Readability:
    """Products of all pairs of [projected channels, 1, targets], and what a mask keeps on the grid of the tap.

    Edge and mask are read from the same positions with the same weights, the share of an element's pixels that is not
    ignored, so that one of them cannot be the more readable for having been looked at elsewhere: what is ignored is
    padding, which shows nothing, or a rim whose mask is not known, where edges abound.
    """

    of_maps = True
    method = "readability"
    version = 1
    sums = (
        Sum(Column("gram", "", "sums over positions of products of channels, 1 and targets; see `unpacked`"), "group"),
        Sum(
            Column("overlap", "count", "foreground and background in the elements that a mask covers by each level"),
            "group",
        ),
    )
    columns: tuple[Derived, ...] = ()

    def gather(self, x: Activations) -> dict[str, Any]:
        """`gram` `(B, D * (D + 1) / 2)` and, where there are masks, `overlap` `(B, levels, 2)`, both float64.

        Nothing of a map with a single position, which can only say how large a mask is, and not where.
        """
        from keras import ops

        projected, shown = x.sampled
        batch, height, width, channels = projected.shape
        if height * width == 1:
            return {}
        values = ops.reshape(projected, (batch, height * width, channels))
        weight = ops.cast(ops.reshape(shown.weight, (batch, height * width)), values.dtype)
        planes = ops.reshape(shown.picked(targets(shown.planes)), (batch, height * width, -1))
        gathered = {"gram": _gram(values, ops.cast(planes, values.dtype), weight)}
        if "mask" in shown.planes:
            gathered["overlap"] = shown.once("overlap", lambda: _overlap(shown))
        return gathered

    def derive(self, sums: Sums) -> dict[str, np.ndarray]:
        """Nothing: a regression takes several images."""
        return {}


def targets(planes: Sequence[str]) -> tuple[str, ...]:
    """Those of a scene's planes that stand in a Gram matrix, in its order."""
    return tuple(plane for plane in planes if plane in TARGETS or of_masks(plane))


def of_masks(target: str) -> bool:
    """Whether it is made of masks, and so defined for images that have one alone."""
    return target == "mask" or target.partition(" ")[0] in INSTEAD


def unpacked(gram: np.ndarray) -> np.ndarray:
    """`(..., D, D)` symmetric matrices of their upper triangles `(..., D * (D + 1) / 2)`, row by row.

    Columns are the projected channels, 1, and the `targets`.
    """
    size = (round((8 * gram.shape[-1] + 1) ** 0.5) - 1) // 2
    rows, columns = np.triu_indices(size)
    matrices = np.empty((*gram.shape[:-1], size, size), gram.dtype)
    matrices[..., rows, columns] = matrices[..., columns, rows] = gram
    return matrices


def _gram(values: Any, planes: Any, weight: Any) -> Any:
    """Packed, of values `(B, P, C)`, planes `(B, P, T)` and weights `(B, P)`.

    Products are taken about the means of the image, in float32, a block of positions at a time, and moved back to zero
    in float64: products of the values themselves would hide a small variance behind a large mean.
    """
    from keras import ops

    batch, positions, channels = values.shape
    pivots = [_mean(values, weight), ops.zeros_like(weight[:, :1]), _mean(planes, weight)]
    ones = ops.ones_like(weight)[..., None]
    columns = ops.concatenate([values - pivots[0][:, None], ones, planes - pivots[2][:, None]], axis=-1)
    size = columns.shape[-1]
    # A lattice is narrow: its positions always have a divisor that makes a good block.
    blocks = (batch, -1, block_length(positions, size), size)
    left, right = ops.reshape(columns * weight[..., None], blocks), ops.reshape(columns, blocks)
    products = ops.matmul(ops.transpose(left, (0, 1, 3, 2)), right)
    about = ops.sum(ops.cast(products, "float64"), axis=1)
    pivot = ops.cast(ops.concatenate(pivots, axis=-1), "float64")
    half = about[:, channels] + about[:, channels, channels, None] / 2 * pivot
    gram = about + half[:, :, None] * pivot[:, None, :] + pivot[:, :, None] * half[:, None, :]
    rows, places = np.triu_indices(size)
    return taken(ops.reshape(gram, (batch, size * size)), rows * size + places, axis=1)


def _mean(values: Any, weight: Any) -> Any:
    """`(B, K)` of values `(B, P, K)`; 0 where nothing has a weight."""
    from keras import ops

    weighed = ops.sum(weight, axis=1)[:, None]
    return ops.matmul(weight[:, None, :], values)[:, 0] / ops.where(weighed > 0, weighed, 1)


def _overlap(shown: Shown) -> Any:
    """`(B, levels, 2)`: at each level, the foreground and the background that the drawn elements hold."""
    from keras import ops

    covered, weight = (ops.cast(values, "float64") for values in (shown.plane("mask"), shown.weight))
    batch, height, width = covered.shape
    drawn = ops.cast(ops.reshape(covered, (batch, 1, height * width)) > np.array(LEVELS)[:, None], "float64")
    held = ops.reshape(ops.stack([weight * covered, weight * (1 - covered)], axis=-1), (batch, height * width, 2))
    return ops.matmul(drawn, held)
