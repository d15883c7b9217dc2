"""Scores of how well a channel's values tell the inside of a region from its outside."""

from __future__ import annotations

import numpy as np

TOGETHER = 8
"""Channels that are sorted together: their arrays stay in the nearer caches."""
LOW = 0xFFFF


def aurocs(values: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """(R, C) area under the ROC curve of channels `(C, N)` for regions `(R, N)`; NaN without an inside or an outside.

    It is Mann and Whitney's U over its largest: how often a value from inside exceeds one from outside, ties by half.
    """
    n = inside.shape[1]
    count = inside.sum(axis=1)
    pairs = count * (n - count)
    parts = [values[i : i + TOGETHER] for i in range(0, len(values), TOGETHER)]
    weights = inside.T.astype(np.float64)
    sums = np.concatenate([(ranks(part) - (n + 1) / 2) @ weights for part in parts])
    return 0.5 + (sums / np.where(pairs > 0, pairs, np.nan)).T


def ranks(values: np.ndarray) -> np.ndarray:
    """(C, N) ranks from 1 within each row; equal ones share the mean of theirs. At most 65,536 values a row.

    Values are compared by their first 16 bits, all that is kept of them: they and their place fill one whole number,
    which is sorted far sooner than places by values.
    """
    n = values.shape[1]
    place = np.arange(n, dtype=np.uint32)
    row = np.arange(len(values), dtype=np.intp)[:, None] * n
    ordered, ranked = _ordered(values) << 16, np.zeros(values.size)
    # The mean of two ranks: with equals in the order of their places, and in the opposite order.
    for second in (place, place[::-1]):
        found = np.sort(ordered | second, axis=1) & LOW
        ranked[row + (found if second is place else n - 1 - found)] += place + 1
    return ranked.reshape(values.shape) / 2


def average_precision(values: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """(R,) average precision of values `(N,)` for regions `(R, N)`: precision over the steps of recall."""
    found, called, _ = _called(values, inside)
    gained, total = np.diff(found, axis=1, prepend=0), found[:, -1]
    precision: np.ndarray = (gained * found / called).sum(axis=1) / np.where(total > 0, total, np.nan)
    return precision


def best_threshold(values: np.ndarray, inside: np.ndarray) -> float:
    """The threshold on values `(N,)` with the best IoU with a region `(N,)`; the highest of equals.

    Half way between the last value that is called and the next; -Inf where all are called.
    """
    found, called, ends = _called(values, inside[None])
    best = int(np.argmax(found[0] / (called + found[0, -1] - found[0])))
    between = [*(ends[:-1] / 2 + ends[1:] / 2), -np.inf]
    return float(between[best])


def iou(called: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """(R,) intersection over union of what is called `(N,)` with regions `(R, N)`; NaN where there is neither."""
    union = (called | inside).sum(axis=1)
    share: np.ndarray = (called & inside).sum(axis=1) / np.where(union > 0, union, np.nan)
    return share


def _called(values: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """At each of T values from the highest: (R, T) of the regions at or above it, (T,) of all; the values."""
    order = np.argsort(-values, kind="stable")
    descending = values[order]
    last = np.append(np.flatnonzero(descending[1:] != descending[:-1]), len(values) - 1)
    found = np.cumsum(inside[:, order], axis=1)[:, last]
    return found, last + 1, descending[last]


def _ordered(values: np.ndarray) -> np.ndarray:
    """(c, N) uint32 below 2^16 in the order of the values."""
    bits = values.astype(np.float32).view(np.uint32) >> 16
    # Negative numbers descend in their bits; both zeros meet in the middle.
    return np.where(bits & 0x8000, 0x8000 - (bits & 0x7FFF), bits + 0x8000)
