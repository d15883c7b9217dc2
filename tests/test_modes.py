"""Two parts of a histogram: golden values, and what noise of every form has."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import erf
from scipy.stats import kurtosis, skew

from fmreport.measures.bins import ascending, count_bins, edges
from fmreport.measures.modes import NOISE, Modes, modes


def of_values(values: np.ndarray, counts: np.ndarray) -> Modes:
    """Of single values, which are bins without a width."""
    return modes(values, values, counts)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [((3, 5, 5, 10, 17, 20, 17, 10, 5, 5, 3), 0.3360581), ((2, 26, 14, 6, 2, 0, 2, 6, 14, 26, 2), 0.7946887)],
)
def test_the_bimodality_coefficient_of_published_counts(counts: tuple[int, ...], expected: float) -> None:
    assert of_values(np.arange(1.0, 12), np.array(counts)).bimodality == pytest.approx(expected, abs=5e-8)


def test_both_are_those_of_the_values_themselves() -> None:
    counts = np.array([4, 0, 9, 2, 1, 7, 3])
    values = np.array([-5.0, -2, -1, 0.5, 3, 4, 9])
    x = np.repeat(values, counts)
    n = len(x)
    found = of_values(values, counts)
    expected = (skew(x, bias=False) ** 2 + 1) / (kurtosis(x, bias=False) + 3 * (n - 1) ** 2 / ((n - 2) * (n - 3)))
    assert found.bimodality == pytest.approx(expected, rel=1e-12)
    parts = [(x[x <= value], x[x > value]) for value in values[:-1]]
    within = min((below.var() * below.size + above.var() * above.size) / n for below, above in parts)
    assert found.otsu == pytest.approx(1 - within / x.var(), rel=1e-12)


@pytest.mark.parametrize(
    ("form", "otsu", "bimodality"),
    [
        ("signed", 0.637, 1 / 3),
        ("relu", 0.744, 0.683),
        ("gelu", 0.728, 0.681),
        ("silu", 0.696, 0.627),
        ("exponential", 0.648, 0.556),
        ("bernoulli", 1, 1),
    ],
)
def test_noise_has_two_parts_too(form: str, otsu: float, bimodality: float) -> None:
    normal = np.random.default_rng(1).normal(size=(1, 10**6, 1))
    made = {
        "signed": normal,
        "relu": np.maximum(normal, 0),
        "gelu": normal * (1 + erf(normal / np.sqrt(2))) / 2,
        "silu": normal / (1 + np.exp(-normal)),
        "exponential": np.random.default_rng(2).exponential(size=normal.shape),
        "bernoulli": np.random.default_rng(3).random(normal.shape) < 0.05,
    }
    low, high = edges()
    counts = ascending(np.asarray(count_bins(made[form].astype(np.float32)))[0])
    found = modes(low, high, counts)
    assert found.otsu == pytest.approx(otsu, abs=0.005)
    assert found.bimodality == pytest.approx(bimodality, abs=0.005)
    if form in NOISE:
        assert (NOISE[form].otsu, NOISE[form].bimodality) == pytest.approx((otsu, bimodality), abs=5e-4)


@pytest.mark.parametrize("counts", [(0, 0, 0), (0, 7, 0)])
def test_what_has_one_value_or_none_has_no_parts(counts: tuple[int, ...]) -> None:
    found = of_values(np.array([1.0, 2, 3]), np.array(counts))
    assert np.isnan(found.otsu)
    assert np.isnan(found.bimodality)


def test_three_values_have_no_kurtosis() -> None:
    found = of_values(np.array([1.0, 2]), np.array([1, 2]))
    assert found.otsu == pytest.approx(1)
    assert np.isnan(found.bimodality)


def test_values_close_to_their_mean_are_not_taken_for_two_parts_because_two_bins_hold_them() -> None:
    low, high = edges()
    for mean, defined in ((0, True), (3, True), (20, False)):
        x = np.random.default_rng(4).normal(mean, 1, (1, 10**5, 1)).astype(np.float32)
        found = modes(low, high, ascending(np.asarray(count_bins(x))[0]))
        assert np.isfinite(found.otsu) == np.isfinite(found.bimodality) == defined
        if defined:
            assert found.otsu == pytest.approx(NOISE["signed"].otsu, abs=0.02)
