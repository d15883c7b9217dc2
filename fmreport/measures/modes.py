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


UNDEFINED = Modes(math.nan, math.nan)
COARSE = 0.01
"""Share of the variance that may lie within bins: of values close to their mean, a few bins would look like parts."""
SOURCES = ("Otsu 1979", "SAS Institute 1990; Pfister et al. 2013")
NOISE = {"signed": Modes(2 / math.pi, 1 / 3), "relu": Modes(0.744, 0.683)}
"""Of Gaussian noise, and of what a ReLU leaves of it."""


def modes(low: np.ndarray, high: np.ndarray, counts: np.ndarray) -> Modes:
    """Of ascending bins `(bins,)`, whose middles stand for so many values each; an end that is infinite is left out."""
    kept = (counts > 0) & np.isfinite(low) & np.isfinite(high)
    weight = counts[kept].astype(np.float64)
    n = float(weight.sum())
    if kept.sum() < 2:
        return UNDEFINED
    # In units of the largest, so that no power of a value leaves float64.
    largest = np.maximum(np.abs(low[kept]), np.abs(high[kept])).max()
    scaled, width = (low[kept] / largest + high[kept] / largest) / 2, (high[kept] - low[kept]) / largest
    about = scaled - (weight * scaled).sum() / n
    second, third, fourth = (float((weight * about**power).sum()) / n for power in (2, 3, 4))
    if (weight * width**2).sum() / (12 * n) > COARSE * second:
        return UNDEFINED
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
