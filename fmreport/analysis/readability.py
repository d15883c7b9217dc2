"""How well edges and masks can be read from each tap, on images that the reading was not learned from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from fmreport.analysis import Evidence
from fmreport.analysis.regression import fold_of, held_out, unless_rounding
from fmreport.measures.readability import of_masks, targets, unpacked
from fmreport.records import TAP_OR_IMAGE, Column, explained

Errors = tuple[np.ndarray, np.ndarray]
"""`residual` and `total`, as the columns."""

COLUMNS = explained(
    "readability",
    TAP_OR_IMAGE,
    Column(
        "target",
        "",
        "edge: Sobel magnitude of luminance; mask; prior: the mean mask of other images, as it is, for the mask; "
        "shuffled 1, ...: masks of other images; shifted 1, ...: the image's own mask moved around the torus; ceiling: "
        "the mask in full, from its means on the tap's grid; ceiling iou: the same, drawn by whole elements; "
        "prediction: the model's own final map, where the config has a target: agreement with itself",
        method="targets",
    ),
    Column(
        "group", "count", "number of the group of images; of one image where there are few", method="groups-of-images"
    ),
    Column("positions", "count", "positions looked at, each by the share of it that is not ignored"),
    Column(
        "residual",
        "target^2",
        "squared errors of a ridge regression from at most 64 projected channels, learned from the images of other "
        "folds; R^2 of any groups is 1 - sum of residual / sum of total; of ceiling iou: positions in which it errs",
        "Alain & Bengio 2016, arXiv 1610.01644",
    ),
    Column(
        "total",
        "target^2",
        "squared errors of the mean of the images of other folds, the best that says nothing of these; of ceiling iou: "
        "positions in the mask or the drawing, so that 1 - residual / total is IoU",
    ),
)


class Readability:
    """One row per tap, target and group: held-out errors, which add up over groups.

    They are compared to those of the training images' mean, not of the held-out images' own: it is known beforehand
    as the regression is, a tap that says nothing scores 0, and the sums of some images do not depend on which others
    are held out or resampled with them.
    """

    columns: Sequence[Column] = COLUMNS
    version = 1

    def table(self, evidence: Evidence) -> pd.DataFrame:
        """The table; where a tap has no rows for a target, `reason` says why."""
        names = [column.name for column in self.columns]
        frames = [frame for tap in evidence.taps for frame in _frames(evidence, tap)]
        return pd.concat(frames, ignore_index=True)[names] if frames else pd.DataFrame(columns=names)


def reason(evidence: Evidence, tap: str, target: str) -> str:
    """Why a target is not read from a tap; empty where it is."""
    masked = of_masks(target) or target.startswith("ceiling")
    if "gram" not in evidence.grouped[tap]:
        # Of maps of one position there is all but this.
        one = "spectrum" in evidence.grouped[tap]
        return "a single position can say how large a mask is, not where" if one else "what is no map has no positions"
    if masked and not evidence.masked_groups:
        return "no image has a mask" if evidence.mapped is None else "no image whose maps are measured has a mask"
    gram = _grams(evidence, tap, masked=masked)
    if not np.isfinite(gram).all():
        return "values so large that their squares are infinite"
    seen = len(_seen(evidence, gram))
    if seen < 2:
        what = "images with a mask" if masked else "images"
        return f"what is read is tried on other images: it takes 2 {what} that are not ignored all over; here: {seen}"
    return ""


def unread(evidence: Evidence) -> tuple[str, ...]:
    """Sentences that say from which taps edges and masks are not read, and why; none where all are."""
    found: dict[tuple[str, str], list[str]] = {}
    for tap in evidence.taps:
        why = [reason(evidence, tap, target) or _flat(evidence, tap, target) for target in ("edge", "mask")]
        told = [("Edges and masks", why[0])] if why[0] == why[1] else list(zip(("Edges", "Masks"), why, strict=True))
        for key in told:
            found.setdefault(key, []).append(tap)
    return tuple(f"{what} are not read from {_some(taps)}: {why}" for (what, why), taps in found.items() if why)


def _some(taps: Sequence[str]) -> str:
    """The first few, and how many more."""
    return ", ".join(taps[:3]) + (f" and {len(taps) - 3} more" if len(taps) > 3 else "")


def _flat(evidence: Evidence, tap: str, target: str) -> str:
    """Why a target has nothing to be read; empty where it varies."""
    gram = _grams(evidence, tap, masked=of_masks(target)).sum(axis=0)
    one = gram.shape[-1] - 1 - len(targets(evidence.planes))
    place = one + 1 + targets(evidence.planes).index(target)
    mean, square = gram[[one, place], place] / gram[one, one]
    what = "every mask is all foreground or all background, and alike" if target == "mask" else "no image has an edge"
    return "" if unless_rounding(square - mean**2, square) > 0 else what


def seen(table: pd.DataFrame, target: str, groups: int) -> np.ndarray:
    """`(groups,)` bool: of which groups a target is read; not of images that are ignored all over."""
    rows = table.loc[table["target"] == target, "group"].unique()
    return np.isin(np.arange(groups), rows.astype(np.int64))


def by_group(table: pd.DataFrame, names: Sequence[str], *, taps: Sequence[str], groups: int) -> Errors:
    """Errors of the named targets, `(targets, taps, groups)`, as `r_squared` takes them; 0 where there is no row."""
    index = pd.MultiIndex.from_product([names, taps, range(groups)], names=["target", "tap", "group"])
    rows = table.set_index(index.names)[["residual", "total"]].reindex(index).fillna(0.0)
    residual, total = rows.to_numpy(np.float64).T.reshape(2, len(names), len(taps), groups)
    return residual, total


def ceiling(gram: np.ndarray, fold: np.ndarray, channels: int, mask: int) -> Errors:
    """Errors `(groups,)` of the mask in full, from its means over the elements of the grid; `mask` is its column.

    No map that holds one value per element comes closer. A mask is 0 or 1, and so its own square: an element of mean p
    loses p - p^2, and about a mean c all pixels have (1 - 2c) p + c^2.
    """
    count, foreground = gram[:, channels, channels], gram[:, channels, mask]
    mean = np.array([foreground[fold != number].sum() / count[fold != number].sum() for number in fold])
    total = (1 - 2 * mean) * foreground + mean**2 * count
    return np.maximum(foreground - gram[:, mask, mask], 0), unless_rounding(total, foreground + mean**2 * count)


def drawn(overlap: np.ndarray, foreground: np.ndarray) -> Errors:
    """Errors and union `(groups,)` of the mask drawn by whole elements, at the level with the best IoU over all groups.

    `overlap` `(groups, levels, 2)` is the foreground and the background in the elements; `foreground` all that there
    is.
    """
    right, wrong = overlap[..., 0], overlap[..., 1]
    union = foreground[:, None] + wrong
    anywhere = union.sum(axis=0)
    best = np.argmax(right.sum(axis=0) / np.where(anywhere > 0, anywhere, 1))
    return np.maximum(union - right, 0)[:, best], union[:, best]


def _frames(evidence: Evidence, tap: str) -> Iterator[pd.DataFrame]:
    """The rows of one tap, a target at a time: first what all images have, then what those with masks have."""
    every = targets(evidence.planes)
    for masked in (False, True):
        names = [name for name in every if of_masks(name) == masked]
        if not names or reason(evidence, tap, names[0]):
            continue
        gram = _grams(evidence, tap, masked=masked)
        groups = _seen(evidence, gram)
        one = gram.shape[-1] - 1 - len(every)
        kept = [*range(one + 1), *(one + 1 + every.index(name) for name in names)]
        gram = gram[groups][:, kept][:, :, kept]
        made = _read(gram, one, names, fold_of(evidence.sizes[groups]))
        if masked:
            foreground = gram[:, one, one + 1 + names.index("mask")]
            made["ceiling iou"] = drawn(evidence.grouped[tap]["overlap"][groups], foreground)
        # One frame for all targets: there are many, and a frame takes longer than what it holds.
        residual, total = (np.concatenate(errors) for errors in zip(*made.values(), strict=True))
        held = {"group": np.tile(groups, len(made)), "positions": np.tile(gram[:, one, one], len(made))}
        target = np.repeat(list(made), len(groups))
        yield pd.DataFrame({"tap": tap, "target": target, **held, "residual": residual, "total": total})


def _read(gram: np.ndarray, channels: int, names: Sequence[str], fold: np.ndarray) -> dict[str, Errors]:
    """Errors `(groups,)` of each target, in the order of the columns, and of the mask's ceiling behind them."""
    residual, total = held_out(gram, fold, channels)
    made = {name: (residual[:, place], total[:, place]) for place, name in enumerate(names)}
    if "mask" in names:
        mask, prior = (channels + 1 + names.index(name) for name in ("mask", "prior"))
        # As it is: it is made of the masks of other images alone.
        missed = gram[:, mask, mask] - 2 * gram[:, mask, prior] + gram[:, prior, prior]
        made["prior"] = np.maximum(missed, 0), made["mask"][1]
        made["ceiling"] = ceiling(gram, fold, channels, mask)
    return made


def _grams(evidence: Evidence, tap: str, *, masked: bool) -> np.ndarray:
    """`(groups, D, D)` of the groups with masks, or of all."""
    return unpacked(evidence.grouped[tap]["gram"][: evidence.masked_groups if masked else None])


def _seen(evidence: Evidence, gram: np.ndarray) -> np.ndarray:
    """The groups of which some position counts."""
    one = gram.shape[-1] - 1 - len(targets(evidence.planes))
    return np.flatnonzero(gram[:, one, one] > 0)
