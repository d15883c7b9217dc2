"""Network Dissection's protocol: how far the most active half percent of each channel is inside the mask.

Bau et al. 2017, arXiv 1704.05796. It is an option, and what it says of a foreground is little: half a percent of the
positions covers no more than .005 / prevalence of it, so that one above an eighth of the image has no detector.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

QUANTILE = 0.995
"""Of a channel's activations over the whole probe set; what exceeds it is active."""
DETECTOR = 0.04
"""A channel with a larger IoU is a detector."""


@dataclass(frozen=True, slots=True)
class Dissected:
    """What the protocol says of each of C channels."""

    threshold: np.ndarray
    """(C,) t_k: what activations must exceed."""
    iou: np.ndarray
    """(C,) over the whole probe set; NaN where nothing is active and nothing is inside."""

    @property
    def detectors(self) -> np.ndarray:
        """(C,) bool."""
        found: np.ndarray = self.iou > DETECTOR
        return found


def dissect(low: np.ndarray, high: np.ndarray, everywhere: np.ndarray, inside: np.ndarray) -> Dissected:
    """Of counts `(C, bins)` in ascending bins from `low` to `high`, either `(bins,)` or `(C, bins)`.

    Values are spread evenly over their bin, of which the threshold takes a part; but a bin that is a single value, such
    as that of zeros, is not above itself, and a sparse channel is active where it is not zero.
    """
    low, high = (np.broadcast_to(np.asarray(edge, np.float64), everywhere.shape) for edge in (low, high))
    up_to = np.cumsum(everywhere, axis=1, dtype=np.float64)
    rank = QUANTILE * up_to[:, -1:]
    at = np.argmax(up_to >= rank, axis=1)[:, None]
    start, end, held = (np.take_along_axis(of, at, axis=1) for of in (low, high, everywhere))
    part = (np.take_along_axis(up_to, at, axis=1) - rank) / np.where(held > 0, held, 1)
    part = np.where(end > start, part, 0.0)
    active, both = (
        np.take_along_axis(counts[:, ::-1].cumsum(axis=1)[:, ::-1] - counts, at, axis=1)
        + part * np.take_along_axis(counts, at, axis=1)
        for counts in (everywhere, inside)
    )
    return Dissected((end - part * (end - start))[:, 0], iou(both[:, 0], active[:, 0], inside.sum(axis=1)))


def iou(intersection: np.ndarray, activation: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """`I / (A + G - I)` of sums over the whole probe set; NaN where there is neither activation nor truth."""
    union = np.asarray(activation + truth - intersection, np.float64)
    share: np.ndarray = intersection / np.where(union > 0, union, np.nan)
    return share
