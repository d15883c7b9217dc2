"""The threshold of a channel: exact, whatever its values are and however they come."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fmreport.measures.quantile import ONE_IN, Search, bits_per_pass, count_parts, split


def searched(batches: list[np.ndarray], *, bits: int = 11) -> np.ndarray:
    """(C,) of batches `(B, H, W, C)`."""
    channels = batches[0].shape[-1]
    search = Search(channels, bits)
    for _ in range(search.passes):
        settings_of = split(search.low), np.array([search.shift], np.float32)
        found = [count_parts(batch, np.ones(len(batch), np.float32), *settings_of, bits=bits) for batch in batches]
        search.narrow(np.sum([np.asarray(each, np.int64) for each in found], axis=0))
    return search.values


def by_sorting(values: np.ndarray) -> np.ndarray:
    """(C,) the least value that no more than one in `ONE_IN` finite values of a channel exceeds."""
    found = []
    for channel in values.reshape(-1, values.shape[-1]).T:
        finite = np.sort(channel[np.isfinite(channel)])
        found.append(finite[len(finite) - len(finite) // ONE_IN - 1] if len(finite) else np.nan)
    return np.array(found, np.float32)


def kinds() -> np.ndarray:
    """Four images of 20 x 30 positions: signed, negative, rectified, sparse, tied, huge and tiny, constant, -0."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(4, 20, 30, 9)).astype(np.float32)
    x[..., 1] = -np.exp(x[..., 1])
    x[..., 2] = x[..., 2].clip(0)
    x[..., 3] = np.where(x[..., 3] > 2.7, x[..., 3], 0)
    x[..., 4] = np.round(x[..., 4])
    x[..., 5] *= 1e37
    x[..., 6] *= 1e-37
    x[..., 7] = 2.7
    x[..., 8] = -0.0
    return x


def test_every_kind_of_channel_has_the_value_that_sorting_finds() -> None:
    x = kinds()
    found = searched([x])
    np.testing.assert_array_equal(found, by_sorting(x))
    assert (found[3], found[8]) == (0, 0)
    assert not np.signbit(found[8])


@pytest.mark.parametrize("bits", [4, 7, 11])
def test_how_much_memory_there_is_changes_nothing(bits: int) -> None:
    x = kinds()
    np.testing.assert_array_equal(searched([x], bits=bits), by_sorting(x))


def test_batches_change_nothing() -> None:
    x = kinds()
    np.testing.assert_array_equal(searched([x[:1], x[1:3], x[3:]]), searched([x]))


def test_nan_and_infinity_are_no_values() -> None:
    x = kinds()[..., :3]
    x[0, :5, :, 0], x[1, :3, :, 0], x[..., 1], x[2, 0, :9, 2] = np.nan, np.inf, np.nan, -np.inf
    np.testing.assert_array_equal(searched([x]), by_sorting(x))


def test_what_only_fills_a_batch_is_not_counted() -> None:
    x = kinds()
    counted = np.array([1, 1, 0, 1], np.float32)
    low, shift = split(np.zeros(9, np.int64)), np.array([21], np.float32)
    part, of_three = (
        np.asarray(count_parts(images, flags, low, shift, bits=11))
        for images, flags in ((x, counted), (x[[0, 1, 3]], np.ones(3, np.float32)))
    )
    np.testing.assert_array_equal(part, of_three)
    assert (part.sum(axis=1) == 3 * 600).all()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(width=32), min_size=1, max_size=30), st.integers(1, 40))
def test_any_values_any_number_of_times(values: list[float], times: int) -> None:
    x = np.tile(np.array(values, np.float32), times)[None, None, :, None]
    np.testing.assert_array_equal(searched([x]), by_sorting(x))


def test_a_pass_settles_as_much_as_memory_allows() -> None:
    assert bits_per_pass(100, 2**28) == 11
    assert bits_per_pass(20_000, 2**28) == 9
    assert bits_per_pass(10**9, 2**20) == 4
