"""What a finding is, and what it is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

SUPPORTED, CONSISTENT = "supported", "consistent with"
REFUTED, NOTHING, UNTESTED = "not supported by these probes", "nothing found", "not tested"
VERDICTS = (SUPPORTED, CONSISTENT, REFUTED, NOTHING, UNTESTED)
SIGNIFICANT = 0.05

Checks = Mapping[str, bool | None]
"""Whether each check of a claim held; None: it could not be made."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about the model, with what it rests on."""

    subject: str
    verdict: str
    """One of `VERDICTS`."""
    sentence: str
    rule: str
    """How the verdict is made."""
    taps: tuple[str, ...] = ()
    """Where the evidence is."""
    caveat: str = ""


@dataclass(frozen=True, slots=True)
class Tables:
    """What findings are made from."""

    layers: pd.DataFrame
    inventory: pd.DataFrame
    summary: pd.DataFrame
    channels: pd.DataFrame
    analyses: Mapping[str, pd.DataFrame]
    controls: pd.DataFrame
    """`seed`, `tap`, `quantity`, `value` of randomised weights; without a row where there were none."""
    seed: int


def judged(checks: Checks) -> str:
    """The verdict on a claim: a check that fails refutes it, one that could not be made leaves it open."""
    if False in checks.values():
        return REFUTED
    return CONSISTENT if None in checks.values() else SUPPORTED


def told(checks: Checks, failed: Mapping[str, str], missing: Mapping[str, str]) -> str:
    """Which checks failed, and which could not be made, in words."""
    words = [failed[name] for name, held in checks.items() if held is False]
    words += [missing[name] for name, held in checks.items() if held is None]
    return "; ".join(words)


def number(value: float, *, sign: str = "") -> str:
    """A value as a sentence tells it: to two decimals, with a true minus, never a zero below zero."""
    return f"{value:{sign}z.2f}".replace("-", "−")


def signed(value: float) -> str:
    """The same of a change, which has a sign also where it is a gain."""
    return number(value, sign="+")
