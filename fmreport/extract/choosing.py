"""Which channels of a tap are shown."""

from __future__ import annotations

import numpy as np

from fmreport.records import Tap

Sums = dict[str, np.ndarray]


def choose(tap: Tap, sums: Sums, rule: str, *, count: int, random: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(K,) channels, the best by `rule` first and `random` others last, and (K,) True where the rule chose."""
    count = min(count, tap.channels)
    drawn = min(random, tap.channels - 1, count - 1) if tap.channels > count else 0
    score = _score(sums, rule)
    # Stable, and by number where the score is equal or undefined.
    ranked = np.argsort(-np.nan_to_num(score, nan=-np.inf), kind="stable")
    best, rest = ranked[: count - drawn], ranked[count - drawn :]
    others = np.sort(np.random.default_rng((seed, tap.order)).choice(rest, drawn, replace=False)) if drawn else rest[:0]
    return np.concatenate([best, others]), np.arange(count) < count - drawn


def _score(sums: Sums, rule: str) -> np.ndarray:
    n = np.where(sums["finite"] > 0, sums["finite"], np.nan)
    if rule == "variance":
        spread = sums["squares"] / n - (sums["total"] / n) ** 2
        return np.where(sums["minimum"] == sums["maximum"], 0.0, spread)
    if rule == "mean":
        return np.asarray(sums["total"] / n)
    if rule == "max":
        return np.where(np.isnan(n), np.nan, sums["maximum"])
    if rule == "zeros":
        return np.asarray(sums["zeros"] / n)
    return -np.arange(len(n), dtype=np.float64)
