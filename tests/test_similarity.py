"""Debiased CKA of pooled features: its published values, what it is blind to, and where it is undefined."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest
from planted import evidence

from fmreport.analysis.pooled import LEAST
from fmreport.analysis.similarity import Similarity, cka
from fmreport.records import IMAGE


def hsic(first: np.ndarray, second: np.ndarray) -> float:
    """HSIC_1 of two linear kernels, as it is written."""
    n = len(first)
    k, m = (features @ features.T for features in (first, second))
    np.fill_diagonal(k, 0)
    np.fill_diagonal(m, 0)
    middle = k.sum() * m.sum() / ((n - 1) * (n - 2))
    return float((np.trace(k @ m) + middle - 2 / (n - 2) * (k @ m).sum()) / (n * (n - 3)))


def reference(first: np.ndarray, second: np.ndarray) -> float:
    """Debiased CKA by HSIC_1 alone."""
    return hsic(first, second) / np.sqrt(hsic(first, first) * hsic(second, second))


def linear(first: np.ndarray, second: np.ndarray) -> float:
    """The biased CKA."""
    a, b = (features - features.mean(axis=0) for features in (first, second))
    return float(np.linalg.norm(a.T @ b) ** 2 / np.linalg.norm(a.T @ a) / np.linalg.norm(b.T @ b))


def alike(*features: np.ndarray) -> np.ndarray:
    return cka([each - each.mean(axis=0) for each in features])


def made(activations: Mapping[str, np.ndarray], **options: int) -> pd.Series:
    """The table by its pairs."""
    return Similarity().table(evidence(activations, **options)).set_index(["tap", "other"])["cka"]


def normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_it_has_the_published_values() -> None:
    np.random.seed(1337)  # noqa: NPY002 - they are of these very numbers
    x = np.random.randn(100, 10)  # noqa: NPY002
    y = np.random.randn(100, 10) + x  # noqa: NPY002
    assert linear(x, y) == pytest.approx(0.55761, abs=5e-6)
    assert alike(x, y)[0, 1] == pytest.approx(0.51346, abs=5e-6)


def test_it_is_hsic_1_normalised() -> None:
    shared = normal(0, 9, 4)
    several = [shared, shared[:, :2] + normal(1, 9, 2), normal(2, 9, 30), np.square(shared)]
    found = alike(*several)
    for i, first in enumerate(several):
        for j, second in enumerate(several):
            assert found[i, j] == pytest.approx(reference(first, second), abs=1e-5)


def test_independent_features_are_not_alike_however_many_there_are() -> None:
    pairs = [np.random.default_rng(seed).normal(size=(2, 16, 2048)) for seed in range(40)]
    assert np.mean([linear(*pair) for pair in pairs]) == pytest.approx(0.992, abs=0.001)
    assert np.mean([alike(*pair)[0, 1] for pair in pairs]) == pytest.approx(0, abs=0.03)


def test_rotation_scale_and_offset_change_nothing() -> None:
    x, y = normal(3, 12, 6).astype(float), normal(4, 12, 6).astype(float)
    rotation, _ = np.linalg.qr(normal(5, 6, 6))
    found = alike(x, y + x, 1e6 * x @ rotation + 3)
    assert found[0, 2] == pytest.approx(1)
    assert found[0, 1] == pytest.approx(found[1, 2])
    stretched = x * np.arange(1, 7)
    assert alike(x, stretched)[0, 1] < 0.99


def test_a_table_has_every_tap_with_itself_and_all_later_ones() -> None:
    maps = normal(6, 8, 5, 4, 3)
    taps = {"maps": maps, "vector": normal(7, 8, 9), "sequence": maps[:, 0] + 1, "half": maps.astype(np.float16)}
    found = made(taps)
    names = [IMAGE, *taps]
    assert found.index.tolist() == [(one, other) for i, one in enumerate(names) for other in names[i:]]
    means = {name: a.reshape(8, -1, a.shape[-1]).astype(float).mean(axis=1) for name, a in taps.items()}
    # An image of these tests holds nothing but its number.
    means[IMAGE] = np.repeat(np.arange(8.0)[:, None], 3, axis=1)
    for (one, other), value in found.items():  # type: ignore[misc]
        assert value == pytest.approx(reference(means[one], means[other]), abs=1e-4), (one, other)
        assert one != other or value == pytest.approx(1)


def test_batches_and_the_order_of_images_change_nothing() -> None:
    taps = {"a": normal(8, 7, 5, 4, 3), "b": normal(9, 7, 6)}
    expected = made(taps, batch=7)
    for batch in (1, 2, 3):
        np.testing.assert_allclose(made(taps, batch=batch), expected, rtol=1e-5)


def test_of_many_images_the_means_of_groups_are_compared() -> None:
    taps = {"a": normal(10, 11, 3, 3, 2), "b": normal(11, 11, 4)}
    found = made(taps, groups=4)["a", "b"]
    turns = np.arange(11) % 4
    means = [a.reshape(11, -1, a.shape[-1]).astype(float).mean(axis=1) for a in taps.values()]
    grouped = [np.stack([mean[turns == g].mean(axis=0) for g in range(4)]) for mean in means]
    assert found == pytest.approx(reference(*grouped), abs=1e-4)


def test_few_images_say_nothing() -> None:
    assert made({"a": normal(12, LEAST, 5)}).notna().all()
    assert made({"a": normal(12, LEAST - 1, 5)}).isna().all()


@pytest.mark.parametrize("kind", ["silent", "constant", "normalised", "one odd image"])
def test_a_tap_that_tells_no_images_apart_is_like_none(kind: str) -> None:
    maps = normal(13, 8, 12, 12, 3)
    odd = np.zeros((8, 1, 1, 3), np.float32)
    odd[3] = 0.37
    kinds = {
        "silent": 0 * maps,
        "constant": 0 * maps + np.float32(0.1),
        # As an instance normalisation leaves them: the means are 0 but for rounding.
        "normalised": 5 * (maps - maps.mean(axis=(1, 2), keepdims=True)) / maps.std(axis=(1, 2), keepdims=True),
        "one odd image": 0 * maps + 1 + odd,
    }
    found = made({"a": maps, "b": kinds[kind]})
    assert np.isnan(found["b", "b"])
    assert np.isnan(found["a", "b"])
    assert found["a", "a"] == pytest.approx(1)


def test_what_is_not_finite_is_left_out() -> None:
    """Single values of the means, and a channel that has none in some image."""
    maps = normal(14, 6, 4, 4, 3)
    holed = maps.copy()
    holed[2, 0, 0, 1] = np.nan
    holed[5, 3, 3, 0] = np.inf
    silent = maps.copy()
    silent[1, ..., 2] = np.nan
    found = made({"maps": maps, "holed": holed, "silent": silent, "nothing": np.full_like(maps, np.nan)})
    means = [np.nanmean(np.where(np.isinf(a), np.nan, a), axis=(1, 2)) for a in (maps, holed, silent[..., :2])]
    assert found["maps", "holed"] == pytest.approx(reference(*means[:2]), abs=1e-4)
    assert found["holed", "silent"] == pytest.approx(reference(*means[1:]), abs=1e-4)
    assert np.isnan(found["nothing", "nothing"])


def test_the_scale_of_a_tap_does_not_matter_as_far_as_squares_are_held() -> None:
    maps = normal(15, 6, 4, 4, 3).astype(float)
    taps = {"a": maps, "small": maps * 1e-140, "large": maps * 1e140, "beyond": maps * 1e200}
    found = made(taps)
    assert found["small", "large"] == pytest.approx(1)
    assert np.isnan(found["a", "beyond"])
