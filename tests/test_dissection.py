"""Network Dissection's protocol, by its arithmetic and on histograms."""

from __future__ import annotations

import numpy as np
import pytest

from fmreport.analysis.dissection import QUANTILE, dissect, iou
from fmreport.measures.bins import ascending, count_bins, edges


def binned(values: np.ndarray) -> np.ndarray:
    """(C, bins) ascending counts of values `(C, N)`."""
    return np.array([ascending(np.asarray(count_bins(row[None, :, None].astype(np.float32)))[0]) for row in values])


def protocol(values: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Threshold and IoU of channels `(C, N)` by sorting."""
    threshold = np.quantile(values, QUANTILE, axis=1)
    active = values > threshold[:, None]
    return threshold, (active & inside).sum(1) / (active | inside).sum(1)


def test_the_iou_of_published_sums() -> None:
    found = iou(np.array(973125), np.array(1467623), np.array(1505280))
    assert found == pytest.approx(0.486617, abs=5e-7)


def test_histograms_give_what_sorting_gives() -> None:
    rng = np.random.default_rng(4)
    inside = rng.random(200_000) < 0.02
    values = np.exp(rng.normal(size=(3, inside.size)))
    values[1] += 9 * inside
    values[2] += inside * rng.normal(90, 20, inside.size)
    found = dissect(*edges(), binned(values), binned(values[:, inside]))
    threshold, expected = protocol(values, inside)
    np.testing.assert_allclose(found.threshold, threshold, rtol=1 / 32)
    np.testing.assert_allclose(found.iou, expected, atol=0.005)
    assert list(found.detectors) == [False, True, True]


def test_a_sparse_channel_is_active_where_it_is_not_zero() -> None:
    """Its threshold is 0, which zeros reach but do not exceed."""
    inside = np.arange(10_000) < 100
    values = np.zeros((2, inside.size))
    values[0, :40] = 3
    found = dissect(*edges(), binned(values), binned(values[:, inside]))
    assert list(found.threshold) == [0, 0]
    assert list(found.iou) == [40 / 100, 0]


def test_nothing_exceeds_a_constant() -> None:
    """Bins may end where the values of a channel do."""
    values, inside = np.full((1, 1000), 2.7), np.arange(1000) < 300
    low, high = (np.clip(edge, 2.7, 2.7) for edge in edges())
    found = dissect(low, high, binned(values), binned(values[:, inside]))
    assert found.threshold == pytest.approx([2.7])
    assert list(found.iou) == [0]


def test_channels_may_have_bins_of_their_own() -> None:
    low = np.array([[0.0, 1, 2], [0, 10, 20]])
    counts = np.array([[900, 90, 10], [900, 90, 10]])
    found = dissect(low, low + np.array([[1], [10]]), counts, counts)
    np.testing.assert_allclose(found.threshold, [2.5, 25])
    np.testing.assert_allclose(found.iou, 0.005)


def test_without_values_there_is_no_iou() -> None:
    counts = np.zeros((1, 3), np.int64)
    assert np.isnan(dissect(np.arange(3), np.arange(1, 4), counts, counts).iou).all()
