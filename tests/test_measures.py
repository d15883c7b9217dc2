"""Measures equal plain NumPy on every kind of activations, and the constants that mathematics gives."""

from __future__ import annotations

from functools import cache
from typing import Any

import ml_dtypes
import numpy as np
import pandas as pd
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from planted import extraction
from scipy.special import erf

from fmreport.extract import Tables
from fmreport.measures import load
from fmreport.measures.bins import BINS, ascending, edge_below, edges
from fmreport.measures.distribution import QUANTILES, Scale, from_bins
from fmreport.measures.gather import gather
from fmreport.measures.summary import summarise

PROBES = 5
SHAPES = {
    "vector": (6,),
    "sequence": (37, 6),
    "long_sequence": (1201, 2),
    "map": (9, 7, 6),
    "large_map": (40, 33, 3),
    "one_position": (1, 1, 6),
    "one_channel": (9, 7, 1),
    "volume": (4, 5, 3, 6),
}


def _signed(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.normal(size=shape)


def _planted(rng: np.random.Generator, shape: tuple[int, ...], share: float, *what: float) -> np.ndarray:
    """Signed values of which a share is replaced by each of some others."""
    values = rng.normal(size=shape)
    for value in what:
        values[rng.random(shape) < share] = value
    return values


def _states(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Channel 0 silent, 1 constant, 2 one value in all its values, 3 always on, the others as ReLU leaves them."""
    values = np.maximum(rng.normal(size=shape), 0)
    values[..., 0] = 0
    values[..., 1:2] = 0.3
    values[..., 2:3] = 0
    values[(0,) * (len(shape) - 1)][2:3] = 1
    values[..., 3:4] += 0.1
    return values


def _not_finite_image(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    values = np.maximum(rng.normal(size=shape), 0)
    values[1] = np.nan
    values[3, ..., 0] = np.inf
    return values


def _some_signed_images(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Of images side by side in a batch, one is signed and without zeros, the other is neither."""
    values = rng.normal(size=shape)
    values[1::2] = np.maximum(values[1::2], 0)
    return values


def _faint_channel(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """The squares of one channel are less than float32 holds, those of the others are not."""
    values = rng.normal(size=shape)
    values[..., 0] = 1e-30 * np.abs(values[..., 0])
    return values


KINDS = {
    "signed": _signed,
    "relu": lambda rng, shape: np.maximum(rng.normal(size=shape), 0),
    "zeros": lambda rng, shape: _planted(rng, shape, 0.2, 0.0, -0.0),
    "subnormal": lambda rng, shape: _planted(rng, shape, 0.2, 1e-40, -2e-45, 0.0),
    "subnormal_only": lambda rng, shape: _planted(rng, shape, 0.2, 1e-39),
    "silent": lambda rng, shape: np.zeros(shape),
    "constant": lambda rng, shape: np.full(shape, 0.7),
    "states": _states,
    "huge": lambda rng, shape: 1e30 * rng.normal(size=shape),
    "huge_relu": lambda rng, shape: 1e30 * np.maximum(rng.normal(size=shape), 0),
    "tiny": lambda rng, shape: 1e-30 * rng.normal(size=shape),
    "faint_channel": _faint_channel,
    "not_finite": lambda rng, shape: _planted(rng, shape, 0.1, np.nan, np.inf, -np.inf),
    "not_finite_image": _not_finite_image,
    "nothing_finite": lambda rng, shape: np.full(shape, np.nan),
    "far_from_zero": lambda rng, shape: 1e4 + rng.normal(size=shape),
    "far_below_zero": lambda rng, shape: -1e4 + rng.normal(size=shape),
    "some_signed_images": _some_signed_images,
    "exponential": lambda rng, shape: rng.exponential(size=shape),
}
DTYPES = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16, "float32": np.float32, "float64": np.float64}
NARROW = ("signed", "relu", "zeros", "not_finite", "not_finite_image", "states", "some_signed_images", "constant")
"""Kinds that every number format can hold."""


@cache
def activations() -> dict[str, np.ndarray]:
    """Every kind in every shape in float32, and some in other formats."""
    rng = np.random.default_rng(7)
    made = {
        f"{kind}/{shape}/float32": make(rng, (PROBES, *sides)).astype(np.float32)
        for kind, make in KINDS.items()
        for shape, sides in SHAPES.items()
    }
    made |= {
        f"{kind}/map/{dtype}": KINDS[kind](rng, (PROBES, *SHAPES["map"])).astype(DTYPES[dtype])
        for kind in NARROW
        for dtype in ("float16", "bfloat16", "float64")
    }
    made["tiny/map/float64"] = 1e-100 * rng.normal(size=(PROBES, *SHAPES["map"]))
    made["huge/map/float64"] = 1e100 * rng.normal(size=(PROBES, *SHAPES["map"]))
    made["far_from_zero/map/float64"] = 1e6 + rng.normal(size=(PROBES, *SHAPES["map"]))
    return made


@cache
def measured() -> tuple[Tables, pd.DataFrame]:
    """The tables and the summary of all of them, each measured in one batch of two images at a time."""
    tables = extraction(activations(), batch=2).measure(["p0"])
    return tables, summarise(pd.Series(list(activations())), tables.samples, tables.channels, tables.histograms)


def rows_of(table: pd.DataFrame, tap: str) -> list[dict[str, Any]]:
    return table[table["tap"] == tap].to_dict("records")


def check(row: dict[str, Any], expected: dict[str, float], values: np.ndarray) -> None:
    """Counts, extremes and states exactly; sums to float32's rounding; what comes of bins within the bin."""
    x = reference.wide(values)
    x = x[np.isfinite(x)]
    scale = np.abs(x).max() if x.size else 1.0
    for name, value in expected.items():
        if name not in row:
            continue
        found = row[name]
        if np.isnan(value):
            assert np.isnan(found), name
        elif isinstance(value, bool | np.bool_ | int) or name in ("minimum", "maximum"):
            assert found == value, name
        elif name in ("total", "magnitude", "mean"):
            assert found == pytest.approx(value, rel=5e-6, abs=2e-6 * scale * (1 if name == "mean" else x.size)), name
        elif name == "std":
            assert found == pytest.approx(value, rel=5e-4, abs=1e-7 * scale), name
        elif name == "squares":
            assert found == pytest.approx(value, rel=1e-5), name
        elif name in QUANTILES:
            assert found == pytest.approx(value, rel=1 / 16 + 1e-9), name
            assert row["minimum"] <= found <= row["maximum"]
        elif name == "gini":
            assert found == pytest.approx(value, abs=0.02 if x.size < 100 else 0.002), name
        else:
            assert found == pytest.approx(value, abs=5e-6), name


def check_near_zero(row: dict[str, Any], values: np.ndarray) -> None:
    x = reference.wide(values)
    x = x[np.isfinite(x)]
    if not x.any():
        expected = (1.0, 0.0) if x.size else (np.nan, np.nan)
        np.testing.assert_array_equal((row["near_zero_fraction"], row["near_zero_eps"]), expected)
        return
    eps = row["near_zero_eps"]
    assert 16 / 17 - 1e-5 < eps / (0.01 * np.sqrt((x**2).mean())) <= 1 + 1e-6
    assert row["near_zero_fraction"] == (np.abs(x) < eps).sum() / x.size


# float64 beyond float32 has one bin for all of it, below or above.
BEYOND = ("tiny/map/float64", "huge/map/float64")
IN_BINS = {"gini", "near_zero_fraction", "near_zero_eps", *QUANTILES}


@pytest.mark.parametrize("name", activations())
def test_a_sample_has_what_numpy_says(name: str) -> None:
    values = activations()[name]
    rows = rows_of(measured()[0].samples, name)
    assert [row["probe"] for row in rows] == [f"p{i}" for i in range(PROBES)]
    for row, image in zip(rows, values, strict=True):
        expected = reference.scalars(image) | {"population_sparseness": reference.population(image)}
        kept = {n: v for n, v in expected.items() if name not in BEYOND or n not in IN_BINS}
        check(row, kept, image)
        if name not in BEYOND:
            check_near_zero(row, image)


@pytest.mark.parametrize("name", activations())
def test_a_channel_has_what_numpy_says(name: str) -> None:
    values = activations()[name]
    rows = rows_of(measured()[0].channels, name)
    assert [row["channel"] for row in rows] == list(range(values.shape[-1]))
    for c, row in enumerate(rows):
        check(row, reference.channel(values[..., c]), values[..., c])


@pytest.mark.parametrize("name", activations())
def test_a_summary_has_what_numpy_says(name: str) -> None:
    values = activations()[name]
    (row,) = rows_of(measured()[1], name)
    kept = {n: v for n, v in reference.summary(values).items() if name not in BEYOND or n not in IN_BINS}
    check(row, kept, values)
    if name not in BEYOND:
        check_near_zero(row, values)


@pytest.mark.parametrize("name", activations())
def test_tables_of_one_tap_agree(name: str) -> None:
    tables, summary = measured()
    samples, channels, bins = (t[t["tap"] == name] for t in (tables.samples, tables.channels, tables.histograms))
    (row,) = rows_of(summary, name)
    for column in ("finite", "nan", "inf", "zeros"):
        assert samples[column].sum() == channels[column].sum()
    for column in ("finite", "nan", "inf"):
        assert row[column] == samples[column].sum()
    for column in ("total", "squares", "magnitude"):
        assert samples[column].sum() == pytest.approx(channels[column].sum(), rel=1e-9, abs=1e-9)
    assert bins["count"].sum() == row["finite"]
    if name not in BEYOND:
        assert bins.loc[bins["high"].eq(0) & bins["low"].eq(0), "count"].sum() == samples["zeros"].sum()


def test_no_number_is_infinite_or_outside_its_range() -> None:
    tables, summary = measured()
    for table in (tables.samples, tables.channels, tables.histograms, summary):
        assert not np.isinf(table.select_dtypes("number").to_numpy(np.float64)).any()
    fractions = ("zero_fraction", "near_zero_fraction", "gini", "hoyer_limit", "population_sparseness")
    for name in (*fractions, "zero_fraction_macro", "lifetime_sparseness"):
        defined = summary[name].dropna()
        assert defined.between(0, 1).all(), name


def test_squares_that_float64_cannot_hold_leave_no_infinite_column() -> None:
    values = np.random.default_rng(1).normal(size=(2, 4, 4, 3)) * 1e200
    tables = extraction({"beyond": values}).measure(["p0"])
    summary = summarise(pd.Series(["beyond"]), tables.samples, tables.channels, tables.histograms)
    derived = summary.drop(columns=["tap"]).to_numpy(np.float64)
    assert not np.isinf(derived).any()
    assert summary["std"].isna().all()
    assert summary["hoyer_limit"].isna().all()


def test_only_doubtful_taps_are_measured_again() -> None:
    rng = np.random.default_rng(0)
    made = {"fine": rng.normal(size=(6, 3, 3, 2)).astype(np.float32)}
    made["first"], made["late"] = made["fine"].copy(), made["fine"].copy()
    made["first"][0, 0, 0, 0] = np.nan
    one = extraction({name: made[name] for name in ("fine", "first")})
    one.measure(["p0"])
    assert one.model.asked == [("fine", "first"), ("first",)]  # type: ignore[attr-defined]
    made["late"][5, 0, 0, 0] = np.inf
    both = extraction(made)
    both.measure(["p0"])
    assert both.model.asked == [("fine", "first", "late"), ("first",), ("fine", "first", "late")]  # type: ignore[attr-defined]


def test_silent_channels_are_not_measured_again() -> None:
    values = np.abs(np.random.default_rng(0).normal(size=(4, 3, 3, 2))).astype(np.float32)
    values[..., 0] = 0
    one = extraction({"t": values})
    one.measure(["p0"])
    assert one.model.asked == [("t",)]  # type: ignore[attr-defined]


def test_small_probabilities_are_not_measured_again() -> None:
    """At one position, as after a softmax, a channel may be as small as it likes."""
    values = np.array([[[1.0, 1e-30, 1e-20]], [[0.5, 0.5, 1e-37]]], np.float32)
    one = extraction({"t": values})
    tables = one.measure([])
    assert one.model.asked == [("t",)]  # type: ignore[attr-defined]
    for c, row in enumerate(rows_of(tables.channels, "t")):
        check(row, reference.channel(values[..., c]), values[..., c])


@pytest.mark.parametrize("zero", [0.0, -0.0, 1e-39, -1e-39, 1e-45])
def test_zeros_of_every_kind_are_found_alone(zero: float) -> None:
    """Zeros are counted only where the histogram has some: of either sign, and subnormal ones."""
    values = np.full((1, 4, 5, 2), 1.5, np.float32)
    values[0, 1:3, 2, 1] = zero
    tables = extraction({"t": values}, batch=1).measure([])
    assert tables.channels["zeros"].tolist() == [0, 2]
    assert tables.histograms.loc[tables.histograms["high"] == 0, "count"].tolist() == [2]


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
    (row,) = rows_of(tables.samples, "x")
    lifetime = rows_of(tables.channels, "abs")[0]["lifetime_sparseness"]
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

    (sums,) = gather(load(["distribution"]), {"x": tf.constant(values.reshape(1, -1, 1))}, [("x",)])
    return ascending(sums["count"].numpy())[0]


floats = st.floats(-(2.0**100), 2.0**100, width=32, allow_subnormal=False)


@settings(max_examples=60, deadline=None)
@given(st.lists(floats, min_size=1, max_size=60))
def test_what_comes_of_bins_keeps_its_bounds(drawn: list[float]) -> None:
    values = np.array(drawn, np.float32)
    exact = values.astype(np.float64)
    scale = Scale(float(np.sqrt((exact**2).mean())), float(exact.min()), float(exact.max()))
    found = from_bins(*edges(), histogram(values), scale)
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


@pytest.mark.parametrize("kind", ["relu", "signed", "some_signed_images", "zeros"])
def test_a_batch_says_of_an_image_what_it_says_alone(kind: str) -> None:
    """Branches are taken for a whole batch: what one image needs must not show in another."""
    import tensorflow as tf

    values = KINDS[kind](np.random.default_rng(3), (4, 6, 5, 3)).astype(np.float32)
    values[0] = np.abs(values[0]) + 0.1
    (together,) = gather(load(), {"x": tf.constant(values)}, [("x",)])
    for i, image in enumerate(values):
        (alone,) = gather(load(), {"x": tf.constant(image[None])}, [("x",)])
        for name, value in alone.items():
            np.testing.assert_allclose(together[name][i].numpy(), value[0].numpy(), rtol=1e-6, atol=1e-5, err_msg=name)
