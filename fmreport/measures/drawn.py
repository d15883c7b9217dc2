"""Single values of every channel at the same positions, inside and outside of the mask."""

from __future__ import annotations

from typing import Any

import numpy as np

from fmreport.measures import Derived, Sum, Sums
from fmreport.measures.activations import Activations
from fmreport.measures.places import regions
from fmreport.records import Column

HALF = 0.5
"""A position is looked at where it is kept by so much at least, and foreground where a mask covers as much of that."""


class Drawn:
    """What `fmreport.analysis.selectivity` compares channels by: values, and in which regions they lie.

    Whatever orders the values of a channel needs the values themselves, and all images'. A fixed number of positions,
    drawn from all images, holds them without bins, whatever the channel's scale, mean and form; and any number of masks
    of no meaning costs one bit each.
    """

    of_maps = True
    method = "best-channel"
    version = 1
    sums = (
        Sum(Column("drawn", "activation", "values, rounded to 8 significant bits"), "place"),
        Sum(
            Column("labels", "", "bit 0: the position is looked at; bits 1, 2, ...: it is inside one of `regions`"),
            "place",
        ),
    )
    columns: tuple[Derived, ...] = ()

    def gather(self, x: Activations) -> dict[str, Any]:
        """`drawn` `(B, P, C)` bfloat16, `labels` `(B, P)` int32; nothing where no probe has a mask.

        Nothing of a map with a single position either, which has no inside and outside.
        """
        from keras import ops

        values, shown = x.scattered
        names = regions(shown.planes)
        if not names or values.shape[1] == 1:
            return {}
        bits = 2 ** np.arange(1, len(names) + 1, dtype=np.int32)
        inside = ops.sum(ops.cast(shown.picked(names) >= HALF, "int32") * bits, axis=-1)
        # Half the memory, and ranks of 8 bits tell apart whatever values of different images do.
        return {"drawn": ops.cast(values, "bfloat16"), "labels": ops.cast(shown.weight >= HALF, "int32") + inside}

    def derive(self, sums: Sums) -> dict[str, np.ndarray]:
        """Nothing: a channel is chosen on some images and judged on others."""
        return {}
