"""A batch of one tap's activations as measures meet it, with what several of them need computed once."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cached_property
from typing import Any

from fmreport.measures.bins import BINS, count_bins
from fmreport.measures.places import scattered
from fmreport.measures.projection import narrowed, thinned
from fmreport.measures.reduce import greatest, least, total
from fmreport.measures.scene import Shown


class Activations:
    """Activations `(B, *spatial, C)`, of rank 3 at least, in float32 or float64, every entry finite.

    `nan` and `inf` are boolean tensors of the same shape that say where a 0 stands for NaN or Inf; both None where
    every value was finite to begin with. `shown` is what the images show on the grid of these maps; None where
    these are no maps, or where nobody asks.
    """

    def __init__(self, values: Any, *, nan: Any = None, inf: Any = None, shown: Shown | None = None) -> None:
        self.values, self.nan, self.inf, self.shown = values, nan, inf, shown

    @classmethod
    def careful(cls, values: Any, *, shown: Shown | None = None) -> Activations:
        """In float64, with NaN and Inf replaced by 0 and marked."""
        from keras import ops

        nan, inf = ops.isnan(values), ops.isinf(values)
        kept = ops.where(ops.logical_or(nan, inf), ops.cast(0, values.dtype), values)
        return cls(ops.cast(kept, "float64"), nan=nan, inf=inf, shown=shown)

    @property
    def spatial(self) -> tuple[int, ...]:
        """The axes between the batch and the channels."""
        return tuple(range(1, len(self.values.shape) - 1))

    @cached_property
    def valid(self) -> Any:
        """Boolean tensor: which values are finite; None where all are."""
        from keras import ops

        return None if self.nan is None else ops.logical_not(ops.logical_or(self.nan, self.inf))

    @cached_property
    def projected(self) -> Any:
        """`(B, *spatial, D)`: the channels, or `WIDTH` fixed random orthonormal combinations where there are more."""
        return narrowed(self.values)

    @cached_property
    def sampled(self) -> tuple[Any, Shown]:
        """`projected` and `shown` of maps at every n-th row and column, so that no side has more than `LATTICE`.

        A position at which some channel is not finite weighs nothing.
        """
        from keras import ops

        shown = self.shown
        assert shown is not None
        if self.valid is None:
            sampled = shown.once("sampled", lambda: shown.at(thinned))
        else:
            finite = ops.cast(ops.all(self.valid, axis=-1), shown.weight.dtype)
            sampled = replace(shown, weight=shown.weight * finite).at(thinned)
        values = thinned(self.values)
        return self.projected if values is self.values else narrowed(values), sampled

    @cached_property
    def scattered(self) -> tuple[Any, Shown]:
        """Of maps, `(B, P, C)` values of all channels, and what is shown, at the P `places` of a coarse lattice."""
        shown = self.shown
        assert shown is not None
        return scattered(self.values), shown.once("scattered", lambda: shown.at(scattered))

    @cached_property
    def minimum(self) -> Any:
        """`(B, C)` smallest finite value; Inf where there is none."""
        from keras import ops

        values = self.values if self.valid is None else ops.where(self.valid, self.values, float("inf"))
        return least(values)

    @cached_property
    def maximum(self) -> Any:
        """`(B, C)` largest finite value; -Inf where there is none."""
        from keras import ops

        values = self.values if self.valid is None else ops.where(self.valid, self.values, -float("inf"))
        return greatest(values)

    @property
    def positions(self) -> int:
        """Values of a channel of one image, finite or not."""
        return math.prod(self.values.shape[1:-1])

    @cached_property
    def missing(self) -> Any:
        """`(B, C)` float64 numbers of values that are not finite; a single 0 where all are."""
        from keras import ops

        if self.valid is None:
            return ops.zeros((), dtype="float64")
        return self.positions - total(ops.cast(self.valid, self.values.dtype))

    @cached_property
    def total(self) -> Any:
        """`(B, C)` float64 sums of the finite values."""
        return total(self.values)

    @cached_property
    def pivot(self) -> Any:
        """`(B, C)` means of the finite values, rounded to their format; 0 where there is none."""
        from keras import ops

        return ops.cast(self.total / ops.maximum(self.positions - self.missing, 1), self.values.dtype)

    @cached_property
    def about_pivot(self) -> Any:
        """`(B, C)` float64 sums of squares about it, those of the zeros among them that stand for NaN and Inf."""
        from keras import ops

        return total(ops.square(self.values - ops.expand_dims(self.pivot, axis=self.spatial)))

    @cached_property
    def squares(self) -> Any:
        """`(B, C)` float64 sums of the finite values' squares.

        They are taken about the pivot, so that a large mean hides no small variance.
        """
        from keras import ops

        exact, n = ops.cast(self.pivot, "float64"), self.positions - self.missing
        # Replaced values are zeros: each adds the pivot's square about the mean, which is taken out again.
        about = self.about_pivot - self.missing * exact * exact
        return ops.maximum(about + exact * (2 * self.total - n * exact), 0)

    @cached_property
    def bins(self) -> Any:
        """`(B, BINS)` int32 counts of the finite values, in the bits' order."""
        from keras import ops

        counts = count_bins(self.values)
        if self.valid is None:
            return counts
        everywhere = (*self.spatial, len(self.values.shape) - 1)
        replaced = ops.sum(ops.cast(ops.logical_not(self.valid), "int32"), axis=everywhere)
        return counts - replaced[:, None] * ops.cast(ops.arange(BINS) == 0, "int32")
