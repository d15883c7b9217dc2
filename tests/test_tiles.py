"""A tile is the map: native where it is small, its area's mean where it is large, flat where the map is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planted import tap

from fmreport.records import Tiles
from fmreport.tiles import averaging, is_map, plane, tile, together


def shown(values: np.ndarray, *, longest: int = 80) -> np.ndarray:
    """(K, h, w) activations that a tile stands for."""
    made = tile(values, longest=longest)
    one = Tiles("t", ("p",), np.arange(1), np.ones(1, bool), made.values[None], made.low[None], made.high[None], (1, 1))
    return one.activations()[0]


def test_a_small_map_is_shown_pixel_by_pixel() -> None:
    values = np.random.default_rng(0).normal(size=(7, 5, 3)).astype(np.float32)
    made = tile(values, longest=7)
    assert made.values.shape == (3, 7, 5)
    assert made.values.dtype == np.uint8
    np.testing.assert_array_equal(made.low, values.min((0, 1)))
    np.testing.assert_array_equal(made.high, values.max((0, 1)))
    half_a_level = (made.high - made.low).max() / 255 / 2
    np.testing.assert_allclose(shown(values), np.moveaxis(values, -1, 0), atol=half_a_level * 1.001)
    assert made.values.min((1, 2)).tolist() == [0, 0, 0]
    assert made.values.max((1, 2)).tolist() == [255, 255, 255]


@given(st.integers(1, 400), st.integers(1, 400))
def test_averaging_keeps_the_mean_and_the_range(size: int, smaller: int) -> None:
    smaller = min(size, smaller)
    weights = averaging(size, smaller).astype(np.float64)
    assert weights.shape == (smaller, size)
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(weights.sum(axis=0), smaller / size, atol=1e-6)


def test_averaging_by_a_whole_number_takes_blocks() -> None:
    values = np.random.default_rng(1).normal(size=12)
    np.testing.assert_allclose(averaging(12, 4) @ values, values.reshape(4, 3).mean(axis=1), atol=1e-6)


def test_a_pixel_on_an_edge_is_shared_by_area() -> None:
    np.testing.assert_allclose(averaging(3, 2) @ [3.0, 6.0, 9.0], [4.0, 8.0], atol=1e-6)


def test_the_tile_of_a_large_map_has_its_mean() -> None:
    values = np.random.default_rng(6).normal(size=(100, 137, 4)).astype(np.float32)
    level = (values.max() - values.min()) / 255
    np.testing.assert_allclose(shown(values, longest=90).mean((1, 2)), values.mean((0, 1)), atol=level / 2)


@pytest.mark.parametrize(("height", "width", "expected"), [(160, 80, (80, 40)), (100, 90, (80, 72)), (1, 400, (1, 80))])
def test_a_large_map_keeps_its_proportions(height: int, width: int, expected: tuple[int, int]) -> None:
    assert tile(np.ones((height, width, 2)), longest=80).values.shape == (2, *expected)


def test_a_large_map_keeps_the_native_range() -> None:
    """One bright pixel among many: it is less bright in the tile, but the range says how bright it was."""
    values = np.zeros((160, 160, 1), np.float32)
    values[80, 80] = 1
    made = tile(values, longest=80)
    assert (made.low[0], made.high[0]) == (0, 1)
    assert made.values.max() == round(255 / 4)


@pytest.mark.parametrize("value", [0.0, 0.1, -3.0, 1e30, -1e30, 1e-30])
@pytest.mark.parametrize("side", [5, 161])
def test_a_constant_map_is_flat(value: float, side: int) -> None:
    made = tile(np.full((side, side, 2), value, np.float32), longest=80)
    assert not made.values.any()
    assert made.low.tolist() == made.high.tolist() == [np.float32(value)] * 2


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("side", [6, 120])
def test_a_map_that_is_not_finite_is_marked_and_its_neighbours_are_not(bad: float, side: int) -> None:
    values = np.random.default_rng(2).normal(size=(side, side, 3)).astype(np.float32)
    before = values.copy()
    values[1, 2, 1] = bad
    given = values.copy()
    made, clean = tile(values, longest=80), tile(before, longest=80)
    assert np.isnan(made.low).tolist() == np.isnan(made.high).tolist() == [False, True, False]
    assert not made.values[1].any()
    np.testing.assert_array_equal(made.values[[0, 2]], clean.values[[0, 2]])
    np.testing.assert_array_equal(values, given)


def test_the_widest_range_is_shown_and_what_is_wider_is_marked() -> None:
    most = np.finfo(np.float32).max
    made = tile(np.array([-most, 0, most], np.float32).reshape(1, 3, 1), longest=80)
    assert made.values.ravel().tolist() == [0, 128, 255]
    beyond = tile(np.array([0, 1e300]).reshape(1, 2, 1), longest=80)
    assert np.isnan(beyond.high).all()


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_tile_is_the_same_for_every_number_format(dtype: str) -> None:
    values = np.arange(48).reshape(4, 6, 2)
    np.testing.assert_array_equal(tile(values.astype(dtype), longest=80).values, tile(values, longest=80).values)


def test_a_sequence_is_one_row_and_a_volume_its_middle_slice() -> None:
    sequence = np.random.default_rng(3).normal(size=(9, 4))
    np.testing.assert_array_equal(tile(sequence, longest=80).values, tile(sequence[None], longest=80).values)
    volume = np.random.default_rng(4).normal(size=(5, 3, 4, 2))
    np.testing.assert_array_equal(tile(volume, longest=80).values, tile(volume[2], longest=80).values)
    assert [plane(shape) for shape in ((9,), (3, 4), (5, 3, 4))] == [(1, 9), (3, 4), (3, 4)]
    assert [is_map(tap("t", shape)) for shape in ((4,), (9, 4), (3, 4, 2))] == [False, True, True]


def test_tiles_of_a_tap_stand_side_by_side() -> None:
    rng = np.random.default_rng(5)
    images = [rng.normal(size=(5, 3, 4, 6)) for _ in range(3)]
    channels = np.array([4, 0])
    made = together(
        tap("t", (5, 3, 4, 6)),
        ("a", "b", "c"),
        channels,
        np.array([True, False]),
        [tile(image[..., channels], longest=80) for image in images],
    )
    assert (made.tap, made.probes, made.grid) == ("t", ("a", "b", "c"), (3, 4))
    assert made.values.shape == (3, 2, 3, 4)
    assert made.low.shape == made.high.shape == (3, 2)
    expected = np.moveaxis(np.stack(images)[:, 2][..., channels], -1, 1)
    np.testing.assert_allclose(made.activations(), expected, atol=(made.high - made.low).max() / 255)
