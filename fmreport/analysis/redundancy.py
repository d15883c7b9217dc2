"""Channels that say what another channel of the tap says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from fmreport.analysis import Evidence
from fmreport.analysis.pooled import FLOOR
from fmreport.measures.projection import COARSE
from fmreport.measures.signature import ROWS
from fmreport.records import TAP_OR_IMAGE, Column, explained

ALIKE = 0.99
"""Correlation above which two channels are near-duplicates."""
LEAST = 20
"""Positions, of all images together, below which channels correlate by chance: of 20 independent ones, a correlation of
.9 turns out as .99 once in 10**6."""

COLUMNS = explained(
    "near-duplicate-channels",
    TAP_OR_IMAGE,
    Column(
        "duplicate",
        "count",
        f"number, from 0, of a channel that correlates above {ALIKE} with an earlier one over the positions of the "
        "images: the same maps but for a positive factor and an offset. Mirrored channels, which a rectifier tells "
        "apart, are no duplicates; silent and constant ones correlate with nothing",
    ),
    Column("original", "count", "number of the first such channel that is no duplicate itself"),
    Column(
        "correlation",
        "1",
        f"between the two, estimated from {ROWS} random sums over positions, at most {COARSE} by {COARSE} of an "
        f"image: 0.985 to 0.993 may fall on either side of {ALIKE}",
        "random projections: Achlioptas 2003",
    ),
)


class Redundancy:
    """One row per near-duplicate channel; none of taps that are no maps, or of too few positions."""

    columns: Sequence[Column] = COLUMNS
    version = 1

    def table(self, evidence: Evidence) -> pd.DataFrame:
        """The table, in the order of taps and channels."""
        rows = [
            (tap, *found)
            for tap in evidence.taps
            if "signature" in evidence.grouped[tap]
            for found in duplicates(evidence.grouped[tap]["signature"][0])
        ]
        return pd.DataFrame(rows, columns=[column.name for column in self.columns])


def duplicates(signature: np.ndarray) -> Iterator[tuple[int, int, float]]:
    """Channel, the earlier one that it repeats, and their correlation, from a signature `(1 + rows, C + 1)`.

    Its first row holds sums over positions, its last column what a map of ones gives.
    """
    positions = signature[0, -1]
    if positions < LEAST:
        return
    mean = signature[0, :-1] / positions
    centred = signature[1:, :-1] - signature[1:, -1:] * mean
    largest = np.abs(centred).max(axis=0)
    # What varies no more than by rounding is constant; NaN compares as False.
    kept = largest / np.sqrt(positions) > FLOOR * np.abs(mean)
    numbers = np.flatnonzero(kept)
    unit = centred[:, kept] / largest[kept]
    unit = (unit / np.linalg.norm(unit, axis=0)).astype(np.float32)
    correlation = unit.T @ unit
    close = np.triu(correlation > ALIKE, k=1)
    original = np.ones(len(numbers), bool)
    for later in np.flatnonzero(close.any(axis=0)):
        earlier = np.flatnonzero(close[:, later] & original)
        if earlier.size:
            original[later] = False
            first = earlier[0]
            yield int(numbers[later]), int(numbers[first]), float(correlation[first, later])
