"""Reductions over positions, whatever their number: every position once, and sums as accurate as float64's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fmreport.measures.reduce import LONGEST, VALUES, block_length, count, greatest, least, total

SHAPES = ((1, 5), (7, 7, 3), (223, 40), (1201, 2), (9, 13, 700), (61, 61, 8), (4, 5, 6, 3))


@given(positions=st.integers(1, 100_000), channels=st.integers(1, 5_000))
def test_blocks_cover_the_positions_exactly_and_stay_short(positions: int, channels: int) -> None:
    length = block_length(positions, channels)
    assert positions % length == 0
    assert 1 <= length <= LONGEST
    assert length * channels <= VALUES or length <= min(
        (k for k in range(16, LONGEST + 1) if positions % k == 0), default=16
    )


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_reductions_equal_numpy_in_float64(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).normal(100, 1, (2, *shape)).astype(np.float32)
    flat = x.reshape(2, -1, shape[-1]).astype(np.float64)
    np.testing.assert_allclose(np.asarray(total(x)), flat.sum(axis=1), rtol=1e-6)
    np.testing.assert_array_equal(np.asarray(least(x)), flat.min(axis=1))
    np.testing.assert_array_equal(np.asarray(greatest(x)), flat.max(axis=1))
    np.testing.assert_array_equal(np.asarray(count(x > 100)), (flat > 100).sum(axis=1))
