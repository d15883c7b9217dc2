"""Images unlike the rest, tap by tap: by a robust z-score that knows a lopsided distribution from an odd image."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from fmreport.analysis import Evidence
from fmreport.analysis.over_images import Floats, OverImages, Read, ordered
from fmreport.records import IMAGE, TAP_OR_IMAGE, Column, explained

FEWEST = 20
"""Images below which none can be told to be unlike the others: their spread is not known well enough."""
EXPECTED = 0.05
"""Images that the limit lets through at a tap, in the mean, where all are alike: one in twenty taps."""
MINORITY = 0.25
"""Share of the images up to which they are the odd ones; beyond it there are two kinds of images."""
PER_TAP, OVERALL = 10, 12
"""Images that are listed of each tap, and of all taps together, at most."""
PICTURED = 24
"""Images whose pictures a run keeps for being unlike the rest, at most."""
NORMAL = float(stats.norm.ppf(0.75))
"""Median distance of normal values from their median, in standard deviations."""
NOT_FINITE, CONSTANT = "not finite", "constant"
"""Kinds of outliers that have no z-score."""
SOURCE = "in the manner of Rousseeuw et al. 2018, arXiv 1608.05012; limit as in Davies & Gather 1993"


@dataclass(frozen=True, slots=True)
class Quantity:
    """What images are compared by."""

    least: float
    """The spread that it is given at least: what differs by no more than that is alike."""
    logarithm: bool = False
    """Whether ratios count, not differences."""
    of_spread: bool = False
    """Whether `least` is a part of the tap's usual standard deviation."""
    of_values: bool = False
    """Whether it is a share of the values at a tap, so that one value makes a difference where there are few."""
    of_maps: bool = False
    """Whether only images whose maps are measured have it."""


QUANTITIES = {
    "mean": Quantity(0.01, of_spread=True),
    "std": Quantity(0.02, logarithm=True),
    "zero_fraction": Quantity(0.01, of_values=True),
    "population_sparseness": Quantity(0.01),
    "gini": Quantity(0.01),
    "high_frequency": Quantity(0.05, logarithm=True, of_maps=True),
}
"""By their columns of the table `samples`: strength, contrast, sparsity of three kinds, fineness."""
FAINTEST = 1e-6
"""A share of the spectrum below this is rounding."""
READ = ("probe", "tap", "finite", "nan", "inf", *QUANTITIES)
"""Columns of the table `samples` that are read."""

COLUMNS = explained(
    "images-unlike-the-rest",
    TAP_OR_IMAGE,
    Column("probe", "", "name of the probe"),
    Column(
        "quantity",
        "",
        f"column of samples by which the image is furthest from the others at this tap; {NOT_FINITE}: it has NaN or "
        f"infinite values; {CONSTANT}: all its values are equal",
    ),
    Column("value", "number", f"of that quantity, in its own unit; how many values, where they are {NOT_FINITE}"),
    Column("median", "number", "of the quantity over all images at this tap"),
    Column("z", "1", "robust z-score: distance from the median in robust standard deviations of its own side", SOURCE),
    Column("limit", "1", f"|z| beyond which {EXPECTED} images of a tap are expected where all are alike", SOURCE),
    Column("beyond", "count", "images beyond the limit at this tap, those without a z-score included"),
    Column("images", "count", "images that were compared"),
    Column("odd", "count", "those of them that are beyond the limit at some tap"),
    Column("taps_beyond", "count", "taps at which this image is beyond the limit, the image itself included"),
)


class Outliers:
    """One row per tap and odd image, the oddest first: at most `PER_TAP` of each, and the `OVERALL` oddest of all."""

    columns: Sequence[Column] = COLUMNS
    version = 1

    def table(self, evidence: Evidence) -> pd.DataFrame:
        """The table, in the order of the taps."""
        names = [column.name for column in self.columns]
        if evidence.samples is None:
            return pd.DataFrame(columns=names)
        return pd.DataFrame(list(_rows(found(evidence.samples, evidence.mapped), evidence.taps)), columns=names)


@dataclass(frozen=True, slots=True)
class Found:
    """How unlike the others each of N images is at each of T taps."""

    taps: tuple[str, ...]
    probes: Sequence[str]
    score: Floats
    """(T, N) the largest |z|; infinite for images of another kind; NaN where nothing can be said."""
    z: Floats
    """(T, N) the same with its sign; NaN where the kind is another."""
    kind: np.ndarray
    """(T, N) which of `KINDS` the score is of."""
    value: Floats
    """(T, N) of that quantity."""
    median: Floats
    """(T, quantities)."""
    limit: float
    mapped: int
    """Images whose maps are measured."""

    def compared(self, tap: int, kind: int) -> int:
        """How many images have one of `KINDS` at a tap, as far as that does not depend on their values."""
        of_maps = kind < len(QUANTITIES) and tuple(QUANTITIES.values())[kind].of_maps
        return self.mapped if of_maps or self.taps[tap] == IMAGE else len(self.probes)

    @property
    def beyond(self) -> np.ndarray:
        """(T, N) whether the image is beyond the limit."""
        return np.nan_to_num(self.score) > self.limit


KINDS = (*QUANTITIES, CONSTANT, NOT_FINITE)


def limit(images: int) -> float:
    """|z| beyond which `EXPECTED` of so many alike images with normal values are found, over all quantities.

    The tail is that of Student's t, because the spread is estimated: from n values about as well as a standard
    deviation is from n / 2 of them.
    """
    return float(stats.t.isf(EXPECTED / (2 * len(QUANTITIES) * images), images / 2))


def found(read: Read, mapped: Collection[str] | None = None) -> Found:
    """Every image at every tap, from the columns `READ` of the table `samples`, of which one is read at a time.

    Quantities of maps, and the image itself, are compared among the images `mapped`, where these are not all.
    """
    grid = OverImages.of(read)
    shape = len(grid.taps), len(grid.probes)
    bad = np.nan_to_num(grid.values("nan")) + np.nan_to_num(grid.values("inf"))
    spread = grid.values("std")
    made = Found(
        grid.taps,
        grid.probes,
        np.full(shape, np.nan),
        np.full(shape, np.nan),
        np.zeros(shape, np.int8),
        np.full(shape, np.nan),
        np.full((shape[0], len(QUANTITIES)), np.nan),
        limit(max(shape[1], 2)),
        shape[1] if mapped is None else len(mapped),
    )
    if shape[1] >= FEWEST:
        usual, elements = (
            np.array([_median(row) for row in each]) for each in (spread, np.fmax(grid.values("finite"), 1))
        )
        for number, (name, quantity) in enumerate(QUANTITIES.items()):
            values = spread if name == "std" else grid.values(name)
            least = quantity.least * (usual if quantity.of_spread else np.ones(shape[0]))
            least = np.fmax(least, 1 / elements) if quantity.of_values else least
            for tap, row in enumerate(values):
                _compare(made, tap, number, np.where(bad[tap] > 0, np.nan, row), float(least[tap]))
        _of_another_kind(made, CONSTANT, spread == 0, spread)
    _of_another_kind(made, NOT_FINITE, bad > 0, bad)
    return made


def _compare(made: Found, tap: int, number: int, row: Floats, least: float) -> None:
    """Takes over what one quantity says of the images at one tap, where it says more than those before."""
    images = made.compared(tap, number)
    scaled = _scaled(row, tuple(QUANTITIES.values())[number])
    if np.isfinite(scaled).sum() / images < 1 - MINORITY or not least > 0:
        return
    z = robust_z(scaled, least)
    if (np.abs(z) > made.limit).sum() / images > MINORITY:
        return
    made.median[tap, number] = _median(row)
    more = np.abs(z) > np.nan_to_num(made.score[tap], nan=-1)
    made.score[tap, more], made.z[tap, more] = np.abs(z[more]), z[more]
    made.kind[tap, more], made.value[tap, more] = number, row[more]


def _scaled(row: Floats, quantity: Quantity) -> Floats:
    """The values as they are compared."""
    if not quantity.logarithm:
        return row
    with np.errstate(divide="ignore"):
        logarithm = np.log(np.maximum(row, FAINTEST * np.nanmax(row, initial=0)))
    return np.where(np.isfinite(logarithm), logarithm, np.nan)


def robust_z(values: Floats, least: float) -> Floats:
    """`(N,)` distances from the median, in robust standard deviations; NaN stays.

    The scale of each side is the median distance of its own values or, where that is larger, of all: a long tail is
    measured by itself, and a few values by chance close to the median make no side narrow. It is `least` at least,
    also where more than half of the values are equal and the median distance is 0.
    """
    away = values - _median(values)
    both = _median(np.abs(away))
    above, below = (max(both, _median(np.abs(away[side]))) / NORMAL for side in (away >= 0, away <= 0))
    scale = np.where(away > 0, max(above, least), max(below, least))
    return np.asarray(away / scale)


def _of_another_kind(made: Found, kind: str, odd: np.ndarray, value: Floats) -> None:
    """Images for which there is no z-score, at the taps where they are a minority."""
    number = KINDS.index(kind)
    compared = np.array([[made.compared(tap, number)] for tap in range(len(made.taps))])
    odd = odd & (odd.sum(axis=1, keepdims=True) / compared <= MINORITY)
    made.score[odd], made.z[odd], made.value[odd] = np.inf, np.nan, value[odd]
    made.kind[odd] = number


def _median(values: Floats) -> float:
    """Of what is defined; NaN where nothing is."""
    defined = values[np.isfinite(values)]
    return float(np.median(defined)) if defined.size else float("nan")


def oddest(table: pd.DataFrame) -> list[str]:
    """The images of the table, most unlike the rest first: not finite, then by taps, then by the largest |z|."""
    if not len(table):
        return []
    keys = pd.DataFrame(
        {
            "probe": table["probe"],
            "broken": table["quantity"] == NOT_FINITE,
            "taps": table["taps_beyond"],
            "z": table["z"].abs().fillna(np.inf),
        }
    )
    most = keys.groupby("probe", sort=False).max()
    return list(most.sort_values(["broken", "taps", "z"], ascending=False, kind="stable").index)


def pictured(table: pd.DataFrame) -> list[str]:
    """The images of which a run keeps pictures: the oddest of all, then of every tap the oddest."""
    if not len(table):
        return []
    of_taps = table.drop_duplicates("tap")
    first = dict.fromkeys([*oddest(table)[:OVERALL], *of_taps["probe"]])
    return list(first)[:PICTURED]


def _rows(images: Found, order: Sequence[str]) -> Iterator[tuple[object, ...]]:
    beyond = images.beyond
    taps_beyond, listed = beyond.sum(axis=0), _listed(images, beyond)
    odd = int((taps_beyond > 0).sum())
    for tap in ordered(images.taps, order):
        for probe in listed.get(tap, ()):
            kind = int(images.kind[tap, probe])
            yield (
                images.taps[tap],
                images.probes[probe],
                KINDS[kind],
                images.value[tap, probe],
                images.median[tap, kind] if kind < len(QUANTITIES) else np.nan,
                images.z[tap, probe],
                images.limit,
                int(beyond[tap].sum()),
                images.compared(tap, kind),
                odd,
                int(taps_beyond[probe]),
            )


def _listed(images: Found, beyond: np.ndarray) -> dict[int, list[int]]:
    """Numbers of the images that are listed at each tap, the oddest first."""
    chosen = {tap: _oddest(images, tap, np.flatnonzero(row))[:PER_TAP] for tap, row in enumerate(beyond)}
    for probe in overall(images)[:OVERALL]:
        tap = max(map(int, np.flatnonzero(beyond[:, probe])), key=lambda each: (_rank(images, each, probe), -each))
        if probe not in chosen[tap]:
            chosen[tap] = _oddest(images, tap, np.array([*chosen[tap], probe]))
    return chosen


def overall(images: Found) -> list[int]:
    """Numbers of the images beyond the limit at some tap: not finite first, then by taps, then by the largest score."""
    beyond = images.beyond
    odd = np.flatnonzero(beyond.any(axis=0))
    broken = (beyond & (images.kind == KINDS.index(NOT_FINITE))).any(axis=0)
    taps = beyond.sum(axis=0)
    largest = np.nan_to_num(images.score[:, odd], nan=0.0, posinf=np.inf).max(axis=0, initial=0)
    return [int(odd[i]) for i in np.lexsort((odd, -largest, -taps[odd], ~broken[odd]))]


def _oddest(images: Found, tap: int, probes: np.ndarray) -> list[int]:
    return sorted(map(int, probes), key=lambda probe: (*(-each for each in _rank(images, tap, probe)), probe))


def _rank(images: Found, tap: int, probe: int) -> tuple[float, float]:
    """What images of a tap are ordered by: other kinds before z-scores, of these the largest first."""
    other = max(int(images.kind[tap, probe]) - len(QUANTITIES) + 1, 0)
    return (float(other), images.value[tap, probe] if other else images.score[tap, probe])
