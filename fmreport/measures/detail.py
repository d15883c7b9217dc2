"""Fine detail: which frequencies a map holds, and how much it changes from one element to the next."""

from __future__ import annotations

from typing import Any

import numpy as np

from fmreport.measures import Derived, Sum, Sums
from fmreport.measures.activations import Activations
from fmreport.measures.projection import WIDTH, lattice
from fmreport.measures.reduce import total
from fmreport.measures.spectrum import centroid, high_frequency, nyquist, profile, ratio
from fmreport.records import Column

LINES = 28
"""Rows, and columns, along which neighbours are compared, at most: what lies between them differs little."""
CHANGE, CHANGE_PER_IMAGE, DEVIATION = range(3)
"""What the last axis of `variation` `(..., 2, 3)` holds, of columns (from row to row) and of rows."""
RANDOM = "white noise: 2/sqrt(pi)"


class Detail:
    """Spectral centroid, high-frequency ratio and total variation of maps at their own grid.

    Power is averaged over channels, of which 64 fixed random orthonormal combinations stand in where there are more.
    """

    of_maps = True
    sums = (
        Sum(
            Column(
                "spectrum",
                "activation^2",
                "by rings of a quarter cycle per image: number of frequencies, power, power times frequency; Hann "
                "window, mean over channels",
            ),
            "group",
        ),
        Sum(
            Column(
                "variation",
                "activation",
                "along columns and along rows: mean |difference| of neighbours, that times the size of the grid, and "
                f"standard deviation; mean over up to {WIDTH} channels",
            ),
            "group",
        ),
    )
    columns = (
        Derived(
            Column(
                "centroid",
                "cycles per image",
                "mean frequency, weighted by power, up to the map's own Nyquist frequency",
            ),
            ("sample",),
        ),
        Derived(
            Column("centroid_share", "1", "centroid divided by the map's Nyquist frequency; white noise: 2/3"),
            ("sample",),
        ),
        Derived(
            Column(
                "high_frequency", "1", "share of the power above half of the map's Nyquist frequency; white noise: 3/4"
            ),
            ("sample",),
        ),
        Derived(
            Column(
                "total_variation",
                "1",
                f"mean |difference| of neighbours, in standard deviations, mean of both axes; {RANDOM}",
                "Rudin, Osher & Fatemi 1992, per axis and normalised",
            ),
            ("sample",),
        ),
    )

    def gather(self, x: Activations) -> dict[str, Any]:
        """Both in float64; without power and deviation of images whose every channel is constant."""
        from keras import ops

        varied = ops.cast(ops.any(x.minimum < x.maximum, axis=-1), "float64")
        # The sizes of the rings are the same of any image; what rounding makes of a flat map is no power.
        kept = ops.stack([ops.ones_like(varied), varied, varied], axis=-1)
        return {"spectrum": profile(x.projected) * kept[:, None], "variation": _variation(x)}

    def derive(self, sums: Sums) -> dict[str, np.ndarray]:
        """NaN where all channels are constant, and of what is no map."""
        if "spectrum" not in sums:
            nothing = np.full(np.shape(sums["finite"]), np.nan)
            return {derived.column.name: nothing for derived in self.columns}
        profiles, changes = sums["spectrum"], sums["variation"]
        band = nyquist(profiles)
        return {
            "centroid": centroid(profiles, band),
            "centroid_share": centroid(profiles, band) / band,
            "high_frequency": high_frequency(profiles, band),
            "total_variation": of_axes(relative(changes, CHANGE)),
        }


def relative(variation: np.ndarray, which: int) -> np.ndarray:
    """`(..., 2)` changes in standard deviations; NaN along an axis of one element, and where all is constant."""
    return ratio(variation[..., which], variation[..., DEVIATION])


def of_axes(both: np.ndarray) -> np.ndarray:
    """Mean over the last axis of what is defined there."""
    defined = ~np.isnan(both)
    return ratio(np.where(defined, both, 0).sum(axis=-1), defined.sum(axis=-1))


def _variation(x: Activations) -> Any:
    """`(B, 2, 3)` float64, each a mean over channels.

    Changes of all channels over deviations of all channels are what channels of any scale have in common: noise has
    the same ratio whether or not its channels are equally strong, and one that never changes counts for nothing.
    """
    from keras import ops

    height, width, channels = x.values.shape[1:]
    # Of channels as they are: combined at random, sparse maps would look like noise.
    some = np.arange(channels)[lattice(channels, WIDTH)]
    maps = x.values if len(some) == channels else ops.take(x.values, some, axis=-1)
    varied = ops.cast(ops.take(x.minimum < x.maximum, some, axis=-1), "float64")
    down = ops.take(maps, np.arange(width)[lattice(width, LINES)], axis=2)
    across = ops.take(maps, np.arange(height)[lattice(height, LINES)], axis=1)
    return ops.stack([_along(down, 1, varied), _along(across, 2, varied)], axis=1)


def _along(lines: Any, axis: int, varied: Any) -> Any:
    """`(B, 3)` float64 of `(B, H, W, C)` along an axis; where it has one element, no neighbours: NaN."""
    from keras import ops

    side, positions = lines.shape[axis], lines.shape[1] * lines.shape[2]
    mean = ops.cast(total(lines) / positions, lines.dtype)
    deviation = ops.sqrt(total(ops.square(lines - mean[:, None, None])) / positions)
    change = deviation * np.nan
    if side > 1:
        steps = lines[:, 1:] - lines[:, :-1] if axis == 1 else lines[:, :, 1:] - lines[:, :, :-1]
        change = total(ops.abs(steps)) / (positions - positions // side)
    return ops.mean(ops.stack([change, side * change, deviation * varied], axis=-1), axis=1)
