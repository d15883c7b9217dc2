"""Which positions of which images are kept, so that memory grows neither with the images nor with the taps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

VALUES = 1 << 25
"""Kept of all taps together, in each half of the images."""
LEAST, MOST = 1 << 10, 1 << 14
"""Positions of one tap in a half, where its images have so many: the fewest, however many channels there are, and the
most, however few."""
GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True, slots=True)
class Draw:
    """Positions from all images alike, in two halves: of the images 0, 2, 4, ... and of 1, 3, 5, ...

    Every image writes to slots of its own, so that parts of the images, each kept alone, add up to the whole.
    """

    images: int
    """That are drawn from; their numbers count from 0."""
    channels: int
    """Of all taps together."""

    def shape(self, positions: int) -> tuple[int, int]:
        """(2, slots): how much is kept of taps with so many positions."""
        every, each = self._rule(positions)
        return 2, -(-self._half // every) * each

    def keep(self, kept: np.ndarray, rows: np.ndarray, numbers: Sequence[int]) -> None:
        """Writes what is drawn of rows `(n, positions, ...)`, of images of these numbers, into `(2, slots, ...)`."""
        positions = rows.shape[1]
        every, each = self._rule(positions)
        for row, number in zip(rows, numbers, strict=True):
            turn, rest = divmod(number // 2, every)
            if rest == 0:
                kept[number % 2, turn * each : (turn + 1) * each] = row[self._places(number, positions)]

    @property
    def _half(self) -> int:
        return -(-self.images // 2)

    def _rule(self, positions: int) -> tuple[int, int]:
        """(every, each): from every so manieth image of a half, so many positions each."""
        most = min(max(VALUES // max(self.channels, 1), LEAST), MOST)
        every = max(-(-self._half // most), 1)
        return every, min(most // max(-(-self._half // every), 1), positions)

    def _places(self, number: int, positions: int) -> np.ndarray:
        """Evenly spaced; where they begin differs from image to image, so that none is left out for good."""
        each = self._rule(positions)[1]
        start = number * GOLDEN % 1
        return ((np.arange(each) + start) * (positions / each)).astype(int)
