"""How much of a quantised tap lies at the ends of its number format."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from planted import Planted, extraction, tap

from fmreport.inventory import layers_table
from fmreport.measures import load
from fmreport.measures.gather import gather
from fmreport.measures.summary import summarise
from fmreport.records import Quantisation, Tap

BYTE = Quantisation(0.1, -3, -128, 127)
SHORT = Quantisation(3e-5, 0, -32768, 32767)
COLUMNS = {"at_lowest", "at_highest", "saturated_low", "saturated_high"}


@dataclass
class Quantised(Planted):
    """Of which the tap `whole` is quantised."""

    @property
    def taps(self) -> tuple[Tap, ...]:
        return tuple(replace(t, quantisation=BYTE) if t.name == "whole" else t for t in super().taps)


def drawn(count: int = 6) -> np.ndarray:
    numbers = np.random.default_rng(0).integers(-200, 200, size=(count, 5, 4, 3))
    return np.clip(numbers, -128, 127)


def tables(**others: np.ndarray) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Samples, channels and summary of a quantised tap, and of others that are not."""
    made = {"whole": BYTE.real(drawn()), **others}
    work = extraction(made, batch=4)
    found = replace(work, model=Quantised(made), taps=Quantised(made).taps).measure(["p0"])
    summary = summarise(pd.Series(list(made)), found.rows.read, found.channels, found.histograms)
    return found.samples, found.channels, summary


def test_shares_at_both_ends_are_those_of_the_numbers() -> None:
    samples, channels, summary = tables()
    numbers = drawn()
    for column, end in (("low", -128), ("high", 127)):
        at = numbers == end
        np.testing.assert_array_equal(samples[f"saturated_{column}"], at.mean(axis=(1, 2, 3)))
        np.testing.assert_array_equal(channels[f"saturated_{column}"], at.mean(axis=(0, 1, 2)))
        np.testing.assert_array_equal(summary[f"saturated_{column}"], at.mean())
        np.testing.assert_array_equal(channels[f"at_{column}est"], at.sum(axis=(0, 1, 2)))


def test_zeros_are_the_numbers_at_the_zero_point() -> None:
    np.testing.assert_array_equal(tables()[1]["zeros"], (drawn() == BYTE.zero_point).sum(axis=(0, 1, 2)))


def test_taps_that_are_not_quantised_have_no_shares_even_of_equal_values() -> None:
    for table in tables(real=BYTE.real(drawn())):
        of_real = table[table["tap"] == "real"]
        assert of_real[[name for name in COLUMNS if name in table]].isna().all(axis=None)
        of_whole = table[table["tap"] == "whole"]
        assert of_whole[[name for name in COLUMNS if name in table]].notna().all(axis=None)


def test_a_run_without_quantised_taps_has_no_such_column() -> None:
    found = extraction({"real": BYTE.real(drawn())}, batch=4).measure(["p0"])
    summary = summarise(pd.Series(["real"]), found.rows.read, found.channels, found.histograms)
    for table in (found.samples, found.channels, summary):
        assert not COLUMNS & set(table.columns)


def test_values_that_float32_does_not_square_are_counted_as_well() -> None:
    """They are measured in float64."""
    far = Quantisation(1e20, 0, -128, 127)
    work = extraction({"whole": far.real(drawn())}, batch=4)
    model = Planted({"whole": far.real(drawn())})
    taps = (replace(tap("whole", (5, 4, 3)), quantisation=far),)
    found = replace(work, model=model, taps=taps).measure(["p0"])
    np.testing.assert_array_equal(found.channels["at_highest"], (drawn() == 127).sum(axis=(0, 1, 2)))


def test_a_measure_of_no_quantised_values_asks_for_nothing() -> None:
    (sums,) = gather(tuple(load(["saturation"]).values()), {"x": tf.ones((2, 3, 3, 1))}, [("x",)])
    assert sums == {}


@given(st.integers(-32768, 32767), st.sampled_from([BYTE, SHORT, Quantisation(0.0039215689, -128, -128, 127)]))
def test_a_number_stands_for_a_value_that_stands_for_it(number: int, held: Quantisation) -> None:
    number = int(np.clip(number, held.lowest, held.highest))
    value = held.real(np.array([number]))
    assert value.dtype == np.float32
    assert held.whole(value)[0] == number


@pytest.mark.parametrize(("value", "number"), [(1e9, 127), (-1e9, -128), (np.inf, 127), (0.0, -3), (np.nan, -3)])
def test_what_lies_beyond_the_ends_is_held_as_the_end(value: float, number: int) -> None:
    assert BYTE.whole(np.array([value], np.float32))[0] == number


def test_the_table_of_layers_tells_the_ends_of_quantised_taps_alone() -> None:
    taps = (replace(tap("whole", (5, 4, 3)), quantisation=BYTE), tap("real", (5, 4, 3), 2))
    table = layers_table(taps, (8, 8))
    assert table[["scale", "zero_point"]].iloc[0].tolist() == [0.1, -3]
    assert table[["lowest", "highest"]].iloc[0].tolist() == [np.float32(-12.5), np.float32(13.0)]
    assert table[["scale", "zero_point", "lowest", "highest"]].iloc[1].isna().all()
    assert not {"scale", "zero_point", "lowest", "highest"} & set(layers_table(taps[1:], (8, 8)).columns)
