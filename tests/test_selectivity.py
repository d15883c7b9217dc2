"""The best channel is found where there is one, and luck is not taken for it."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from planted_scenes import PlantedScenes, evidence, measured
from scipy.ndimage import gaussian_filter
from sklearn.metrics import average_precision_score, jaccard_score, roc_auc_score

from fmreport.analysis import Evidence
from fmreport.analysis.ranking import aurocs
from fmreport.analysis.selectivity import SCORES, Selectivity, of_best
from fmreport.measures.draw import Draw

SIDE = 14
PLANES = ("mask", "prior", *(f"shuffled {i}" for i in range(1, 9)), *(f"shifted {i}" for i in range(1, 9)))


def blob(rng: np.random.Generator) -> np.ndarray:
    """A smooth mask of a sixth to a half of the image."""
    field = gaussian_filter(rng.normal(size=(SIDE, SIDE)), 3, mode="wrap")
    return field > np.quantile(field, rng.uniform(0.5, 0.85))


def smooth(rng: np.random.Generator, channels: int) -> np.ndarray:
    """Noise as of a network: near positions are alike, and images differ in their level."""
    maps = gaussian_filter(rng.normal(size=(SIDE, SIDE, channels)), (1.5, 1.5, 0))
    return maps / maps.std() + 0.5 * rng.normal(size=channels)


def gathered(values: np.ndarray, masks: np.ndarray) -> Evidence:
    """What is drawn of images `(n, H, W, C)`; masks of no meaning are those of the images behind each, nine at most."""
    count, channels = len(values), values.shape[-1]
    nulls = min(8, count - 1)
    draw = Draw(count, channels)
    regions = [np.roll(masks, -i, axis=0) for i in range(nulls + 1)]
    labels = 1 + sum(region.astype(np.int32) << (i + 1) for i, region in enumerate(regions))
    shape = draw.shape(SIDE * SIDE)
    drawn, labelled = np.zeros((*shape, channels), np.float32), np.zeros(shape, np.int32)
    for number in range(count):
        for kept, rows in ((drawn, values.reshape(count, -1, channels)), (labelled, labels.reshape(count, -1))):
            draw.keep(kept, draw.pick(rows[number], number), number, SIDE * SIDE)
    sums = {"t": {"drawn": drawn, "labels": labelled}}
    return Evidence(("t",), sums, np.ones(count, int), count, PLANES[: 2 + nulls], 0)


def made(seed: int, images: int, channels: int) -> tuple[np.ndarray, np.ndarray]:
    """Maps that have nothing to do with masks."""
    rng = np.random.default_rng((11, seed))
    values = np.stack([smooth(rng, channels) for _ in range(images)])
    return values, np.stack([blob(rng) for _ in range(images)])


def row(values: np.ndarray, masks: np.ndarray) -> pd.Series:
    (only,) = Selectivity().table(gathered(values, masks)).iloc
    return only


@cache
def of_noise(images: int, channels: int) -> pd.DataFrame:
    return pd.DataFrame([row(*made(seed, images, channels)) for seed in range(100)])


@pytest.mark.parametrize(("sign", "polarity"), [(1, "high"), (-1, "low")])
def test_a_planted_channel_is_found_with_its_number_and_polarity(sign: int, polarity: str) -> None:
    values, masks = made(0, 6, 64)
    values[..., 17] = sign * (masks + 0.1)
    found = row(values, masks)
    assert (found["chosen"], found["chosen_again"]) == (17, 17)
    assert (found["chosen_polarity"], found["chosen_again_polarity"]) == (polarity, polarity)
    assert [found[name] for name in SCORES] == [1, 1, 1]
    draws = found["draws"]
    assert draws == 6 * 6 - 1
    assert [found[f"{name}_p"] for name in SCORES] == pytest.approx([1 / (1 + draws)] * 3)


def test_of_several_layers_the_one_with_the_mask_is_told() -> None:
    """From activations to the table."""
    rng = np.random.default_rng(1)
    masks = [np.kron(blob(rng), np.ones((2, 2))) for _ in range(5)]
    layers = {f"layer{k}": rng.normal(size=(5, SIDE, SIDE, 65)).astype(np.float32) for k in range(3)}
    layers["layer1"][..., 40] = -3 - 2 * np.stack(masks)[:, ::2, ::2]
    layers["vector"] = layers["layer0"][:, 0, 0]
    scenes = PlantedScenes(masks)
    table = Selectivity().table(evidence(measured(layers, scenes), scenes)).set_index("tap")
    assert list(table.index) == ["(image)", "layer0", "layer1", "layer2"]
    assert table.loc["layer1", ["chosen", "chosen_again", "chosen_polarity", "iou"]].tolist() == [40, 40, "low", 1]
    assert (table["masked"] == 5).all()
    assert (table.loc[["layer0", "layer2"], "auroc"] < 0.65).all()
    assert (table.loc[["layer0", "layer2"], "auroc_p"] > 1 / 25).all()
    assert table.loc["layer1", [f"{name}_p" for name in SCORES]].tolist() == pytest.approx([1 / 25] * 3)
    assert table.loc["layer1", "iou_p_best"] == pytest.approx(1 / 25)
    assert (table.loc[["layer0", "layer2"], "iou_p_best"] >= table.loc[["layer0", "layer2"], "iou_p"]).all()
    same = Selectivity().table(evidence(measured(layers, scenes, batch=3, numbers=(4, 0, 2, 1, 3)), scenes))
    pd.testing.assert_frame_equal(same.set_index("tap"), table, check_exact=True)


def test_scores_are_those_of_the_other_half_by_scikit_learn() -> None:
    values, masks = made(3, 6, 20)
    values += 0.7 * masks[..., None] * np.linspace(-1, 1, 20)
    values = (values.astype(np.float32).view(np.uint32) & 0xFFFF0000).view(np.float32)
    found = row(values, masks)
    halves = [(values[h::2].reshape(-1, 20), masks[h::2].ravel()) for h in (0, 1)]
    scores = []
    for (learn, truth), (test, held), which in zip(halves, halves[::-1], ("chosen", "chosen_again"), strict=True):
        each = np.array([roc_auc_score(truth, channel) for channel in learn.T])
        best = int(np.argmax(np.abs(each - 0.5)))
        sign = 1 if each[best] > 0.5 else -1
        assert (found[which], found[f"{which}_polarity"]) == (best, "high" if sign > 0 else "low")
        one, other = sign * learn[:, best], sign * test[:, best]
        levels = np.unique(one)[::-1]
        at = int(np.argmax([jaccard_score(truth, one >= level) for level in levels]))
        threshold = (levels[at] + levels[at + 1]) / 2
        scores += [
            [roc_auc_score(held, other), average_precision_score(held, other), jaccard_score(held, other >= threshold)]
        ]
    np.testing.assert_allclose([found[name] for name in SCORES], np.mean(scores, axis=0), rtol=1e-9)


@pytest.mark.parametrize(("images", "channels"), [(2, 64), (10, 64)])
def test_noise_is_seldom_significant(images: int, channels: int) -> None:
    """In 95 of 100 networks no p is the least there can be of ten images; of two images none can be small."""
    table = of_noise(images, channels)
    for name in SCORES:
        p = table[f"{name}_p"]
        assert (p > 0.02).sum() >= 95
        assert 0.4 < p.mean() < 0.7
        assert (p >= 1 / (1 + table["draws"])).all()


def test_the_best_of_many_channels_is_no_better_on_other_images() -> None:
    """On the images it was chosen on, the best of 256 channels of noise seems to have an AUROC of .66 and more."""
    held, seen = [], []
    for seed in range(20):
        values, masks = made(seed, 4, 256)
        found = row(values, masks)
        held.append(found["auroc"])
        each = aurocs(values.reshape(-1, 256).T.astype(np.float32), masks.reshape(1, -1))
        seen.append(0.5 + np.abs(each - 0.5).max())
        assert found["auroc_null"] == pytest.approx(0.5, abs=0.1)
    assert np.mean(seen) > 0.66
    assert 0.45 < np.mean(held) < 0.53


def test_an_edge_that_is_ignored_makes_nothing_of_a_constant() -> None:
    """Masks of other images have no ignored rim where this one has: they are more seldom foreground."""
    masks = [np.kron(blob(np.random.default_rng(i)), np.ones((2, 2))) for i in range(4)]
    kept = [1 - (gaussian_filter(mask, 1) > 0.05) * (1 - mask) for mask in masks]
    maps = {
        "constant": np.full((4, SIDE, SIDE, 3), 0.3, np.float32),
        "silent": np.zeros((4, SIDE, SIDE, 1), np.float32),
    }
    scenes = PlantedScenes(masks, kept)
    table = Selectivity().table(evidence(measured(maps, scenes), scenes))
    for _, found in table.iterrows():
        assert found["auroc"] == found["auroc_null"] == 0.5
        assert found["iou"] == pytest.approx(found["prevalence"])
        assert found["ap"] == pytest.approx(found["prevalence"])
        assert [found[f"{name}_p"] for name in SCORES] == [1, 1, 1]


def test_without_two_regions_in_either_half_there_is_no_row() -> None:
    values, masks = made(0, 5, 3)
    for nothing in (np.zeros((SIDE, SIDE), bool), np.ones((SIDE, SIDE), bool)):
        assert len(Selectivity().table(gathered(values, np.broadcast_to(nothing, masks.shape)))) == 0
        half = masks.copy()
        half[1::2] = nothing
        assert len(Selectivity().table(gathered(values, half))) == 0


@pytest.mark.parametrize("half", [0, 1])
def test_where_one_half_of_the_images_is_ignored_all_over_there_is_no_row(half: int) -> None:
    _, masks = made(0, 6, 1)
    kept = [np.full((2 * SIDE, 2 * SIDE), i % 2 != half, float) for i in range(6)]
    scenes = PlantedScenes([np.kron(mask, np.ones((2, 2))) for mask in masks], kept)
    maps = {"t": np.random.default_rng(0).normal(size=(6, SIDE, SIDE, 3)).astype(np.float32)}
    assert Selectivity().table(evidence(measured(maps, scenes), scenes)).empty


def test_it_takes_two_masks() -> None:
    one = [np.eye(28)]
    for scenes in (PlantedScenes(one, others=0), PlantedScenes([None, None])):
        maps = {"t": np.random.default_rng(0).normal(size=(len(scenes.masks), SIDE, SIDE, 2)).astype(np.float32)}
        table = Selectivity().table(evidence(measured(maps, scenes), scenes))
        assert list(table.columns) == [column.name for column in Selectivity.columns]
        assert table.empty


def test_masks_of_no_meaning_that_are_no_two_regions_do_not_count() -> None:
    values, masks = made(4, 6, 8)
    some = gathered(values, masks)
    labels = some.grouped["t"]["labels"]
    labels[0] &= ~0b100
    assert Selectivity().table(some)["draws"].tolist() == [5 * 6 - 1]
    labels &= 0b11
    found = Selectivity().table(some).iloc[0]
    assert found["draws"] == 0
    assert np.isnan([found[f"{name}_p"] for name in SCORES]).all()
    assert np.isnan([found[f"{name}_null"] for name in SCORES]).all()
    assert 0 < found["iou"] < 1


def test_one_channel_is_the_best_of_one() -> None:
    values, masks = made(5, 4, 1)
    values[..., 0] += 2 * masks
    found = row(values, masks)
    assert (found["chosen"], found["chosen_polarity"]) == (0, "high")
    assert found["auroc"] > 0.85
    assert found["iou"] > found["iou_null"]


def test_counts_of_images_are_those_of_the_masks() -> None:
    values, masks = made(2, 6, 4)
    found = row(values, masks)
    assert found["masked"] == 6
    assert found["positions"] == 6 * SIDE * SIDE
    assert found["prevalence"] == pytest.approx(masks.mean())


def test_the_best_of_many_taps_of_noise_is_told_from_luck() -> None:
    """Of 20 taps one is below 0.05 by itself more often than not; among all of them it is so in one of 20 networks."""
    single, best = [], []
    for seed in range(40):
        rng = np.random.default_rng((7, seed))
        above = {f"t{k}": rng.normal(size=(9, 9)) for k in range(20)}
        single.append(min((scores >= scores[0, 0]).mean() for scores in above.values()) <= 0.05)
        best.append(min(of_best(above).values()) <= 0.05)
    assert np.mean(single) > 0.4
    assert np.mean(best) < 0.15


def test_the_image_is_no_tap_that_others_are_held_against() -> None:
    above = np.zeros((2, 2))
    above[0, 0] = 1
    assert of_best({"(image)": above * 5, "t": above}) == {"(image)": 0.25, "t": 0.25}
    assert of_best({"(image)": above, "t": above * 5})["(image)"] == 0.25
    assert of_best({"(image)": above, "t": above + 1})["(image)"] == 1
    assert of_best({}) == {}
    assert np.isnan(of_best({"t": np.ones((1, 1))})["t"])
