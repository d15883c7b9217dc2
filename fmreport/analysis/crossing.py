"""From which tap on masks are read better than edges, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Crossing:
    """Where along T taps one curve overtakes another."""

    at: np.ndarray
    """`(...)` the first tap of the part in which the second curve leads, 0 to T; T: nowhere."""
    agreement: np.ndarray
    """`(...)` share of the taps that agree: the first curve leads before, the second from there on."""


def crossing(first: np.ndarray, second: np.ndarray) -> Crossing:
    """The place that most taps agree with, the earliest of equals, of curves `(..., T)` without NaN.

    One tap out of line, such as that of a skip connection, moves no place far.
    """
    leads = np.sign(second - first)
    taps = first.shape[-1]
    none = np.zeros((*leads.shape[:-1], 1))
    before = np.concatenate([none, np.cumsum(leads < 0, axis=-1)], axis=-1)
    after = np.concatenate([np.cumsum((leads > 0)[..., ::-1], axis=-1)[..., ::-1], none], axis=-1)
    agree = before + after
    at = np.argmax(agree, axis=-1)
    return Crossing(at, np.take_along_axis(agree, at[..., None], axis=-1)[..., 0] / max(taps, 1))


def shift(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """`(...)`: by how much more the second curve leads in the last third of the taps than in the first, in its unit.

    Above 0 where the curves `(..., T)` change over from the first to the second.
    """
    lead = second - first
    third = max(first.shape[-1] // 3, 1)
    change: np.ndarray = lead[..., -third:].mean(axis=-1) - lead[..., :third].mean(axis=-1)
    return change
