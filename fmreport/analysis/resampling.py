"""Uncertainty: groups of images drawn again and again, the same for every tap, so that differences are paired."""

from __future__ import annotations

import numpy as np

DRAWS = 1000
"""Resamples behind an interval."""
FEWEST = 10
"""Images below which an interval would say more than is known: the values of the groups are shown instead."""
FEW = 10_000
"""Groups above which counts are held in two bytes each: as many as none of them reaches."""
PART = 50
"""Resamples that are drawn at once."""
LEVEL = 0.95
"""Share of the resamples that an interval holds."""


def resamples(groups: int, *, masked: int, seed: int, draws: int = DRAWS, seen: np.ndarray | None = None) -> np.ndarray:
    """`(draws, groups)` how often each group is drawn; those with masks (the first) and the others each by themselves.

    Images are drawn, never pixels: those of one image are not independent. `seen` `(groups,)` bool leaves out the
    others, of which nothing counts.
    """
    rng = np.random.default_rng((seed, groups))
    drawn = np.zeros((draws, groups), np.int64 if groups <= FEW else np.uint16)
    told = np.ones(groups, bool) if seen is None else seen
    first = np.arange(groups) < masked
    for kind in (np.flatnonzero(told & first), np.flatnonzero(told & ~first)):
        if len(kind):
            share = np.full(len(kind), 1 / len(kind))
            for start in range(0, draws, PART):
                part = slice(start, min(start + PART, draws))
                drawn[part, kind] = rng.multinomial(len(kind), share, part.stop - part.start)
    return drawn


def interval(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ends `(...)` of the interval of resampled values `(draws, ...)`; NaN where some resample is undefined."""
    outside = (1 - LEVEL) / 2
    low, high = np.quantile(values, (outside, 1 - outside), axis=0)
    return low, high
