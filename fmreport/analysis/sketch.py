"""What a run keeps of its activations so that two runs can be held against each other: a few random sums of each tap.

They are linear, with signs that are the same in every run. So what the sums of two runs differ by are the sums of what
their activations differ by, whose squares are in the mean the squared norm of that difference (Johnson & Lindenstrauss
1984; with signs, Achlioptas 2003).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np
import pandas as pd

from fmreport.analysis import Evidence
from fmreport.analysis.pooled import LEAST, debiased, features
from fmreport.measures.signature import ROWS
from fmreport.records import TAP_OR_IMAGE, Column, explained

VALUES, MEANS, KERNEL = "values", "means", "kernel"
"""What is summed: the values of maps; of what is no map its channels' means in each group of images; how alike these
groups are to the tap."""

COLUMNS = explained(
    "numerical-drift",
    TAP_OR_IMAGE,
    Column(
        "of",
        "",
        f"what is summed: {VALUES} (of maps), {MEANS} (channels' means in each group of images, of taps that are no "
        f"maps), both less the mean of their channel over all images; {KERNEL} (how alike the groups are to the tap)",
    ),
    Column(
        "number", "count", f"1 to {ROWS}: the random sums; 0: the norm of what they are sums of, the mean not taken off"
    ),
    Column(
        "value",
        "activation",
        f"a sum with random signs, the same in every run, over the square root of the number of positions or groups; a "
        f"{KERNEL} has norm 1",
        "random projections: Achlioptas 2003",
    ),
)


class Sketch:
    """A norm and `ROWS` sums of each tap's values, or means, and of its kernel where it has one."""

    columns: Sequence[Column] = COLUMNS
    version = 1

    def table(self, evidence: Evidence) -> pd.DataFrame:
        """The table, in the order of the taps."""
        made = [(tap, of, sums) for tap in evidence.taps for of, sums in _of_tap(evidence, tap)]
        return pd.DataFrame(
            {
                "tap": np.repeat(np.array([tap for tap, _, _ in made], object), 1 + ROWS),
                "of": np.repeat(np.array([of for _, of, _ in made], object), 1 + ROWS),
                "number": np.tile(np.arange(1 + ROWS), len(made)),
                "value": np.concatenate([sums for _, _, sums in made]) if made else np.empty(0),
            }
        )


def of_values(signature: np.ndarray, square: np.ndarray) -> np.ndarray:
    """`(1 + ROWS,)` from a tap's signature `(1 + ROWS, C + 1)` and the mean square `(C,)` of its channels.

    A channel that is not finite is left out.
    """
    positions = signature[0, -1]
    defined = np.isfinite(signature[:, :-1]).all(axis=0) & np.isfinite(square)
    centred = signature[1:, :-1] - signature[1:, -1:] * (signature[0, :-1] / positions)
    sums = np.where(defined, centred * signs(ROWS, len(defined)), 0.0).sum(axis=1) / np.sqrt(positions)
    return np.append(np.sqrt(square[defined].sum()), sums)


def of_means(mean: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """`(1 + ROWS,)` from the means `(groups, C)` of groups of so many images; as `of_values`."""
    defined = np.isfinite(mean).all(axis=0)
    share = (sizes / sizes.sum())[:, None]
    kept = np.where(defined, mean, 0.0)
    centred = (kept - (share * kept).sum(axis=0)) * np.sqrt(share)
    sums = (signs(len(mean), ROWS) * (centred @ signs(ROWS, len(defined)).T)).sum(axis=0)
    return np.append(np.sqrt((share * kept**2).sum()), sums)


def of_kernel(centred: np.ndarray) -> np.ndarray | None:
    """`(1 + ROWS,)` from centred features `(groups, C)`; None where they tell no images apart, or these are too few."""
    if len(centred) < LEAST:
        return None
    kernel = debiased(centred)[np.triu_indices(len(centred), k=1)]
    norm = np.linalg.norm(kernel)
    return np.append(1.0, signs(ROWS, len(kernel)) @ (kernel / norm)) if norm > 0 else None


@cache
def signs(rows: int, columns: int) -> np.ndarray:
    """`(rows, columns)` float64 of 1 and -1, always the same for that many; do not change it."""
    drawn = np.random.default_rng((ROWS, rows, columns)).integers(2, size=(rows, columns), dtype=np.int8)
    return 2.0 * drawn - 1


def _of_tap(evidence: Evidence, tap: str) -> Iterator[tuple[str, np.ndarray]]:
    grouped = evidence.grouped[tap]
    pooled = grouped["pooled"]
    if "signature" not in grouped:
        yield MEANS, of_means(pooled[:, 0] / evidence.sizes[:, None], evidence.sizes)
    elif grouped["signature"][0, 0, -1] > 0:  # of images that a mask leaves out as a whole nothing is known
        yield VALUES, of_values(grouped["signature"][0], pooled[:, 1].sum(axis=0) / evidence.sizes.sum())
    kernel = of_kernel(features(evidence, tap))
    if kernel is not None:
        yield KERNEL, kernel
