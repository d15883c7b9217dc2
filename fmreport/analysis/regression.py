"""Ridge regression from Gram matrices of groups of images: learned from some groups, its errors on the others."""

from __future__ import annotations

import numpy as np

RIDGE = 1e-2
"""Penalty of a squared coefficient per position, in mean variances of a channel: no scale matters."""
FOLDS = 5
FEW = 10
"""Of fewer images each is held out alone."""
ROUNDING = 1e-12
"""Variances below so much of the mean square are what rounding makes of a constant."""


def fold_of(sizes: np.ndarray) -> np.ndarray:
    """The fold of each group of so many images; dealt in turn, so that each fold spans the probe set."""
    groups = np.arange(len(sizes))
    return groups if sizes.sum() < FEW else groups % FOLDS


def held_out(gram: np.ndarray, fold: np.ndarray, channels: int) -> tuple[np.ndarray, np.ndarray]:
    """Squared errors `(groups, targets)` of the regression from other folds, and of the mean of other folds.

    Gram matrices are `(groups, D, D)`, of the columns [channels, 1, targets]; some position counts in two folds at
    least. The regression's intercept is not penalised; of channels that are constant it is all there is.
    """
    x, y = slice(channels), slice(channels + 1, None)
    residual = np.empty((len(gram), gram.shape[-1] - channels - 1))
    total = np.empty_like(residual)
    for number in np.unique(fold):
        out = fold == number
        train = gram[~out].sum(axis=0)
        mean = train[channels] / train[channels, channels]
        coefficients = _ridge(train, mean, channels)
        held = _about(gram[out], mean, channels)
        squares, raw = (np.diagonal(g[:, y, y], axis1=1, axis2=2) for g in (held, gram[out]))
        explained = ((2 * held[:, x, y] - held[:, x, x] @ coefficients) * coefficients).sum(axis=1)
        residual[out] = np.maximum(squares - explained, 0)
        total[out] = unless_rounding(squares, raw)
    return residual, total


def unless_rounding(squares: np.ndarray, raw: np.ndarray) -> np.ndarray:
    """Sums of squares about a mean; 0 where they are nothing beside those about 0."""
    return np.where(squares > ROUNDING * raw, squares, 0)


def r_squared(residual: np.ndarray, total: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """`1 - sum(residual) / sum(total)` over groups `(..., groups)`: `(...)`; NaN where nothing varies.

    With weights `(resamples, groups)`, how often each resample holds each group: `(..., resamples)`.
    """
    each = np.ones((1, residual.shape[-1])) if weights is None else weights
    varies = total @ each.T
    scores: np.ndarray = 1 - residual @ each.T / np.where(varies > 0, varies, np.nan)
    return scores[..., 0] if weights is None else scores


def _ridge(train: np.ndarray, mean: np.ndarray, channels: int) -> np.ndarray:
    """`(channels, targets)` coefficients."""
    centred = _about(train, mean, channels)
    x, y = slice(channels), slice(channels + 1, None)
    spread, raw = np.trace(centred[x, x]) / channels, np.trace(train[x, x]) / channels
    if not spread > ROUNDING * raw:
        return np.zeros(centred[x, y].shape)
    penalised = centred[x, x] / spread + RIDGE * np.eye(channels)
    coefficients: np.ndarray = np.linalg.solve(penalised, centred[x, y] / spread)
    return coefficients


def _about(gram: np.ndarray, mean: np.ndarray, channels: int) -> np.ndarray:
    """The Gram matrices `(..., D, D)` of columns less a mean."""
    half = gram[..., channels] - gram[..., channels, channels, None] / 2 * mean
    moved = half[..., :, None] * mean
    about: np.ndarray = gram - moved - np.swapaxes(moved, -1, -2)
    return about
