"""Masks of photographs that ship inside scikit-image: polygons drawn by hand, in `outlines.txt`, to pixels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from fmreport.probes.photographs import PHOTOGRAPHS

ORIGIN = "fmreport outline: "
"""What the origin of such a mask begins with; the photograph's name follows."""

_DRAWN = Path(__file__).with_name("outlines.txt")


@dataclass(frozen=True, slots=True)
class Polygon:
    """A closed line; what lies inside is foreground, or is taken out of it."""

    points: tuple[tuple[float, float], ...]
    """`(x, y)` in pixels from the photograph's top left corner."""
    hole: bool = False


@dataclass(frozen=True, slots=True)
class Outline:
    """What is foreground in one photograph."""

    photograph: str
    size: tuple[int, int]
    """Height and width, in pixels, of the photograph on which it was drawn."""
    polygons: tuple[Polygon, ...] = ()
    """In order: each adds to those before it, or takes from them."""

    @property
    def origin(self) -> str:
        """What the manifest calls the mask: `fmreport outline: cat`."""
        return f"{ORIGIN}{self.photograph}"

    def levels(self) -> np.ndarray:
        """`(H, W)` uint8: 1 where a pixel's centre is foreground, else 0."""
        from skimage.draw import polygon2mask

        inside = np.zeros(self.size, np.bool_)
        for polygon in self.polygons:
            # There, row comes before column, and 0 is the centre of the first pixel.
            within = polygon2mask(self.size, np.array(polygon.points)[:, ::-1] - 0.5)  # type: ignore[no-untyped-call]
            inside = inside & ~within if polygon.hole else inside | within
        return inside.astype(np.uint8)


def outline(name: str) -> Outline | None:
    """The outline drawn on scikit-image's photograph of that name, if there is one."""
    # By the file, which may have two names.
    drawn = {PHOTOGRAPHS[each.photograph]: each for each in _drawn()}
    return drawn.get(PHOTOGRAPHS[name])


def parse(text: str) -> tuple[Outline, ...]:
    """The outlines that a text holds; the head of `outlines.txt` tells the format. `ValueError`: it is not in it."""
    found: list[Outline] = []
    for line in text.replace("\n ", " ").splitlines():
        if not line or line.startswith("#"):
            continue
        word, *rest = line.split()
        if word == "photograph":
            name, width, _, height = rest
            found.append(Outline(name, (int(height), int(width))))
        elif word in ("polygon", "hole"):
            points = tuple((float(x), float(y)) for x, y in (pair.split(",") for pair in rest))
            polygons = (*found[-1].polygons, Polygon(points, hole=word == "hole"))
            found[-1] = replace(found[-1], polygons=polygons)
        else:
            raise ValueError(f"a line of outlines begins with {word!r}, not with photograph, polygon or hole")
    return tuple(found)


@cache
def _drawn() -> tuple[Outline, ...]:
    return parse(_DRAWN.read_text(encoding="utf-8"))
