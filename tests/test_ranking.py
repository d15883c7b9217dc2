"""Scores of a channel are those that scikit-learn computes on the values themselves."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import rankdata
from sklearn.metrics import average_precision_score, jaccard_score, roc_auc_score

from fmreport.analysis.ranking import aurocs, average_precision, best_threshold, iou, ranks

KINDS = {
    "normal": lambda rng, n: rng.normal(size=n),
    "relu": lambda rng, n: np.maximum(rng.normal(size=n), 0),
    "sparse": lambda rng, n: np.maximum(rng.normal(-2, 1, size=n), 0),
    "lognormal": lambda rng, n: np.exp(2 * rng.normal(size=n)),
    "far": lambda rng, n: rng.normal(8, 1, size=n),
    "both zeros": lambda rng, n: rng.choice([0.0, -0.0, 1e-30, -1e-30, 3.0], n),
    "levels": lambda rng, n: rng.integers(-2, 3, n).astype(float),
    "constant": lambda rng, n: np.full(n, -0.7),
    "huge": lambda rng, n: 1e37 * rng.normal(size=n),
}


def kept(values: np.ndarray) -> np.ndarray:
    """With the first 16 bits of float32, all that is kept of a value."""
    return (values.astype(np.float32).view(np.uint32) & 0xFFFF0000).view(np.float32)


def channel(kind: str, n: int = 700) -> tuple[np.ndarray, np.ndarray]:
    """Values `(n,)`, and two regions, of which the second has to do with them."""
    rng = np.random.default_rng(3)
    values = KINDS[kind](rng, n)
    inside = np.stack([rng.random(n) < 0.3, rankdata(values) + rng.normal(0, 200, n) > 450])
    return values, inside


@pytest.mark.parametrize("kind", KINDS)
def test_ranks_are_those_of_scipy(kind: str) -> None:
    values = kept(np.stack([channel(kind)[0], -channel(kind)[0], channel("normal")[0]]))
    np.testing.assert_array_equal(ranks(values), rankdata(values, axis=1))


@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_those_of_scikit_learn(kind: str) -> None:
    values, inside = channel(kind)
    values = kept(values)
    expected = [roc_auc_score(region, values) for region in inside]
    np.testing.assert_allclose(aurocs(values[None], inside)[:, 0], expected, rtol=1e-12)
    expected = [average_precision_score(region, values) for region in inside]
    np.testing.assert_allclose(average_precision(values, inside), expected, rtol=1e-12)
    expected = [jaccard_score(region, values >= 0.5) for region in inside]
    np.testing.assert_allclose(iou(values >= 0.5, inside), expected, rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_sixteen_bits_are_enough(kind: str) -> None:
    """However far a channel is from 0, and however long its tail."""
    values, inside = channel(kind)
    for region in inside:
        found = float(aurocs(kept(values)[None], region[None])[0, 0])
        assert found == pytest.approx(roc_auc_score(region, values), abs=0.002)
        found = float(average_precision(kept(values), region[None])[0])
        assert found == pytest.approx(average_precision_score(region, values), abs=0.006)


@pytest.mark.parametrize("kind", KINDS)
def test_no_threshold_has_a_better_iou(kind: str) -> None:
    values, inside = channel(kind)
    values = kept(values)
    for region in inside:
        threshold = best_threshold(values, region)
        best = max(jaccard_score(region, values >= value) for value in np.unique(values))
        assert jaccard_score(region, values >= threshold) == pytest.approx(best, rel=1e-12)


def test_calling_it_everywhere_has_the_prevalence_as_its_iou() -> None:
    inside = np.arange(100)[None] < 30
    assert iou(np.ones(100, bool), inside) == pytest.approx([0.3])
    assert best_threshold(np.ones(100), inside[0]) == -np.inf


def test_many_channels_are_scored_as_each_alone() -> None:
    values, inside = np.random.default_rng(1).normal(size=(37, 50)), np.arange(50) % 3 == np.arange(3)[:, None]
    alone = [aurocs(row[None], inside)[:, 0] for row in kept(values)]
    np.testing.assert_array_equal(aurocs(kept(values), inside), np.stack(alone, axis=1))


def test_without_an_inside_or_an_outside_nothing_is_defined() -> None:
    inside = np.stack([np.zeros(8, bool), np.ones(8, bool)])
    values = np.arange(8, dtype=np.float32)
    assert np.isnan(aurocs(values[None], inside)).all()
    assert np.isnan(average_precision(values, inside)[0])
    assert np.isnan(iou(np.zeros(8, bool), inside)[0])
