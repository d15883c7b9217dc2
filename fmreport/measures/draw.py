"""Which positions of which images are kept, so that memory grows neither with the images nor with the taps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

VALUES = 1 << 25
"""Kept of all taps together, in each half of the images."""
LEAST, MOST = 1 << 10, 1 << 14
"""Positions of one tap in a half, where its images have so many: the fewest, however many channels there are, and the
most, however few."""
GOLDEN = (5**0.5 - 1) / 2
FEW = 32
"""Images of a half up to which their number is taken as it is; beyond it as the next power of two."""


@dataclass(frozen=True, slots=True)
class Draw:
    """Positions from all images alike, in two halves: of the images 0, 2, 4, ... and of 1, 3, 5, ...

    Every image writes to slots of its own, so that parts of the images, each kept alone, add up to the whole. The rule
    stays the same while images are added, until they have doubled.
    """

    images: int
    """That are drawn from; their numbers count from 0."""
    channels: int
    """Of all taps together."""

    def shape(self, positions: int) -> tuple[int, int]:
        """(2, slots): how much is kept of taps with so many positions."""
        every, each = self._rule(positions)
        half = -(-self.images // 2)
        return 2, -(-half // every) * each

    def holds(self, number: int, positions: int) -> bool:
        """Whether anything is drawn from the image of this number."""
        return number // 2 % self._rule(positions)[0] == 0

    def pick(self, row: np.ndarray, number: int) -> np.ndarray:
        """What is drawn of an image's positions `(positions, ...)`."""
        picked: np.ndarray = row[self._places(number, len(row))]
        return picked

    def keep(self, kept: np.ndarray, picked: np.ndarray, number: int, positions: int) -> None:
        """Writes what was picked of an image of so many positions into `(2, slots, ...)`."""
        turn = number // 2 // self._rule(positions)[0]
        kept[number % 2, turn * len(picked) : (turn + 1) * len(picked)] = picked

    @property
    def _half(self) -> int:
        half = -(-self.images // 2)
        return half if half <= FEW else 1 << (half - 1).bit_length()

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
