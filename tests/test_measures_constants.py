"""Measures give the constants that mathematics gives, and what comes of bins keeps its bounds."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from planted import extraction
from scipy.special import erf

from fmreport.measures import load
from fmreport.measures.bins import BINS, ascending, edge_below, edges
from fmreport.measures.distribution import QUANTILES, Scale, from_bins
from fmreport.measures.gather import gather


def distribution(name: str) -> np.ndarray:
    normal = np.random.default_rng(11).normal(size=(1, 1000, 1000, 1))
    made = {
        "normal": lambda: normal,
        "relu": lambda: np.maximum(normal, 0),
        "gelu": lambda: normal * (1 + erf(normal / np.sqrt(2))) / 2,
        "silu": lambda: normal / (1 + np.exp(-normal)),
        "exponential": lambda: np.random.default_rng(12).exponential(size=normal.shape),
        "bernoulli": lambda: (np.random.default_rng(13).random(normal.shape) < 0.05).astype(float),
    }
    values: np.ndarray = made[name]()
    return values.astype(np.float32)


@pytest.mark.parametrize(
    ("name", "zeros", "a", "hoyer", "gini"),
    [
        ("normal", 0, 0.637, 0.202, 0.414),
        ("relu", 0.5, 0.318, 0.436, 0.707),
        ("gelu", 0, 0.374, 0.388, 0.589),
        ("silu", 0, 0.447, 0.331, 0.506),
        ("exponential", 0, 0.5, 0.293, 0.5),
        ("bernoulli", 0.95, 0.05, 0.776, 0.95),
    ],
)
def test_known_distributions_have_their_constants(name: str, zeros: float, a: float, hoyer: float, gini: float) -> None:
    values = distribution(name)
    # Treves and Rolls' a is one of magnitudes, and columns of it exist for what is not negative.
    tables = extraction({"x": values, "abs": np.abs(values)}, batch=1).measure([])
    row = tables.samples.iloc[0]
    lifetime = tables.channels["lifetime_sparseness"].iloc[1]
    assert row["zero_fraction"] == pytest.approx(zeros, abs=0.0015)
    assert 1 - lifetime * (1 - 1 / values.size) == pytest.approx(a, abs=0.0015)
    assert row["hoyer_limit"] == pytest.approx(hoyer, abs=0.0015)
    assert row["gini"] == pytest.approx(gini, abs=0.0015)
    assert row["gini"] == pytest.approx(reference.gini(values), abs=0.0005)
    for column, q in QUANTILES.items():
        assert row[column] == pytest.approx(np.quantile(values, q), rel=0.005, abs=0.001)


def test_hoyer_by_hand() -> None:
    values = np.array([0, 1, 3, 5], np.float64)
    assert reference.hoyer(values) == pytest.approx(0.479, abs=5e-4)
    assert reference.hoyer(np.tile(values, 2)) == pytest.approx(0.370, abs=5e-4)
    limits = []
    for copies in (1, 2, 50):
        x = np.tile(values, copies).reshape(1, -1, 1).astype(np.float32)
        limits.append(extraction({"x": x}, batch=1).measure([]).samples["hoyer_limit"].iloc[0])
    assert limits == pytest.approx([1 - 2.25 / np.sqrt(8.75)] * 3, abs=1e-6)


@pytest.mark.parametrize(
    ("values", "expected"),
    [([0, 0, 0, 1], 0.75), ([1, 1, 1, 1], 0.0), ([0, 1, 3, 5], 1 - 2 * (2.5 + 4.5 + 2.5) / 36), ([0, 0], np.nan)],
)
def test_gini_by_hand(values: list[float], expected: float) -> None:
    x = np.array(values, np.float32).reshape(1, -1, 1)
    found = extraction({"x": x}, batch=1).measure([]).samples["gini"].iloc[0]
    assert reference.gini(x) == pytest.approx(expected, nan_ok=True)
    assert found == pytest.approx(expected, abs=0.01, nan_ok=True)


def histogram(values: np.ndarray) -> np.ndarray:
    """(BINS,) counts in ascending order, as the graph makes them."""
    import tensorflow as tf

    (sums,) = gather(tuple(load(["distribution"]).values()), {"x": tf.constant(values.reshape(1, -1, 1))}, [("x",)])
    return ascending(sums["count"].numpy())[0]


floats = st.floats(-(2.0**100), 2.0**100, width=32, allow_subnormal=False)


@settings(max_examples=60, deadline=None)
@given(st.lists(floats, min_size=1, max_size=60))
def test_what_comes_of_bins_keeps_its_bounds(drawn: list[float]) -> None:
    values = np.array(drawn, np.float32)
    exact = values.astype(np.float64)
    scale = Scale(*(np.array([each]) for each in (np.sqrt((exact**2).mean()), exact.min(), exact.max())))
    found = {name: value[0] for name, value in from_bins(*edges(), histogram(values)[None], scale).items()}
    for name, q in QUANTILES.items():
        assert found[name] == pytest.approx(np.quantile(exact, q, method="inverted_cdf"), rel=1 / 16 + 1e-9)
    if exact.any():
        assert found["gini"] == pytest.approx(reference.gini(exact), abs=1 / 16)
    eps = found["near_zero_eps"]
    assert found["near_zero_fraction"] == ((np.abs(exact) < eps) | (exact == 0)).mean()


@settings(max_examples=60, deadline=None)
@given(floats)
def test_a_value_lies_in_its_bin(value: float) -> None:
    low, high = edges()
    (place,) = np.flatnonzero(histogram(np.array([value], np.float32)))
    least, most = sorted((abs(low[place]), abs(high[place])))
    assert least <= abs(value)
    assert abs(value) < most or value == 0
    assert most <= least * 17 / 16
    assert edge_below(abs(value)) == least


def test_bins_are_in_order_and_without_gaps() -> None:
    low, high = edges()
    assert low.shape == high.shape == (BINS,)
    assert (np.diff(low) >= 0).all()
    assert (low <= high).all()
    kept = low < high
    assert np.array_equal(
        low[kept][1:][low[kept][1:] != np.finfo(np.float32).tiny],
        high[kept][:-1][high[kept][:-1] != -np.finfo(np.float32).tiny],
    )


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.integers(0, 9), min_size=40, max_size=40), min_size=1, max_size=6))
def test_what_comes_of_a_histogram_does_not_depend_on_those_beside_it(drawn: list[list[int]]) -> None:
    counts = np.array(drawn)
    low, high = (each[6000:6040] for each in edges())
    of_rows = Scale(np.linspace(1, 2, len(counts)), np.full(len(counts), low[0]), np.full(len(counts), high[-1]))
    together = from_bins(low, high, counts, of_rows)
    for row, of_row in enumerate(counts):
        scale = Scale(*(each[[row]] for each in (of_rows.rms, of_rows.minimum, of_rows.maximum)))
        for name, value in from_bins(low, high, of_row[None], scale).items():
            assert np.array_equal(value[0], together[name][row], equal_nan=True)
        assert np.isnan(together["gini"][row]) == (not of_row.any())
