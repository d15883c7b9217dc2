"""What one pass gathered to tables: sums of groups of images, held out and compared with nulls, and single images.

Nothing here sees an image or a framework.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Protocol

import numpy as np
import pandas as pd

from fmreport.analysis.over_images import Read
from fmreport.dissection import Dissected
from fmreport.records import Column

ANALYSES: dict[str, str] = {
    "progression": "fmreport.analysis.progression:Progression",
    "detail": "fmreport.analysis.detail:Detail",
    "readability": "fmreport.analysis.readability:Readability",
    "selectivity": "fmreport.analysis.selectivity:Selectivity",
    "similarity": "fmreport.analysis.similarity:Similarity",
    "dimension": "fmreport.analysis.dimension:Dimension",
    "redundancy": "fmreport.analysis.redundancy:Redundancy",
    "dissection": "fmreport.analysis.dissection:Dissection",
    "outliers": "fmreport.analysis.outliers:Outliers",
    "spread": "fmreport.analysis.spread:Spread",
    "facets": "fmreport.analysis.facets:Facets",
    "sketch": "fmreport.analysis.sketch:Sketch",
}
"""Every analysis by the name of the table that it makes; what a row names is imported on use."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the measuring pass gathered for analyses."""

    taps: tuple[str, ...]
    """In the order in which the model runs, behind the image itself (`records.IMAGE`)."""
    grouped: Mapping[str, Mapping[str, np.ndarray]]
    """Per tap, every sum of kind `group`, `(groups, ...)`, `whole`, `(1, ...)`, and `place`, `(2, slots, ...)`; a tap
    lacks the sums that it has not, such as a vector those of maps."""
    sizes: np.ndarray
    """(groups,) images in each group: 1 where there are few images."""
    masked_groups: int
    """The first so many groups are of images with masks, the others of images without."""
    planes: tuple[str, ...]
    """Of the scenes, `kept` left out; see `fmreport.probes.scenes`."""
    seed: int
    dissected: Mapping[str, Dissected] = field(default_factory=dict)
    """What passes of their own counted, by tap; empty where nobody asked for them or no probe has a mask."""
    samples: Read | None = None
    """Columns of the table `samples`, of all images and taps."""
    facets: Mapping[str, str] = field(default_factory=dict)
    """What each probe has in common with some others, for those that declare it."""
    mapped: frozenset[str] | None = None
    """Probes whose maps were measured, which all but `samples` is of; of others there are no values of maps, nor of the
    image itself. None: all."""


class Analysis(Protocol):
    """What a row of `ANALYSES` names."""

    columns: Sequence[Column]
    version: int
    """Raised whenever the same sums would give other numbers."""

    def table(self, evidence: Evidence) -> pd.DataFrame:
        """The table, with those columns; without a row where there is nothing to tell."""


def columns() -> tuple[Column, ...]:
    """The columns of all of these tables."""
    return tuple(column for made in load().values() for column in made.columns)


def load() -> dict[str, Analysis]:
    """Every analysis, by its table."""
    made: dict[str, Analysis] = {}
    for name, place in ANALYSES.items():
        module, _, attribute = place.partition(":")
        made[name] = getattr(import_module(module), attribute)()
    return made
