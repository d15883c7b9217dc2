"""How much of the variance within an image its mask accounts for."""

from __future__ import annotations

from typing import Any

import numpy as np

from fmreport.measures import Derived, Sum, Sums
from fmreport.measures.activations import Activations
from fmreport.measures.places import regions
from fmreport.records import Column

SOURCE = "correlation ratio: Pearson 1905"
ROUNDING = 1e-18
"""Variances below so much of the squared mean are what rounding makes of a constant: one value that differs from the
others by the least that float32 tells apart has more."""
EMPTY = 1e-6
"""A region with a smaller share of the positions is what float32 makes of none; the least pixel has more."""


class Regions:
    """`eta^2`: between the foreground and the background of an image, over the variance of all of its positions.

    Over all channels together, about each channel's mean on the image, at the positions of a coarse lattice. A position
    belongs to the foreground by the share of its pixels that the mask covers, and counts by the share that is not
    ignored. The null is the same with masks of no meaning (see `fmreport.measures.places`), all of them together.
    """

    of_maps = True
    method = "region-variance-ratio"
    version = 1
    sums = (
        Sum(Column("region_between", "activation^2", "squares between foreground and background"), "image"),
        Sum(
            Column("region_total", "activation^2", "squares about the means; 0 where there are no two regions"),
            "image",
        ),
        Sum(Column("region_null_between", "activation^2", "region_between of all masks of no meaning"), "image"),
        Sum(Column("region_null_total", "activation^2", "region_total of all masks of no meaning"), "image"),
    )
    columns = (
        Derived(
            Column(
                "region_variance_ratio",
                "1",
                "variance between foreground and background over variance within images, of all channels; undefined "
                "without a mask, where it is all foreground or all background, and where nothing varies",
                SOURCE,
            ),
            ("sample", "tap"),
        ),
        Derived(
            Column(
                "region_variance_ratio_null",
                "1",
                "the same for masks of other images (of fewer than 9 also for the image's own, moved around the torus)",
            ),
            ("sample", "tap"),
        ),
    )

    def gather(self, x: Activations) -> dict[str, Any]:
        """Per image, in float64; nothing where no probe has a mask."""
        from keras import ops

        values, shown = x.scattered
        names = regions(shown.planes)
        if not names:
            return {}
        weight = ops.cast(shown.weight, values.dtype)[..., None]
        between, total = _parts(values, weight, ops.cast(shown.picked(names), values.dtype) * weight)
        return {
            "region_between": between[:, 0],
            "region_total": total[:, 0],
            "region_null_between": ops.sum(between[:, 1:], axis=1),
            "region_null_total": ops.sum(total[:, 1:], axis=1),
        }

    def derive(self, sums: Sums) -> dict[str, np.ndarray]:
        """Of one image or of several, by their variances; NaN where there is nothing to divide.

        Without a mask there are no columns.
        """
        derived = {}
        for name, part in (("region_variance_ratio", "region"), ("region_variance_ratio_null", "region_null")):
            if f"{part}_total" not in sums:
                continue
            total, between = sums[f"{part}_total"], sums[f"{part}_between"]
            derived[name] = np.clip(between / np.where(total > 0, total, np.nan), 0.0, 1.0)
        return derived


def _parts(values: Any, weight: Any, inside: Any) -> tuple[Any, Any]:
    """`(B, R)` squares between regions and in all, of values `(B, P, C)`, weights `(B, P, 1)` and `(B, P, R)` of them.

    Both are 0 where a region or the rest of the image is empty, and where no channel varies.
    """
    from keras import ops

    count = ops.sum(weight, axis=1, keepdims=True)
    mean = ops.matmul(ops.transpose(weight, (0, 2, 1)), values) / ops.where(count > 0, count, 1)
    # About the mean, so that a large mean hides no small variance.
    about = values - mean
    every = ops.transpose(ops.concatenate([weight, inside], axis=-1), (0, 2, 1))
    sums = ops.cast(ops.matmul(every, about), "float64")
    squares = ops.cast(ops.matmul(every[:, :1], ops.square(about)), "float64")[:, 0]
    sizes = ops.cast(ops.sum(every, axis=-1), "float64")
    n, one, other = sizes[:, :1], sizes[:, 1:], sizes[:, :1] - sizes[:, 1:]
    # What rounding left of the mean is taken out again.
    rest = sums[:, 0] / ops.where(n > 0, n, 1)
    shift = ops.sum(ops.square(sums[:, 1:] - one[..., None] * rest[:, None]), axis=-1)
    spread = squares - n * ops.square(rest)
    varies = spread > ROUNDING * n * ops.square(ops.cast(mean[:, 0], "float64"))
    total = ops.sum(ops.where(varies, spread, 0), axis=-1)[:, None]
    defined = ops.logical_and(ops.minimum(one, other) > EMPTY * n, total > 0)
    between = shift / ops.where(defined, one, 1) + shift / ops.where(defined, other, 1)
    return ops.where(defined, between, 0), ops.where(defined, total, 0)
