"""Images unlike the rest: found where they are planted, and no more than expected where all are alike."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fmreport.analysis import Evidence
from fmreport.analysis.outliers import (
    CONSTANT,
    EXPECTED,
    FEWEST,
    MINORITY,
    NOT_FINITE,
    OVERALL,
    PER_TAP,
    PICTURED,
    QUANTITIES,
    READ,
    Outliers,
    found,
    limit,
    oddest,
    pictured,
    robust_z,
)


def samples(images: int, taps: int = 1, seed: int = 0) -> pd.DataFrame:
    """Alike images: every quantity is normal, or its logarithm is where ratios of it count."""
    rng = np.random.default_rng(seed)
    rows = images * taps
    values = {name: rng.normal(0, 0.2, rows) for name in QUANTITIES}
    compared = {name: np.exp(x) if QUANTITIES[name].logarithm else 0.5 + x for name, x in values.items()}
    probes = np.repeat([f"p{i}" for i in range(images)], taps)
    return pd.DataFrame(
        {
            "probe": probes,
            "tap": [f"t{i}" for i in range(taps)] * images,
            "finite": 10_000,
            "nan": 0,
            "inf": 0,
            **compared,
        }
    )


def planted(frame: pd.DataFrame, probe: str, tap: str, **values: float) -> pd.DataFrame:
    """The table with other values for one image at one tap."""
    made = frame.astype(dict.fromkeys(values, float))
    made.loc[(made["probe"] == probe) & (made["tap"] == tap), list(values)] = list(values.values())
    return made


def table(frame: pd.DataFrame) -> pd.DataFrame:
    """What the analysis makes of it."""
    evidence = Evidence(tuple(frame["tap"].unique()), {}, np.ones(1), 0, (), 0, samples=frame.__getitem__)
    return Outliers().table(evidence)


def reference(values: np.ndarray, least: float) -> np.ndarray:
    """The score of each value by itself, with SciPy's own median absolute deviation."""
    middle = np.median(values)
    both = stats.median_abs_deviation(values, scale="normal")
    scored = []
    for value in values:
        side = [abs(other - middle) for other in values if (other - middle) * np.sign(value - middle) >= 0]
        scored.append((value - middle) / max(np.median(side) / stats.norm.ppf(0.75), both, least))
    return np.array(scored)


@pytest.mark.parametrize("images", [20, 21, 50, 101])
def test_scores_are_those_of_a_reference_that_takes_one_value_at_a_time(images: int) -> None:
    values = np.random.default_rng(images).gamma(2.0, size=images)
    assert robust_z(values, 0.01) == pytest.approx(reference(values, 0.01), rel=1e-12)


@given(st.integers(0, 100), st.floats(0.01, 100), st.floats(-100, 100))
def test_neither_a_unit_nor_an_offset_changes_a_score(seed: int, unit: float, offset: float) -> None:
    values = np.random.default_rng(seed).normal(size=30)
    assert robust_z(values * unit + offset, 1e-9) == pytest.approx(robust_z(values, 1e-9), rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("images", [FEWEST, 50, 200, 1000])
def test_of_alike_images_no_more_are_beyond_the_limit_than_expected(images: int) -> None:
    taps = 400
    beyond = int(found(samples(images, taps).__getitem__).beyond.sum())
    assert beyond <= stats.poisson.ppf(0.999, EXPECTED * taps)


def test_the_limit_is_no_wider_than_it_must_be() -> None:
    """With the estimated spread of 100 images a limit of four fifths would let too many through."""
    scores = found(samples(100, 400).__getitem__).score
    assert (scores > 0.8 * limit(100)).sum() > stats.poisson.ppf(0.999, EXPECTED * 400)


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_an_image_that_is_far_out_in_one_quantity_is_found_there_with_its_value(quantity: str) -> None:
    made = table(planted(samples(40, 3), "p7", "t1", **{quantity: 30.0}))
    row = made.set_index("tap").loc["t1"]
    assert (row["probe"], row["quantity"], row["value"], row["taps_beyond"]) == ("p7", quantity, 30.0, 1)
    assert row["z"] > row["limit"] == pytest.approx(limit(40))
    assert row["median"] == pytest.approx(samples(40, 3).query("tap == 't1'")[quantity].median(), rel=0.1)
    assert (row["beyond"], row["images"], row["odd"]) == (1, 40, 1)


def test_a_long_tail_makes_nobody_an_outlier_but_one_on_the_short_side_is() -> None:
    values = np.random.default_rng(0).lognormal(sigma=0.5, size=400)
    away = values - np.median(values)
    symmetric = np.abs(away) / stats.median_abs_deviation(values, scale="normal")
    assert (np.abs(robust_z(values, 0)) > limit(400)).sum() < (symmetric > limit(400)).sum()
    assert robust_z(np.append(values, -2.0), 0)[-1] < -limit(400)


def test_where_most_images_have_one_value_others_are_odd_only_if_they_are_further_than_the_least_spread() -> None:
    frame = samples(40).assign(zero_fraction=0.0)
    assert not len(table(planted(frame, "p3", "t0", zero_fraction=0.03)))
    assert table(planted(frame, "p3", "t0", zero_fraction=0.2))["z"].tolist() == [pytest.approx(20)]


def test_where_a_tap_has_few_values_a_single_zero_is_not_odd() -> None:
    frame = samples(40).assign(zero_fraction=0.0)
    one = planted(frame, "p3", "t0", zero_fraction=1 / 16)
    assert len(table(one)) == 1
    assert not len(table(one.assign(finite=16)))


def test_a_quantity_that_is_the_same_in_all_images_says_nothing() -> None:
    assert not len(table(samples(40).assign(**dict.fromkeys(QUANTITIES, 0.25))))


def test_what_more_than_a_quarter_of_the_images_do_is_not_odd() -> None:
    few, many = 10, 11
    for count in (few, many):
        frame = samples(40).assign(zero_fraction=np.arange(40) < count)
        odd = table(frame.astype({"zero_fraction": float}))
        assert len(odd) == (min(count, PER_TAP) if count <= MINORITY * 40 else 0)


def test_not_finite_comes_first_and_then_constant_before_any_score() -> None:
    frame = planted(samples(40, 2), "p1", "t0", mean=50.0)
    frame = planted(frame, "p2", "t0", std=0.0)
    frame = planted(frame, "p3", "t0", nan=3, inf=2)
    made = table(planted(frame, "p1", "t1", mean=50.0))
    first = made[made["tap"] == "t0"]
    assert first["probe"].tolist() == ["p3", "p2", "p1"]
    assert first["quantity"].tolist() == [NOT_FINITE, CONSTANT, "mean"]
    assert first["value"].tolist() == [5, 0, 50]
    assert first["z"].notna().tolist() == [False, False, True]
    assert oddest(made) == ["p3", "p1", "p2"]


def test_of_few_images_only_those_that_are_not_finite_are_told() -> None:
    frame = planted(samples(FEWEST - 1), "p1", "t0", mean=1e6)
    assert not len(table(frame))
    assert table(planted(frame, "p2", "t0", nan=1))["probe"].tolist() == ["p2"]
    assert table(planted(samples(FEWEST), "p1", "t0", mean=1e6))["probe"].tolist() == ["p1"]


def test_one_image_is_compared_with_nothing() -> None:
    assert not len(table(samples(1)))


def test_copies_of_a_file_are_images_each() -> None:
    odd = planted(samples(60, seed=2), "p1", "t0", mean=50.0)
    copies = pd.concat([odd, *(odd[odd["probe"] == "p1"].assign(probe=f"again{i}") for i in range(3))])
    assert sorted(table(copies)["probe"]) == ["again0", "again1", "again2", "p1"]


def test_the_order_of_the_rows_changes_nothing_but_the_order_of_equals() -> None:
    frame = samples(60, 4)
    for number in range(5):
        frame = planted(frame, f"p{number}", f"t{number % 4}", gini=20.0 + number)
    shuffled = frame.sample(frac=1, random_state=1)
    one = table(frame).sort_values(["tap", "probe"], ignore_index=True)
    other = table(shuffled).sort_values(["tap", "probe"], ignore_index=True)
    pd.testing.assert_frame_equal(one, other)


def test_of_many_images_ten_are_listed_of_each_tap_and_the_oddest_of_all_in_any_case() -> None:
    frame = samples(400, 3)
    for number in range(40):
        frame = planted(frame, f"p{number}", "t0", mean=100.0 + number)
    for tap in ("t0", "t1", "t2"):  # modest, but everywhere
        frame = planted(frame, "p300", tap, gini=3.0)
    made = table(frame)
    at_first = made[made["tap"] == "t0"]
    assert at_first["probe"].head(PER_TAP).tolist() == [f"p{number}" for number in range(39, 29, -1)]
    assert at_first["beyond"].unique().tolist() == [41]
    assert oddest(made)[0] == "p300"
    assert len(oddest(made)) >= OVERALL
    assert len(at_first) <= PER_TAP + OVERALL


def test_pictures_are_kept_of_the_oddest_of_all_and_then_of_each_tap() -> None:
    frame = samples(200, 60)
    for number in range(60):
        frame = planted(frame, f"p{number}", f"t{number}", mean=50.0 + number)
    made = table(frame)
    kept = pictured(made)
    assert len(kept) == len(set(kept)) == PICTURED
    assert kept[:OVERALL] == oddest(made)[:OVERALL]


def test_one_column_is_read_at_a_time_and_none_that_is_not_stated() -> None:
    frame, asked = samples(30, 2), []

    def read(names: list[str]) -> pd.DataFrame:
        asked.append(tuple(names))
        return frame[names]

    found(read)
    assert {len(names) for names in asked} == {1}
    assert {name for (name,) in asked} == set(READ)


def test_without_samples_there_is_a_table_without_a_row() -> None:
    nothing: Mapping[str, Mapping[str, np.ndarray]] = {}
    made = Outliers().table(Evidence((), nothing, np.ones(1), 0, (), 0))
    assert list(made) == [column.name for column in Outliers.columns]
    assert not len(made)
    assert oddest(made) == pictured(made) == []
