"""How many values there are, and how many are NaN or Inf."""

from __future__ import annotations

from typing import Any

import numpy as np

from fmreport.measures import Derived, Sum, Sums
from fmreport.measures.activations import Activations
from fmreport.measures.reduce import count
from fmreport.records import Column


class Counts:
    """Numbers of finite and non-finite values; everything else is measured on the finite ones."""

    of_maps = False
    method = "finite-values"
    version = 1
    sums = (
        Sum(
            Column("finite", "count", "values that are neither NaN nor Inf; every other measure is of these"), "channel"
        ),
        Sum(Column("nan", "count", "values that are NaN"), "channel"),
        Sum(Column("inf", "count", "values that are infinite"), "channel"),
    )
    columns: tuple[Derived, ...] = ()

    def gather(self, x: Activations) -> dict[str, Any]:
        """Integer counts per image and channel."""
        from keras import ops

        shape = x.values.shape
        positions = int(np.prod(shape[1:-1]))
        none = ops.zeros((shape[0], shape[-1]), dtype="int64")
        nan, inf = (none, none) if x.valid is None else (count(x.nan), count(x.inf))
        return {"finite": positions - nan - inf, "nan": nan, "inf": inf}

    def derive(self, sums: Sums) -> dict[str, np.ndarray]:
        """Nothing: the counts themselves are the columns."""
        return {}
