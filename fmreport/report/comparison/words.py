"""Changes as a reader sees them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fmreport.analysis.resampling import FEWEST
from fmreport.compare.comparison import EQUAL, Change, ChannelChange, Drift, FactChange, TapChange
from fmreport.report.wording import DASH, full_stop, number, plural

LABELS = {
    "edge": "edges, R²",
    "mask": "mask, R²",
    "zero_fraction": "exact zeros",
    "near_zero_fraction": "near zero",
    "gini": "Gini index",
    "hoyer_limit": "Hoyer limit",
    "std": "standard deviation",
    "q01": "1% quantile",
    "q25": "25% quantile",
    "q50": "median",
    "q75": "75% quantile",
    "q99": "99% quantile",
    "centroid": "mean frequency",
    "centroid_share": "fineness",
    "otsu": "Otsu’s share of variance",
    "bimodality": "bimodality coefficient",
    "participation_ratio": "dimensions",
    "iou": "best channel, IoU",
    "region_variance_ratio": "region variance ratio",
    "region_variance_ratio_null": "the same of moved masks",
}
"""Measures by other words than those of their columns."""
FACTS = {
    "trainable_parameters": "trainable parameters",
    "macs": "multiply-adds",
    "rf_status": "receptive field",
    "rf_height": "rows seen",
    "rf_width": "columns seen",
    "rf_stride_y": "rows per element",
    "rf_stride_x": "columns per element",
    "zeros_reason": "what decides its zeros",
}
STATES = {"silent": "silent", "constant": "constant", "nan": "with NaN", "inf": "with infinite values"}
LISTED = 24
"""Channels that are named by number, at most."""


def label(measure: str) -> str:
    """A measure in words."""
    return LABELS.get(measure, measure.replace("_", " "))


def signed(value: float) -> str:
    """A change, which has a sign also where it is a gain."""
    shown = number(value)
    return f"+{shown}" if value > 0 else shown


def value(known: float | None) -> str:
    """A value; a dash where there is none."""
    return DASH if known is None else number(known)


def change(told: Change) -> str:
    """A change, or why there is none."""
    if told.change is None:
        return told.missing
    return "0" if told.state == EQUAL else signed(told.change)


def interval(told: Change) -> str:
    """The 95% interval of a change, or what stands for it where images are few."""
    if told.lower is not None and told.upper is not None:
        return f"{signed(told.lower)} to {signed(told.upper)}"
    if told.least is not None and told.most is not None:
        return f"{plural(told.images, 'image')}: {signed(told.least)} to {signed(told.most)}"
    if told.change is None:
        return DASH
    return f"{plural(told.images, 'image')}: none" if told.images < FEWEST else "none: of all images together"


def relative(told: Drift | None) -> str:
    """A relative error, or a dash where there is none."""
    if told is None or (told.relative is None and not told.infinite):
        return DASH
    return "∞" if told.relative is None else number(told.relative, digits=2)


def drift(told: Drift) -> str:
    """All that is known of it, or why nothing is."""
    if told.relative is None:
        return full_stop(told.why)
    what = "" if told.of == "values" else ", of the channels’ means in each image"
    parts = [f"relative error {number(told.relative, digits=2)}{what}"]
    if told.shift is not None:
        parts.append(f"{number(told.shift, digits=2)} of it a shift of channels")
    if told.largest is not None:
        parts.append(f"a value changed by {number(told.largest, digits=2)} of the largest, at least")
    if told.cka is not None:
        parts.append(f"CKA {_near_one(told.cka)}")
    return "; ".join(parts)


def _near_one(value: float) -> str:
    """A CKA; where it is nearly 1, what it lacks of that."""
    lacking = 1 - value
    return "1" if lacking == 0 else f"1 − {number(lacking, digits=2)}" if lacking < 0.005 else number(value, digits=2)


def fact(told: FactChange) -> tuple[str, str]:
    """A fact of a layer, and what became of it."""
    handed = f" (handed on from {', '.join(told.handed_on)})" if told.handed_on else ""
    name = FACTS.get(told.name, told.name)
    return name, f"{_fact(told.a)} → {_fact(told.b)}{handed}"


def _fact(known: str | None) -> str:
    return "not known" if known is None else known.replace(" x ", " × ") or "none"


def channels(told: ChannelChange) -> Iterator[tuple[str, str]]:
    """What became of channels, by what they are."""
    word = STATES[told.state]
    handed = f" (handed on from {', '.join(told.handed_on)})" if told.handed_on else ""
    if told.new:
        yield f"newly {word}", f"{plural(len(told.new), 'channel')}: {_numbers(told.new)}{handed}"
    if told.gone:
        yield f"no longer {word}", f"{plural(len(told.gone), 'channel')}: {_numbers(told.gone)}"
    if not told.new and not told.gone:
        yield f"channels {word}", f"{told.a:,} → {told.b:,}; A and B have not as many channels"


def _numbers(values: Sequence[int]) -> str:
    shown = ", ".join(map(str, values[:LISTED]))
    return shown if len(values) <= LISTED else f"{shown} and {len(values) - LISTED:,} more"


def begins(tap: TapChange) -> str:
    """That changes begin at a tap, and why, as far as that is known; empty where they do not."""
    if not tap.begins:
        return ""
    why = f": {'; '.join(tap.reads)}" if tap.reads else ""
    return (
        f"Changes begin here{why}. What it reads besides is the same in A and B."
        if why
        else ("Changes begin here: what it reads is the same in A and B, as far as it is tapped.")
    )


def said(tap: TapChange) -> str:
    """What of a tap is to be said beside its numbers, in a few words."""
    told = []
    own = [each for each in tap.facts if not each.handed_on]
    names = {each.name for each in own}
    if tap.activation:
        told.append("another activation")
    elif "type" in names:
        told.append("another type")
    told += [f"another {name}" for name in ("shape", "dtype") if name in names]
    told += ["other parameters"] if "parameters" in names and "shape" not in names else []
    for each in tap.channels:
        on = ", handed on" if each.handed_on else ""
        if each.new:
            told.append(f"{len(each.new):,} newly {STATES[each.state]}{on}")
        if each.gone:
            told.append(f"{len(each.gone):,} no longer {STATES[each.state]}")
        if not each.new and not each.gone:
            told.append(f"{each.a:,} → {each.b:,} {STATES[each.state]}")
    told += ["changes begin here"] if tap.begins else []
    return "; ".join(told)
