"""The table `samples` a column at a time, as arrays of taps and images: what analyses of whole sets of images read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Read = Callable[[list[str]], pd.DataFrame]
"""Columns of the table by their names, all rows in one order: `frame.__getitem__` of a frame in memory."""
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class OverImages:
    """Where each row of `samples` stands in an array of taps and images; no more than one column is held at a time."""

    read: Read
    taps: tuple[str, ...]
    """In the order in which they first come."""
    probes: tuple[str, ...]
    at: NDArray[np.integer[Any]]
    """(rows,) the place of each in such an array, row by row."""

    @classmethod
    def of(cls, read: Read) -> OverImages:
        """Of a table that has each probe at each tap once."""
        tap, taps = pd.factorize(read(["tap"])["tap"])
        probe, probes = pd.factorize(read(["probe"])["probe"])
        # Half the bytes, where that many places can be told.
        kind = np.dtype(np.int32 if len(taps) * len(probes) <= np.iinfo(np.int32).max else np.int64)
        at = tap.astype(kind)
        at *= len(probes)
        at += probe.astype(kind)
        return cls(read, tuple(map(str, taps)), tuple(map(str, probes)), at)

    def values(self, column: str) -> Floats:
        """`(taps, images)` of a column, NaN where it is undefined or infinite."""
        read = self.read([column])[column].to_numpy(np.float64, na_value=np.nan)
        found = np.full(len(self.taps) * len(self.probes), np.nan)
        found[self.at] = read
        found[np.isinf(found)] = np.nan
        return found.reshape(len(self.taps), len(self.probes))


def ordered(found: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Where the taps that are wanted, in their order, stand among those that were found."""
    place = {tap: number for number, tap in enumerate(found)}
    return [place[tap] for tap in wanted if tap in place]
