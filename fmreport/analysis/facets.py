"""Facets: images that the config declares to belong together, held against all others, tap by tap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from fmreport.analysis import Evidence, resampling
from fmreport.analysis.over_images import Floats, OverImages, ordered
from fmreport.records import TAP_OR_IMAGE, Column, explained

QUANTITIES = ("std", "zero_fraction", "gini", "high_frequency")
"""Columns of the table `samples` by which facets are compared: contrast, sparsity of two kinds, fineness."""
READ = ("probe", "tap", *QUANTITIES)
FEWEST = resampling.FEWEST
"""Images of a facet, and of the others, below which neither an interval nor a p value is given."""
MOST = 1000
"""Facets that are compared, at most: the largest."""

COLUMNS = explained(
    "facets",
    Column("facet", "", "what the config declares these probes to have in common, such as their class"),
    TAP_OR_IMAGE,
    Column("quantity", "", "column of samples that is compared"),
    Column("images", "count", "images of the facet in which it is defined"),
    Column("mean", "number", "mean over these images, in the quantity's own unit"),
    Column("lower", "number", "lower end of the 95% interval of that mean, by Student's t"),
    Column("upper", "number", "its upper end"),
    Column("others", "number", "mean over all other images"),
    Column(
        "higher",
        "1",
        "share of pairs of an image of the facet and another image in which that of the facet is higher, ties for a "
        "half: 0.5 where they do not differ",
        "Mann & Whitney 1947, doi 10.1214/aoms/1177730491",
    ),
    Column(
        "p",
        "1",
        "of the rank test that it is 0.5, corrected for all comparisons of this table",
        "Mann & Whitney 1947, doi 10.1214/aoms/1177730491; Holm 1979",
    ),
)


@dataclass(frozen=True, slots=True)
class Compared:
    """F facets against all other images, in one quantity at one tap."""

    images: NDArray[np.int64]
    """(F,)."""
    mean: Floats
    half: Floats
    """(F,) half of the interval; NaN for few images."""
    others: Floats
    higher: Floats
    p: Floats
    """(F,) two-sided, of each alone."""


class Facets:
    """One row per facet, tap and quantity; none where no probe declares a group, or all declare the same."""

    columns: Sequence[Column] = COLUMNS
    version = 1

    def table(self, evidence: Evidence) -> pd.DataFrame:
        """The table: facets by name, taps in their order."""
        names = [column.name for column in self.columns]
        facets = largest(list(evidence.facets.values()))
        if evidence.samples is None or not facets:
            return pd.DataFrame(columns=names)
        grid = OverImages.of(evidence.samples)
        if set(evidence.facets.values()) == set(facets[:1]) and len(evidence.facets) == len(grid.probes):
            return pd.DataFrame(columns=names)
        number = {facet: place for place, facet in enumerate(facets)}
        of = np.array([number.get(evidence.facets.get(probe, ""), -1) for probe in grid.probes])
        made = pd.concat(_frames(grid, of, facets, evidence.taps), ignore_index=True)
        made["p"] = holm(made["p"].to_numpy(np.float64))
        places = made[["facet", "tap", "quantity"]].apply(lambda column: column.map(_order(column, evidence.taps)))
        return made.iloc[np.lexsort(places.to_numpy().T[::-1])][names].reset_index(drop=True)


def largest(facets: Sequence[str]) -> list[str]:
    """The facets that are compared, by name: of more than `MOST` those with most images."""
    counts = pd.Series([facet for facet in facets if facet]).value_counts(sort=False)
    return sorted(counts.sort_values(ascending=False, kind="stable").index[:MOST])


def _order(column: pd.Series[str], taps: Sequence[str]) -> dict[str, int]:
    known = {"tap": taps, "quantity": QUANTITIES}.get(str(column.name)) or sorted(column.unique())
    return {name: place for place, name in enumerate(known)}


def _frames(
    grid: OverImages, of: NDArray[np.int64], facets: Sequence[str], taps: Sequence[str]
) -> Iterator[pd.DataFrame]:
    for quantity in QUANTITIES:
        values = grid.values(quantity)
        for tap in ordered(grid.taps, taps):
            found = compared(values[tap], of, len(facets))
            told = found.images > 0
            frame = {"facet": facets, "tap": grid.taps[tap], "quantity": quantity, "images": found.images}
            frame |= {"mean": found.mean, "lower": found.mean - found.half, "upper": found.mean + found.half}
            frame |= {"others": found.others, "higher": found.higher, "p": found.p}
            yield pd.DataFrame(frame)[told]


def compared(values: Floats, of: NDArray[np.int64], facets: int) -> Compared:
    """Values `(N,)` of images that belong to the facets `of`, -1 for none; NaN is left out."""
    known = np.isfinite(values)
    x, of = values[known], of[known]
    own, total = of >= 0, len(x)
    n = np.bincount(of[own], minlength=facets)
    rest = total - n
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.bincount(of[own], x[own], facets) / n
        away = np.bincount(of[own], (x[own] - mean[of[own]]) ** 2, facets)
        half = stats.t.ppf(0.5 + resampling.LEVEL / 2, n - 1) * np.sqrt(away / (n - 1) / n)
        others = (x.sum() - n * mean) / rest
        ranks = stats.rankdata(x)
        higher = (np.bincount(of[own], ranks[own], facets) / n - (n + 1) / 2) / rest
        _, ties = np.unique(x, return_counts=True)
        tied = float((ties.astype(np.float64) ** 3 - ties).sum()) / (total * (total - 1)) if total > 1 else 0.0
        z = (higher - 0.5) / np.sqrt((total + 1 - tied) / (12.0 * n * rest))
        p = 2 * stats.norm.sf(np.abs(z))
    few = (n < FEWEST) | (rest < FEWEST)
    p = np.where(np.isnan(p), 1.0, p)  # all values are equal
    return Compared(n, mean, np.where(n < FEWEST, np.nan, half), others, higher, np.where(few, np.nan, p))


def holm(p: Floats) -> Floats:
    """Probabilities corrected for how many there are, after Holm; NaN stays and does not count."""
    told = np.flatnonzero(~np.isnan(p))
    rising = told[np.argsort(p[told], kind="stable")]
    steps = p[rising] * np.arange(len(rising), 0, -1)
    made = np.full(len(p), np.nan)
    made[rising] = np.minimum(np.maximum.accumulate(steps), 1.0) if len(rising) else steps
    return made
