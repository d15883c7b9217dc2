"""Taps compared by what they say of whole images: kernels of pooled features."""

from __future__ import annotations

import numpy as np

from fmreport.analysis import Evidence

LEAST = 4
"""Groups of images that a debiased kernel takes."""
FLOOR = 1e-5
"""Deviations below this part of a channel's root mean square are rounding, as those between the means of a channel that
is normalised in each image."""


def features(evidence: Evidence, tap: str) -> np.ndarray:
    """`(groups, C)` float64 means of each group's images, centred; without channels that are undefined somewhere.

    They are divided by the largest of all, since nothing here depends on their scale; 0 where a channel is constant.
    """
    mean, square = np.moveaxis(evidence.grouped[tap]["pooled"] / evidence.sizes[:, None, None], 1, 0)
    defined = np.isfinite(mean).all(axis=0) & np.isfinite(square).all(axis=0)
    mean, square = mean[:, defined], square[:, defined]
    # About the first image: what is the same in all is then exactly 0.
    moved = mean - mean[:1]
    centred = moved - moved.mean(axis=0)
    rounding = np.abs(centred).max(axis=0) <= FLOOR * np.sqrt(square.mean(axis=0))
    centred[:, rounding] = 0
    return np.asarray(centred / (np.abs(centred).max(initial=0) or 1.0))


def debiased(centred: np.ndarray) -> np.ndarray:
    """`(n, n)` linear kernel of features `(n, C)` whose inner products with others are n (n - 3) times HSIC_1.

    The diagonal is 0, and so is the sum of each row: U-centred, as Székely & Rizzo 2014. All 0 where nothing is left
    but rounding, as of features that tell one image from all others and these not from one another.
    """
    n = len(centred)
    kernel = centred @ centred.T
    scale = np.linalg.norm(kernel)
    np.fill_diagonal(kernel, 0)
    rows = kernel.sum(axis=0)
    kernel += rows.sum() / ((n - 1) * (n - 2)) - (rows[:, None] + rows) / (n - 2)
    np.fill_diagonal(kernel, 0)
    return kernel if np.linalg.norm(kernel) > 1e-12 * scale else np.zeros_like(kernel)
