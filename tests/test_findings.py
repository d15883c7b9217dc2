"""Findings are made by their rules: what is planted is found, what is not is not claimed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from fmreport.analysis import findings as f
from fmreport.analysis.findings import Finding, Tables, findings
from fmreport.records import IMAGE

TAPS = tuple(f"conv{i:02}" for i in range(12))
EDGES = np.linspace(0.8, 0.1, 12)
MASKS = np.linspace(0.05, 0.75, 12)


def readings(curves: dict[str, Sequence[float]], images: int, noise: float = 0.02) -> pd.DataFrame:
    """Errors of every target at every tap, of images that differ a little."""
    rng = np.random.default_rng(1)
    rows = []
    for target, curve in curves.items():
        for tap, value in zip(TAPS, curve, strict=True):
            for group in range(images):
                total = float(rng.uniform(90, 110))
                rows.append((tap, target, group, 100.0, (1 - value - rng.normal() * noise) * total, total))
    return pd.DataFrame(rows, columns=["tap", "target", "group", "positions", "residual", "total"])


def progression(read: pd.DataFrame, images: int) -> pd.DataFrame:
    rows = []
    for (tap, target), each in read[read["target"].isin(["edge", "mask"])].groupby(["tap", "target"], sort=False):
        value = 1 - each["residual"].sum() / each["total"].sum()
        rows.append((tap, target, value, value - 0.05, value + 0.05, images, np.nan, np.nan))
    names = ["tap", "quantity", "value", "lower", "upper", "images", "null", "p"]
    return pd.DataFrame(rows, columns=names)


def tables(
    edge: Sequence[float] = EDGES,
    mask: Sequence[float] | None = MASKS,
    *,
    images: int = 20,
    nulls: Sequence[float] | np.ndarray = (0.0,) * 12,
    controls: Sequence[tuple[Sequence[float], Sequence[float]]] = ((EDGES, np.zeros(12)),) * 3,
    **changed: pd.DataFrame,
) -> Tables:
    """Twelve taps of 8 channels each, none of which says anything odd but what is asked for."""
    curves: dict[str, Sequence[float]] = {"edge": edge}
    if mask is not None:
        curves |= {"mask": mask} | {f"shuffled {k}": null for k, null in enumerate(np.broadcast_to(nulls, (24, 12)), 1)}
    read = readings(curves, images)
    control = [
        (seed, tap, name, value)
        for seed, pair in enumerate(controls, 1)
        for name, curve in zip(("edge", "mask"), pair, strict=True)
        for tap, value in zip(TAPS, curve, strict=True)
    ]
    names = [(tap, channel) for tap in TAPS for channel in range(8)]
    selectivity = pd.DataFrame(
        {"tap": TAPS, "chosen": 3, "iou": np.linspace(0.3, 0.6, 12), "iou_p": 0.5, "iou_null": 0.3, "prevalence": 0.3,
         "auroc": 0.7}
    )  # fmt: skip
    analyses = {
        "readability": read,
        "progression": progression(read, images),
        "selectivity": selectivity,
        "redundancy": pd.DataFrame({"tap": [], "duplicate": [], "original": [], "correlation": []}),
        "dimension": pd.DataFrame({"tap": TAPS, "participation_ratio": np.linspace(6, 5, 12)}),
    }
    made = {
        "layers": pd.DataFrame({"tap": TAPS, "channels": 8, "parameters": 80}),
        "summary": pd.DataFrame({"tap": TAPS, "nan": 0, "inf": 0}),
        "channels": pd.DataFrame(names, columns=["tap", "channel"]).assign(silent=False, constant=False),
    }
    analyses |= {name: changed.pop(name) for name in list(changed) if name in analyses}
    table = pd.DataFrame(control, columns=["seed", "tap", "quantity", "value"])
    return Tables(**(made | changed), analyses=analyses, controls=table, seed=0)


def about(made: Tables, subject: str) -> Finding:
    return next(found for found in findings(made) if found.subject == subject)


def claim(made: Tables) -> Finding:
    return about(made, "from edges to mask")


def test_a_planted_course_from_edges_to_mask_is_supported_where_it_crosses() -> None:
    found = claim(tables())
    assert found.verdict == f.SUPPORTED
    crossing = TAPS[int(np.argmax(MASKS > EDGES))]
    place = TAPS.index(crossing) + 1
    assert f"from {crossing} on ({place} of 12 maps, 95% interval {place} to {place})" in found.sentence
    assert TAPS[0] in found.taps
    assert found.caveat == ""


@pytest.mark.parametrize(("changed", "caveat"), [
    ({"edge": MASKS, "mask": EDGES}, "edges do not peak before masks overtake them"),
    ({"mask": np.full(12, 0.02)}, "edges do not peak"),
    ({"nulls": np.full(12, 0.9)}, "masks of no meaning are read as well"),
    ({"controls": ((EDGES, MASKS),) * 3}, "a randomised model does the same"),
])  # fmt: skip
def test_a_course_that_fails_a_check_is_not_claimed(changed: dict[str, object], caveat: str) -> None:
    found = claim(tables(**changed))  # type: ignore[arg-type]
    assert found.verdict == f.REFUTED
    assert caveat in found.caveat


@pytest.mark.parametrize(("changed", "caveat"), [
    ({"images": 6}, "fewer than 10 images with masks"),
    ({"controls": ()}, "no randomised control was run"),
])  # fmt: skip
def test_a_check_that_could_not_be_made_leaves_it_consistent(changed: dict[str, object], caveat: str) -> None:
    found = claim(tables(**changed))  # type: ignore[arg-type]
    assert found.verdict == f.CONSISTENT
    assert caveat in found.caveat


def test_without_masks_nothing_of_masks_is_claimed() -> None:
    made = tables(mask=None, selectivity=pd.DataFrame({"tap": [], "iou": []}))
    for subject in ("from edges to mask", "the most mask-like tap", "the most mask-like channel"):
        assert about(made, subject).verdict == f.UNTESTED
    assert "no mask to read" in claim(made).sentence


def test_noise_is_claimed_to_be_nothing_in_95_of_100_seeds() -> None:
    claimed = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        edge, mask, *nulls = rng.normal(0, 0.02, (26, 12))
        found = findings(tables(edge, mask, images=12, nulls=np.array(nulls), controls=(rng.normal(0, 0.02, (2, 12)),)))
        claimed += any(each.verdict == f.SUPPORTED for each in found if each.subject.startswith(("from", "the most")))
    assert claimed <= 5


def test_the_best_tap_is_named_with_its_interval() -> None:
    found = about(tables(), "the most mask-like tap")
    assert found.verdict == f.SUPPORTED
    assert found.taps == (TAPS[-1],)
    assert "95% interval" in found.sentence


def test_idle_channels_are_counted_with_what_they_hold() -> None:
    rows = [(tap, channel) for tap in TAPS for channel in range(8)]
    channels = pd.DataFrame(rows, columns=["tap", "channel"]).assign(silent=False, constant=False)
    at = channels["tap"] == TAPS[2]
    channels.loc[at & (channels["channel"] < 3), ["silent", "constant"]] = True
    channels.loc[at & (channels["channel"] == 5), "constant"] = True
    repeats = pd.DataFrame({"tap": [TAPS[4], IMAGE], "duplicate": [7, 1], "original": [1, 0], "correlation": 0.999})
    found = about(tables(channels=channels, redundancy=repeats), "channels that say nothing of their own")
    assert "3 are silent, 1 constant and 1 near-duplicates" in found.sentence
    assert "about 50 parameters" in found.sentence
    assert about(tables(), "channels that say nothing of their own").verdict == f.NOTHING


def test_values_that_are_no_numbers_and_a_collapse_are_found_where_they_are() -> None:
    summary = pd.DataFrame({"tap": TAPS, "nan": 0, "inf": 0})
    summary.loc[3, "inf"] = 2
    assert about(tables(summary=summary), "NaN and Inf").taps == (TAPS[3],)
    ratios = np.array([9, 8, 10, 9, 2, 2, 2, 2, 2, 2, 2, 2], float)
    dimension = pd.DataFrame({"tap": TAPS, "participation_ratio": ratios})
    assert about(tables(dimension=dimension), "collapse of dimension").taps == (TAPS[4],)
    assert about(tables(), "collapse of dimension").verdict == f.NOTHING
