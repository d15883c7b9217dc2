"""Whether the values of a histogram fall into two parts, without a mask to say which.

Noise does too: of both numbers only what exceeds the same of noise of that form is evidence (`NOISE`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Modes:
    """How far values fall into two parts."""

    otsu: float
    """Largest share of the variance between the values below and above a threshold (Otsu 1979); NaN of a constant."""
    bimodality: float
    """Bimodality coefficient `(g^2 + 1) / (k + 3 (n-1)^2 / ((n-2)(n-3)))` of sample skewness g and sample excess
    kurtosis k (SAS Institute 1990; Pfister et al. 2013); NaN of a constant and of fewer than 4 values."""


NOISE = {"signed": Modes(2 / math.pi, 1 / 3), "relu": Modes(0.744, 0.683)}
"""Of Gaussian noise, and of what a ReLU leaves of it."""


def modes(values: np.ndarray, counts: np.ndarray) -> Modes:
    """Of ascending values `(bins,)`, each so many times; of bins, their middles stand for them."""
    kept = counts > 0
    weight = counts[kept].astype(np.float64)
    n = float(weight.sum())
    if kept.sum() < 2:
        return Modes(math.nan, math.nan)
    about = values[kept] - (weight * values[kept]).sum() / n
    second, third, fourth = (float((weight * about**power).sum()) / n for power in (2, 3, 4))
    below, sums = np.cumsum(weight)[:-1], np.cumsum(weight * about)[:-1]
    between = sums**2 * (1 / below + 1 / (n - below)) / n
    return Modes(float(between.max()) / second, _bimodality(third / second**1.5, fourth / second**2, n))


def _bimodality(skewness: float, kurtosis: float, n: float) -> float:
    """From the moments `m3 / m2^1.5` and `m4 / m2^2` of all n values."""
    if n < 4:
        return math.nan
    g = skewness * math.sqrt(n * (n - 1)) / (n - 2)
    k = ((n + 1) * (kurtosis - 3) + 6) * (n - 1) / ((n - 2) * (n - 3))
    return (g**2 + 1) / (k + 3 * (n - 1) ** 2 / ((n - 2) * (n - 3)))
