"""Positions are drawn from all images alike, within a bounded memory, and parts of them add up."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planted_scenes import PlantedScenes, measured

from fmreport.measures.draw import LEAST, MOST, VALUES, Draw
from fmreport.measures.places import SIDE, places

GRID = (18, 9)


def blocks(count: int) -> list[np.ndarray | None]:
    """Masks of one block each, at different places; the third probe has none."""
    masks: list[np.ndarray | None] = []
    for i in range(count):
        mask = np.zeros((36, 36))
        mask[2 * i : 2 * i + 17, i : i + 20] = 1
        masks.append(None if i == 2 else mask)
    return masks


def maps(count: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(2).normal(size=(count, *GRID, channels)).astype(np.float32)


@given(st.integers(1, 400), st.integers(1, 400))
def test_places_are_spread_evenly(height: int, width: int) -> None:
    rows, columns = np.divmod(places((height, width)), width)
    for found, side in ((np.unique(rows), height), (np.unique(columns), width)):
        assert len(found) == min(side, SIDE)
        assert np.ptp(np.diff(found)) <= 1 if len(found) > 1 else True
        assert abs(found[0] - (side - 1 - found[-1])) <= 1
    assert len(rows) == min(height, SIDE) * min(width, SIDE)


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 1 << 17))
def test_every_image_writes_to_slots_of_its_own(images: int, positions: int, channels: int) -> None:
    draw = Draw(images, channels)
    whole = np.zeros(draw.shape(positions), np.int64)
    for number in range(images):
        alone = np.zeros_like(whole)
        row = 1 + number * positions + np.arange(positions)
        if draw.holds(number, positions):
            draw.keep(alone, draw.pick(row, number), number, positions)
        written = alone[alone > 0]
        assert len(set(written)) == len(written)
        assert (len(written) > 0) == draw.holds(number, positions)
        assert not alone[1 - number % 2].any()
        assert not (whole[alone > 0]).any()
        whole += alone
    assert (whole > 0).all(axis=1)[0]


@given(st.integers(2, 10**6), st.integers(1, 400), st.integers(1, 10**6))
def test_what_is_kept_is_bounded(images: int, positions: int, channels: int) -> None:
    halves, slots = Draw(images, channels).shape(positions)
    assert halves == 2
    assert slots <= max(min(VALUES // channels, MOST), LEAST)
    half = -(-images // 2)
    # Halves of more than `FEW` images count as the next power of two.
    assert slots == half * positions or 4 * slots > min(max(VALUES // channels, LEAST), MOST)


def test_of_many_images_every_place_is_looked_at_alike() -> None:
    draw = Draw(3000, 10**6)
    kept = np.zeros(draw.shape(49), np.int64)
    for number in (number for number in range(3000) if draw.holds(number, 49)):
        draw.keep(kept, draw.pick(np.arange(1, 50), number), number, 49)
    counts = np.bincount(kept.ravel())[1:]
    assert kept.all()
    assert counts.min() > 0.6 * counts.mean()
    assert counts.max() < 1.4 * counts.mean()


def test_few_images_are_kept_whole_in_two_halves() -> None:
    values, masks = maps(6), blocks(6)
    sums = measured({"t": values}, PlantedScenes(masks)).grouped["t"]
    at = places(GRID)
    for number, probe in enumerate((0, 1, 3, 4, 5)):
        slots = slice(number // 2 * len(at), (number // 2 + 1) * len(at))
        kept = sums["drawn"][number % 2, slots].astype(np.float32)
        np.testing.assert_allclose(kept, values[probe].reshape(-1, 3)[at], rtol=2**-8)
        mask = np.asarray(masks[probe]).reshape(18, 2, 9, 4).mean(axis=(1, 3)).ravel()[at]
        labels = sums["labels"][number % 2, slots]
        np.testing.assert_array_equal(labels >> 1 & 1, mask >= 0.5)
        assert (labels & 1).all()
    assert sums["drawn"].shape == (2, 3 * len(at), 3)
    assert not sums["labels"][1, 2 * len(at) :].any(), "nothing is looked at where no image is"


@pytest.mark.parametrize("batch", [1, 2, 4, 7])
def test_batches_and_order_change_nothing(batch: int) -> None:
    made = {"t": maps(6), "u": maps(6)[..., :1]}
    whole = measured(made, PlantedScenes(blocks(6)), batch=6).grouped
    parts = measured(made, PlantedScenes(blocks(6)), batch=batch, numbers=(3, 1, 5, 0, 2, 4)).grouped
    for tap, sums in whole.items():
        for name in ("drawn", "labels"):
            np.testing.assert_array_equal(parts[tap][name], sums[name])
            assert parts[tap][name].dtype == sums[name].dtype


def test_parts_of_the_probes_add_up() -> None:
    made = {"t": maps(6)}
    whole = measured(made, PlantedScenes(blocks(6))).grouped["t"]
    one, other = (
        measured(made, PlantedScenes(blocks(6)), numbers=part).grouped["t"] for part in ((0, 4), (1, 2, 3, 5))
    )
    for name in ("drawn", "labels"):
        np.testing.assert_array_equal(one[name] + other[name], whole[name])


def test_what_is_ignored_is_not_looked_at() -> None:
    kept = [np.ones((36, 36)) for _ in range(3)]
    kept[1][:, :18] = 0
    sums = measured({"t": maps(3)[:, :9, :6]}, PlantedScenes([block for block in blocks(4) if block is not None], kept))
    labels = sums.grouped["t"]["labels"][1, : 9 * 6].reshape(9, 6)
    assert not (labels[:, :3] & 1).any()
    assert (labels[:, 3:] & 1).all()


def test_nan_is_drawn_as_zero() -> None:
    values = maps(2)
    values[1, 4, 4] = np.nan
    sums = measured({"t": values}, PlantedScenes([np.eye(36), np.eye(36)])).grouped["t"]
    assert np.isfinite(sums["drawn"].astype(np.float32)).all()


def test_only_maps_of_probes_with_masks_are_drawn_from() -> None:
    made = {"map": maps(3), "vector": maps(3)[:, 0, 0], "sequence": maps(3)[:, 0], "pooled": maps(3)[:, :1, :1]}
    found = measured(made, PlantedScenes([np.eye(36), None, np.eye(36)])).grouped
    assert [tap for tap, sums in found.items() if "drawn" in sums] == ["(image)", "map"]
    assert "drawn" not in measured(made, PlantedScenes([None] * 3)).grouped["map"]
