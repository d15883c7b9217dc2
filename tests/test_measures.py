"""Measures equal plain NumPy on every kind of activations."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
import reference
from activation_kinds import PROBES, activations
from planted import extraction

from fmreport.extract import Tables
from fmreport.measures.distribution import QUANTILES
from fmreport.measures.modes import NOISE, modes
from fmreport.measures.summary import summarise


@cache
def measured() -> tuple[Tables, pd.DataFrame]:
    """The tables and the summary of all of them, each measured in one batch of two images at a time."""
    tables = extraction(activations(), batch=2).measure(["p0"])
    return tables, summarise(pd.Series(list(activations())), tables.rows.read, tables.channels, tables.histograms)


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
def test_parts_of_a_summary_are_those_of_the_values(name: str) -> None:
    (row,) = rows_of(measured()[1], name)
    x = reference.wide(activations()[name]).ravel()
    x = x[np.isfinite(x)]
    if name in BEYOND or np.isnan(row["otsu"]):
        return
    exact = modes(*[np.unique(x)] * 2, np.unique(x, return_counts=True)[1])
    assert row["otsu"] == pytest.approx(exact.otsu, abs=0.02)
    assert row["bimodality"] == pytest.approx(exact.bimodality, abs=0.05)
    assert row["otsu_noise"] == NOISE["signed" if x.min() < 0 else "relu"].otsu


def test_the_summary_asks_for_one_column_of_the_images_at_a_time() -> None:
    tables, summary = measured()
    asked: list[list[str]] = []

    def read(names: list[str]) -> pd.DataFrame:
        asked.append(names)
        return tables.rows.read(names).astype({name: "category" for name in names if name == "tap"})

    again = summarise(summary["tap"], read, tables.channels, tables.histograms)
    pd.testing.assert_frame_equal(again, summary)
    assert {len(names) for names in asked} == {1}


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


def test_lifetime_sparseness_of_a_tap_is_of_all_channels_that_speak_or_of_none() -> None:
    values = np.random.default_rng(2).exponential(size=(2, 4, 4, 3)).astype(np.float32)
    values[..., 1] = 0
    signed = values.copy()
    signed[0, 0, 0, 2] = -1
    tables = extraction({"positive": values, "signed": signed}).measure(["p0"])
    summary = summarise(pd.Series(["positive", "signed"]), tables.rows.read, tables.channels, tables.histograms)
    channels = tables.channels[tables.channels["tap"] == "positive"]["lifetime_sparseness"].to_numpy()
    assert np.isnan(channels[1])
    assert summary["lifetime_sparseness"].iloc[0] == pytest.approx(channels[[0, 2]].mean())
    assert np.isnan(summary["lifetime_sparseness"].iloc[1])


def test_squares_that_float64_cannot_hold_leave_no_infinite_column() -> None:
    values = np.random.default_rng(1).normal(size=(2, 4, 4, 3)) * 1e200
    tables = extraction({"beyond": values}).measure(["p0"])
    summary = summarise(pd.Series(["beyond"]), tables.rows.read, tables.channels, tables.histograms)
    derived = summary.drop(columns=["tap"]).to_numpy(np.float64)
    assert not np.isinf(derived).any()
    assert summary["std"].isna().all()
    assert summary["hoyer_limit"].isna().all()


def test_doubtful_batches_are_measured_again_by_one_function_of_all_taps() -> None:
    rng = np.random.default_rng(0)
    made = {"fine": rng.normal(size=(6, 3, 3, 2)).astype(np.float32)}
    made["first"], made["late"] = made["fine"].copy(), made["fine"].copy()
    made["first"][0, 0, 0, 0] = np.nan
    made["late"][5, 0, 0, 0] = np.inf
    both = extraction(made)
    both.measure(["p0"])
    assert both.model.asked == [("fine", "first", "late")] * 2  # type: ignore[attr-defined]
    clean = extraction({"fine": made["fine"]}).measure(["p0"]).samples
    rows = both.measure(["p0"]).samples
    pd.testing.assert_frame_equal(rows[rows["tap"] == "fine"].reset_index(drop=True), clean, check_exact=True)


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
