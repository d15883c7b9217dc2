"""Which channels are shown: the best by a stated rule on probes that are not shown, then others drawn at random."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planted import extraction, tap

from fmreport.extract import choose


def test_channels_are_chosen_by_the_probes_that_are_not_shown() -> None:
    values = np.zeros((3, 4, 4, 2), np.float32)
    values[0, ..., 0] = 9  # on the shown probe alone
    values[1:, ..., 1] = 1
    unseen = extraction({"t": values}).measure(["p0"]).unseen["t"]
    assert list(unseen["maximum"]) == [0, 1]
    assert list(unseen["finite"]) == [32, 32]
    for displayed in (["p0", "p1", "p2"], []):
        everything = extraction({"t": values}).measure(displayed).unseen["t"]
        assert list(everything["maximum"]) == [9, 1]


def sums(**columns: list[float]) -> dict[str, np.ndarray]:
    """Channels' sums; those not given are zero, each of ten values."""
    count = len(next(iter(columns.values())))
    names = ("total", "squares", "minimum", "maximum", "zeros")
    blank: Mapping[str, np.ndarray] = {name: np.zeros(count) for name in names} | {"finite": np.full(count, 10)}
    return {**blank, **{name: np.array(value) for name, value in columns.items()}}


@pytest.mark.parametrize(
    ("rule", "given", "expected"),
    [
        ("index", {"zeros": [3, 2, 1]}, [0, 1, 2]),
        ("zeros", {"zeros": [3, 9, 5]}, [1, 2, 0]),
        ("zeros", {"zeros": [3, 4, 0], "finite": [4, 10, 10]}, [0, 1, 2]),
        ("mean", {"total": [-1.0, 30, 2]}, [1, 2, 0]),
        ("max", {"maximum": [2.0, np.nan, 3], "finite": [10, 0, 10]}, [2, 0, 1]),
        ("variance", {"squares": [10.0, 90, 40], "maximum": [1.0, 1, 1]}, [1, 2, 0]),
        ("variance", {"squares": [1e9, 90, 40], "total": [1e5, 0, 0], "maximum": [0.0, 1, 1]}, [1, 2, 0]),
        ("variance", {"squares": [40.0, 40, 40], "maximum": [1.0, 1, 1]}, [0, 1, 2]),
    ],
)
def test_a_rule_ranks_channels(rule: str, given: dict[str, list[float]], expected: list[int]) -> None:
    channels, chosen = choose(tap("t", (4, 4, 3)), sums(**given), rule, count=3, random=0, seed=0)
    assert list(channels) == expected
    assert chosen.all()


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 40), st.integers(0, 2**32 - 1))
def test_random_channels_come_last_and_are_others(channels: int, count: int, random: int, seed: int) -> None:
    given = sums(maximum=list(np.random.default_rng(seed).random(channels)))
    one, chosen = choose(tap("t", (4, channels)), given, "max", count=count, random=random, seed=seed)
    assert len(one) == len(chosen) == min(count, channels)
    assert len(set(one.tolist())) == len(one)
    drawn = 0 if channels <= count else min(random, count - 1)
    assert (~chosen).sum() == drawn
    assert not chosen[len(one) - drawn :].any()
    best = np.argsort(-given["maximum"])[: len(one) - drawn]
    assert list(one[chosen]) == list(best)
    again, _ = choose(tap("t", (4, channels)), given, "max", count=count, random=random, seed=seed)
    assert list(again) == list(one)


def test_random_channels_differ_from_tap_to_tap_and_from_seed_to_seed() -> None:
    given = sums(maximum=list(np.linspace(0, 1, 200)))
    drawn = [
        tuple(choose(tap("t", (4, 200), order), given, "max", count=20, random=10, seed=seed)[0][10:])
        for order, seed in ((1, 0), (2, 0), (1, 1))
    ]
    assert len(set(drawn)) == 3
