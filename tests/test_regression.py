"""Held-out errors in plain NumPy: what noise scores, what a null is good for, and what a grid can hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from to_read import blobs

from fmreport.analysis.nulls import p_of_best, p_value
from fmreport.analysis.readability import ceiling, drawn
from fmreport.analysis.regression import FEW, FOLDS, fold_of, held_out, r_squared
from fmreport.measures.readability import LEVELS, unpacked
from fmreport.measures.scene import area_weights

DRAWS = 39
"""Nulls, so that the least p is 0.025."""


def scores_of(values: np.ndarray, planes: np.ndarray) -> np.ndarray:
    """R^2 `(T,)` of planes `(N, h, w, T)` from maps `(N, h, w, C)`, each image held out alone."""
    design = np.concatenate([values, np.ones((*values.shape[:3], 1)), planes], axis=-1)
    design = design.reshape(len(values), -1, design.shape[-1])
    gram = np.swapaxes(design, 1, 2) @ design
    residual, total = held_out(gram, np.arange(len(values)), values.shape[-1])
    return r_squared(residual.T, total.T)


def masks(rng: np.random.Generator, images: int = 6, size: int = 10) -> np.ndarray:
    """`(N, h, w, 1 + DRAWS)`: masks, and as many more of the same kind for each image."""
    return np.moveaxis(blobs(rng, images * (1 + DRAWS), size, size).reshape(1 + DRAWS, images, size, size), 0, -1)


def test_noise_scores_nothing_and_is_seldom_found_to_mean_something() -> None:
    scores, found = [], []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        both = scores_of(rng.normal(size=(6, 10, 10, 6)), masks(rng))
        scores.append(both[0])
        found.append(p_value(both[0], both[1:]))
    assert -0.1 < np.mean(scores) < 0
    assert max(scores) < 0.05
    p = np.array(found)
    assert (p > 1 / (1 + DRAWS)).sum() >= 95
    # By chance p is as likely to be one value as another.
    assert abs(p.mean() - 0.5) < 0.1
    assert 15 <= (p <= 0.25).sum() <= 35


def test_a_faint_mask_in_noise_is_found_every_time() -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        planes = masks(rng)
        values = rng.normal(size=(6, 10, 10, 6))
        values[..., 2] += planes[..., 0]
        both = scores_of(values, planes)
        assert 0.05 < both[0] < 0.4
        assert p_value(both[0], both[1:]) == 1 / (1 + DRAWS)


def test_the_best_of_many_is_held_against_the_best_of_many() -> None:
    """Of twenty taps of noise one always stands out; so it does in every draw."""
    alone, together = [], []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        planes = masks(rng)
        scores = np.stack([scores_of(rng.normal(size=(6, 10, 10, 2)), planes) for _ in range(20)], axis=1)
        alone.append(np.min(p_value(scores[0], scores[1:])))
        together.append(p_of_best(scores[0], scores[1:]))
    assert np.mean(np.array(alone) <= 0.05) > 0.5
    assert np.mean(np.array(together) <= 0.05) < 0.15


def test_p_counts_itself_and_every_draw_that_is_as_good() -> None:
    observed = np.array([0.5, 0.1, np.nan, 0.5])
    nulls = np.array([[0.4, 0.2, 0.1, np.nan], [0.5, 0.2, 0.1, np.nan], [0.6, 0.1, 0.1, np.nan]])
    np.testing.assert_allclose(p_value(observed, nulls), [3 / 4, 4 / 4, np.nan, np.nan])
    nulls[2, 0] = np.nan
    np.testing.assert_allclose(p_value(observed, nulls)[0], 2 / 3)


def test_folds_are_of_neighbours_apart_and_few_images_are_held_out_alone() -> None:
    assert fold_of(np.ones(FEW - 1, int)).tolist() == list(range(FEW - 1))
    assert fold_of(np.ones(12, int)).tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1]
    assert np.bincount(fold_of(np.full(64, 100))).max() == 13
    assert len(set(fold_of(np.full(3, 100)))) == 3
    assert len(set(fold_of(np.ones(FEW, int)))) == FOLDS


def test_a_held_out_image_has_no_say_in_what_is_learned() -> None:
    rng = np.random.default_rng(0)
    design = np.concatenate([rng.normal(size=(4, 50, 3)), np.ones((4, 50, 1)), rng.normal(size=(4, 50, 2))], axis=-1)
    gram = np.swapaxes(design, 1, 2) @ design
    one = held_out(gram, np.arange(4), 3)
    # Its errors grow as its targets do where training images do not know them.
    design[3, :, 4:] += 1000
    other = held_out(np.swapaxes(design, 1, 2) @ design, np.arange(4), 3)
    assert (np.sqrt(other[0][3] / 50) > 990).all()
    assert (np.sqrt(one[0][3] / 50) < 2).all()


def test_scores_of_resamples_are_those_of_their_images() -> None:
    rng = np.random.default_rng(1)
    residual, total = rng.uniform(size=(2, 5, 4)), rng.uniform(1, 2, size=(2, 5, 4))
    drawn_images = np.array([[0, 0, 2, 3], [1, 1, 1, 1]])
    weights = np.stack([np.bincount(images, minlength=4) for images in drawn_images])
    expected = [1 - residual[..., i].sum(axis=-1) / total[..., i].sum(axis=-1) for i in drawn_images]
    np.testing.assert_allclose(r_squared(residual, total, weights), np.stack(expected, axis=-1))
    np.testing.assert_allclose(r_squared(residual, total), r_squared(residual, total, np.ones((1, 4)))[..., 0])
    assert np.isnan(r_squared(residual, 0 * total)).all()


@given(st.integers(1, 9))
def test_a_triangle_unpacks_to_the_matrix_that_it_is_of(size: int) -> None:
    matrix = np.random.default_rng(size).normal(size=(2, size, size))
    matrix = matrix + np.swapaxes(matrix, 1, 2)
    np.testing.assert_array_equal(unpacked(matrix[:, *np.triu_indices(size)]), matrix)


@pytest.mark.parametrize("grid", [1, 3, 5, 8, 24], ids=str)
def test_the_ceiling_is_what_the_best_map_of_the_grid_reaches(grid: int) -> None:
    """Against masks and grids drawn on a raster so fine that it holds the pixels and the elements of both."""
    images, size = 4, 24
    full = blobs(np.random.default_rng(grid), images, size, size)
    rows = area_weights(size, grid)
    mask = np.einsum("hH,nHW,wW->nhw", rows, full, rows).reshape(images, -1, 1)
    design = np.concatenate([np.zeros_like(mask), np.ones_like(mask), mask], axis=-1).astype(np.float64)
    residual, total = ceiling(np.swapaxes(design, 1, 2) @ design, np.arange(images), 1, 2)
    raster = np.kron(full, np.ones((grid, grid)))  # (N, size * grid, size * grid)
    elements = raster.reshape(images, grid, size, grid, size).transpose(0, 1, 3, 2, 4).reshape(images, grid**2, -1)
    best = elements.mean(axis=-1, keepdims=True)
    others = np.array([np.delete(full, i, axis=0).mean() for i in range(images)])
    np.testing.assert_allclose(residual, ((elements - best) ** 2).mean(axis=-1).sum(axis=-1), atol=1e-5)
    np.testing.assert_allclose(
        total, ((elements - others[:, None, None]) ** 2).mean(axis=-1).sum(axis=-1), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("grid", [1, 3, 6, 8, 24], ids=str)
def test_no_choice_of_elements_draws_a_mask_better(grid: int) -> None:
    images, size = 4, 24
    full = blobs(np.random.default_rng(grid), images, size, size)
    covered = full.reshape(images, grid, size // grid, grid, size // grid).mean(axis=(2, 4)).reshape(images, -1)
    held = np.stack([covered, 1 - covered], axis=-1).astype(np.float64)
    overlap = np.stack([(held * (covered > level)[..., None]).sum(axis=1) for level in LEVELS], axis=1)
    wrong, union = drawn(overlap, held[..., 0].sum(axis=1))
    iou = float(r_squared(wrong, union))
    # The best choice takes elements in the order in which they are covered.
    order = np.sort(covered.astype(np.float64).ravel())[::-1]
    possible = np.cumsum(order) / (order.sum() + np.cumsum(1 - order))
    assert possible.max() - 0.02 <= iou <= possible.max() + 1e-6
    if grid == size:
        assert iou == 1
