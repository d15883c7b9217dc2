"""The channel that best tells foreground from background: chosen on one half of the images, judged on the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fmreport.analysis import Evidence
from fmreport.analysis.ranking import aurocs, average_precision, best_threshold, iou
from fmreport.measures.places import regions
from fmreport.records import IMAGE, TAP_OR_IMAGE, Column, explained

SCORES = ("auroc", "ap", "iou")
ROUNDING = 1e-9
"""Scores that differ by less are equal."""
IOU, NULL = "intersection-over-union", "null-of-the-best-channel"
"""Entries of docs/methods.md."""
POLARITIES = {1: "high", -1: "low"}

_NULL = "mean of the same with masks of no meaning, those of other images and, of fewer than 9, the images' own, moved "
_NULL += "around the torus: how far it is above chance, with the best channel chosen anew for each of them"
_P = "share, itself included, of all ways to put the own masks or masks of no meaning in either half that are as far "
_P += "above chance"
_HALVES = "mean over both halves, in each of the channel that was chosen on the other"

COLUMNS = explained(
    "best-channel",
    TAP_OR_IMAGE,
    Column("masked", "count", "images with masks, half of which a channel is chosen on and half it is judged on"),
    Column("positions", "count", "positions looked at, drawn evenly from all of these images"),
    Column(
        "prevalence",
        "1",
        "share of foreground in them, mean over both halves: the IoU of calling it everywhere",
        method=IOU,
    ),
    Column("chosen", "number", "channel with the AUROC furthest from 1/2 on the first half of the images, from 0"),
    Column("chosen_polarity", "", "whether it is high or low inside the mask"),
    Column("chosen_again", "number", "channel with the AUROC furthest from 1/2 on the second half"),
    Column("chosen_again_polarity", "", "whether it is high or low inside the mask"),
    Column("auroc", "1", f"area under the ROC curve, {_HALVES}; 1/2: no better than chance", method="auroc"),
    Column("auroc_null", "1", _NULL, method=NULL),
    Column("auroc_p", "1", _P, method=NULL),
    Column("ap", "1", f"average precision, {_HALVES}; by chance: the prevalence", method="average-precision"),
    Column("ap_null", "1", _NULL, method=NULL),
    Column("ap_p", "1", _P, method=NULL),
    Column(
        "iou", "1", f"intersection over union at the threshold that was best on the other half, {_HALVES}", method=IOU
    ),
    Column("iou_null", "1", _NULL, method=NULL),
    Column("iou_p", "1", _P, method=NULL),
    Column(
        "iou_p_best",
        "1",
        "the same, compared with the best of all taps in each of these ways, the image left out: whichever tap stands "
        "out, it was picked from as many",
        "Westfall & Young 1993",
        method=NULL,
    ),
    Column(
        "draws", "count", "ways to put masks in either half that p counts, the own masks in both left out", method=NULL
    ),
)


class Selectivity:
    """One row per tap of maps; none for a tap whose foreground or background is empty in one half, or in both.

    A channel is chosen by AUROC alone, with its polarity, and its threshold by IoU: so a single channel is named, and
    the three scores are of it.
    """

    columns: Sequence[Column] = COLUMNS
    version = 1

    def table(self, evidence: Evidence) -> pd.DataFrame:
        """The table; empty with fewer than two masks."""
        masked = int(evidence.sizes[: evidence.masked_groups].sum())
        names = [column.name for column in self.columns]
        found: dict[str, Judged] = {}
        for tap in evidence.taps:
            drawn = evidence.grouped[tap].get("drawn")
            if drawn is None or masked < 2:
                continue
            labels = evidence.grouped[tap]["labels"]
            if not (labels & 1).any(axis=1).all():
                continue  # nothing is looked at in one half
            halves = [half_of(drawn[h], labels[h], len(regions(evidence.planes))) for h in (0, 1)]
            if all(half.defined[0] for half in halves):
                found[tap] = judged(halves)
        p = of_best({tap: each.above[..., SCORES.index("iou")] for tap, each in found.items()})
        rows = [{"tap": tap, "masked": masked, **each.row, "iou_p_best": p[tap]} for tap, each in found.items()]
        return pd.DataFrame(rows, columns=names)


@dataclass(frozen=True, slots=True)
class Half:
    """What one half of the images shows of one tap."""

    values: np.ndarray
    """(C, N) float32 at N positions."""
    inside: np.ndarray
    """(R, N) bool: in the mask, and in R - 1 masks of no meaning."""
    auroc: np.ndarray
    """(R, C); undefined where there is no foreground or no background."""

    @property
    def defined(self) -> np.ndarray:
        """(R,) bool: whether there is both foreground and background."""
        count = self.inside.sum(axis=1)
        both: np.ndarray = (count > 0) & (count < self.inside.shape[1])
        return both


@dataclass(frozen=True, slots=True)
class Choice:
    """A channel, how it is read, and from which value on it says foreground."""

    channel: int
    polarity: int
    """1: high inside the mask; -1: low, so that its values are negated."""
    threshold: float


def half_of(drawn: np.ndarray, labels: np.ndarray, count: int) -> Half:
    """Of values `(slots, C)` and labels `(slots,)` as `fmreport.measures.drawn` makes them, with `count` regions."""
    looked = (labels & 1) == 1
    values = np.ascontiguousarray(drawn[looked].T, np.float32)
    inside = (labels[looked] >> np.arange(1, count + 1)[:, None] & 1).astype(bool)
    return Half(values, inside, aurocs(values, inside))


def choose(half: Half, region: int) -> Choice:
    """The channel whose AUROC for a region is furthest from 1/2, the first of several."""
    chance = half.auroc[region] - 0.5
    channel = int(np.argmax(np.abs(chance)))
    polarity = -1 if chance[channel] < 0 else 1
    return Choice(channel, polarity, best_threshold(polarity * half.values[channel], half.inside[region]))


def judge(half: Half, choice: Choice) -> np.ndarray:
    """(R, 3): by how much each of `SCORES` of a choice is above chance, for every region of a half."""
    values = choice.polarity * half.values[choice.channel]
    above = choice.polarity * (half.auroc[:, choice.channel] - 0.5)
    prevalence = half.inside.mean(axis=1)
    precise = average_precision(values, half.inside) - prevalence
    overlap = iou(values >= choice.threshold, half.inside) - prevalence
    return np.stack([above, precise, overlap], axis=1)


@dataclass(frozen=True, slots=True)
class Judged:
    """What both halves show of one tap."""

    row: Mapping[str, object]
    """The columns between `masked` and `iou_p_best`, and `draws`."""
    above: np.ndarray
    """(R, R, 3): by how much each score is above chance with any of R regions in either half; NaN where undefined."""


def judged(halves: Sequence[Half]) -> Judged:
    """In either half stand the own masks or one of R - 1 of no meaning: R^2 ways.

    Were the masks' places of no meaning either, none of them would stand out. So p counts over all of them, and a few
    masks make many draws.
    """
    regions_of = [np.flatnonzero(half.defined).tolist() for half in halves]
    choices = [{r: choose(half, r) for r in found} for half, found in zip(halves, regions_of, strict=True)]
    # (R of the first half, R of the second, scores): what is chosen on one is judged on the other, and the reverse.
    forth, back = (
        np.stack([judge(halves[1 - h], choice)[regions_of[1 - h]] for choice in choices[h].values()]) for h in (0, 1)
    )
    # Above chance: where a rim is ignored around the own masks alone, these have a prevalence of their own.
    above = (forth + back.transpose(1, 0, 2)) / 2
    observed, nulls = above[0, 0], above[1:, 1:]
    null = nulls.mean(axis=(0, 1)) if nulls.size else np.full(len(SCORES), np.nan)
    p = (above >= observed - ROUNDING).mean(axis=(0, 1)) if nulls.size else np.full(len(SCORES), np.nan)
    prevalence = np.mean([half.inside[0].mean() for half in halves])
    chance = np.array([0.5, prevalence, prevalence])
    chosen, again = (choices[h][0] for h in (0, 1))
    made = {"": chance + observed, "_null": chance + null, "_p": p}
    row = {
        "positions": sum(half.inside.shape[1] for half in halves),
        "prevalence": float(prevalence),
        "chosen": chosen.channel,
        "chosen_polarity": POLARITIES[chosen.polarity],
        "chosen_again": again.channel,
        "chosen_again_polarity": POLARITIES[again.polarity],
        **{f"{name}{what}": float(made[what][i]) for i, name in enumerate(SCORES) for what in made},
        "draws": above.shape[0] * above.shape[1] - 1,
    }
    every = np.full((len(halves[0].inside), len(halves[1].inside), len(SCORES)), np.nan)
    every[np.ix_(*regions_of)] = above
    return Judged(row, every)


def of_best(above: Mapping[str, np.ndarray]) -> dict[str, float]:
    """`iou_p_best` of every tap, from `(R, R)` of each, NaN where undefined; NaN where there is no mask of no meaning.

    What is the best of many taps by luck is so in every way to run the search (Westfall & Young 1993).
    """
    of_taps = [scores for tap, scores in above.items() if tap != IMAGE]
    found = {}
    for tap, scores in above.items():
        best = np.fmax.reduce([*of_taps, scores])
        ways = np.count_nonzero(~np.isnan(best))
        found[tap] = float(np.count_nonzero(best >= scores[0, 0] - ROUNDING)) / ways if ways > 1 else np.nan
    return found
