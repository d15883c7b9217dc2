"""Dimensions in use: exact for narrow taps, without bias for wide ones, and over images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from planted import evidence

from fmreport.analysis.dimension import (
    FEWEST,
    Dimension,
    among_channels,
    covariance,
    effective_rank,
    over_images,
    over_positions,
)
from fmreport.measures.activations import Activations
from fmreport.measures.projection import LATTICE, WIDTH
from fmreport.measures.readability import Readability
from fmreport.measures.scene import Shown


def made(activations: Mapping[str, np.ndarray], **options: int) -> pd.DataFrame:
    """The table by its taps."""
    return Dimension().table(evidence(activations, **options)).set_index("tap")


def exactly(maps: np.ndarray) -> tuple[float, float]:
    """Participation ratio and effective rank of all positions."""
    rows = maps.reshape(-1, maps.shape[-1]).astype(float)
    singular = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False)
    shares = singular[singular > 1e-3 * singular[0]] / singular.sum()
    return float((singular**2).sum() ** 2 / (singular**4).sum()), float(np.exp(-(shares * np.log(shares)).sum()))


def spread_over(variances: np.ndarray, seed: int = 0) -> np.ndarray:
    """Maps of four images whose channels, turned at random, have those variances."""
    rng = np.random.default_rng(seed)
    turned, _ = np.linalg.qr(rng.normal(size=(len(variances), len(variances))))
    maps: np.ndarray = (rng.normal(size=(4, LATTICE, LATTICE, len(variances))) * np.sqrt(variances)) @ turned
    return maps.astype(np.float32)


@pytest.mark.parametrize("channels", [1, 2, 20, WIDTH])
def test_of_channels_that_are_not_projected_it_is_exact(channels: int) -> None:
    maps = spread_over(1.0 / np.arange(1, channels + 1))
    row = made({"t": maps}).loc["t"]
    ratio, rank = exactly(maps)
    assert row["participation_ratio"] == pytest.approx(ratio, rel=1e-4)
    assert row["effective_rank"] == pytest.approx(rank, rel=1e-4)
    assert row["sampled_positions"] == 4 * LATTICE**2


@pytest.mark.parametrize("equal", [1, 5, 100, 256])
def test_of_many_channels_it_is_not_bounded_by_the_projection(equal: int) -> None:
    """Only by the positions: of independent ones, 1 / PR grows by 1 / positions."""
    variances = np.zeros(256)
    variances[:equal] = 1
    ratio = made({"t": spread_over(variances)}).loc["t", "participation_ratio"]
    assert ratio == pytest.approx(1 / (1 / equal + 1 / (4 * LATTICE**2)), rel=0.1)


@pytest.mark.parametrize("slope", [0.0, 0.5, 1.0, 2.0])
def test_in_the_mean_over_projections_it_is_that_of_all_channels(slope: float) -> None:
    """Where few dimensions hold most, one projection tells it to about a fifth, and another errs otherwise."""
    variances = np.arange(1.0, 301) ** -slope
    found = []
    for seed in range(40):
        turned, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(300, WIDTH)))
        found.append(over_positions(turned.T @ (variances[:, None] * turned), 300))
    expected = variances.sum() ** 2 / (variances**2).sum()
    assert np.mean(found) == pytest.approx(expected, rel=0.1)
    assert np.std(found) < 0.25 * expected


def test_effective_rank_of_wide_taps_is_that_of_the_projection() -> None:
    rank = made({"t": spread_over(np.ones(256))}).loc["t", "effective_rank"]
    assert WIDTH - 2 < rank < WIDTH


@pytest.mark.parametrize("channels", [3, 200])
def test_maps_that_are_all_alike_have_one_dimension(channels: int) -> None:
    rng = np.random.default_rng(1)
    maps = 100 + rng.normal(size=(3, 9, 9, 1)) * rng.normal(size=channels)
    row = made({"t": maps.astype(np.float32)}).loc["t"]
    assert row["participation_ratio"] == pytest.approx(1, abs=1e-3)
    assert row["effective_rank"] == pytest.approx(1, abs=1e-3)


def test_offset_and_scale_change_nothing() -> None:
    maps = spread_over(1.0 / np.arange(1, 9))
    found = made({"t": maps, "moved": 3000 + maps, "scaled": maps * 1e6, "small": maps * 1e-12})
    for column in ("participation_ratio", "effective_rank"):
        np.testing.assert_allclose(found.loc[["moved", "scaled", "small"], column], found.loc["t", column], rtol=1e-3)


def test_batches_and_groups_change_nothing() -> None:
    maps = np.random.default_rng(2).normal(3, 1, (7, 6, 5, 70)).astype(np.float32)
    expected = made({"t": maps}, batch=7)
    for batch, groups in ((1, 7), (2, 7), (3, 2)):
        found = made({"t": maps}, batch=batch, groups=groups)
        for column in ("participation_ratio", "effective_rank", "sampled_positions"):
            np.testing.assert_allclose(found[column], expected[column], rtol=1e-5)


def test_constant_taps_and_vectors_have_no_dimension_over_positions() -> None:
    vector = np.random.default_rng(3).normal(size=(9, 5)).astype(np.float32)
    constant = np.full((9, 4, 4, 3), 0.1, np.float32)
    silent = 0 * constant
    found = made({"vector": vector, "constant": constant, "silent": silent, "huge": silent + 1e200 * np.eye(4)[:3].T})
    assert found.loc[["vector", "constant", "silent", "huge"], "participation_ratio"].isna().all()
    assert found.loc[["vector", "constant", "silent", "huge"], "effective_rank"].isna().all()
    assert found.loc[["constant", "silent", "huge"], "pooled_participation_ratio"].isna().all()
    assert 1 <= found.loc["vector", "pooled_participation_ratio"] < 20
    assert np.isnan(found.loc["vector", "sampled_positions"])


def test_positions_with_a_value_that_is_not_finite_are_left_out() -> None:
    maps = np.random.default_rng(4).normal(size=(2, 6, 5, 3)).astype(np.float32)
    holed = maps.copy()
    holed[0, 2, :, 1] = np.nan
    holed[1, 0, 0, 2] = np.inf
    kept = np.isfinite(holed).all(axis=-1)
    row = made({"t": holed}).loc["t"]
    assert row["sampled_positions"] == kept.sum() == 54
    assert row["participation_ratio"] == pytest.approx(exactly(maps[kept])[0], rel=1e-4)
    assert made({"t": np.full_like(maps, np.nan)}).loc["t", ["participation_ratio", "effective_rank"]].isna().all()


def gathered(maps: np.ndarray, weight: np.ndarray) -> np.ndarray:
    shown = Shown(("edge",), tf.zeros((*weight.shape, 1)), tf.constant(weight, tf.float32))
    x: Any = Activations(tf.constant(maps), shown=shown)
    return among_channels(np.asarray(Readability().gather(x)["gram"]).sum(axis=0), shown.planes)


def test_what_is_ignored_does_not_count() -> None:
    rng = np.random.default_rng(5)
    maps = rng.normal(7, 1, (3, 8, 6, 5)).astype(np.float32)
    weight = rng.choice([0, 0.25, 1], (3, 8, 6))
    weight[2] = 0
    found = covariance(gathered(maps, weight))
    expected = np.cov(maps.reshape(-1, 5).T.astype(float), aweights=weight.ravel(), ddof=0)
    np.testing.assert_allclose(found / np.trace(found), expected / np.trace(expected), atol=1e-6)
    assert np.isnan(covariance(gathered(maps, 0 * weight))).all()


def test_effective_rank_of_equal_variances_is_their_number() -> None:
    assert effective_rank(np.diag([2.0] * 5 + [0.0] * 3)) == pytest.approx(5)
    assert effective_rank(np.diag([1.0, 0.0])) == pytest.approx(1)


@pytest.mark.parametrize("images", [FEWEST, 16, 64])
@pytest.mark.parametrize("equal", [1, 10, 300])
def test_over_images_it_does_not_grow_with_their_number(images: int, equal: int) -> None:
    found, plain = [], []
    for seed in range(60):
        features = np.random.default_rng(seed).normal(size=(images, equal))
        found.append(over_images(features - features.mean(axis=0)))
        plain.append(exactly(features)[0])
    assert np.median(found) == pytest.approx(equal, rel=0.15)
    if equal == 300:
        assert np.median(plain) < min(images, 60)


def test_few_images_have_no_dimension() -> None:
    features = np.random.default_rng(6).normal(size=(FEWEST, 4)).astype(np.float32)
    assert made({"t": features})["pooled_participation_ratio"].notna().all()
    assert made({"t": features[1:]})["pooled_participation_ratio"].isna().all()
