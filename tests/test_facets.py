"""Groups of images: what differs is found, and with labels dealt out at random nothing is."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from scipy import stats

from fmreport.analysis import Evidence
from fmreport.analysis.facets import FEWEST, MOST, QUANTITIES, READ, Facets, compared, holm, largest


def samples(images: int, taps: int = 3, seed: int = 0) -> pd.DataFrame:
    """Alike images, of every quantity a normal value."""
    rng = np.random.default_rng(seed)
    names = {"probe": np.repeat([f"p{i}" for i in range(images)], taps), "tap": [f"t{i}" for i in range(taps)] * images}
    return pd.DataFrame({**names, **{name: rng.normal(size=images * taps) for name in QUANTITIES}})


def table(frame: pd.DataFrame, of: Mapping[str, str]) -> pd.DataFrame:
    """What the analysis makes of images of which some belong to a facet."""
    taps = tuple(frame["tap"].unique())
    return Facets().table(Evidence(taps, {}, np.ones(1), 0, (), 0, samples=frame.__getitem__, facets=of))


def dealt(images: int, names: str, seed: int = 0) -> dict[str, str]:
    """A facet for every image, at random."""
    drawn = np.random.default_rng(seed).choice(list(names), images)
    return {f"p{i}": str(name) for i, name in enumerate(drawn)}


VALUES = npst.arrays(np.float64, st.integers(24, 60), elements=st.integers(-3, 3).map(float))


@given(VALUES, st.integers(0, 50))
def test_a_facet_is_told_as_scipy_tells_it(values: np.ndarray, seed: int) -> None:
    """Of values with many ties."""
    of = np.random.default_rng(seed).permutation(np.arange(len(values)) % 2)
    made = compared(values, of, 2)
    own, others = values[of == 0], values[of == 1]
    if len(np.unique(values)) > 1:
        test = stats.mannwhitneyu(own, others, method="asymptotic", use_continuity=False)
        assert made.higher[0] == pytest.approx(test.statistic / len(own) / len(others))
        assert made.p[0] == pytest.approx(test.pvalue, abs=1e-12)
        low, high = stats.t.interval(0.95, len(own) - 1, own.mean(), stats.sem(own))
        assert made.half[0] == pytest.approx((high - low) / 2, nan_ok=True)
    else:
        assert (made.higher[0], made.p[0]) == (0.5, 1.0)
    assert (made.images[0], made.mean[0]) == (len(own), pytest.approx(own.mean()))
    assert made.others[0] == pytest.approx(others.mean())
    assert made.higher[0] == pytest.approx(1 - made.higher[1])


def test_what_is_undefined_and_what_declares_no_facet_count_where_they_should() -> None:
    rng = np.random.default_rng(0)
    values, of = rng.normal(size=60), np.repeat([0, 1, -1], 20)
    values[:3] = np.nan
    made = compared(values, of, 2)
    test = stats.mannwhitneyu(values[3:20], values[20:], method="asymptotic", use_continuity=False)
    assert made.images.tolist() == [17, 20]
    assert made.p[0] == pytest.approx(test.pvalue)


@given(st.lists(st.floats(0, 1), max_size=30))
def test_corrected_p_values_follow_the_definition(p: list[float]) -> None:
    """The k-th smallest of n times n + 1 - k, never below one that is smaller."""
    made, most = holm(np.array(p)), 0.0
    for k, place in enumerate(np.argsort(p, kind="stable")):
        most = max(most, min((len(p) - k) * p[place], 1.0))
        assert made[place] == pytest.approx(most)


def test_undefined_p_values_stay_and_do_not_count() -> None:
    assert holm(np.array([np.nan, 0.01, 0.04])).tolist() == pytest.approx([np.nan, 0.02, 0.04], nan_ok=True)


def test_a_facet_that_differs_at_one_tap_is_found_there_and_nowhere_else() -> None:
    frame, of = samples(300), dealt(300, "abc")
    own = frame["probe"].map(of).eq("b") & (frame["tap"] == "t1")
    frame.loc[own, "gini"] += 1.5
    made = table(frame, of)
    found = made[made["p"] < 0.05]
    assert set(found["tap"]) == {"t1"}
    assert set(found["quantity"]) == {"gini"}
    row = found.set_index("facet").loc["b"]
    assert row["higher"] > 0.8
    assert row["lower"] < 1.5 < row["upper"]
    assert made.loc[made["p"].idxmin(), "facet"] == "b"


def test_of_facets_that_are_dealt_at_random_hardly_a_table_has_one_that_differs() -> None:
    """By Holm's correction one table in twenty has."""
    tables = 60
    found = sum(bool((table(samples(120, seed=n), dealt(120, "abcd", n))["p"] < 0.05).any()) for n in range(tables))
    assert found <= stats.binom.ppf(0.999, tables, 0.05)


def test_intervals_hold_the_mean_as_often_as_they_say() -> None:
    made = pd.concat([table(samples(200, seed=n), dealt(200, "abcd", n)) for n in range(20)])
    held = ((made["lower"] < 0) & (made["upper"] > 0)).mean()
    assert held == pytest.approx(0.95, abs=0.03)


def test_few_images_have_neither_interval_nor_p_value() -> None:
    of = {f"p{i}": "few" if i < FEWEST - 1 else "many" for i in range(60)}
    made = table(samples(60), of).groupby("facet")[["lower", "p"]].agg(lambda values: values.notna().all())
    assert made.loc["few"].tolist() == [False, False]
    assert made.loc["many"].tolist() == [True, False]  # the others are too few


def test_there_is_no_row_where_nothing_is_declared_or_all_declare_the_same() -> None:
    for of in ({}, dealt(60, "a")):
        made = table(samples(60), of)
        assert list(made) == [column.name for column in Facets.columns]
        assert not len(made)
    some = {f"p{i}": "a" for i in range(20)}
    assert set(table(samples(60), some)["facet"]) == {"a"}


def test_rows_are_in_the_order_of_facets_taps_and_quantities() -> None:
    made = table(samples(60), dealt(60, "ba"))
    keys = made[["facet", "tap", "quantity"]].to_numpy().tolist()
    assert keys == [[facet, f"t{tap}", name] for facet in "ab" for tap in range(3) for name in QUANTITIES]


def test_of_very_many_facets_the_largest_are_compared() -> None:
    single = [f"{number:05}" for number in range(MOST)]
    assert largest([*single, "z", "z", "", "", ""]) == [*single[:-1], "z"]


def test_one_column_is_read_at_a_time_and_none_that_is_not_stated() -> None:
    frame, asked = samples(30), []

    def read(names: list[str]) -> pd.DataFrame:
        asked.append(tuple(names))
        return frame[names]

    Facets().table(Evidence(("t0",), {}, np.ones(1), 0, (), 0, samples=read, facets=dealt(30, "ab")))
    assert {len(names) for names in asked} == {1}
    assert {name for (name,) in asked} == set(READ)
