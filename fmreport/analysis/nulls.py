"""How often what means nothing does as well."""

from __future__ import annotations

import numpy as np


def p_value(observed: np.ndarray, nulls: np.ndarray) -> np.ndarray:
    """`p = (1 + #{null >= observed}) / (1 + B)` of scores `(...)` against B draws of each, `(B, ...)`.

    Draws that are NaN, being undefined, are not counted; p is NaN where the score or every draw is.
    """
    drawn = (~np.isnan(nulls)).sum(axis=0)
    p = (1 + (nulls >= observed).sum(axis=0)) / (1 + drawn)
    return np.where(np.isnan(observed) | (drawn == 0), np.nan, p)


def p_of_best(observed: np.ndarray, nulls: np.ndarray) -> float:
    """`p` of the best of N scores `(N,)` against the best of the N in each of B draws `(B, N)`.

    What is the best of many by luck alone is so in every draw: only against their own bests does the choice count.
    """
    return float(p_value(np.fmax.reduce(observed), np.fmax.reduce(nulls, axis=1)))
