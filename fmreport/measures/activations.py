"""A batch of one tap's activations as measures meet it, with what several of them need computed once."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cached_property
from typing import Any

from fmreport.measures.bins import BINS, ZERO_BINS, count_bins
from fmreport.measures.places import scattered
from fmreport.measures.projection import narrowed, thinned
from fmreport.measures.reduce import count, greatest, least, total
from fmreport.measures.scene import Shown


class Activations:
    """Activations `(B, *spatial, C)`, of rank 3 at least, in float32 or float64, every entry finite.

    `nan` and `inf` are boolean tensors of the same shape that say where a 0 stands for NaN or Inf; both None where
    every value was finite to begin with. `shown` is what the images show on the grid of these maps; None where
    these are no maps, or where nobody asks. `ends`, `(2,)`, are the smallest and the largest value that the format of
    quantised values has; None of others.
    """

    def __init__(
        self, values: Any, *, nan: Any = None, inf: Any = None, shown: Shown | None = None, ends: Any = None
    ) -> None:
        self.values, self.nan, self.inf, self.shown, self.ends = values, nan, inf, shown, ends

    @classmethod
    def careful(cls, values: Any, *, shown: Shown | None = None, ends: Any = None) -> Activations:
        """In float64, with NaN and Inf replaced by 0 and marked."""
        from keras import ops

        nan, inf = ops.isnan(values), ops.isinf(values)
        kept = ops.where(ops.logical_or(nan, inf), ops.cast(0, values.dtype), values)
        return cls(ops.cast(kept, "float64"), nan=nan, inf=inf, shown=shown, ends=ends)

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
    def squares(self) -> Any:
        """`(B, C)` float64 sums of the finite values' squares.

        They are taken about the mean, so that a large one hides no small variance.
        """
        from keras import ops

        n = self.positions - self.missing
        pivot = ops.cast(self.total / ops.maximum(n, 1), self.values.dtype)
        about = total(ops.square(self.values - ops.expand_dims(pivot, axis=self.spatial)))
        exact = ops.cast(pivot, "float64")
        # Replaced values are zeros: each adds the pivot's square about the mean, which is taken out again.
        return ops.maximum(about - self.missing * exact * exact + exact * (2 * self.total - n * exact), 0)

    @cached_property
    def magnitude(self) -> Any:
        """`(B, C)` float64 sums of the finite values' sizes."""
        from keras import ops

        return total(ops.abs(self.values))

    @cached_property
    def zeros(self) -> Any:
        """`(B, C)` int64 numbers of finite values that are 0, of either sign."""
        from keras import ops

        def counted() -> Any:
            zero = ops.equal(self.values, 0)
            return count(zero if self.valid is None else ops.logical_and(zero, self.valid))

        def none() -> Any:
            return ops.zeros((self.values.shape[0], self.values.shape[-1]), dtype="int64")

        # Most convolutions hold no zero at all, which the histogram knows already.
        positive, negative = (ops.any(self.bins[:, i] > 0) for i in ZERO_BINS)
        return ops.cond(ops.logical_or(positive, negative), counted, none)

    @cached_property
    def population(self) -> tuple[Any, Any]:
        """`(B,)` float64 sums over positions of the sparseness over channels, and `(B,)` int64 numbers of positions.

        Of `1 - a` over `1 - 1/C`, with `a` the squared mean over the mean square. Positions count where all channels
        are finite and some is not 0; those of an image that holds a negative value, and of a single channel, do not.
        """
        from keras import ops

        values = self.values
        batch, channels = values.shape[0], values.shape[-1]
        lowest = ops.min(self.minimum, axis=-1)

        def none() -> tuple[Any, Any]:
            return ops.zeros((batch,), dtype="float64"), ops.zeros((batch,), dtype="int64")

        def measured() -> tuple[Any, Any]:
            ones = ops.ones((channels, 1), dtype=values.dtype)
            first = ops.cast(ops.matmul(values, ones)[..., 0], "float64")
            second = ops.cast(ops.matmul(ops.square(values), ones)[..., 0], "float64")
            defined = ops.logical_and(second > 0, ops.reshape(lowest >= 0, (batch,) + (1,) * len(self.spatial)))
            if self.valid is not None:
                defined = ops.logical_and(defined, ops.all(self.valid, axis=-1))
            a = first * first / channels / ops.where(defined, second, 1)
            sparseness = ops.where(defined, (1 - a) / (1 - 1 / channels), 0)
            return ops.sum(sparseness, axis=self.spatial), ops.sum(ops.cast(defined, "int64"), axis=self.spatial)

        # Signed maps are common and have no value here, so they pay for the minimum alone.
        found: tuple[Any, Any] = ops.cond(ops.any(lowest >= 0), measured, none) if channels > 1 else none()
        return found

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
