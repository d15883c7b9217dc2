"""The share of the variance within an image that its mask accounts for."""

from __future__ import annotations

import numpy as np
import pytest
from planted_scenes import PlantedScenes, measured

from fmreport import columns
from fmreport.extract import Tables
from fmreport.measures.regions import Regions

RATIO = "region_variance_ratio"
SIDE = 10
"""Maps small enough for their every position to be looked at."""


def reference(values: np.ndarray, mask: np.ndarray, weight: np.ndarray) -> float:
    """Of one image: values `(P, C)`, the share of each position that the mask covers, and that is not ignored."""
    x, total, within = values.astype(np.float64), 0.0, 0.0
    for channel in x.T:
        total += (weight * (channel - np.average(channel, weights=weight)) ** 2).sum()
        for region in (weight * mask, weight * (1 - mask)):
            within += (region * (channel - np.average(channel, weights=region)) ** 2).sum()
    return 1 - within / total


def disc(row: int, column: int, radius: int = 6) -> np.ndarray:
    """A mask of twice the size of the maps, so that positions on its rim are covered in part."""
    rows, columns = np.mgrid[: 2 * SIDE, : 2 * SIDE]
    return ((rows - row) ** 2 + (columns - column) ** 2 < radius**2).astype(np.float64)


def halved(plane: np.ndarray) -> np.ndarray:
    """On the grid of the maps."""
    return plane.reshape(SIDE, 2, SIDE, 2).mean(axis=(1, 3)).ravel()


MASKS = [disc(8, 8), disc(15, 10), disc(12, 16, 5), disc(9, 14, 8)]


def noise(channels: int = 5, images: int = len(MASKS)) -> np.ndarray:
    return np.random.default_rng(7).normal(size=(images, SIDE, SIDE, channels)).astype(np.float32)


def of(tables: Tables, tap: str, column: str = RATIO) -> np.ndarray:
    return tables.samples.loc[tables.samples["tap"] == tap, column].to_numpy()


@pytest.mark.parametrize("level", [0.0, 300.0])
def test_it_is_what_numpy_says(level: float) -> None:
    """On what is kept, by the share of each position that the mask covers, and whatever the channels' means are."""
    values = noise() + np.float32(level) * np.arange(5, dtype=np.float32)
    for image, mask in zip(values, MASKS, strict=True):
        image[..., 2] += halved(mask).reshape(SIDE, SIDE)
    kept = [(np.random.default_rng(i).random((2 * SIDE, 2 * SIDE)) > 0.3).astype(float) for i in range(4)]
    found = of(measured({"t": values}, PlantedScenes(MASKS, kept)), "t")
    for i, image in enumerate(values):
        weight = halved(kept[i])
        mask = halved(MASKS[i] * kept[i]) / np.where(weight > 0, weight, 1)
        assert found[i] == pytest.approx(reference(image.reshape(-1, 5), mask, weight), rel=1e-4)


def test_the_null_is_the_same_with_masks_of_no_meaning() -> None:
    values, ones = noise(), np.ones(SIDE * SIDE)
    scenes = PlantedScenes(MASKS)
    found = of(measured({"t": values}, scenes), "t", f"{RATIO}_null")
    for i, image in enumerate(values):
        others = [MASKS[(i + k) % 4] for k in (1, 2, 3)] + [np.roll(MASKS[i], (1, 1), axis=(0, 1))]
        expected = np.mean([reference(image.reshape(-1, 5), halved(other), ones) for other in others])
        assert found[i] == pytest.approx(expected, rel=1e-4)


def test_the_mask_itself_is_all_that_varies_in_it() -> None:
    masks = [np.kron(halved(mask).reshape(SIDE, SIDE).round(), np.ones((2, 2))) for mask in MASKS]
    planted = np.stack([halved(mask).reshape(SIDE, SIDE, 1) for mask in masks]).astype(np.float32)
    found = measured({"mask": planted, "inverse": 7 - 3 * planted, "noise": noise()}, PlantedScenes(masks))
    np.testing.assert_allclose(of(found, "mask"), 1, rtol=1e-5)
    np.testing.assert_allclose(of(found, "inverse"), 1, rtol=1e-5)
    assert (of(found, "noise") < 0.05).all()
    assert (of(found, "mask", f"{RATIO}_null") < 0.6).all()


def test_several_images_are_told_by_their_variances_together() -> None:
    values = noise() * np.array([1, 2, 3, 4], np.float32)[:, None, None, None]
    rows = measured({"t": values}, PlantedScenes(MASKS)).samples
    rows = rows[rows["tap"] == "t"]
    sums = {s.name: rows[s.name].sum() for s in Regions.sums}
    found = Regions().derive({**sums, "finite": np.array(1)})[RATIO]
    variances = values.reshape(4, -1, 5).var(axis=1).sum(axis=1)
    assert found == pytest.approx(np.average(rows[RATIO], weights=variances), rel=1e-5)


def test_it_is_undefined_where_a_mask_is_no_two_regions_and_where_nothing_varies() -> None:
    size = (2 * SIDE, 2 * SIDE)
    masks = [np.ones(size), np.zeros(size), None, disc(8, 8), disc(8, 8), disc(8, 8)]
    kept = [np.ones(size)] * 4 + [np.zeros(size), 1 - disc(8, 8)]
    values = noise(images=6)
    constant = np.broadcast_to(np.float32([0.1, 0, -1e6]), (6, SIDE, SIDE, 3))
    tables = measured({"t": values, "constant": constant, "vector": values[:, 0, 0]}, PlantedScenes(masks, kept))
    assert list(np.isnan(of(tables, "t"))) == [True, True, True, False, True, True]
    assert np.isnan(of(tables, "constant")).all()
    assert np.isnan(of(tables, "vector")).all()
    assert of(tables, "t", "region_total")[[0, 1, 2, 4, 5]].tolist() == [0] * 5


def test_a_channel_of_one_image_alone_is_measured() -> None:
    tables = measured({"t": noise(1, 1)}, PlantedScenes(MASKS[:1], others=0))
    assert 0 < of(tables, "t")[0] < 0.1


@pytest.mark.parametrize("batch", [1, 3, 5])
def test_batches_change_nothing(batch: int) -> None:
    made = {"t": noise(), "u": noise(), "wide": noise().astype(np.float64)}
    one, other = (measured(made, PlantedScenes(MASKS), batch=size).samples for size in (4, batch))
    for name in (RATIO, f"{RATIO}_null", "region_total"):
        np.testing.assert_allclose(other[name], one[name], rtol=1e-5)


def test_its_sums_stand_in_the_table_with_their_meaning() -> None:
    table = measured({"t": noise()}, PlantedScenes(MASKS)).samples
    assert {s.name for s in Regions.sums} <= set(table.columns) <= set(columns.described()["samples"])


def test_without_masks_there_is_no_ratio() -> None:
    columns = set(measured({"t": noise()}, PlantedScenes([None] * 4)).samples.columns)
    assert not {name for name in columns if name.startswith("region")}
