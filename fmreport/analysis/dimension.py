"""How many dimensions a tap makes use of, over the positions of its maps and over images."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from fmreport.analysis import Evidence
from fmreport.analysis.pooled import FLOOR, debiased, features
from fmreport.measures.projection import LATTICE, WIDTH
from fmreport.measures.readability import targets, unpacked
from fmreport.records import TAP_OR_IMAGE, Column, explained

FEWEST = 8
"""Groups of images from which the dimension over images is told to a half or so."""
FAINTEST = 1e-3
"""Singular values below this part of the largest are rounding of float32."""

COLUMNS = explained(
    "participation-ratio",
    TAP_OR_IMAGE,
    Column(
        "participation_ratio",
        "1",
        "tr(C)^2 / tr(C^2) of the covariance C of all channels over sampled positions of the images: how many equal, "
        "uncorrelated channels would spread as much; 1 at least, the number of channels or positions at most. Of more "
        f"than {WIDTH} channels it is estimated, without bias by their number, from {WIDTH} random combinations",
        "Gao et al. 2017, bioRxiv 214262",
    ),
    Column(
        "effective_rank",
        "1",
        "exp of the entropy of the singular values of the channels, centred, over the same positions; of more than "
        f"{WIDTH} channels: of {WIDTH} random combinations of them, so that it is less than {WIDTH} and to be compared "
        "among such taps only",
        "Roy & Vetterli 2007",
        "effective-rank",
    ),
    Column(
        "sampled_positions",
        "1",
        f"positions over which both are taken, each by the share that is not ignored: {LATTICE} by {LATTICE} of an "
        "image at most",
    ),
    Column(
        "pooled_participation_ratio",
        "1",
        "tr(C)^2 / tr(C^2) of the covariance of pooled features over images (over groups of them where there are "
        "many), both debiased: it does not grow with the number of images, but it is rough for few, and undefined "
        f"below {FEWEST} groups",
        "on its bias: Chun et al. 2025, arXiv 2509.26560",
        "participation-ratio-over-images",
    ),
)


class Dimension:
    """One row per tap; of vectors, which have no positions, over images only."""

    columns: Sequence[Column] = COLUMNS
    version = 1

    def table(self, evidence: Evidence) -> pd.DataFrame:
        """The table, in the order of the taps."""
        rows = [{"tap": tap, **_row(evidence, tap)} for tap in evidence.taps]
        return pd.DataFrame(rows, columns=[column.name for column in self.columns])


def _row(evidence: Evidence, tap: str) -> dict[str, float]:
    sums = evidence.grouped[tap]
    row = {"pooled_participation_ratio": over_images(features(evidence, tap))}
    if "gram" in sums:
        products = among_channels(sums["gram"].sum(axis=0), evidence.planes)
        row["sampled_positions"] = products[-1, -1]
        spread = covariance(products)
        channels = sums["pooled"].shape[-1]
        row |= {"participation_ratio": over_positions(spread, channels), "effective_rank": effective_rank(spread)}
    return row


def among_channels(gram: np.ndarray, planes: Sequence[str]) -> np.ndarray:
    """`(D + 1, D + 1)` products of [D projected channels, 1], of a Gram matrix that also holds targets."""
    size = -len(targets(planes)) or None
    return unpacked(gram)[:size, :size]


def covariance(products: np.ndarray) -> np.ndarray:
    """`(D, D)` from sums of products of [D columns, 1], in parts of the mean square; all NaN where it is undefined."""
    undefined = np.full(np.subtract(products.shape, 1), np.nan)
    n = products[-1, -1]
    if not n or not np.isfinite(products).all():
        return undefined
    square = np.trace(products[:-1, :-1]) / n
    if square == 0:
        return undefined
    mean = products[:-1, -1] / n
    spread: np.ndarray = (products[:-1, :-1] / n - np.outer(mean, mean)) / square
    return spread if np.trace(spread) > FLOOR**2 else undefined


def over_positions(spread: np.ndarray, channels: int) -> float:
    """Participation ratio of `channels` channels from the covariance of `WIDTH` random combinations, or of themselves.

    The combinations span a subspace of all orientations alike, of dimension d in N. In the mean over these, both
    tr(S)^2 and tr(S^2) are linear in tr(C)^2 and tr(C^2), which their ratio is solved for.
    """
    d, n = len(spread), channels
    ratio = (spread**2).sum() / np.trace(spread) ** 2
    above = d * n + n - 2 - 2 * ratio * (n - d)
    below = ratio * (d * n + d - 2) - (n - d)
    return float(above / below) if n > 1 else float(1 / ratio)


def effective_rank(spread: np.ndarray) -> float:
    """Of data with that covariance `(D, D)`; NaN where it is."""
    if np.isnan(spread).any():
        return math.nan
    singular = np.sqrt(np.linalg.eigvalsh(spread).clip(0))
    singular = singular[singular > FAINTEST * singular.max()]
    shares = singular / singular.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def over_images(centred: np.ndarray) -> float:
    """Participation ratio of pooled features `(n, C)`, centred; NaN for few images and where all are alike."""
    n = len(centred)
    if n < FEWEST:
        return math.nan
    squared = (debiased(centred) ** 2).sum() / (n * (n - 3))
    if squared == 0:
        return math.nan
    trace = (centred**2).sum() / (n - 1)
    # The square of a trace that is estimated from n normal samples is too large by twice tr(C^2) / (n - 1).
    return float(max(trace**2 / squared - 2 / (n - 1), 1.0))
