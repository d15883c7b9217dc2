"""Pixels at which maps exceed a threshold: as many as an upsampled map has, wherever its elements lie."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from planted import tap
from scipy.ndimage import map_coordinates

from fmreport.measures import overlap as module
from fmreport.measures.overlap import Alignment, alignment, exceeding, overlap, tiles
from fmreport.records import EXACT, GLOBAL, UPPER_BOUND, ReceptiveField


def aligned(grid: tuple[int, int], size: tuple[int, int], centre: float, stride: float) -> Alignment:
    return Alignment(grid, size, (centre, centre), (stride, stride), by_receptive_field=True)


def upsampled(values: np.ndarray, at: Alignment) -> np.ndarray:
    """(B, H, W, C) float64, bilinear; beyond the outermost elements their values."""
    rows, columns = ((np.arange(at.size[i]) - at.centre[i]) / at.stride[i] for i in (0, 1))
    where = np.meshgrid(rows, columns, indexing="ij")
    maps = [
        [map_coordinates(image[..., c].astype(float), where, order=1, mode="nearest") for c in range(values.shape[-1])]
        for image in values
    ]
    return np.array(maps).transpose(0, 2, 3, 1)


def expected(values: np.ndarray, threshold: np.ndarray, planes: np.ndarray, at: Alignment) -> np.ndarray:
    active = upsampled(values, at) > threshold
    return np.einsum("bhwc,bhwp->cp", active, planes).astype(int)


def planes(size: tuple[int, int], *, images: int = 2) -> np.ndarray:
    rng = np.random.default_rng(8)
    return (rng.random((images, *size, 3)) < [1, 0.3, 0.5]).astype(np.float32)


def counted(values: np.ndarray, threshold: np.ndarray, of: np.ndarray, at: Alignment) -> np.ndarray:
    found = exceeding(values, threshold, at)
    return np.asarray(overlap(found, tiles(of, at), at, channels=len(threshold)))


PLACES = {
    "every pixel": aligned((24, 32), (24, 32), 0, 1),
    "covering the image evenly": aligned((6, 8), (24, 32), 1.5, 4),
    "of sides that do not divide": Alignment((7, 5), (24, 32), (1.214, 2.7), (24 / 7, 6.4), by_receptive_field=False),
    "without padding": aligned((5, 9), (24, 32), 4, 3),
    "far inside": aligned((8, 16), (24, 32), 8, 1),
    "beginning before the image": aligned((9, 11), (24, 32), -5, 4),
    "of a single element": aligned((1, 1), (24, 32), 9.5, 32),
    "finer than the image": aligned((48, 64), (24, 32), -0.25, 0.5),
    "of a fractional stride": aligned((16, 22), (24, 32), 0.25, 1.5),
}


@pytest.mark.parametrize("at", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("level", [-0.5, 0.3, 1.6])
def test_it_counts_what_upsampling_gives(at: Alignment, level: float) -> None:
    values = np.random.default_rng(5).normal(size=(2, *at.grid, 4)).astype(np.float32)
    threshold, of = np.full(4, level, np.float32) + np.arange(4, dtype=np.float32) / 7, planes(at.size)
    np.testing.assert_array_equal(counted(values, threshold, of, at), expected(values, threshold, of, at))


def test_steps_of_any_size_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    at = PLACES["without padding"]
    values, of = np.random.default_rng(5).normal(size=(2, *at.grid, 4)).astype(np.float32), planes(at.size)
    whole = counted(values, np.zeros(4, np.float32), of, at)
    monkeypatch.setattr(module, "AT_ONCE", 200)
    np.testing.assert_array_equal(counted(values, np.zeros(4, np.float32), of, at), whole)


def test_nothing_equal_to_the_threshold_exceeds_it_between_elements() -> None:
    """Of two equal numbers, shares of both may add up to more."""
    at = aligned((5, 5), (37, 37), 2.3, 7.1)
    values = np.full((1, 5, 5, 64), 0.1, np.float32) * np.arange(1, 65, dtype=np.float32)
    assert not counted(values, values[0, 0, 0], planes(at.size, images=1), at).any()


def test_only_what_lies_around_an_element_that_exceeds_is_computed() -> None:
    """Of a sparse channel, whose threshold is 0, that is little."""
    at = PLACES["covering the image evenly"]
    values = np.zeros((2, *at.grid, 3), np.float32)
    values[1, 2, 3, 1], values[0, 0, 0, 2] = 1, 1
    cells, channels, _ = (np.asarray(each) for each in exceeding(values, np.zeros(3, np.float32), at))
    assert sorted(channels) == [1] * 4 + [2] * 4
    assert len(set(cells)) == 8


def test_what_is_not_finite_exceeds_nothing_and_spoils_no_neighbour() -> None:
    at = PLACES["covering the image evenly"]
    values, of = np.random.default_rng(5).normal(size=(2, *at.grid, 2)).astype(np.float32), planes(at.size)
    level = np.array([0.3, -0.2], np.float32)
    spoilt, neutral = values.copy(), values.copy()
    spoilt[0, 2, 3], spoilt[1, 0, 0], spoilt[1, 4, 1] = np.nan, np.inf, -np.inf
    neutral[0, 2, 3] = neutral[1, 0, 0] = neutral[1, 4, 1] = level
    np.testing.assert_array_equal(counted(spoilt, level, of, at), expected(neutral, level, of, at))
    assert not counted(values, np.full(2, np.nan, np.float32), of, at).any()


FIELD = ReceptiveField(EXACT, centre=(4.0, 2.0), stride=(3.0, 2.0), disagreement=(0.0, 0.0))


@pytest.mark.parametrize("status", [EXACT, GLOBAL])
def test_elements_lie_where_their_receptive_fields_are_centred(status: str) -> None:
    found = alignment(replace(tap("x", (8, 8, 1)), receptive_field=replace(FIELD, status=status)), (32, 24))
    assert found == Alignment((8, 8), (32, 24), (4.0, 2.0), (3.0, 2.0), by_receptive_field=True)


@pytest.mark.parametrize(
    "field",
    [
        replace(FIELD, status=UPPER_BOUND),
        replace(FIELD, status=GLOBAL, disagreement=(0.0, 1.0)),
        ReceptiveField(GLOBAL),
    ],
)
def test_elsewhere_the_grid_covers_the_image_evenly(field: ReceptiveField) -> None:
    found = alignment(replace(tap("x", (8, 8, 1)), receptive_field=field), (32, 24))
    assert found == Alignment((8, 8), (32, 24), (1.5, 1.0), (4.0, 3.0), by_receptive_field=False)
