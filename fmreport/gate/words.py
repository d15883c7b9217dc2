"""What a judgement says, in lines that the terminal, JUnit and the summary share."""

from __future__ import annotations

from fmreport.gate.judging import Judgement, Outcome, Reading
from fmreport.gate.limits import MAX_CHANGE, Limit
from fmreport.printable import printable
from fmreport.quantities import BEST, QUANTITIES, RUN
from fmreport.report.wording import plural

HELD, BREACHED, SKIPPED = "held", "breached", "skipped"
_AT = {"max": "at most", "min": "at least", "max_change": "changed by at most"}


def state(outcome: Outcome) -> str:
    """`held`, `breached` or `skipped`."""
    return SKIPPED if outcome.skipped else BREACHED if outcome.breaches else HELD


def of_limit(limit: Limit) -> str:
    """`zeros at most 0.5`."""
    return f"{limit.quantity} {_AT[limit.kind]} {exact(limit.bound)}"


def of_outcome(outcome: Outcome) -> str:
    """What was found, in one line."""
    if outcome.worst is None:
        return outcome.skipped
    more = len(outcome.breaches) - 1
    beside = f"; {plural(more, 'other')} beyond it, too" if more > 0 else ""
    left_out = f"; undefined at {plural(outcome.undefined, 'tap')}" if outcome.undefined else ""
    return of_reading(outcome.worst, outcome.limit) + beside + left_out


def of_reading(reading: Reading, limit: Limit) -> str:
    """`0.0625 at block1/conv`; of a change `0.31 at block1/conv, 0.12 more than before (0.19)`."""
    where = _place(reading, limit)
    if reading.value is None:
        alone = "" if QUANTITIES[limit.quantity].held == RUN else " at every tap"
        was = f", where it was {figure(reading.before)} before" if reading.before is not None else ""
        return f"undefined{where or alone}{was}"
    found = f"{figure(reading.value, beside=limit.bound)}{where}"
    if limit.kind != MAX_CHANGE:
        return found
    change, before = reading.change, reading.before
    assert change is not None
    assert before is not None
    renamed = f" at {printable(reading.before_tap)}" if reading.before_tap != reading.tap else ""
    if change == 0:
        return f"{found}, as before{renamed}"
    direction = "more" if change > 0 else "less"
    return f"{found}, {figure(abs(change), beside=limit.bound)} {direction} than before ({figure(before)}{renamed})"


def _place(reading: Reading, limit: Limit) -> str:
    best = ", the best tap" if limit.kind != MAX_CHANGE and QUANTITIES[limit.quantity].held == BEST else ""
    return f" at {printable(reading.tap)}{best}" if reading.tap else ""


def verdict(judgement: Judgement) -> str:
    """How many limits held and how many did not."""
    skipped = sum(bool(outcome.skipped) for outcome in judgement.outcomes)
    aside = f", {skipped:,} skipped" if skipped else ""
    if judgement.breached:
        return f"{len(judgement.breached):,} of {plural(len(judgement.outcomes), 'limit')} breached{aside}"
    return f"{plural(len(judgement.outcomes) - skipped, 'limit')} held{aside}"


def figure(value: float, *, beside: float | None = None) -> str:
    """A number to six digits, or all of them where it would look like the limit beside which it stands."""
    short = exact(value) if value.is_integer() else f"{value:.6g}"
    return exact(value) if beside is not None and value != beside and short == f"{beside:.6g}" else short


def exact(value: float) -> str:
    """A number with all of its digits."""
    return f"{value:,.0f}" if value.is_integer() and abs(value) < 1e15 else repr(value)
