"""How far images differ: the spread of single quantities over them, tap by tap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from fmreport.analysis import Evidence
from fmreport.analysis.outliers import QUANTITIES
from fmreport.analysis.over_images import OverImages, Read, ordered
from fmreport.records import TAP_OR_IMAGE, Column, explained

SHARES = {"minimum": 0.0, "q05": 0.05, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q95": 0.95, "maximum": 1.0}
"""Columns, and the share of the images below each."""
READ = ("probe", "tap", *QUANTITIES)
"""Columns of the table `samples` that are read."""

COLUMNS = explained(
    "spread-over-images",
    TAP_OR_IMAGE,
    Column("quantity", "", "column of samples whose values at this tap, one of each image, are told"),
    Column("images", "count", "images in which it is defined"),
    *(
        Column(name, "number", f"value that {share:.0%} of the images are below, in the quantity's own unit")
        if 0 < share < 1
        else Column(name, "number", f"{'largest' if share else 'smallest'} value of an image, in its own unit")
        for name, share in SHARES.items()
    ),
    Column("lowest", "", "name of the probe that has the smallest value, the first one of several"),
    Column("highest", "", "name of the probe that has the largest value, the first one of several"),
)


class Spread:
    """One row per tap and quantity that is defined in some image."""

    columns: Sequence[Column] = COLUMNS
    version = 1

    def table(self, evidence: Evidence) -> pd.DataFrame:
        """The table, in the order of the taps."""
        names = [column.name for column in self.columns]
        rows = [] if evidence.samples is None else list(_rows(evidence.samples, evidence.taps))
        return pd.DataFrame(rows, columns=names)


def _rows(read: Read, taps: Sequence[str]) -> Iterator[tuple[object, ...]]:
    grid = OverImages.of(read)
    places = ordered(grid.taps, taps)
    made: dict[tuple[int, str], tuple[object, ...]] = {}
    for quantity in QUANTITIES:
        values = grid.values(quantity)
        for tap in places:
            defined = np.flatnonzero(np.isfinite(values[tap]))
            if defined.size:
                row = values[tap, defined]
                ends = (grid.probes[defined[at(row)]] for at in (np.argmin, np.argmax))
                made[tap, quantity] = (defined.size, *np.quantile(row, list(SHARES.values())), *ends)
    for tap in places:
        for quantity in QUANTITIES:
            if (tap, quantity) in made:
                yield grid.taps[tap], quantity, *made[tap, quantity]
