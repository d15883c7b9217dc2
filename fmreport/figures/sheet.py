"""Pictures in rows, as words stand in lines: all at one scale, each at least as wide as its label. In points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fmreport.figures import placing

NARROWEST = 36.0
"""Picture or label, so that what is enlarged to it can be seen."""
GAP, WIDEST = 7.0, 24.0
"""Between pictures, at least and at most."""
LARGEST, ENOUGH = 130.0, 50.0
"""The longest side of the largest picture, at most, and that from which on no more rows are added."""
MOST = 8
"""Rows."""
SMALL, LIFT = 22.0, 9.0
"""Pictures with shorter sides stand above themselves once more, enlarged, and so far off."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture, with its label."""

    name: str
    lines: tuple[str, ...]
    grid: tuple[int, int]
    """Height and width in its own pixels, by which it is drawn."""
    pixels: NDArray[np.uint8]
    """(h, w, 3) RGB."""


@dataclass(frozen=True, slots=True)
class Cell:
    """Where a picture stands in its row."""

    picture: Picture
    left: float
    width: float
    """Of the picture or its label, whichever is wider."""
    size: tuple[float, float]
    """Height and width of the picture."""

    @property
    def enlarged(self) -> tuple[float, float] | None:
        """Height and width of the same picture above it; None where it is large enough."""
        height, width = self.size
        return (self.width * height / width, self.width) if max(height, width) < SMALL else None

    @property
    def height(self) -> float:
        """Of all that stands above the label."""
        return self.size[0] + (LIFT + self.enlarged[0] if self.enlarged else 0.0)


@dataclass(frozen=True, slots=True)
class Sheet:
    """What pictures are arranged on."""

    across: float
    letters: float
    """Size of the labels' letters."""

    def arranged(self, pictures: Sequence[Picture]) -> list[list[Cell]]:
        """The fewest rows in which the largest picture is large enough, filled to the right where they nearly are."""
        longest = max(max(picture.grid) for picture in pictures)
        scale = next(
            (found for count in range(1, MOST) if (found := self._scale(pictures, count)) * longest >= ENOUGH),
            self._scale(pictures, MOST),
        )
        return [self._spread(row, scale) for row in self._rows(pictures, scale)]

    def _scale(self, pictures: Sequence[Picture], count: int) -> float:
        """Points per pixel at which so many rows hold all; 0 where labels alone take more."""
        low, high = 0.0, LARGEST / max(max(picture.grid) for picture in pictures)
        if len(self._rows(pictures, high)) <= count:
            return high
        for _ in range(24):
            middle = (low + high) / 2
            low, high = (middle, high) if len(self._rows(pictures, middle)) <= count else (low, middle)
        return low

    def _rows(self, pictures: Sequence[Picture], scale: float) -> list[list[Picture]]:
        rows: list[list[Picture]] = []
        room = 0.0
        for picture in pictures:
            width = self._width(picture, scale)
            if not rows or width + GAP > room:
                rows.append([])
                room = self.across + GAP
            rows[-1].append(picture)
            room -= width + GAP
        return rows

    def _spread(self, row: Sequence[Picture], scale: float) -> list[Cell]:
        widths = [self._width(picture, scale) for picture in row]
        gap = min((self.across - sum(widths)) / max(len(row) - 1, 1), WIDEST)
        lefts = np.cumsum([0.0, *(width + gap for width in widths[:-1])])
        sizes = [(picture.grid[0] * scale, picture.grid[1] * scale) for picture in row]
        return [Cell(*each) for each in zip(row, map(float, lefts), widths, sizes, strict=True)]

    def _width(self, picture: Picture, scale: float) -> float:
        label = max(map(placing.width, picture.lines), default=0.0) * self.letters / placing.FONT
        return max(picture.grid[1] * scale, label, NARROWEST)
