"""Measures: activations of one tap in, numbers that add up out.

A measure gathers *sums* inside the model's graph, image by image, and derives its *columns* from sums at any level:
of one image, of one channel over all images, or of a whole tap. Because sums add (or take a minimum or maximum),
measuring the probes in parts and merging equals measuring them whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from fmreport.records import Column

if TYPE_CHECKING:
    from fmreport.measures.activations import Activations

MEASURES = {
    "counts": "fmreport.measures.counts:Counts",
    "moments": "fmreport.measures.moments:Moments",
    "zeros": "fmreport.measures.zeros:Zeros",
    "saturation": "fmreport.measures.saturation:Saturation",
    "hoyer": "fmreport.measures.hoyer:Hoyer",
    "treves_rolls": "fmreport.measures.treves_rolls:TrevesRolls",
    "distribution": "fmreport.measures.distribution:Distribution",
    "detail": "fmreport.measures.detail:Detail",
    "regions": "fmreport.measures.regions:Regions",
    "drawn": "fmreport.measures.drawn:Drawn",
    "readability": "fmreport.measures.readability:Readability",
    "pooled": "fmreport.measures.pooled:Pooled",
    "signature": "fmreport.measures.signature:Signature",
}
"""Every measure by name; what a row names is imported on use. `counts` comes first: the others divide by it."""

Level = Literal["sample", "channel", "tap"]
Sums = Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class Sum:
    """One gathered quantity and the way in which its parts combine."""

    column: Column
    per: Literal["channel", "image", "bin", "group", "whole", "place"]
    """`channel`: `(B, C)`; `image`: `(B,)`; `bin`: `(B, bins)`; `group`: `(B, ...)`, any shape, summed over the images
    of each of a few groups instead of over all (see `fmreport.probes.scenes`); `whole`: the same with all images in one
    group, for what would be too large otherwise; `place`: `(B, P, ...)`, values at single positions, of which a few are
    drawn from every image with a mask and kept (see `fmreport.measures.draw`)."""
    combine: Literal["add", "min", "max"] = "add"

    @property
    def name(self) -> str:
        """The key under which `gather` returns it."""
        return self.column.name


@dataclass(frozen=True, slots=True)
class Derived:
    """A column that a measure derives from sums, and the levels at which it is defined."""

    column: Column
    levels: tuple[Level, ...] = ("sample", "channel", "tap")


class Measure(Protocol):
    """What a row of `MEASURES` names."""

    of_maps: bool
    """Whether it is of maps `(B, H, W, C)` alone, and of what their images show: then `x.shown` is never None."""
    method: str
    """Entry of docs/methods.md that explains its columns, those left aside that name one of their own."""
    version: int
    """Raised whenever the same activations would give other numbers."""
    sums: Sequence[Sum]
    columns: Sequence[Derived]

    def gather(self, x: Activations) -> dict[str, Any]:
        """The sums of each image, written once in `keras.ops`; float64 for sums, integers for counts."""

    def derive(self, sums: Sums) -> dict[str, np.ndarray]:
        """Columns from merged sums (those of `counts` included), elementwise over their leading axes."""


def load(names: Sequence[str] | None = None) -> dict[str, Measure]:
    """The named measures by name, or all, in the order of the registry."""
    measures: dict[str, Measure] = {}
    for name, place in MEASURES.items():
        if names is None or name in names:
            module, _, attribute = place.partition(":")
            measures[name] = getattr(import_module(module), attribute)()
    return measures


def derive(measures: Iterable[Measure], sums: Sums) -> dict[str, np.ndarray]:
    """Every measure's columns from merged sums; NaN where a value is undefined or float64 does not hold its squares."""
    held = {name: np.where(np.isinf(value), np.nan, value) for name, value in sums.items() if value.dtype.kind == "f"}
    with np.errstate(over="ignore", invalid="ignore"):
        return {name: value for m in measures for name, value in m.derive({**sums, **held}).items()}


COMBINE: Mapping[str, np.ufunc] = {"add": np.add, "min": np.fmin, "max": np.fmax}
"""How parts combine; a NaN extreme is one of no values."""


def merge(sums: Sequence[Sum], parts: Mapping[str, np.ndarray], axis: int) -> dict[str, np.ndarray]:
    """The parts along `axis` combined into one, each sum by its own rule."""
    return {s.name: COMBINE[s.combine].reduce(parts[s.name], axis=axis) for s in sums if s.name in parts}


def fold(
    sums: Sequence[Sum], whole: Mapping[str, np.ndarray], parts: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """`whole` with the images of the parts `(B, ...)` combined into it, each sum by its own rule.

    They are taken one after another, so that what is rounded does not depend on how images are batched.
    """
    folded = {}
    for s in (s for s in sums if s.name in parts):
        combine, rows = COMBINE[s.combine], parts[s.name]
        made, first = (whole[s.name], 0) if s.name in whole else (combine.reduce(rows[:1], axis=0), 1)
        for row in rows[first:]:
            made = combine(made, row)
        folded[s.name] = made
    return folded
