"""Where labels stand: off the bars, off one another, and within the figure. Everything is in points."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

FONT = 7.0
"""Size of the labels."""
RISE, DROP = 5.6, 1.6
"""How far letters reach above the line on which they stand, and below it."""
GAP = 2.0
"""Between two labels, and between a label and a bar beside it."""


@cache
def width(text: str) -> float:
    """Of a text as it is drawn."""
    if not text:
        return 0.0  # of which matplotlib makes no path
    drawn = TextPath((0, 0), text, size=FONT, prop=FontProperties(family="DejaVu Sans"))
    return float(drawn.get_extents().x1) if len(drawn.vertices) else 0.0


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle."""

    left: float
    bottom: float
    right: float
    top: float

    def meets(self, other: Box) -> bool:
        """Whether the two are closer than `GAP` sideways and overlap in height."""
        beside = self.left - other.right < GAP and other.left - self.right < GAP
        return beside and self.bottom < other.top and other.bottom < self.top


@dataclass(frozen=True, slots=True)
class Label:
    """A text that belongs above neighbouring bars of one height, those from `left` to `right`."""

    text: str
    left: float
    right: float
    line: float
    """Where its letters stand."""


def place(labels: Sequence[Label], bars: Sequence[Box], end: float) -> Iterator[tuple[Label, float]]:
    """The labels that find room from 0 to `end`, the first ones first, each with the middle at which it stands."""
    taken = list(bars)
    for label in labels:
        half = width(label.text) / 2
        places = ((label.left + label.right) / 2, label.left + half, label.right - half)
        for middle in places:
            box = Box(middle - half, label.line - DROP, middle + half, label.line + RISE)
            if box.left >= 0 and box.right <= end and not any(box.meets(other) for other in taken):
                taken.append(box)
                yield label, middle
                break
