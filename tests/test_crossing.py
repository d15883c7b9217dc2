"""Where one curve overtakes another, and how sure resampled images make it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fmreport.analysis.crossing import crossing, shift
from fmreport.analysis.resampling import interval, resamples


@given(st.integers(0, 12), st.integers(1, 12))
def test_a_planted_crossing_is_found_exactly(at: int, length: int) -> None:
    at = min(at, length)
    first = np.where(np.arange(length) < at, 1.0, 0.0)
    found = crossing(first, 1 - first)
    assert int(found.at) == at
    assert float(found.agreement) == 1


def test_one_tap_out_of_line_moves_no_place() -> None:
    edge = np.array([1, 1, 0, 1, 1, 0, 0, 0, 1, 0], float)
    found = crossing(edge, 1 - edge)
    assert int(found.at) == 5
    assert float(found.agreement) == pytest.approx(0.8)


def test_curves_that_never_cross_change_places_nowhere() -> None:
    high, low = np.full(9, 0.5), np.full(9, 0.1)
    assert int(crossing(high, low).at) == 9
    assert int(crossing(low, high).at) == 0
    assert shift(high, low) == 0


def test_many_curves_at_once_are_each_by_itself() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 7, 15))
    together = crossing(first, second)
    for i in range(7):
        alone = crossing(first[i], second[i])
        assert int(together.at[i]) == int(alone.at)
        assert shift(first, second)[i] == shift(first[i], second[i])


def test_a_shift_is_what_the_second_gains_on_the_first() -> None:
    edge, mask = np.linspace(0.9, 0.3, 30), np.linspace(0.0, 0.6, 30)
    lead = mask - edge
    assert shift(edge, mask) == pytest.approx(lead[20:].mean() - lead[:10].mean())


def test_groups_with_masks_and_without_are_drawn_each_by_themselves() -> None:
    drawn = resamples(7, masked=3, seed=1, draws=50)
    assert drawn.shape == (50, 7)
    assert (drawn[:, :3].sum(axis=1) == 3).all()
    assert (drawn[:, 3:].sum(axis=1) == 4).all()
    assert (drawn == resamples(7, masked=3, seed=1, draws=50)).all()
    assert not (drawn == resamples(7, masked=3, seed=2, draws=50)).all()


def test_groups_that_tell_nothing_are_never_drawn() -> None:
    seen = np.array([True, False, True, True, False, True, True])
    drawn = resamples(7, masked=4, seed=1, draws=50, seen=seen)
    assert not drawn[:, ~seen].any()
    assert (drawn[:, :4].sum(axis=1) == 3).all()
    assert (drawn[:, 4:].sum(axis=1) == 2).all()


def test_an_interval_of_means_is_the_textbook_one() -> None:
    values = np.random.default_rng(3).normal(size=60)
    drawn = resamples(60, masked=60, seed=0, draws=4000)
    low, high = interval(drawn @ values / 60)
    error = 1.96 * values.std() / np.sqrt(60)
    assert low == pytest.approx(values.mean() - error, abs=0.15 * error)
    assert high == pytest.approx(values.mean() + error, abs=0.15 * error)
    reference = stats.bootstrap((values,), np.mean, n_resamples=4000, method="percentile", rng=0)
    assert low == pytest.approx(reference.confidence_interval.low, abs=0.1 * error)
