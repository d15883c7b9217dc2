"""Network Dissection's protocol: how far the most active half percent of each channel is inside the mask.

Bau et al. 2017, arXiv 1704.05796. What it says of a foreground is little: half a percent of the positions covers no
more than .005 / prevalence of it, so that one above an eighth of the image has no detector.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fmreport.analysis import Evidence
from fmreport.dissection import Dissected
from fmreport.measures.quantile import QUANTILE
from fmreport.records import TAP_OR_IMAGE, Column, explained

DETECTOR = 0.04
"""A channel with a larger IoU is a detector."""
BY_FIELD, BY_EXTENT = "receptive field", "extent of the grid"
SOURCE = "Bau et al. 2017, arXiv 1704.05796"

COLUMNS = explained(
    "network-dissection",
    TAP_OR_IMAGE,
    Column("channel", "number", "number of the channel, from 0"),
    Column(
        "threshold", "activation", f"{QUANTILE} quantile of the channel over the images, at its own resolution", SOURCE
    ),
    Column("active", "pixel", "pixels at which the channel, interpolated, exceeds it, on the images with masks"),
    Column("inside", "pixel", "pixels inside the masks"),
    Column("overlap", "pixel", "pixels that are both"),
    Column("detector_iou", "1", "overlap / (active + inside - overlap)", SOURCE),
    Column("detector", "1", f"whether that is more than {DETECTOR}", SOURCE),
    Column("detector_iou_null", "1", "the same with the mask of another image in place of each image's own"),
    Column("aligned_by", "", f"how pixels and elements are matched: by the {BY_FIELD} or by the {BY_EXTENT}"),
)


class Dissection:
    """One row per channel of each tap that is a map; none where the protocol was not asked for or no probe has a mask.

    The order is that in which the model runs, behind the image itself.
    """

    columns: Sequence[Column] = COLUMNS
    version = 1

    def table(self, evidence: Evidence) -> pd.DataFrame:
        """The table."""
        names = [column.name for column in self.columns]
        rows = [_rows(tap, evidence.dissected[tap]) for tap in evidence.taps if tap in evidence.dissected]
        return pd.concat(rows, ignore_index=True)[names] if rows else pd.DataFrame(columns=names)


def _rows(tap: str, counted: Dissected) -> pd.DataFrame:
    undefined = np.isnan(counted.threshold)
    of_masks = [
        np.where(undefined, np.nan, iou(overlap, counted.active, inside))
        for overlap, inside in zip(counted.overlap, counted.inside, strict=True)
    ]
    return pd.DataFrame(
        {
            "tap": tap,
            "channel": np.arange(len(counted.threshold)),
            "threshold": counted.threshold,
            "active": counted.active,
            "inside": counted.inside[0],
            "overlap": counted.overlap[0],
            "detector_iou": of_masks[0],
            "detector": of_masks[0] > DETECTOR,
            "detector_iou_null": of_masks[1] if len(of_masks) > 1 else np.nan,
            "aligned_by": BY_FIELD if counted.by_receptive_field else BY_EXTENT,
        }
    )


def iou(intersection: np.ndarray, activation: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """`I / (A + G - I)` of sums over the whole probe set; NaN where there is neither activation nor truth."""
    union = np.asarray(activation + truth - intersection, np.float64)
    share: np.ndarray = intersection / np.where(union > 0, union, np.nan)
    return share
