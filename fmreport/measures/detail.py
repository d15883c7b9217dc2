"""Fine detail: which frequencies a map holds, and how much it changes from one element to the next."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fmreport.measures import Derived, Sum, Sums
from fmreport.measures.activations import Activations
from fmreport.measures.in_graph import taken
from fmreport.measures.projection import WIDTH, lattice
from fmreport.measures.reduce import total
from fmreport.measures.spectrum import SOURCE, centroid, high_frequency, nyquist, profile, ratio
from fmreport.records import Column

LINES = 14
"""Rows, and columns, along which neighbours are compared, at most: what lies between them differs little."""
RUN = 8
"""Channels that are taken side by side, where their number allows: one by one takes four times as long."""
CHANGE, CHANGE_PER_IMAGE, DEVIATION = slice(0, 2), slice(2, 4), slice(4, 5)
"""What the last axis of `variation` `(..., 5)` holds: changes from row to row and from column to column, the same times
the size of the grid, and deviation."""
CENTROID, HIGH_FREQUENCY, VARIATION = "spectral-centroid", "high-frequency-ratio", "total-variation"
"""Entries of docs/methods.md."""
VARIATION_SOURCE = "Rudin, Osher & Fatemi 1992, per axis and normalised"


class Detail:
    """Spectral centroid, high-frequency ratio and total variation of maps at their own grid.

    Power is averaged over channels, of which 64 fixed random orthonormal combinations stand in where there are more.
    """

    of_maps = True
    method = "spectrum-of-a-map"
    version = 2
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
                "mean |difference| from row to row and from column to column, both times the size of the grid, and "
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
                SOURCE,
                CENTROID,
            ),
            ("sample",),
        ),
        Derived(
            Column(
                "centroid_share",
                "1",
                "centroid divided by the map's Nyquist frequency; white noise: 2/3",
                SOURCE,
                CENTROID,
            ),
            ("sample",),
        ),
        Derived(
            Column(
                "high_frequency",
                "1",
                "share of the power above half of the map's Nyquist frequency; white noise: 3/4",
                SOURCE,
                HIGH_FREQUENCY,
            ),
            ("sample",),
        ),
        Derived(
            Column(
                "total_variation",
                "1",
                "mean |difference| of neighbours, in standard deviations, mean of both axes; white noise: 2/sqrt(pi)",
                VARIATION_SOURCE,
                VARIATION,
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


def relative(variation: np.ndarray, which: slice) -> np.ndarray:
    """`(..., 2)` changes in standard deviations; NaN along an axis of one element, and where all is constant."""
    return ratio(variation[..., which], variation[..., DEVIATION])


def of_axes(both: np.ndarray) -> np.ndarray:
    """Mean over the last axis of what is defined there."""
    defined = ~np.isnan(both)
    return ratio(np.where(defined, both, 0).sum(axis=-1), defined.sum(axis=-1))


def some_channels(channels: int) -> np.ndarray:
    """Up to `WIDTH` of so many, in runs that are spread evenly."""
    run = math.gcd(channels, RUN)
    firsts = np.arange(0, channels, run)[lattice(channels // run, WIDTH // run)]
    return np.add.outer(firsts, np.arange(run)).ravel()


def _variation(x: Activations) -> Any:
    """`(B, 5)` float64, each a mean over channels.

    Changes of all channels over deviations of all channels are what channels of any scale have in common: noise has
    the same ratio whether or not its channels are equally strong, and one that never changes counts for nothing.
    """
    from keras import ops

    height, width, channels = x.values.shape[1:]
    some = some_channels(channels)
    # Of channels as they are: combined at random, sparse maps would look like noise.
    maps = x.values if len(some) == channels else _some_of(x.values, some)
    down = _change(taken(maps, np.arange(width)[lattice(width, LINES)], axis=2), axis=1)
    across = _change(taken(maps, np.arange(height)[lattice(height, LINES)], axis=1), axis=2)
    deviation = ops.mean(taken(_deviation(x), some, axis=-1), axis=-1)
    return ops.stack([down, across, height * down, width * across, deviation], axis=-1)


def _some_of(values: Any, some: np.ndarray) -> Any:
    """Those of the channels of `(B, H, W, C)`, run by run."""
    from keras import ops

    run = math.gcd(values.shape[-1], RUN)
    by_run = ops.reshape(values, (*values.shape[:-1], values.shape[-1] // run, run))
    return ops.reshape(taken(by_run, some[::run] // run, axis=-2), (*values.shape[:-1], len(some)))


def _change(lines: Any, axis: int) -> Any:
    """`(B,)` float64 mean |difference| of neighbours along an axis of `(B, H, W, C)`; NaN where there is none."""
    from keras import ops

    if lines.shape[axis] == 1:
        return ops.full((lines.shape[0],), np.nan, dtype="float64")
    steps = lines[:, 1:] - lines[:, :-1] if axis == 1 else lines[:, :, 1:] - lines[:, :, :-1]
    return ops.mean(total(ops.abs(steps)), axis=-1) / (steps.shape[1] * steps.shape[2])


def _deviation(x: Activations) -> Any:
    """`(B, C)` float64 standard deviation over all positions; 0 where all finite values are equal."""
    from keras import ops

    variance = x.squares / x.positions - ops.square(x.total / x.positions)
    return ops.where(x.minimum < x.maximum, ops.sqrt(ops.maximum(variance, 0)), 0)
