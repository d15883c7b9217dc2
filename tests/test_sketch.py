"""Random sums of a tap: what two runs' differ by is the norm of what their activations differ by."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest
from planted import evidence

from fmreport.analysis.pooled import features
from fmreport.analysis.similarity import cka
from fmreport.analysis.sketch import KERNEL, MEANS, VALUES, Sketch, of_kernel, of_means, signs
from fmreport.measures.signature import ROWS

ERROR = (2 * ROWS) ** -0.5
"""Standard error of a norm that docs/methods.md states."""


def sketched(activations: Mapping[str, np.ndarray], **options: int) -> pd.Series:
    """The sums by tap and what they are of."""
    return Sketch().table(evidence(activations, **options)).set_index(["tap", "of"])["value"]


def sums(activations: np.ndarray, of: str = VALUES, **options: int) -> np.ndarray:
    """Norm and sums of one tap."""
    return sketched({"t": activations}, **options).loc[[("t", of)]].to_numpy()


def apart(one: np.ndarray, other: np.ndarray) -> float:
    """The norm that two taps' sums tell."""
    return float(np.sqrt(np.mean((other[1:] - one[1:]) ** 2)))


def centred(values: np.ndarray) -> np.ndarray:
    return np.asarray(values - values.mean(axis=tuple(range(values.ndim - 1)), dtype=np.float64))


def size(values: np.ndarray) -> float:
    """The norm over the root of the number of positions, as it is written."""
    wide = values.astype(np.float64)
    return float(np.sqrt((wide**2).sum() / (wide.size // wide.shape[-1])))


def maps(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_each_tap_has_a_norm_and_so_many_sums_in_the_order_of_taps() -> None:
    table = Sketch().table(evidence({"map": maps(0, 5, 6, 6, 3), "vector": maps(1, 5, 4), "tokens": maps(2, 5, 9, 4)}))
    kinds = table.groupby(["tap", "of"], sort=False).size()
    assert set(kinds) == {1 + ROWS}
    assert [each for each in kinds.index if each[0] != "(image)"] == [
        ("map", VALUES), ("map", KERNEL), ("vector", MEANS), ("vector", KERNEL), ("tokens", MEANS), ("tokens", KERNEL),
    ]  # fmt: skip
    assert table["number"].tolist() == [*range(1 + ROWS)] * len(kinds)


@pytest.mark.parametrize("shape", [(4, 7, 7, 5), (4, 12), (3, 1, 1, 8)])
def test_the_norm_is_that_of_the_activations(shape: tuple[int, ...]) -> None:
    values = maps(3, *shape) + 2
    assert sums(values, VALUES if len(shape) == 4 else MEANS)[0] == pytest.approx(size(values), rel=1e-5)


def test_what_two_sketches_differ_by_is_the_norm_of_the_difference_within_the_stated_error() -> None:
    before = {f"t{i}": np.maximum(maps(i, 4, 9, 9, 12), 0) + i % 3 for i in range(60)}
    after = {tap: (values + 0.01 * maps(i + 500, *values.shape)) for i, (tap, values) in enumerate(before.items())}
    one, other = sketched(before), sketched(after)
    told = [
        apart(one[(tap, VALUES)].to_numpy(), other[(tap, VALUES)].to_numpy()) / size(centred(after[tap] - before[tap]))
        for tap in before
    ]
    assert np.mean(told) == pytest.approx(1, abs=4 * ERROR / np.sqrt(len(told)))
    assert np.std(told) == pytest.approx(ERROR, rel=0.3)


def test_one_pattern_that_everything_shares_is_told_less_exactly_as_is_stated() -> None:
    before = {f"t{i}": maps(i, 4, 9, 9, 12) for i in range(40)}
    after = {tap: values + 0.01 * maps(i + 500, 1, 9, 9, 1) for i, (tap, values) in enumerate(before.items())}
    one, other = sketched(before), sketched(after)
    told = [
        apart(one[(tap, VALUES)].to_numpy(), other[(tap, VALUES)].to_numpy()) / size(centred(after[tap] - before[tap]))
        for tap in before
    ]
    assert 0.8 < np.mean(told) < 1
    assert 0.1 < np.std(told) < 0.25


def test_of_vectors_it_is_the_same_of_their_values() -> None:
    told = []
    for seed in range(60):
        before, after = (np.random.default_rng(i).normal(3, 1, (30, 20)) for i in (seed, 900 + seed))
        one, other = (of_means(each, np.ones(30)) for each in (before, after))
        told.append(apart(one, other) / size(centred(after - before)))
    assert np.mean(told) == pytest.approx(1, abs=0.05)
    assert np.std(told) == pytest.approx(ERROR, rel=0.3)


def test_a_shift_of_whole_channels_is_no_part_of_the_sums() -> None:
    before = maps(7, 4, 8, 8, 6)
    assert apart(sums(before), sums(before + np.arange(6, dtype=np.float32))) < 1e-5
    vectors = maps(8, 4, 6)
    assert apart(sums(vectors, MEANS), sums(vectors + np.float32(3), MEANS)) < 1e-5


@pytest.mark.parametrize("batch", [1, 3, 5])
def test_images_in_parts_and_in_another_order_add_up_to_the_whole(batch: int) -> None:
    values = maps(9, 5, 8, 8, 6)
    whole = sums(values, batch=2)
    np.testing.assert_allclose(sums(values, batch=batch), whole, rtol=1e-12)


def test_the_same_activations_have_the_same_sums() -> None:
    values = {"a": maps(10, 6, 8, 8, 6), "b": maps(11, 6, 4)}
    pd.testing.assert_series_equal(sketched(values), sketched(values), check_exact=True)


def test_a_channel_that_is_not_finite_is_left_out() -> None:
    values = maps(12, 4, 8, 8, 6)
    broken = values.copy()
    broken[1, 2, 3, 4] = np.nan
    broken[0, 0, 0, 1] = np.inf
    held = sums(broken)
    assert np.isfinite(held).all()
    without = values.copy()
    without[..., [1, 4]] = 0
    np.testing.assert_allclose(held, sums(without), rtol=1e-5, atol=1e-6)


def test_what_is_silent_has_sums_of_zero_and_no_kernel() -> None:
    table = sketched({"t": np.zeros((5, 4, 4, 3), np.float32)})
    assert (table.loc[[("t", VALUES)]] == 0).all()
    assert ("t", KERNEL) not in table.index


def test_kernels_differ_by_what_cka_lacks_of_one() -> None:
    lacking = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        first = rng.normal(size=(20, 8))
        second = first + 0.1 * rng.normal(size=first.shape)
        kept = [each - each.mean(axis=0) for each in (first, second)]
        one, other = (of_kernel(each) for each in kept)
        assert one is not None
        assert other is not None
        lacking.append(apart(one, other) ** 2 / 2 / (1 - cka(kept)[0, 1]))
    assert np.mean(lacking) == pytest.approx(1, abs=0.1)
    assert np.std(lacking) == pytest.approx((2 / ROWS) ** 0.5, rel=0.3)


def test_below_four_images_there_is_no_kernel() -> None:
    assert of_kernel(np.eye(3)) is None
    assert len(features(evidence({"t": maps(0, 4, 2, 2, 3)}), "t")) == 4
    assert ("t", KERNEL) in sketched({"t": maps(0, 4, 2, 2, 3)}).index


def test_signs_stay_as_runs_that_are_archived_have_them() -> None:
    """Other signs would make every run incomparable with those before: raise `Sketch.version` and say so."""
    rows = ("+-+++-++", "++++-+-+", "++-++-++")
    assert signs(3, 8).tolist() == [[1.0 if sign == "+" else -1.0 for sign in row] for row in rows]
    assert abs(signs(64, 4000).mean()) < 0.01
