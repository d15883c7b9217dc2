"""Whether maps pass from edges to the mask: the claim at the centre of a report, with all that could refute it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fmreport.analysis import resampling
from fmreport.analysis.crossing import crossing, shift
from fmreport.analysis.finding import SIGNIFICANT, UNTESTED, Checks, Finding, Tables, judged, number, signed, told
from fmreport.analysis.nulls import p_of_best
from fmreport.analysis.progression import of_nulls, r_squared
from fmreport.analysis.readability import seen

AGREEMENT = 0.75
"""Share of the taps that must agree with a place where masks overtake edges."""
FEWEST_TAPS = 6
"""Taps below which there is no course to speak of."""
COMES_BACK = 0.5
"""Share of the best R^2 of edges that they must regain behind the place where masks overtake them, to be told."""
SUBJECT = "from edges to mask"
RULE = (
    "R² on held-out images, edges against masks, along the taps that are maps: supported if edges peak before masks "
    f"overtake them, at least {AGREEMENT:.0%} of the taps agree with that place, the change from the first third of "
    "the taps to the last is above 0 in 95% of the resamples and above that of every randomised model, and the best "
    f"tap reads masks better than shuffled or shifted ones (p at most {SIGNIFICANT}) and better than the mean mask of "
    "other images does; consistent with, if no check fails but one could not be made"
)
NO_CONTROLS = "no randomised control was run (controls: {randomised: 3})"
FEW_IMAGES = f"fewer than {resampling.FEWEST} images with masks"
FEW_MASKS = "too few masks to compare with"
MISSING = {"interval": FEW_IMAGES, "null": FEW_MASKS, "controls": NO_CONTROLS}
"""Why a check could not be made."""
_FAILED = {
    "order": "edges do not peak before masks overtake them",
    "agreement": "too many taps disagree",
    "interval": "the interval is not above 0",
    "null": "masks of no meaning are read as well",
    "prior": "the mean mask of other images is as good",
    "controls": "a randomised model does the same",
}


@dataclass(frozen=True, slots=True)
class Course:
    """What two curves along some taps do, or several pairs of curves at once."""

    peak: np.ndarray
    """`(...)` where edges are read best, from 0."""
    at: np.ndarray
    """`(...)` from where on masks are read better; the number of taps: nowhere."""
    agreement: np.ndarray
    """`(...)` share of the taps that agree with that."""
    change: np.ndarray
    """`(...)` R^2 that masks gain on edges from the first third of the taps to the last."""


def course(edge: np.ndarray, mask: np.ndarray) -> Course:
    """Of curves `(..., T)` without NaN."""
    found = crossing(edge, mask)
    return Course(edge.argmax(axis=-1), found.at, found.agreement, np.asarray(shift(edge, mask)))


def from_edges_to_mask(tables: Tables) -> Finding:
    """The claim, with where it happens, and where it does with randomised weights."""
    read = tables.analyses["readability"]
    taps, edge, mask = curves(tables.layers, tables.analyses["progression"])
    count = len(taps)
    if count < FEWEST_TAPS:
        sentence = f"Whether maps pass from edges to the mask is not tested: {_missing(read, count)}."
        return Finding(SUBJECT, UNTESTED, sentence, RULE)
    groups = int(read["group"].max()) + 1
    masked = int(read.loc[read["target"] == "mask", "group"].max()) + 1
    told_of = np.where(np.arange(groups) < masked, seen(read, "mask", groups), seen(read, "edge", groups))
    drawn = resampling.resamples(groups, masked=masked, seed=tables.seed, seen=told_of)
    spread = r_squared(read, ("edge", "mask"), taps, drawn)
    own, drawings, others = course(edge, mask), course(spread["edge"], spread["mask"]), _randomised(tables, taps)
    peak, at, change = int(own.peak), int(own.at), float(own.change)
    images = images_with_masks(tables)
    low, high = map(float, resampling.interval(drawings.change))
    checks: Checks = {
        "order": at < count and peak < at,
        "agreement": bool(own.agreement >= AGREEMENT),
        "interval": None if images < resampling.FEWEST else bool(low > 0),
        "null": beats_nulls(tables, taps, mask)[0],
        "prior": not mask.max() <= prior(tables, taps[int(mask.argmax())]),
        "controls": None if others is None else bool(change > others.change.max()),
    }
    numbers = _numbers(tables, taps)
    overtakes = f"masks are read better than edges from {taps[min(at, count - 1)]} on (tap {numbers[at]}"
    sentence = (
        f"Edges are read best at {taps[peak]} (tap {numbers[peak]} of {len(tables.layers)}"
        f"{_range(numbers[drawings.peak], images)}; R² {number(edge[peak])}); "
        + ("masks are nowhere read better" if at == count else overtakes + _range(numbers[drawings.at], images) + ")")
        + f", as {own.agreement:.0%} of the maps agree. From the first third of the maps to the last, masks gain "
        f"{signed(change)} on edges{_interval(low, high, images)}.{_beside(others, numbers)}"
    )
    evidence = tuple(dict.fromkeys((taps[peak], *taps[at : at + 1])))
    why = "; ".join(filter(None, (told(checks, _FAILED, MISSING), _again(edge, at, taps))))
    return Finding(SUBJECT, judged(checks), sentence, RULE, evidence, why)


def curves(layers: pd.DataFrame, progression: pd.DataFrame) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """Taps that have both, in order, and R^2 of edges and of masks."""
    both = progression.pivot_table(index="tap", columns="quantity", values="value", sort=False)
    if not {"edge", "mask"} <= set(both.columns):
        return (), np.array([]), np.array([])
    both = both.reindex([tap for tap in layers["tap"] if tap in both.index])[["edge", "mask"]].dropna()
    return tuple(map(str, both.index)), both["edge"].to_numpy(), both["mask"].to_numpy()


def images_with_masks(tables: Tables) -> int:
    """How many images tell how well masks are read."""
    return int(tables.analyses["progression"].query("quantity == 'mask'")["images"].max())


def beats_nulls(tables: Tables, taps: tuple[str, ...], mask: np.ndarray) -> tuple[bool | None, float]:
    """Whether masks are read better at the best tap than masks of no meaning at theirs, and p.

    None where these are so few that none of them need do as well for p to stay above the level.
    """
    read = tables.analyses["readability"]
    nulls = of_nulls(read, taps, int(read["group"].max()) + 1)
    p = p_of_best(mask, nulls)
    # Masks of no meaning may be empty wherever images are looked at: then there is nothing of them to be read.
    count = np.count_nonzero(~np.isnan(nulls).all(axis=1))
    return (None if np.isnan(p) or 1 / (1 + count) > SIGNIFICANT else bool(p <= SIGNIFICANT)), p


def prior(tables: Tables, tap: str) -> float:
    """R^2 of the mean mask of other images, as it is, on the grid of a tap; NaN where there is none."""
    read = tables.analyses["readability"]
    return float(r_squared(read, ("prior",), (tap,), np.ones(int(read["group"].max()) + 1, np.int64))["prior"][0])


def _missing(read: pd.DataFrame, count: int) -> str:
    if not (read["target"] == "mask").any():
        return "no tap has a mask to be read from it"
    return f"it takes {FEWEST_TAPS} maps in which edges and masks vary; here: {count}"


def _randomised(tables: Tables, taps: tuple[str, ...]) -> Course | None:
    """The same of each randomised model; None where there are none."""
    found = []
    for _, rows in tables.controls.groupby("seed"):
        made = rows.pivot_table(index="tap", columns="quantity", values="value", dropna=False).reindex(taps)
        if {"edge", "mask"} <= set(made.columns):
            # A randomised tap that says nothing, such as one that is constant, is read with R^2 0.
            found.append(made[["edge", "mask"]].fillna(0.0).to_numpy(np.float64).T)
    return course(*np.stack(found, axis=1)) if found else None


def _numbers(tables: Tables, taps: tuple[str, ...]) -> np.ndarray:
    """`(T + 1,)` places of taps among all taps, from 1; last, one past them."""
    places = {tap: place for place, tap in enumerate(tables.layers["tap"], 1)}
    return np.array([*(places[tap] for tap in taps), len(tables.layers) + 1])


def _again(edge: np.ndarray, at: int, taps: tuple[str, ...]) -> str:
    """Where edges come back behind the place where masks overtake them, if they do."""
    rest = edge[at:]
    if not len(rest):
        return ""
    rise = rest - np.minimum.accumulate(rest)
    back = int(rise.argmax())
    if rise[back] < COMES_BACK * edge.max():
        return ""
    return f"edges come back further on, up to R² {number(rest[back])} at {taps[at + back]}"


def _range(numbers: np.ndarray, images: int) -> str:
    """Between which numbers of taps 95% of the resamples lie."""
    if images < resampling.FEWEST:
        return ""
    low, high = (round(float(end)) for end in resampling.interval(numbers))
    return f", 95% interval {low} to {high}"


def _interval(low: float, high: float, images: int) -> str:
    if images < resampling.FEWEST:
        return f" ({images} images: no interval)"
    return f" (95% interval {signed(low)} to {signed(high)}, {images} images)"


def _beside(others: Course | None, numbers: np.ndarray) -> str:
    if others is None:
        return ""
    peaks, places, nowhere = numbers[others.peak], numbers[others.at], others.at == len(numbers) - 1
    overtake = f"masks are read better from tap {between(places[~nowhere])} on" if not nowhere.all() else ""
    never = "masks are nowhere read better" if nowhere.all() else " or nowhere" if nowhere.any() else ""
    return (
        f" With randomised weights edges are read best at tap {between(peaks)}, {overtake}{never}, and masks gain "
        f"{between(others.change, signed)}."
    )


def between(values: np.ndarray, tell: Callable[[float], str] = str) -> str:
    """Least and most of some values; one where they are the same."""
    return " to ".join(dict.fromkeys(tell(end) for end in (values.min(), values.max())))
