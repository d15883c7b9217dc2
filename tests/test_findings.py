"""Findings are made by their rules: what is planted is found, what is not is not claimed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from fmreport.analysis import finding as f
from fmreport.analysis.finding import Finding, Tables
from fmreport.analysis.findings import findings
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
    controlled = changed.pop("controls_table", None)
    control = [
        (seed, tap, name, value)
        for seed, pair in enumerate(controls, 1)
        for name, curve in zip(("edge", "mask"), pair, strict=True)
        for tap, value in zip(TAPS, curve, strict=True)
    ]
    names = [(tap, channel) for tap in TAPS for channel in range(8)]
    selectivity = pd.DataFrame(
        {"tap": TAPS, "chosen": 3, "chosen_polarity": "high", "chosen_again": 3,
         "iou": np.linspace(0.3, 0.6, 12), "iou_p_best": 0.5,
         "prevalence": 0.3, "auroc": 0.7, "masked": images, "draws": 80}
    )  # fmt: skip
    analyses = {
        "readability": read,
        "progression": progression(read, images),
        "selectivity": selectivity,
        "redundancy": pd.DataFrame({"tap": [], "duplicate": [], "original": [], "correlation": []}),
        "dimension": pd.DataFrame(
            {"tap": TAPS, "participation_ratio": np.linspace(6, 5, 12), "sampled_positions": 900}
        ),
    }
    made = {
        "layers": pd.DataFrame({"tap": TAPS, "layer": TAPS, "channels": 8, "parameters": 80}),
        "inventory": inventory([(32, 32)] * 12),
        "summary": pd.DataFrame({"tap": TAPS, "nan": 0, "inf": 0}),
        "channels": pd.DataFrame(names, columns=["tap", "channel"]).assign(
            silent=False, near_silent=False, constant=False
        ),
    }
    analyses |= {name: changed.pop(name) for name in list(changed) if name in analyses}
    table = pd.DataFrame(control, columns=["seed", "tap", "quantity", "value"])
    table = table if controlled is None else controlled
    return Tables(**(made | changed), analyses=analyses, controls=table, seed=0)


def inventory(grids: Sequence[tuple[int, int]], **changed: Sequence[object]) -> pd.DataFrame:
    """Twelve layers in a row."""
    height, width = zip(*grids, strict=True)
    columns = {"path": TAPS, "taps": TAPS, "order": range(1, 13), "height": height, "width": width, "channels": 8,
               "parameters": 80, "type": "Conv2D", "read_by": [*TAPS[1:], ""]}  # fmt: skip
    return pd.DataFrame(columns | changed)


def about(made: Tables, subject: str) -> Finding:
    return next(found for found in findings(made) if found.subject == subject)


def claim(made: Tables) -> Finding:
    return about(made, "from edges to mask")


def test_a_planted_course_from_edges_to_mask_is_supported_where_it_crosses() -> None:
    found = claim(tables())
    assert found.verdict == f.SUPPORTED
    crossing = TAPS[int(np.argmax(MASKS > EDGES))]
    place = TAPS.index(crossing) + 1
    assert f"from {crossing} on (tap {place}, 95% interval {place} to {place})" in found.sentence
    assert (
        "With randomised weights edges are read best at tap 1, masks are nowhere read better, and masks gain +0.51."
        in (found.sentence)
    )
    assert TAPS[0] in found.taps
    assert found.caveat == ""


def test_edges_that_come_back_are_told() -> None:
    edges = EDGES.copy()
    edges[10] = 0.7
    found = claim(tables(edge=edges, mask=MASKS + 0.3))
    assert found.verdict == f.SUPPORTED
    assert "edges come back further on, up to R² 0.70 at conv10" in found.caveat


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


@pytest.mark.parametrize(("place", "verdict", "caveat"), [
    (0.7, f.SUPPORTED, ""),
    (0.8, f.REFUTED, "the mean mask of other images is as good"),
])  # fmt: skip
def test_where_masks_lie_in_other_images_must_not_tell_them_as_well(place: float, verdict: str, caveat: str) -> None:
    read = pd.concat([tables().analyses["readability"], readings({"prior": [place] * 12}, 20)])
    found = claim(tables(readability=read))
    assert (found.verdict, found.caveat) == (verdict, caveat)


def test_images_that_tell_nothing_of_masks_are_not_resampled() -> None:
    """With all 20, one resample of eight would hold neither of the two that tell, and be undefined."""
    made = tables()
    read = made.analyses["readability"]
    told = read[read["group"].isin([4, 19])]
    found = claim(tables(readability=told, progression=made.analyses["progression"]))
    assert found.verdict == f.SUPPORTED
    assert "(95% interval +1." in found.sentence


def test_masks_of_no_meaning_that_hold_nothing_are_no_masks_to_compare_with() -> None:
    """Of 24, 10 are left, which no p below 1/11 can come of."""
    read = tables().analyses["readability"]
    empty = read["target"].isin([f"shuffled {k}" for k in range(11, 25)])
    read.loc[empty, ["residual", "total"]] = 0
    made = tables(readability=read)
    found = claim(made)
    assert (found.verdict, found.caveat) == (f.CONSISTENT, "too few masks to compare with")
    assert about(made, "the most mask-like tap").verdict == f.UNTESTED


def test_numbers_below_zero_have_a_true_minus_and_zeros_have_none() -> None:
    falling = claim(tables(MASKS - 0.5, EDGES - 0.2, controls=((EDGES, MASKS - 0.7),) * 3))
    assert "masks gain −1.02 on edges (95% interval −1.03 to −1.01, " in falling.sentence
    below = about(tables(mask=np.full(12, -0.3), nulls=np.full(12, -0.5)), "the most mask-like tap")
    assert "(R² −0.29, 95% interval −0.34 to −0.24, " in below.sentence
    around = about(tables(controls=((EDGES, np.full(12, -0.001)),)), "the most mask-like tap")
    assert "with randomised weights, each at its best tap, 0.00" in around.sentence
    named = about(tables(selectivity=channel(), controls_table=outlined(-0.2, 0.1)), "the most mask-like channel")
    assert "with randomised weights −0.20 to 0.10" in named.sentence


@pytest.mark.parametrize(("changed", "caveat"), [
    ({"images": 6}, "fewer than 10 images with masks"),
    ({"controls": ()}, "no randomised control was run"),
])  # fmt: skip
def test_a_check_that_could_not_be_made_leaves_it_consistent(changed: dict[str, object], caveat: str) -> None:
    found = claim(tables(**changed))  # type: ignore[arg-type]
    assert found.verdict == f.CONSISTENT
    assert caveat in found.caveat


def test_without_masks_nothing_of_masks_is_claimed() -> None:
    made = tables(mask=None, selectivity=channel().head(0))
    for subject in ("from edges to mask", "the most mask-like tap", "the most mask-like channel"):
        assert about(made, subject).verdict == f.UNTESTED
    assert "no tap has a mask to be read from it" in claim(made).sentence


def test_noise_is_claimed_to_be_nothing_in_95_of_100_seeds() -> None:
    claimed = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        edge, mask, *nulls = rng.normal(0, 0.02, (26, 12))
        found = findings(tables(edge, mask, images=12, nulls=np.array(nulls), controls=(rng.normal(0, 0.02, (2, 12)),)))
        positive = (f.SUPPORTED, f.CONSISTENT)
        claimed += any(each.verdict in positive for each in found if each.subject.startswith(("from", "the most")))
    assert claimed <= 5


def test_the_best_tap_is_named_with_its_interval_and_what_else_does_how_well() -> None:
    found = about(tables(), "the most mask-like tap")
    assert found.verdict == f.SUPPORTED
    assert found.taps == (TAPS[-1],)
    assert "95% interval" in found.sentence
    assert "with randomised weights, each at its best tap, 0.00" in found.sentence


@pytest.mark.parametrize(("changed", "verdict", "said"), [
    ({"nulls": np.full(12, 0.9)}, f.NOTHING, "No tap is shown to tell masks better"),
    ({"nulls": np.eye(12)[3]}, f.NOTHING, "No tap is shown to tell masks better"),
    ({"controls": ((EDGES, MASKS * 1.1),)}, f.REFUTED, "a randomised model does as well"),
    ({"controls": ((EDGES, np.eye(12)[3]),)}, f.REFUTED, "a randomised model does as well"),
    ({"controls": ()}, f.CONSISTENT, "no randomised control was run"),
    ({"images": 8}, f.CONSISTENT, "fewer than 10 images with masks"),
    ({"mask": EDGES, "edge": MASKS}, f.SUPPORTED, "mask-like by construction"),
])  # fmt: skip
def test_the_best_tap_counts_where_no_luck_and_no_other_weights_do_as_well(
    changed: dict[str, object], verdict: str, said: str
) -> None:
    found = about(tables(**changed), "the most mask-like tap")  # type: ignore[arg-type]
    assert found.verdict == verdict
    assert said in found.sentence + found.caveat


def test_a_tap_that_reads_masks_no_better_than_the_image_does_is_not_claimed() -> None:
    made = tables()
    table = made.analyses["progression"]
    image = table[(table["tap"] == TAPS[-1]) & (table["quantity"] == "mask")].assign(tap=IMAGE)
    found = about(tables(progression=pd.concat([image, table])), "the most mask-like tap")
    assert found.verdict == f.REFUTED
    assert "the colours of the image itself do as well" in found.caveat


def channel(**changed: object) -> pd.DataFrame:
    """A selectivity table in which the last tap outlines the mask."""
    iou = np.linspace(0.3, 0.8, 12)
    columns = {"tap": TAPS, "chosen": 3, "chosen_polarity": "high", "chosen_again": 3, "iou": iou,
               "iou_p_best": [0.5] * 11 + [0.012],
               "prevalence": 0.3, "auroc": 0.9, "masked": 20, "draws": 80}  # fmt: skip
    return pd.DataFrame(columns | changed)


def outlined(*above: float) -> pd.DataFrame:
    """The best channel of one tap of each randomised model."""
    return pd.DataFrame({"seed": range(len(above)), "tap": TAPS[4], "quantity": "iou_above", "value": above})


@pytest.mark.parametrize(("selectivity", "controls", "verdict", "said"), [
    (channel(), outlined(0.1, 0.49), f.SUPPORTED, "Channel 3 of conv11 outlines the foreground best: IoU 0.80"),
    (channel(), outlined(0.1, 0.51), f.REFUTED, "a randomised model does as well"),
    (channel(), outlined(), f.CONSISTENT, "no randomised control was run"),
    (pd.concat([channel().tail(1).assign(tap=IMAGE), channel()]), outlined(0.1), f.REFUTED, "the colours of the image"),
    (channel(masked=9), outlined(0.1), f.CONSISTENT, "fewer than 10 images with masks"),
    (channel(chosen_again=5), outlined(0.1), f.SUPPORTED, "(on the other half, channel 5)"),
    (channel(iou_p_best=0.03), outlined(0.1), f.NOTHING,
     "No channel is shown to outline the foreground better than the best channel outlines masks of no meaning (best: "),
    (channel(iou=0.2, iou_p_best=0.01), outlined(-1), f.NOTHING,
     "No channel is shown to outline the foreground better than calling everything foreground does (best: one of "),
    (channel(draws=48), outlined(0.1), f.UNTESTED, "too few masks to compare with"),
    (channel(draws=0, iou_p_best=np.nan), outlined(0.1), f.UNTESTED, "too few masks to compare with"),
])  # fmt: skip
def test_the_best_channel_counts_where_no_luck_and_no_other_weights_do_as_well(
    selectivity: pd.DataFrame, controls: pd.DataFrame, verdict: str, said: str
) -> None:
    found = about(tables(selectivity=selectivity, controls_table=controls), "the most mask-like channel")
    assert found.verdict == verdict
    assert said in found.sentence + found.caveat


def idle(tap: str, *channels: int) -> pd.DataFrame:
    """The table of channels with some silent ones."""
    rows = [(tap, channel) for tap in TAPS for channel in range(8)]
    table = pd.DataFrame(rows, columns=["tap", "channel"]).assign(constant=False, near_silent=False)
    return table.assign(silent=(table["tap"] == tap) & table["channel"].isin(channels))


def test_idle_channels_are_counted_with_what_they_hold() -> None:
    channels = idle(TAPS[2], 0, 1, 2)
    channels["constant"] = channels["silent"] | ((channels["tap"] == TAPS[2]) & (channels["channel"] == 5))
    repeats = pd.DataFrame({"tap": [TAPS[4], IMAGE], "duplicate": [7, 1], "original": [1, 0], "correlation": 0.999})
    found = about(tables(channels=channels, redundancy=repeats), "channels that say nothing of their own")
    assert "3 are silent, 1 more constant and 1 near-duplicates" in found.sentence
    assert "about 50 parameters" in found.sentence
    assert about(tables(), "channels that say nothing of their own").verdict == f.NOTHING


def saved(channels: pd.DataFrame, *, layer: Sequence[str] = TAPS, **changed: Sequence[object]) -> str:
    listed = pd.DataFrame({"tap": TAPS, "layer": layer, "channels": 8, "parameters": 80})
    made = tables(channels=channels, layers=listed, inventory=inventory([(8, 8)] * 12, **changed))
    return about(made, "channels that say nothing of their own").sentence


def test_what_a_rectifier_silences_is_made_by_the_layers_before_it() -> None:
    """A convolution of 80 parameters, a normalisation of 32, and a rectifier with none, of 8 channels each."""
    kinds = ["Conv2D"] * 3 + ["BatchNormalization", "ReLU"] + ["Conv2D"] * 7
    held = [80, 80, 80, 32, 0] + [80] * 7
    assert f"about {2 * (80 + 32) // 8} parameters" in saved(idle(TAPS[4], 1, 6), type=kinds, parameters=held)
    both = idle(TAPS[4], 1, 6)
    both["silent"] |= (both["tap"] == TAPS[2]) & (both["channel"] == 6)
    assert f"about {2 * (80 + 32) // 8} parameters" in saved(both, type=kinds, parameters=held)
    readers = [*TAPS[1:], ""]
    readers[2] = f"{TAPS[3]} {TAPS[8]}"
    assert f"about {2 * 32 // 8} parameters" in saved(idle(TAPS[4], 1, 6), type=kinds, parameters=held, read_by=readers)


def test_a_layer_that_is_called_twice_makes_a_channel_in_vain_where_both_calls_do() -> None:
    layers = [*TAPS[:11], TAPS[4]]
    once, both = idle(TAPS[4], 1, 6), idle(TAPS[4], 1, 6)
    both["silent"] |= (both["tap"] == TAPS[11]) & (both["channel"] == 6)
    assert "what makes them is not known" in saved(once, layer=layers)
    assert "about 10 parameters" in saved(both, layer=layers)


def test_of_a_part_of_a_model_the_weights_of_one_channel_are_not_known() -> None:
    paths = [*TAPS[:5], f"{TAPS[4]}/inner", *TAPS[6:]]
    assert "what makes them is not known" in saved(idle(TAPS[4], 1), path=paths)


def test_values_that_are_no_numbers_are_found_where_they_are() -> None:
    summary = pd.DataFrame({"tap": TAPS, "nan": 0, "inf": 0})
    summary.loc[3, "inf"] = 2
    assert about(tables(summary=summary), "NaN and Inf").sentence == f"NaN or Inf at {TAPS[3]}."
    summary.loc[5, "nan"] = 1
    assert about(tables(summary=summary), "NaN and Inf").taps == (TAPS[3], TAPS[5])


def dimension(ratios: Sequence[float], *, channels: Sequence[int] = (64,) * 12, positions: int = 900) -> Finding:
    table = pd.DataFrame({"tap": TAPS, "participation_ratio": ratios, "sampled_positions": positions})
    listed = pd.DataFrame({"tap": TAPS, "layer": TAPS, "channels": channels, "parameters": 80})
    return about(tables(dimension=table, layers=listed), "collapse of dimension")


def test_a_collapse_of_dimension_is_found_where_it_is() -> None:
    found = dimension([9, 8, 10, 9, 2, 2, 2, 2, 2, 2, 2, 2])
    assert (found.verdict, found.taps) == (f.SUPPORTED, (TAPS[4],))
    assert "2.0 dimensions, of 64 channels, after 8.0" in found.sentence
    assert dimension([9, 8, 10, 9, 3, 3, 3, 3, 3, 3, 3, 3]).verdict == f.NOTHING


def test_few_channels_or_positions_are_no_collapse() -> None:
    ratios = [9.0] * 11 + [2.0]
    assert dimension(ratios).verdict == f.SUPPORTED
    assert dimension(ratios, channels=[64] * 11 + [6]).verdict == f.NOTHING
    assert dimension(ratios, positions=7).verdict == f.NOTHING


def resolution(*sides: int, **changed: Sequence[object]) -> Finding:
    grids = [(side, side) for side in (*sides, *[sides[-1]] * (12 - len(sides)))]
    return about(tables(inventory=inventory(grids, **changed)), "collapse of resolution")


def test_a_collapse_of_resolution_is_found_where_it_is() -> None:
    found = resolution(64, 32, 4, 4, 2)
    assert (found.verdict, found.taps, found.caveat) == (f.SUPPORTED, (TAPS[2],), "")
    assert found.sentence == f"{TAPS[2]} leaves maps of 4 × 4 positions, after 32 × 32 at the coarsest before."
    assert "another path may keep" in resolution(64, 32, 4, 64).caveat


@pytest.mark.parametrize("sides", [
    (112, 56, 28, 14, 7, 1), (224, 55, 27, 13, 6, 1), (160, 80, 40, 20, 10, 1, 10, 20, 40, 80, 160), (8,), (1, 1),
])  # fmt: skip
def test_ordinary_steps_and_global_pooling_are_no_collapse(sides: tuple[int, ...]) -> None:
    assert resolution(*sides).verdict == f.NOTHING


def test_layers_that_make_no_maps_have_no_resolution() -> None:
    table = inventory([(64, 64)] * 12).astype({"order": "Int64", "height": "Int64", "width": "Int64"})
    table.loc[[3, 5], ["height", "width"]] = pd.NA
    table.loc[4, "order"] = pd.NA
    assert about(tables(inventory=table), "collapse of resolution").verdict == f.NOTHING
    table[["height", "width"]] = pd.NA
    assert about(tables(inventory=table), "collapse of resolution").verdict == f.NOTHING
