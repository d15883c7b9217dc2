"""One look at each value finds what NumPy finds, and what operations of a graph find."""

from __future__ import annotations

import math

import numpy as np
import pytest
import reference
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from fmreport.measures import compiled, load, one_pass
from fmreport.measures import gather as gathering
from fmreport.measures.activations import Activations
from fmreport.measures.bins import BINS, SHIFT
from fmreport.measures.gather import gather
from fmreport.measures.one_pass import DTYPES, Found, found

SHAPES = (
    (1, 1, 1),
    (2, 3, 5),
    (3, 7, 5, 4),
    (2, 130, 1),
    (1, 67, 65),
    (2, 40, 33, 24),
    (1, 97, 31, 70),
    (4, 2, 3, 2, 9),
)
sides = st.tuples(st.integers(1, 3), st.integers(1, 90), st.integers(1, 130))
values_of = st.sampled_from([0.0, -0.0, 1e-40, 1.0, -1.0, 0.3, 1e9, -7e-12, math.pi])


def drawn(shape: tuple[int, ...], *, relu: bool = False) -> np.ndarray:
    values = np.random.default_rng(shape).normal(size=shape).astype(np.float32)
    return np.maximum(values, 0) if relu else values


def check(values: np.ndarray) -> None:
    """Counts and extremes exactly; sums of many to rounding in float32, of their sizes."""
    made, wide = found(values), reference.wide(values)
    over = tuple(range(1, values.ndim - 1))
    size = np.abs(wide).sum(over) * 2e-6
    assert (np.abs(made.total - wide.sum(over)) <= size).all()
    np.testing.assert_allclose(made.magnitude, np.abs(wide).sum(over), rtol=2e-6, atol=1e-38)
    np.testing.assert_allclose(made.squares, (wide**2).sum(over), rtol=4e-6, atol=1e-38)
    np.testing.assert_array_equal(reference.wide(made.minimum), wide.min(over))
    np.testing.assert_array_equal(reference.wide(made.maximum), wide.max(over))
    np.testing.assert_array_equal(made.zeros, (wide == 0).sum(over))
    counted = [np.bincount(image.ravel().view(np.uint32) >> SHIFT, minlength=BINS) for image in values]
    np.testing.assert_array_equal(made.bins, counted)
    assert [value.dtype.name for value in made] == list(DTYPES)


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_all_sums_are_those_of_numpy(shape: tuple[int, ...], relu: bool) -> None:
    check(drawn(shape, relu=relu))


@given(sides.flatmap(lambda shape: arrays.arrays(np.float32, shape, elements=values_of.map(np.float32))))
def test_so_they_are_of_few_different_values_in_any_shape(values: np.ndarray) -> None:
    check(values)


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_operations_of_a_graph_find_the_same(shape: tuple[int, ...], relu: bool) -> None:
    values = drawn(shape, relu=relu)
    made, x = found(values), Activations(tf.constant(values))
    for name, exact in (("minimum", True), ("maximum", True), ("zeros", True), ("bins", True), ("total", False)):
        expected = getattr(x, name).numpy()
        np.testing.assert_allclose(getattr(made, name), expected, rtol=0 if exact else 1e-5, atol=0 if exact else 1e-3)
    np.testing.assert_allclose(made.squares, x.squares.numpy(), rtol=1e-5)
    summed, counted = x.population
    np.testing.assert_allclose(made.population_total, summed.numpy(), rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(made.population_positions, counted.numpy())


def test_every_measure_says_the_same_where_values_must_not_leave_an_accelerator(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tensors = {"signed": tf.constant(drawn((3, 9, 8, 5))), "relu": tf.constant(drawn((3, 9, 8, 6), relu=True))}
    order, measures = [("signed",), ("relu",)], tuple(load().values())
    here = gather(measures, tensors, order)
    monkeypatch.setattr(gathering, "lies_on_host", lambda: False)
    for ours, theirs in zip(here, gather(measures, tensors, order), strict=True):
        assert set(ours) == set(theirs)
        for name, value in ours.items():
            assert value.dtype == theirs[name].dtype
            np.testing.assert_allclose(value.numpy(), theirs[name].numpy(), rtol=1e-5, atol=1e-4, err_msg=name)


def test_an_image_says_the_same_whatever_batch_it_comes_in_and_however_many_cores_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = drawn((5, 64, 48, 70), relu=True)
    together = found(values)
    monkeypatch.setattr(one_pass, "cores", lambda: 3)
    for made in (
        found(values),
        Found(*map(np.concatenate, zip(*(found(image[None]) for image in values), strict=True))),
    ):
        for one, other in zip(together, made, strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_large_mean_hides_no_small_variance() -> None:
    noise = drawn((2, 60, 50, 3)) * 0.25
    values = noise + np.float32(1000)
    exact = values.astype(np.float64)
    made, n = found(values), 60 * 50
    variance = made.squares / n - (made.total / n) ** 2
    np.testing.assert_allclose(variance, exact.var((1, 2)), rtol=1e-3)


def test_what_is_not_finite_shows_in_the_sums_and_nan_in_no_extreme() -> None:
    values = drawn((3, 20, 20, 7))
    values[0, 3, 4, 2], values[1, 19, 19, 6] = np.nan, np.inf
    made = found(values)
    assert np.argwhere(~np.isfinite(made.total)).tolist() == [[0, 2], [1, 6]]
    assert np.argwhere(~np.isfinite(made.squares)).tolist() == [[0, 2], [1, 6]]
    assert made.maximum[1, 6] == np.inf
    assert not np.isnan([made.minimum, made.maximum]).any()


def test_zeros_have_no_sign() -> None:
    made = found(np.full((1, 4, 4, 3), -0.0, np.float32))
    assert not np.signbit([made.minimum, made.maximum, made.total]).any()
    assert (made.zeros == 16).all()


def test_population_sparseness_is_that_of_its_formula() -> None:
    values = drawn((4, 6, 5, 8), relu=True)
    values[1], values[2, 0, 0, 0], values[3] = 0, -1, 0
    values[3, ..., 2] = 1
    made = found(values)
    assert made.population_positions.tolist() == [(values[0].sum(-1) > 0).sum(), 0, 0, 30]
    a = values[0].mean(-1) ** 2 / np.maximum((values[0] ** 2).mean(-1), 1e-30)
    expected = np.where(values[0].sum(-1) > 0, (1 - a) / (1 - 1 / 8), 0).sum()
    assert made.population_total[0] == pytest.approx(expected, rel=1e-5)
    # One channel alone answers at each position.
    assert made.population_total[3] == pytest.approx(30, rel=1e-6)


def test_parts_divide_an_image_whatever_its_shape() -> None:
    for positions in (1, 7, 49, 3136, 12544, 25600, 10007):
        for channels in (1, 3, 64, 2048):
            parts = one_pass._parts(positions, channels)
            assert positions % parts == 0
            assert parts == 1 or positions * channels // parts >= one_pass.PART


def test_where_no_folder_may_be_written_to_it_is_compiled_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    from numba.core import caching

    monkeypatch.setattr(caching.CacheImpl, "_locator_classes", [])
    count = compiled.compiled(compiled.EXACT)(compiled.count.py_func)
    bits, bins = drawn((2, 3, 5)).ravel().view(np.uint32), np.empty(BINS, np.int32)
    count(bits, bins)
    np.testing.assert_array_equal(bins, np.bincount(bits >> SHIFT, minlength=BINS))
