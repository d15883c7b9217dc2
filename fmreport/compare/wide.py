"""The table `samples` of a run, one measure at a time, as an array of some of its taps and images."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Read = Callable[[Sequence[str]], pd.DataFrame]
"""Columns of the table by their names, as far as it has them: `samples_of` of a run."""


class Wide:
    """That table, of which no more than one column is held."""

    def __init__(self, read: Read, taps: Sequence[str], probes: Sequence[str]) -> None:
        rows, columns = (
            _places(read([name])[name], order).astype(np.int64) for name, order in (("tap", taps), ("probe", probes))
        )
        self._read, self._shape = read, (len(taps), len(probes))
        self._kept = (rows >= 0) & (columns >= 0)
        self._at = (rows * len(probes) + columns)[self._kept]

    def of(self, measure: str) -> Floats | None:
        """`(taps, images)`, NaN where it is undefined; None where the table does not have it."""
        samples = self._read([measure])
        if measure not in samples:
            return None
        found = np.full(self._shape, np.nan)
        found.ravel()[self._at] = samples[measure].to_numpy(np.float64, na_value=np.nan)[self._kept]
        return found

    @property
    def taps(self) -> NDArray[np.bool_]:
        """(taps,) whether the table has anything of each."""
        return np.bincount(self._at // max(self._shape[1], 1), minlength=self._shape[0]) > 0


def _places(column: pd.Series, order: Sequence[str]) -> NDArray[np.int64]:
    """Of each row where its name stands in that order; -1: nowhere."""
    codes, names = pd.factorize(column)
    place = {name: i for i, name in enumerate(order)}
    return np.array([place.get(str(name), -1) for name in names], np.int64)[codes]
