"""What can be read from a tap is what scikit-learn reads, and what was planted there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from planted import Pictures, extraction_of
from skimage.filters import sobel
from to_read import NULLS, Sight, blobs, scikit_learn, scored

from fmreport.analysis import Evidence
from fmreport.analysis.readability import Readability, by_group, reason, unread
from fmreport.analysis.regression import r_squared
from fmreport.extract import Tables
from fmreport.measures.readability import LEVELS, unpacked
from fmreport.probes import Preprocess
from fmreport.probes.preprocess import LUMA
from fmreport.probes.scenes import Scenes
from fmreport.records import IMAGE


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def rimmed(sight: Sight) -> Sight:
    """With a part of every image ignored, another one in each."""
    kept = np.ones_like(sight.kept)
    for number, plane in enumerate(kept):
        plane[: number + 2] = 0
        plane[:, -3:] = 0
    return replace(sight, kept=kept)


CASES = {
    "each held out alone": ((6, 12, 12, 5), 0.0),
    "five folds": ((13, 6, 6, 3), 0.0),
    "projected": ((5, 12, 12, 100), 0.0),
    "sampled": ((3, 60, 60, 2), 0.0),
    "one channel": ((5, 12, 12, 1), 0.0),
    "few positions": ((12, 2, 2, 4), 0.0),
    "a large mean": ((6, 12, 12, 5), 1e4),
    "a mean, projected": ((5, 12, 12, 100), 30.0),
}


@pytest.mark.parametrize("case", CASES)
def test_errors_are_those_of_scikit_learn(case: str) -> None:
    (images, side, _, channels), mean = CASES[case]
    sight = rimmed(Sight.drawn(1, images, 60 if side == 60 else 24))
    planes, weight = sight.at(side)
    values = noise(images, side, side, channels)
    values[..., 0] += 2 * planes["mask"]
    values[..., -1] -= planes["edge"]
    values = (values + mean).astype(np.float32)
    table = Readability().table(sight.evidence({"t": values}))
    names = ("edge", "mask", "shuffled 1", "shifted 2")
    residual, total = (errors[:, 0] for errors in by_group(table, names, taps=["t"], groups=images))
    for place, name in enumerate(names):
        expected = scikit_learn(values, planes[name], weight)
        scale = expected[1].sum()
        assert np.abs(residual[place] - expected[0]).max() < 1e-6 * scale
        assert np.abs(total[place] - expected[1]).max() < 1e-6 * scale
        score = r_squared(residual[place], total[place])
        assert score == pytest.approx(r_squared(*expected), rel=1e-6, abs=1e-6)


def test_products_are_numpy_s() -> None:
    sight = rimmed(Sight.drawn(2, 3, 24))
    values = noise(3, 12, 12, 7) * np.float32(3) + np.float32(50)
    planes, weight = sight.at(12)
    design = np.concatenate([values, np.ones((3, 12, 12, 1)), np.stack(list(planes.values())[:-1], axis=-1)], axis=-1)
    expected = np.einsum("nhwi,nhw,nhwj->nij", design, weight, design)
    gram = unpacked(sight.grams({"t": values})["t"]["gram"])
    assert gram.dtype == np.float64
    np.testing.assert_allclose(gram, expected, rtol=2e-6, atol=5e-6)


def test_a_tap_that_is_the_mask_tells_the_mask_and_less_of_the_edges() -> None:
    sight = Sight.drawn(3, 6, 48)
    values = noise(6, 12, 12, 16)
    values[..., 4] = 2 * sight.at(12)[0]["mask"] - 1
    edge, mask, shuffled = scored(sight.evidence({"t": values}), "edge", "mask", "shuffled 1")
    assert mask["t"] > 0.99
    assert edge["t"] < 0.1
    assert shuffled["t"] < 0.1


@pytest.mark.parametrize("channels", [16, 64, 256, 1024])
def test_noise_tells_nothing_however_wide(channels: int) -> None:
    sight = Sight.drawn(4, 12, 24)
    scores = scored(sight.evidence({"t": noise(12, 12, 12, channels)}), "edge", "mask", "shuffled 1", "shifted 1")
    # What 64 channels fit to 1400 positions by luck, held-out images give back.
    assert all(-0.15 < score["t"] < 0.01 for score in scores)


def test_more_channels_of_the_same_tell_no_more() -> None:
    """Every channel holds the mask in its own noise: the average over more of them would tell more."""
    sight = Sight.drawn(5, 12, 24)
    mask = sight.at(12)[0]["mask"][..., None]
    signs = np.random.default_rng(0).choice([-1.0, 1.0], 1024).astype(np.float32)
    made = {str(c): (0.2 * signs[:c] * mask + noise(12, 12, 12, c)).astype(np.float32) for c in (64, 256, 1024)}
    (scores,) = scored(sight.evidence(made), "mask")
    # All 1024 of them would tell 0.9.
    assert 0.2 < scores["64"] < 0.4
    assert abs(scores["256"] - scores["64"]) < 0.15
    assert abs(scores["1024"] - scores["64"]) < 0.15


@pytest.mark.parametrize("value", [0.0, 0.1, 1e5])
def test_constant_and_silent_taps_tell_nothing(value: float) -> None:
    sight = rimmed(Sight.drawn(6, 6, 24))
    for scores in scored(sight.evidence({"t": np.full((6, 7, 7, 3), value, np.float32)}), "edge", "mask"):
        assert scores["t"] == 0


def test_what_is_constant_where_it_is_learned_from_is_no_guide_elsewhere() -> None:
    """Whatever rounding leaves of the constant."""
    sight = Sight.drawn(6, 6, 24)
    kept = np.random.default_rng(1).uniform(size=sight.kept.shape).round().astype(np.float32)
    sight = replace(sight, kept=kept)
    taps = {str(value): np.full((6, 8, 8, 3), value, np.float32) for value in (0.1, 0.3, 1.7, 123.4)}
    for values in taps.values():
        values[5] += noise(8, 8, 3)
    residual, total = by_group(Readability().table(sight.evidence(taps)), ["mask"], taps=list(taps), groups=6)
    assert (residual[..., 5] == total[..., 5]).all()
    assert (residual[..., :5] != total[..., :5]).all()


def test_a_target_that_never_varies_is_read_from_nothing() -> None:
    sight = rimmed(Sight.drawn(6, 6, 24))
    flat = replace(sight, planes={**sight.planes, "edge": np.full((6, 24, 24), 0.3, np.float32)})
    edge, mask = scored(flat.evidence({"t": noise(6, 7, 7, 3)}), "edge", "mask")
    assert np.isnan(edge["t"])
    assert np.isfinite(mask["t"])


def test_the_prior_is_held_against_the_mask_as_it_is() -> None:
    sight = rimmed(Sight.drawn(6, 5, 24))
    (prior,) = scored(sight.evidence({"t": noise(5, 8, 8, 1)}), "prior")
    planes, weight = sight.at(8)
    others = [np.delete(np.arange(5), i) for i in range(5)]
    means = np.array([np.average(planes["mask"][i], weights=weight[i]) for i in others])
    missed = (weight * (planes["mask"] - planes["prior"]) ** 2).sum()
    assert prior["t"] == pytest.approx(
        1 - missed / (weight * (planes["mask"] - means[:, None, None]) ** 2).sum(), rel=1e-5
    )


def test_what_is_ignored_changes_nothing() -> None:
    sight = rimmed(Sight.drawn(7, 4, 24))
    values = noise(4, 12, 12, 5)
    ignored = sight.at(12)[1] == 0
    assert ignored.any(axis=(1, 2)).all()
    changed = np.where(ignored[..., None], np.float32(1e6), values)
    planes = {name: np.where(sight.kept == 0, np.float32(9), plane) for name, plane in sight.planes.items()}
    one, other = sight.grams({"t": values}), replace(sight, planes=planes).grams({"t": changed})
    for name, sums in one["t"].items():
        np.testing.assert_array_equal(sums, other["t"][name], err_msg=name)


def test_only_images_with_masks_speak_for_masks() -> None:
    masked, every = Sight.drawn(8, 5, 24), Sight.drawn(8, 9, 24)
    planes = {name: plane.copy() for name, plane in every.planes.items()}
    for name in masked.planes:
        planes[name][:5] = masked.planes[name]
        planes[name][5:] *= name == "edge"
    both, values = Sight(planes, every.kept, 5), noise(9, 8, 8, 4)
    values[:5, ..., 0] += masked.at(8)[0]["mask"]
    mixed = Readability().table(both.evidence({"t": values}))
    alone = Readability().table(masked.evidence({"t": values[:5]}))
    assert mixed[mixed["target"] == "edge"]["group"].tolist() == list(range(9))
    of_masks = [table[table["target"] != "edge"].reset_index(drop=True) for table in (mixed, alone)]
    assert set(of_masks[0]["target"]) > {"mask", "prior", "ceiling", "ceiling iou", f"shifted {NULLS}"}
    pd.testing.assert_frame_equal(*of_masks, rtol=1e-9)


@pytest.mark.parametrize("side", [3, 8, 24])
def test_the_ceilings_are_those_of_the_masks_in_full(side: int) -> None:
    sight = rimmed(Sight.drawn(16, 5, 24))
    best, drawn = scored(sight.evidence({"t": noise(5, side, side, 2)}), "ceiling", "ceiling iou")
    planes, weight = sight.at(side)
    covered, kept = planes["mask"], sight.kept == 1
    means = [np.mean([p for i in range(5) if i != j for p in sight.planes["mask"][i][kept[i]]]) for j in range(5)]
    pixels = sum(((sight.planes["mask"][i][kept[i]] - means[i]) ** 2).sum() for i in range(5))
    lost = (weight * covered * (1 - covered)).sum() * (24 / side) ** 2
    assert best["t"] == pytest.approx(1 - lost / pixels, rel=1e-5)
    shares = [weight * share * (covered > level) for level in LEVELS for share in (covered, 1 - covered)]
    iou = [a.sum() / ((weight * covered).sum() + b.sum()) for a, b in zip(shares[::2], shares[1::2], strict=True)]
    assert drawn["t"] == pytest.approx(max(iou), rel=1e-5)
    assert (side == 24) == (best["t"] > 1 - 1e-6) == (drawn["t"] > 1 - 1e-6)


@pytest.mark.parametrize(("fill", "iou"), [(1, 1.0), (0, np.nan)], ids=["foreground", "background"])
def test_a_mask_that_never_varies_is_no_measure_of_anything(fill: int, iou: float) -> None:
    sight = Sight.drawn(9, 5, 24, masks=np.full((5, 24, 24), fill, np.float32))
    edge, *of_masks, drawn = scored(
        rimmed(sight).evidence({"t": noise(5, 7, 7, 3)}),
        "edge",
        "mask",
        "prior",
        "shuffled 1",
        "ceiling",
        "ceiling iou",
    )
    assert -0.3 < edge["t"] < 0.3
    assert all(np.isnan(score["t"]) for score in of_masks)
    np.testing.assert_allclose(drawn["t"], iou)


def test_one_image_is_read_by_nobody() -> None:
    evidence = Sight.drawn(10, 1, 24).evidence({"t": noise(1, 8, 8, 3)})
    table = Readability().table(evidence)
    assert table.empty
    assert list(table.columns) == [column.name for column in Readability.columns]
    assert reason(evidence, "t", "edge").endswith("it takes 2 images that are not ignored all over; here: 1")
    assert reason(evidence, "t", "ceiling").endswith(
        "it takes 2 images with a mask that are not ignored all over; here: 1"
    )


def test_an_image_that_is_ignored_all_over_is_none() -> None:
    sight = Sight.drawn(11, 4, 24)
    kept = sight.kept.copy()
    kept[1] = 0
    values = noise(4, 8, 8, 3)
    table = Readability().table(replace(sight, kept=kept).evidence({"t": values}))
    assert set(table["group"]) == {0, 2, 3}
    kept[2:] = 0
    evidence = replace(sight, kept=kept).evidence({"t": values})
    assert Readability().table(evidence).empty
    assert reason(evidence, "t", "mask").endswith("here: 1")


def test_no_mask_and_no_map_have_their_reason() -> None:
    sight = Sight.drawn(12, 3, 24)
    bare = Sight({"edge": sight.planes["edge"], "red": sight.planes["red"]}, sight.kept, 0)
    evidence = bare.evidence({"t": noise(3, 8, 8, 3), "vector": noise(3, 5)})
    table = Readability().table(evidence)
    assert set(zip(table["tap"], table["target"], strict=True)) == {("t", "edge")}
    assert reason(evidence, "t", "edge") == ""
    assert reason(evidence, "t", "mask") == "no image has a mask"
    assert reason(evidence, "vector", "edge") == "what is no map has no positions"
    assert unread(evidence) == (
        "Masks are not read from t: no image has a mask",
        "Edges and masks are not read from vector: what is no map has no positions",
    )


def test_a_single_position_says_nothing_of_where_things_are() -> None:
    """How large a mask is can be read from it, and would seem to be the mask."""
    sight = Sight.drawn(12, 6, 24)
    size = sight.planes["mask"].mean(axis=(1, 2))[:, None, None, None]
    evidence = sight.evidence({"pooled": size, "strip": np.repeat(size, 2, axis=1)})
    assert set(Readability().table(evidence)["tap"]) == {"strip"}
    assert reason(evidence, "pooled", "ceiling") == reason(evidence, "pooled", "edge")


def test_what_is_not_read_is_told_with_its_reason_tap_by_tap() -> None:
    sight = Sight.drawn(12, 3, 24)
    assert unread(sight.evidence({"t": noise(3, 8, 8, 3)})) == ()
    vectors = {f"v{i}": noise(3, 5) for i in range(5)}
    (told,) = unread(sight.evidence({"t": noise(3, 8, 8, 3), **vectors}))
    assert told == "Edges and masks are not read from v0, v1, v2 and 2 more: what is no map has no positions"


@pytest.mark.parametrize("fill", [0, 1])
def test_masks_that_never_vary_are_told(fill: int) -> None:
    sight = Sight.drawn(9, 5, 24, masks=np.full((5, 24, 24), fill, np.float32))
    (told,) = unread(rimmed(sight).evidence({"t": noise(5, 7, 7, 3)}))
    assert told == "Masks are not read from t: every mask is all foreground or all background, and alike"


def test_values_beyond_measure_have_their_reason() -> None:
    evidence = Sight.drawn(13, 3, 24).evidence({"t": noise(3, 8, 8, 3) * np.float64(1e200)})
    assert Readability().table(evidence).empty
    assert "so large" in reason(evidence, "t", "edge")


def test_a_group_of_images_says_what_its_images_say() -> None:
    sight = Sight.drawn(14, 10, 24)
    values = noise(10, 8, 8, 3)
    values[..., 0] += sight.at(8)[0]["mask"]
    single = sight.evidence({"t": values})
    # Of ten images in five folds, those five apart are in one: as groups of two they are in it too.
    pairs = {name: sums[:5] + sums[5:] for name, sums in single.grouped["t"].items()}
    paired = Evidence(("t",), {"t": pairs}, np.full(5, 2), 5, single.planes, 0)
    one, two = (
        Readability().table(e).groupby("target")[["positions", "residual", "total"]].sum() for e in (single, paired)
    )
    pd.testing.assert_frame_equal(one, two, rtol=1e-9)


def shown() -> Pictures:
    """Seven pictures, five of them with masks."""
    images = np.random.default_rng(15).uniform(0, 255, (7, 32, 32, 3)).astype(np.float32)
    images[..., 1] = 200 * blobs(np.random.default_rng(16), 7, 32, 32)
    images[:, 0, 0, 0] = np.arange(7)
    masks = blobs(np.random.default_rng(17), 7, 32, 32).astype(np.uint8)
    masks[2, :5] = 255
    return Pictures(images, [None if i in (1, 4) else mask for i, mask in enumerate(masks)])


def evidence_of(tables: Tables, scenes: Scenes, taps: tuple[str, ...]) -> Evidence:
    sizes = np.bincount(list(scenes.group.values()), minlength=scenes.groups)
    return Evidence((IMAGE, *taps), tables.grouped, sizes, scenes.masked_groups, scenes.planes[1:], 0)


def test_a_run_reads_what_was_planted_in_any_split() -> None:
    pictures = shown()
    luminance = pictures.images @ LUMA
    masks = [np.zeros((32, 32)) if mask is None else mask == 1 for mask in pictures.masks]
    made = {
        "edges": np.stack([sobel(plane) for plane in luminance])[..., None].astype(np.float32),
        "mask": np.stack(masks).reshape(7, 8, 4, 8, 4).mean(axis=(2, 4))[..., None].astype(np.float32),
        "broken": noise(7, 8, 8, 3),
        "vector": noise(7, 4),
    }
    made["broken"][3, 2, 2] = np.nan
    tables = {}
    scenes = Scenes(pictures, Preprocess((32, 32)))  # type: ignore[arg-type]
    for batch in (1, 3, 7):
        measured = extraction_of(made, pictures, batch=batch).measure([])
        tables[batch] = Readability().table(evidence_of(measured, scenes, tuple(made)))
        pd.testing.assert_frame_equal(tables[batch], tables[1], rtol=1e-5, atol=1e-6)
    table = tables[1]
    assert list(table["tap"].unique()) == [IMAGE, "edges", "mask", "broken"]
    assert table.notna().all(axis=None)
    residual, total = by_group(table, ["edge", "mask"], taps=[IMAGE, "edges", "mask"], groups=scenes.groups)
    edge, mask = r_squared(residual, total)
    assert edge[1] > 0.99
    assert mask[2] > 0.99
    assert max(edge[0], edge[2], mask[0], mask[1]) < 0.5
