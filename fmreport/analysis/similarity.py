"""How alike two taps see the images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fmreport.analysis import Evidence
from fmreport.analysis.pooled import LEAST, debiased, features
from fmreport.records import TAP_OR_IMAGE, Column, explained

COLUMNS = explained(
    "similarity-of-taps",
    TAP_OR_IMAGE,
    Column("other", "", "name of the tap that it is compared with: itself, or one that runs later"),
    Column(
        "cka",
        "1",
        "debiased linear CKA of pooled features, the channels' means of each image (of each group of them where there "
        "are many): 1 where images are as alike to one tap as to the other, about 0 where they have nothing in "
        f"common; undefined below {LEAST} images and where a tap does not tell images apart",
        "Kornblith et al. 2019, arXiv 1905.00414; debiased as in Nguyen et al. 2021, arXiv 2010.15327",
    ),
)


class Similarity:
    """One row per pair of taps, each with itself too."""

    columns: Sequence[Column] = COLUMNS
    version = 1

    def table(self, evidence: Evidence) -> pd.DataFrame:
        """The table, in the order of the taps."""
        taps = np.array(evidence.taps, object)
        alike = cka([features(evidence, tap) for tap in taps])
        first, second = np.triu_indices(len(taps))
        return pd.DataFrame({"tap": taps[first], "other": taps[second], "cka": alike[first, second]})


def cka(taps: Sequence[np.ndarray]) -> np.ndarray:
    """`(T, T)` debiased CKA of T taps' features, each `(n, C)` and centred; NaN where it is undefined."""
    if not taps or len(taps[0]) < LEAST:
        return np.full((len(taps), len(taps)), np.nan)
    kernels = np.stack([debiased(centred).ravel() for centred in taps])
    norms = np.linalg.norm(kernels, axis=1, keepdims=True)
    kernels /= np.where(norms > 0, norms, np.nan)
    alike: np.ndarray = np.clip(kernels @ kernels.T, -1, 1)
    return alike
