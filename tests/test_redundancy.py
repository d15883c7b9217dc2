"""Near-duplicate channels: all that are planted are found, and nothing else, as rarely as is said."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from planted import evidence, extraction
from scipy.ndimage import gaussian_filter

from fmreport.analysis.redundancy import ALIKE, LEAST, Redundancy, duplicates
from fmreport.measures.activations import Activations
from fmreport.measures.scene import NUMBERS, Shown
from fmreport.measures.signature import Signature


def found(activations: Mapping[str, np.ndarray], **options: int) -> dict[str, dict[int, int]]:
    """Original channels by their duplicates, by tap; the image itself, which is grey in these tests, left out."""
    table = Redundancy().table(evidence(activations, **options))
    made: dict[str, dict[int, int]] = {tap: {} for tap in activations}
    for row in table[table["tap"].isin(activations)].itertuples():
        made[str(row.tap)][int(str(row.duplicate))] = int(str(row.original))
    return made


def signature(maps: np.ndarray, *, weight: np.ndarray | None = None, numbers: np.ndarray | None = None) -> np.ndarray:
    """`(1 + rows, C + 1)` of all images `(B, H, W, C)` together."""
    shape = maps.shape[:-1]
    weight = np.ones(shape) if weight is None else weight
    numbers = np.random.default_rng(0).permutation(NUMBERS)[: len(maps)] if numbers is None else numbers
    shown = Shown(("edge",), tf.zeros((*shape, 1)), tf.constant(weight, tf.float32), tf.constant(numbers, tf.int32))
    x: Any = Activations(tf.constant(maps), shown=shown)
    return np.asarray(Signature().gather(x)["signature"]).sum(axis=0)


def pairs(maps: np.ndarray, **options: np.ndarray) -> dict[int, int]:
    return {channel: original for channel, original, _ in duplicates(signature(maps, **options))}


def noise(seed: int, *shape: int, blur: float = 0.0) -> np.ndarray:
    drawn = np.random.default_rng(seed).normal(size=shape)
    return np.asarray(gaussian_filter(drawn, (0, blur, blur, 0)) if blur else drawn, np.float32)


def test_planted_channels_are_found_exactly() -> None:
    """Seven silent, two constant, five that repeat another one with a factor and an offset."""
    maps = noise(0, 4, 14, 14, 64)
    repeats = {20: 3, 21: 3, 30: 41, 55: 8, 63: 0}
    maps[..., list(range(9, 16))] = 0
    maps[..., [17, 18]] = (0.1, -3.7)
    for i, (copy, original) in enumerate(repeats.items()):
        maps[..., copy] = (0.1 + i) * maps[..., original] - 5 + 2 * i
    expected = {20: 3, 21: 3, 41: 30, 55: 8, 63: 0}
    assert found({"t": maps})["t"] == expected
    channels = extraction({"t": maps}).measure([]).channels
    assert channels.index[channels["silent"]].tolist() == list(range(9, 16))
    assert channels.index[channels["constant"] & ~channels["silent"]].tolist() == [17, 18]


@pytest.mark.parametrize(("grid", "blur"), [(7, 0.0), (14, 0.0), (28, 3.0)])
def test_noise_repeats_nothing(grid: int, blur: float) -> None:
    """Blurred, a map of 28 by 28 has the freedom of some seven positions, and four images of thirty."""
    for seed in range(100):
        assert pairs(noise(seed, 4, grid, grid, 64, blur=blur)) == {}, seed


def fisher(maps: np.ndarray, **options: np.ndarray) -> np.ndarray:
    """Estimated correlations of channels 2k and 2k + 1, as their inverse hyperbolic tangents, which are normal."""
    sums = signature(maps, **options)
    centred = sums[1:, :-1] - sums[1:, -1:] * sums[0, :-1] / sums[0, -1]
    first, second = (centred[:, i::2] / np.linalg.norm(centred[:, i::2], axis=0) for i in (0, 1))
    return np.arctanh((first * second).sum(axis=0))


def correlated(seed: int, correlation: float, *shape: int) -> np.ndarray:
    """Maps whose channels 2k and 2k + 1 correlate so, exactly, over all images and positions."""
    first, second = (noise(seed + i, *shape).reshape(-1, shape[-1]).astype(float) for i in (0, 1))
    first -= first.mean(axis=0)
    second -= second.mean(axis=0)
    second -= first * (first * second).sum(axis=0) / (first**2).sum(axis=0)
    second *= np.linalg.norm(first, axis=0) / np.linalg.norm(second, axis=0)
    both = np.stack([first, correlation * first + math.sqrt(1 - correlation**2) * second], axis=-1)
    return both.reshape(*shape[:-1], -1).astype(np.float32)


@pytest.mark.parametrize("images", [1, 4])
def test_channels_that_correlate_less_are_not_taken_for_duplicates(images: int) -> None:
    """At .9, the mark is so many standard deviations away that less than one pair in 10**15 passes it."""
    drawn = np.concatenate([fisher(correlated(seed, 0.9, images, 9, 9, 200)) for seed in range(10)])
    assert np.tanh(drawn.mean()) == pytest.approx(0.9, abs=0.01)
    assert (math.atanh(ALIKE) - drawn.mean()) / drawn.std() > 8


@pytest.mark.parametrize("images", [4, 40])
def test_images_that_are_all_alike_say_less_but_enough(images: int) -> None:
    """Less than one pair in 10**6."""
    drawn = []
    for seed in range(40):
        maps = np.repeat(correlated(seed, 0.9, 1, 9, 9, 100), images, axis=0)
        drawn.append(fisher(maps, numbers=np.random.default_rng(seed).integers(NUMBERS, size=images)))
    spread = np.sqrt(np.mean([each.var() for each in drawn]))
    assert (math.atanh(ALIKE) - np.mean(drawn)) / spread > 4.75


def test_a_layout_that_all_images_share_makes_no_duplicates() -> None:
    """Added up, a hundred images would show the layout alone; signs of their own keep them apart."""
    shape = (100, 7, 7, 40)
    layout = noise(1, 1, 7, 7, 1)
    maps = layout + 0.4 * noise(2, *shape)
    summed = maps.sum(axis=0).reshape(-1, 40)
    assert np.median(np.corrcoef(summed.T)) > ALIKE
    assert pairs(maps) == {}


def test_near_duplicates_are_found_and_their_correlation_told() -> None:
    maps = correlated(3, 0.999, 4, 14, 14, 30)
    repeats = list(duplicates(signature(maps)))
    assert [(later, earlier) for later, earlier, _ in repeats] == [(2 * k + 1, 2 * k) for k in range(30)]
    assert np.mean([value for *_, value in repeats]) == pytest.approx(0.999, abs=2e-4)


def test_mirrored_channels_are_no_duplicates() -> None:
    maps = noise(4, 4, 8, 8, 5)
    maps[..., 3] = -maps[..., 1]
    maps[..., 4] = -2 * maps[..., 1]
    assert pairs(maps) == {4: 3}


def test_an_original_is_no_duplicate_itself() -> None:
    """Channels that each resemble the one before: what resembles a duplicate only is one of its own."""
    angles = np.deg2rad([0, 6, 12])
    assert np.cos(angles[1]) > ALIKE > np.cos(angles[2])
    sums = np.zeros((3, 4))
    sums[0, -1] = LEAST
    sums[1:, :-1] = np.cos(angles), np.sin(angles)
    assert [repeat[:2] for repeat in duplicates(sums)] == [(1, 0)]


def test_channels_that_answer_in_one_place_each_are_told_apart() -> None:
    maps = np.zeros((4, 7, 7, 49), np.float32)
    maps[1].reshape(49, 49)[np.arange(49), np.arange(49)] = 2
    assert pairs(maps) == {}
    maps[..., 48] = 3 * maps[..., 5] + 1
    assert pairs(maps) == {48: 5}


def test_an_offset_that_changes_with_the_image_is_no_duplicate() -> None:
    maps = noise(6, 4, 8, 8, 3)
    maps[..., 2] = maps[..., 0] + np.array([0, 1, 0, 1])[:, None, None]
    assert pairs(maps) == {}
    maps[..., 2] = maps[..., 0] + 1
    assert pairs(maps) == {2: 0}


def test_a_large_offset_hides_no_difference() -> None:
    maps = 2000 + noise(7, 4, 14, 14, 32)
    assert pairs(maps) == {}
    constant = 1e6 + np.zeros((4, 14, 14, 8), np.float32)
    constant[:, 0, 0] += 0.0625 * np.arange(8, dtype=np.float32)
    assert pairs(constant) == {}


def test_what_is_ignored_does_not_count() -> None:
    maps = noise(8, 4, 8, 8, 4)
    weight = np.ones((4, 8, 8))
    weight[:, :2] = 0
    maps[:, 2:, :, 1] = maps[:, 2:, :, 0]
    maps[:, :2, :, 3] = 100 * maps[:, :2, :, 2]
    maps[:, :2, :, 2] *= 100
    assert pairs(maps) == {3: 2}
    assert pairs(maps, weight=weight) == {1: 0}


def test_few_positions_say_nothing() -> None:
    maps = noise(9, LEAST, 1, 1, 2)
    maps[..., 1] = maps[..., 0]
    assert pairs(maps) == {1: 0}
    assert pairs(maps[1:]) == {}


@pytest.mark.parametrize(("batch", "groups"), [(1, 6), (4, 6), (2, 2)])
def test_batches_and_groups_change_nothing(batch: int, groups: int) -> None:
    maps = noise(10, 6, 9, 8, 12)
    maps[..., 7] = maps[..., 2] + 0.05 * maps[..., 7]
    expected = Redundancy().table(evidence({"t": maps}, batch=6))
    table = Redundancy().table(evidence({"t": maps}, batch=batch, groups=groups))
    assert table["duplicate"].tolist() == expected["duplicate"].tolist()
    np.testing.assert_allclose(table["correlation"], expected["correlation"], rtol=1e-6)
    assert found({"t": maps})["t"] == {7: 2}


def test_large_maps_and_several_taps_at_once() -> None:
    large, small = noise(11, 2, 60, 120, 3), noise(12, 2, 8, 8, 3)
    large[..., 2] = large[..., 0]
    other = small.copy()
    other[..., 1] = 2 * other[..., 0]
    taps = {"large": large, "small": small, "other": other, "vector": small[:, 0, 0]}
    assert found(taps) == {"large": {2: 0}, "small": {}, "other": {1: 0}, "vector": {}}


def test_a_channel_that_is_not_finite_is_compared_with_none() -> None:
    maps = noise(13, 4, 8, 8, 4)
    maps[..., 1] = maps[..., 0]
    maps[..., 3] = maps[..., 2]
    maps[2, 3, 3, 0] = np.nan
    assert found({"t": maps, "nothing": np.full_like(maps, np.inf)}) == {"t": {3: 2}, "nothing": {}}


def test_the_scale_does_not_matter() -> None:
    maps = noise(14, 4, 8, 8, 4).astype(np.float64)
    maps[..., 1] = 1e90 * maps[..., 0]
    maps[..., 2] = 1e-90 * maps[..., 3]
    maps[..., 3] *= 1e200
    assert found({"t": maps})["t"] == {1: 0, 3: 2}
