"""Whether maps pass from edges to the mask: the claim at the centre of a report, with all that could refute it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fmreport.analysis import resampling
from fmreport.analysis.crossing import crossing, shift
from fmreport.analysis.finding import SIGNIFICANT, UNTESTED, Checks, Finding, Tables, judged, told
from fmreport.analysis.nulls import p_of_best
from fmreport.analysis.progression import NULL, of_nulls, r_squared

AGREEMENT = 0.75
"""Share of the taps that must agree with a place where masks overtake edges."""
FEWEST_TAPS = 6
"""Taps below which there is no course to speak of."""
SUBJECT = "from edges to mask"
RULE = (
    "R^2 on held-out images, edges against masks, along the taps that are maps: supported if edges peak before masks "
    f"overtake them, at least {AGREEMENT:.0%} of the taps agree with that place, the change from the first third of "
    "the taps to the last is above 0 in 95% of the resamples and above that of every randomised model, and the best "
    f"tap reads masks better than shuffled or shifted ones (p at most {SIGNIFICANT}); consistent with, if no check "
    "fails but one could not be made"
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
    "controls": "a randomised model does the same",
}


def from_edges_to_mask(tables: Tables) -> Finding:
    """The claim, with where it happens."""
    read = tables.analyses["readability"]
    taps, edge, mask = curves(tables)
    count = len(taps)
    if count < FEWEST_TAPS:
        sentence = f"Whether maps pass from edges to the mask is not tested: {_missing(read, count)}."
        return Finding(SUBJECT, UNTESTED, sentence, RULE)
    groups = int(read["group"].max()) + 1
    masked = int(read.loc[read["target"] == "mask", "group"].max()) + 1
    drawn = resampling.resamples(groups, masked=masked, seed=tables.seed)
    spread = r_squared(read, ("edge", "mask"), taps, drawn)
    found, change = crossing(edge, mask), float(shift(edge, mask))
    peak, at = int(edge.argmax()), int(found.at)
    images = images_with_masks(tables)
    low, high = map(float, resampling.interval(shift(spread["edge"], spread["mask"])))
    peaks, places = spread["edge"].argmax(axis=-1), crossing(spread["edge"], spread["mask"]).at
    controls = _control_shifts(tables, taps)
    checks: Checks = {
        "order": at < count and peak < at,
        "agreement": bool(found.agreement >= AGREEMENT),
        "interval": None if images < resampling.FEWEST else bool(low > 0),
        "null": beats_nulls(tables, taps, mask)[0],
        "controls": None if not len(controls) else bool(change > controls.max()),
    }
    place = "nowhere" if at == count else f"from {taps[at]} on ({at + 1} of {count} maps{_range(places, images)})"
    sentence = (
        f"Edges are read best at {taps[peak]} ({peak + 1} of {count} maps{_range(peaks, images)}; R² "
        f"{edge[peak]:.2f}); masks are read better than edges {place}, as {found.agreement:.0%} of the maps agree. "
        f"From the first third of the maps to the last, masks gain {change:+.2f} on edges"
        f"{_interval(low, high, images)}{_beside(controls)}."
    )
    evidence = tuple(dict.fromkeys((taps[peak], taps[min(at, count - 1)])))
    return Finding(SUBJECT, judged(checks), sentence, RULE, evidence, told(checks, _FAILED, MISSING))


def curves(tables: Tables) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """Taps that have both, in order, and R^2 of edges and of masks."""
    both = tables.analyses["progression"].pivot_table(index="tap", columns="quantity", values="value", sort=False)
    if not {"edge", "mask"} <= set(both.columns):
        return (), np.array([]), np.array([])
    both = both.reindex([tap for tap in tables.layers["tap"] if tap in both.index])[["edge", "mask"]].dropna()
    return tuple(map(str, both.index)), both["edge"].to_numpy(), both["mask"].to_numpy()


def images_with_masks(tables: Tables) -> int:
    """How many images tell how well masks are read."""
    return int(tables.analyses["progression"].query("quantity == 'mask'")["images"].max())


def beats_nulls(tables: Tables, taps: tuple[str, ...], mask: np.ndarray) -> tuple[bool | None, float]:
    """Whether masks are read better at the best tap than masks of no meaning at theirs, and p.

    None where these are so few that none of them need do as well for p to stay above the level.
    """
    read = tables.analyses["readability"]
    p = p_of_best(mask, of_nulls(read, taps, int(read["group"].max()) + 1))
    count = sum(str(name).startswith(NULL) for name in read["target"].unique())
    return (None if np.isnan(p) or 1 / (1 + count) > SIGNIFICANT else bool(p <= SIGNIFICANT)), p


def _missing(read: pd.DataFrame, count: int) -> str:
    if not (read["target"] == "mask").any():
        return "no tap has a mask to be read from it"
    return f"it takes {FEWEST_TAPS} maps in which edges and masks vary; here: {count}"


def _control_shifts(tables: Tables, taps: tuple[str, ...]) -> np.ndarray:
    """The same change of each randomised model."""
    found = []
    for _, rows in tables.controls.groupby("seed"):
        made = rows.pivot_table(index="tap", columns="quantity", values="value", dropna=False).reindex(taps)
        if {"edge", "mask"} <= set(made.columns):
            # A randomised tap that says nothing, such as one that is constant, is read with R^2 0.
            filled = made[["edge", "mask"]].fillna(0.0)
            found.append(float(shift(filled["edge"].to_numpy(), filled["mask"].to_numpy())))
    return np.array(found)


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
