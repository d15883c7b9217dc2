"""A short list of sentences, each made from the tables by a stated rule, and each able to come out negative."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fmreport.analysis import resampling
from fmreport.analysis.crossing import crossing, shift
from fmreport.analysis.nulls import p_of_best
from fmreport.analysis.progression import of_nulls, r_squared
from fmreport.records import IMAGE

SUPPORTED, CONSISTENT = "supported", "consistent with"
REFUTED, NOTHING, UNTESTED = "not supported by these probes", "nothing found", "not tested"
VERDICTS = (SUPPORTED, CONSISTENT, REFUTED, NOTHING, UNTESTED)
SIGNIFICANT = 0.05
AGREEMENT = 0.75
"""Share of the taps that must agree with a place where masks overtake edges."""
FEWEST_TAPS = 6
"""Taps below which there is no course to speak of."""
COLLAPSE = 3.0
"""Times by which a dimension must fall below what every tap before it had."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about the model, with what it rests on."""

    subject: str
    verdict: str
    """One of `VERDICTS`."""
    sentence: str
    rule: str
    """How the verdict is made."""
    taps: tuple[str, ...] = ()
    """Where the evidence is."""
    caveat: str = ""


@dataclass(frozen=True, slots=True)
class Tables:
    """What findings are made from."""

    layers: pd.DataFrame
    summary: pd.DataFrame
    channels: pd.DataFrame
    analyses: Mapping[str, pd.DataFrame]
    controls: pd.DataFrame
    """`seed`, `tap`, `quantity`, `value` of randomised weights; without a row where there were none."""
    seed: int


def findings(tables: Tables) -> tuple[Finding, ...]:
    """All of them, in the order in which they are read."""
    rules: Sequence[Callable[[Tables], Finding]] = (
        _from_edges_to_mask,
        _most_mask_like,
        _best_channel,
        _idle_channels,
        _not_finite,
        _collapse,
    )
    return tuple(rule(tables) for rule in rules)


_MASK_RULE = (
    "R^2 on held-out images, edges against masks, along the taps that are maps: supported if edges peak before masks "
    f"overtake them, at least {AGREEMENT:.0%} of the taps agree with that place, the change from the first third of "
    "the taps to the last is above 0 in 95% of the resamples and above that of every randomised model, and the best "
    f"tap reads masks better than shuffled or shifted ones (p at most {SIGNIFICANT}); consistent with, if no check "
    "fails but one could not be made"
)


def _from_edges_to_mask(tables: Tables) -> Finding:
    subject = "from edges to mask"
    read = tables.analyses["readability"]
    taps, edge, mask = _curves(tables)
    if not len(taps):
        missing = "no mask to read" if not (read["target"] == "mask").any() else "too few taps that are maps"
        sentence = f"Whether maps pass from edges to the mask is not tested: {missing}."
        return Finding(subject, UNTESTED, sentence, _MASK_RULE)
    groups = int(read["group"].max()) + 1
    masked = int(read.loc[read["target"] == "mask", "group"].max()) + 1
    drawn = resampling.resamples(groups, masked=masked, seed=tables.seed)
    spread = r_squared(read, ("edge", "mask"), taps, drawn)
    found, change = crossing(edge, mask), float(shift(edge, mask))
    peak, at, count = int(edge.argmax()), int(found.at), len(taps)
    images = int(tables.analyses["progression"].query("quantity == 'mask'")["images"].max())
    low, high = map(float, resampling.interval(shift(spread["edge"], spread["mask"])))
    peaks, places = spread["edge"].argmax(axis=-1), crossing(spread["edge"], spread["mask"]).at
    p = p_of_best(mask, of_nulls(read, taps, groups))
    controls = _control_shifts(tables, taps)
    checks = {
        "order": at < count and peak < at,
        "agreement": bool(found.agreement >= AGREEMENT),
        "interval": None if images < resampling.FEWEST else bool(low > 0),
        "null": None if np.isnan(p) or _smallest_p(read) > SIGNIFICANT else p <= SIGNIFICANT,
        "controls": None if not len(controls) else bool(change > controls.max()),
    }
    failed = [name for name, held in checks.items() if held is False]
    verdict = REFUTED if failed else CONSISTENT if None in checks.values() else SUPPORTED
    place = "nowhere" if at == count else f"from {taps[at]} on ({at + 1} of {count} maps{_range(places, images)})"
    sentence = (
        f"Edges are read best at {taps[peak]} ({peak + 1} of {count} maps{_range(peaks, images)}; R² "
        f"{edge[peak]:.2f}); masks are read better than edges {place}, as {found.agreement:.0%} of the maps agree. "
        f"From the first third of the maps to the last, masks gain {change:+.2f} on edges"
        f"{_interval(low, high, images)}{_beside(controls)}."
    )
    return Finding(subject, verdict, sentence, _MASK_RULE, tuple({taps[peak], taps[min(at, count - 1)]}), _why(checks))


def _curves(tables: Tables) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """Taps that have both, in order, and R^2 of edges and of masks; none where they are too few."""
    both = tables.analyses["progression"].pivot_table(index="tap", columns="quantity", values="value", sort=False)
    if not {"edge", "mask"} <= set(both.columns):
        return (), np.array([]), np.array([])
    both = both.reindex([tap for tap in tables.layers["tap"] if tap in both.index])[["edge", "mask"]].dropna()
    if len(both) < FEWEST_TAPS:
        return (), np.array([]), np.array([])
    return tuple(map(str, both.index)), both["edge"].to_numpy(), both["mask"].to_numpy()


def _control_shifts(tables: Tables, taps: tuple[str, ...]) -> np.ndarray:
    """The same change of each randomised model."""
    found = []
    for _, rows in tables.controls.groupby("seed"):
        curves = rows.pivot_table(index="tap", columns="quantity", values="value", dropna=False).reindex(taps)
        if {"edge", "mask"} <= set(curves.columns):
            # A randomised tap that says nothing, such as one that is constant, is read with R^2 0.
            filled = curves[["edge", "mask"]].fillna(0.0)
            found.append(float(shift(filled["edge"].to_numpy(), filled["mask"].to_numpy())))
    return np.array(found)


def _smallest_p(read: pd.DataFrame) -> float:
    """What p is where no null is as good."""
    return 1.0 / (1 + sum(str(name).startswith(("shuffled", "shifted")) for name in read["target"].unique()))


def _range(places: np.ndarray, images: int) -> str:
    """Places from 1 that 95% of the resamples lie between."""
    if images < resampling.FEWEST:
        return ""
    low, high = (round(float(end)) + 1 for end in resampling.interval(places))
    return f", 95% interval {low} to {high}"


def _interval(low: float, high: float, images: int) -> str:
    if images < resampling.FEWEST:
        return f" ({images} images: no interval)"
    return f" (95% interval {low:+.2f} to {high:+.2f}, {images} images)"


def _beside(controls: np.ndarray) -> str:
    if not len(controls):
        return ""
    return f"; with randomised weights {controls.min():+.2f} to {controls.max():+.2f}"


def _why(checks: Mapping[str, bool | None]) -> str:
    words = {
        "order": "edges do not peak before masks overtake them",
        "agreement": "too many taps disagree",
        "interval": "fewer than 10 images with masks",
        "null": "too few masks to compare with",
        "controls": "no randomised control was run (controls: {randomised: 3})",
    }
    failed = {"interval": "the interval holds 0", "null": "masks of no meaning are read as well",
              "controls": "a randomised model does the same"}  # fmt: skip
    told = [failed.get(name, words[name]) for name, held in checks.items() if held is False]
    told += [words[name] for name, held in checks.items() if held is None]
    return "; ".join(told)


def _most_mask_like(tables: Tables) -> Finding:
    subject = "the most mask-like tap"
    rule = (
        "the tap from which masks are read best on held-out images, if better than masks of no meaning "
        f"(p at most {SIGNIFICANT})"
    )
    taps, _, mask = _curves(tables)
    if not len(taps):
        return Finding(subject, UNTESTED, "No tap is compared with masks: there are none, or too few maps.", rule)
    read = tables.analyses["readability"]
    p = p_of_best(mask, of_nulls(read, taps, int(read["group"].max()) + 1))
    best = int(mask.argmax())
    row = tables.analyses["progression"].query("quantity == 'mask' and tap == @taps[@best]").iloc[0]
    images = int(row["images"])
    if not p <= SIGNIFICANT:
        few = _smallest_p(read) > SIGNIFICANT
        verdict = UNTESTED if few else NOTHING
        told = f"best: {taps[best]}, R² {mask[best]:.2f}, p {p:.2f}"
        sentence = f"From no tap masks are read better than masks of no meaning are ({told})."
        return Finding(subject, verdict, sentence, rule, (taps[best],), "too few masks to compare with" if few else "")
    ends = "" if np.isnan(row["lower"]) else f", 95% interval {row['lower']:.2f} to {row['upper']:.2f}"
    sentence = f"Masks are read best at {taps[best]} (R² {mask[best]:.2f}{ends}, {images} images; p {p:.2f})."
    caveat = "the last layers of a model that was trained to draw masks are mask-like by construction"
    return Finding(subject, SUPPORTED, sentence, rule, (taps[best],), caveat)


def _best_channel(tables: Tables) -> Finding:
    subject = "the most mask-like channel"
    rule = (
        "the channel with the highest IoU on the half of the images that it was not chosen on, over all taps, if its "
        f"tap's p is at most {SIGNIFICANT} divided by the number of taps"
    )
    table = tables.analyses["selectivity"]
    table = table[(table["tap"] != IMAGE) & table["iou"].notna()]
    if not len(table):
        sentence = "No single channel is compared with masks: it takes two images with masks."
        return Finding(subject, UNTESTED, sentence, rule)
    best = table.iloc[int(table["iou"].to_numpy().argmax())]
    holds = best["iou_p"] <= SIGNIFICANT / len(table)
    sentence = (
        f"Channel {int(best['chosen'])} of {best['tap']} outlines the foreground best: IoU {best['iou']:.2f} on images "
        f"that it was not chosen on, where calling everything foreground gives {best['prevalence']:.2f}; AUROC "
        f"{best['auroc']:.2f} (p {best['iou_p']:.3f})."
    )
    caveat = "" if holds else "too few images to tell it from the best of many by luck"
    return Finding(subject, SUPPORTED if holds else CONSISTENT, sentence, rule, (str(best["tap"]),), caveat)


def _idle_channels(tables: Tables) -> Finding:
    subject = "channels that say nothing of their own"
    rule = (
        "channels whose values are all zero, or all equal, on all probes, or that correlate above 0.99 with an earlier "
        "one"
    )
    silent, constant = tables.channels["silent"].astype(bool), tables.channels["constant"].astype(bool)
    repeats = tables.analyses["redundancy"]
    repeats = repeats[repeats["tap"] != IMAGE]
    silent_at, constant_at = tables.channels.loc[silent], tables.channels.loc[constant & ~silent]
    counts = (len(silent_at), len(constant_at), len(repeats))
    total = len(tables.channels)
    if not sum(counts):
        return Finding(subject, NOTHING, f"None of {total:,} channels is silent, constant or a near-duplicate.", rule)
    by_tap = pd.concat([silent_at["tap"], constant_at["tap"], repeats["tap"]]).value_counts(sort=False)
    own = tables.layers.set_index("tap").loc[by_tap.index]
    saved = int((own["parameters"] / own["channels"] * by_tap).sum())
    most = str(by_tap.index[int(by_tap.to_numpy().argmax())])
    sentence = (
        f"Of {total:,} channels {counts[0]:,} are silent, {counts[1]:,} constant and {counts[2]:,} near-duplicates, "
        f"most at {most} ({by_tap[most]:,}); their own weights are about {saved:,} parameters."
    )
    caveat = "on these probes; other images may wake them, and what reads them has weights of its own for them"
    return Finding(subject, SUPPORTED, sentence, rule, tuple(map(str, by_tap.nlargest(3).index)), caveat)


def _not_finite(tables: Tables) -> Finding:
    subject = "NaN and Inf"
    rule = "taps with a value that is NaN or infinite on any probe"
    bad = tables.summary[(tables.summary["nan"] > 0) | (tables.summary["inf"] > 0)]
    if not len(bad):
        return Finding(subject, NOTHING, f"Every value of all {len(tables.summary)} taps is finite.", rule)
    taps = tuple(map(str, bad["tap"]))
    return Finding(subject, SUPPORTED, f"NaN or Inf at {len(bad)} taps, first at {taps[0]}.", rule, taps[:3])


def _collapse(tables: Tables) -> Finding:
    subject = "collapse of dimension"
    rule = f"the first tap whose participation ratio is less than a {COLLAPSE:g}rd of the least of all maps before it"
    table = tables.analyses["dimension"]
    table = table[(table["tap"] != IMAGE) & table["participation_ratio"].notna()]
    ratios = table["participation_ratio"].to_numpy(np.float64)
    least = np.minimum.accumulate(ratios)
    places = np.flatnonzero(ratios[1:] * COLLAPSE < least[:-1]) + 1 if len(ratios) > 1 else np.array([], int)
    if not len(places):
        return Finding(subject, NOTHING, "No tap uses far fewer dimensions than all taps before it.", rule)
    tap = str(table["tap"].iloc[places[0]])
    before, now = least[places[0] - 1], ratios[places[0]]
    sentence = f"At {tap} maps vary along {now:.1f} dimensions, after {before:.1f} at the least before."
    return Finding(subject, SUPPORTED, sentence, rule, (tap,))
