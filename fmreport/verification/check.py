"""What was asked of a run, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Verdict = Literal["held", "failed", "unchecked"]
HELD: Verdict = "held"
FAILED: Verdict = "failed"
UNCHECKED: Verdict = "unchecked"

NAMED = 10
"""Differences that are told one by one."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was asked of a run."""

    asked: str
    verdict: Verdict
    details: tuple[str, ...] = ()
    """What did not hold, or why it could not be checked; of what held, how well it did."""


def exit_code(checks: Sequence[Check]) -> int:
    """0: all held; 1: something did not; 2: nothing failed, but something could not be checked."""
    verdicts = {check.verdict for check in checks}
    return 1 if FAILED in verdicts else 2 if UNCHECKED in verdicts else 0


def difference(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """What two mappings do not share, as `name then, here now`; of mappings in them, what these do not share."""
    for name in sorted(then.keys() | now.keys()):
        one, other = then.get(name), now.get(name)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            yield from (f"{name}: {each}" for each in difference(one, other))
        elif one != other:
            yield f"{name} {_short(one)}, here {_short(other)}"


def _short(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, list | tuple):
        return " ".join(map(str, value)) or "none"
    text = str(value)
    return f"{text[:12]}…" if len(text) > 40 else text


def some(items: Sequence[str]) -> str:
    """The first of them, and how many more there are."""
    more = f" and {len(items) - NAMED} more" if len(items) > NAMED else ""
    return f"{'; '.join(items[:NAMED])}{more}"
