"""Limits against the numbers of a run: the worst tap decides, and every tap beyond a limit is named."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from fmreport import numbers
from fmreport.compare.align import Alignment, align, shared_probes
from fmreport.errors import GateError
from fmreport.gate.baseline import Baseline
from fmreport.gate.limits import MAX, MAX_CHANGE, MIN, Limit
from fmreport.quantities import BEST, QUANTITIES, RUN
from fmreport.report.wording import listed, plural
from fmreport.store import Run

ROUNDING = 1e-12
"""What a difference of two rounded numbers may lie above a limit, as a share of what it is a difference of."""
COUNTED = ("silent_channels", "nonfinite", "constant_channels")
"""What every tap has, since it is counted: where one has none, something is wrong and no limit holds."""
NAMED = 5
"""Taps that a note names."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One number that is held against a limit."""

    tap: str
    """Empty: of the whole run."""
    value: float | None
    """None: undefined."""
    before: float | None = None
    """Of the baseline, where a change is limited."""
    before_tap: str = ""

    @property
    def change(self) -> float | None:
        """How far it is from the baseline; None where either is undefined."""
        return None if self.value is None or self.before is None else self.value - self.before


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one limit."""

    limit: Limit
    worst: Reading | None
    """What lies furthest towards the limit or beyond it; None where nothing was held against it."""
    breaches: tuple[Reading, ...]
    """Everything beyond it, the worst first."""
    taps: int
    """How many were held against it; 0 where the run as a whole was."""
    skipped: str = ""
    """Why nothing was held against it; empty where something was."""
    undefined: int = 0
    """Taps, or of changes pairs of taps, that have no such number and were left out."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What became of every limit of a run."""

    run: str
    """Name and release."""
    baseline: str
    """The same of the run that changes are counted from; empty where there is none."""
    outcomes: tuple[Outcome, ...]
    notes: tuple[str, ...]

    @property
    def breached(self) -> tuple[Outcome, ...]:
        """Those of limits that do not hold."""
        return tuple(outcome for outcome in self.outcomes if outcome.breaches)


class Against:
    """A run beside its baseline, aligned when a change is first asked for."""

    def __init__(self, run: Run, baseline: Run) -> None:
        self.run, self.baseline = run, baseline

    @cached_property
    def alignment(self) -> Alignment:
        """The taps of the baseline and of the run."""
        return align(self.baseline, self.run)


def judge(run: Run, limits: Sequence[Limit], baseline: Baseline) -> Judgement:
    """Every limit; a limit without a baseline that it needs is skipped. Raises `GateError` where there is no limit."""
    if not limits:
        raise GateError(
            f"{run.folder}: there is no limit to hold it to",
            fix="give one, such as --nonfinite 0 or --max silent_channels=0.05, or write gate: into the config",
        )
    changes = any(limit.kind == MAX_CHANGE for limit in limits)
    against = Against(run, baseline.run) if changes and baseline.run else None
    outcomes = tuple(_outcome(run, limit, against, baseline.missing) for limit in limits)
    notes = (*baseline.notes, *(_notes(against) if against else ())) if changes else ()
    return Judgement(_title(run), _title(against.baseline) if against else "", outcomes, notes)


def _title(run: Run) -> str:
    return f"{run.facts.name} {run.facts.release}"


def _outcome(run: Run, limit: Limit, against: Against | None, missing: str) -> Outcome:
    if limit.kind != MAX_CHANGE:
        readings = list(_readings(run, limit.quantity))
    elif against is None:
        return Outcome(limit, None, (), 0, missing)
    else:
        readings = list(_changes(against, limit.quantity))
        if not readings:
            return Outcome(limit, None, (), 0, f"{_title(against.baseline)} has no {limit.quantity} to compare with")
    # The first of equals, in the order of the model.
    ordered = sorted(readings, key=lambda reading: -_beyond(reading, limit))
    breaches = tuple(reading for reading in ordered if _beyond(reading, limit) > _slack(reading, limit))
    held = sum(bool(reading.tap) for reading in readings)
    return Outcome(limit, ordered[0], breaches, held, undefined=_undefined(run, limit, against))


def _undefined(run: Run, limit: Limit, against: Against | None) -> int:
    """How many taps nothing was held at, where others have a value; of changes, where the baseline has none."""
    name = limit.quantity
    if name in COUNTED or QUANTITIES[name].held == RUN:
        return 0
    if limit.kind == MAX_CHANGE and against is not None:
        return len(against.alignment.pairs) - len(list(_changes(against, name)))
    defined = len(numbers.of_taps(run, name))
    return len(run.layers) - defined if defined else 0


def _readings(run: Run, name: str) -> Iterator[Reading]:
    """At least one: that of the run, undefined, where no tap has a value."""
    of_taps = numbers.of_taps(run, name)
    if name in COUNTED:
        yield from (Reading(str(tap), of_taps.get(str(tap))) for tap in run.layers["tap"])
    elif not of_taps:
        yield Reading("", numbers.of_run(run)[name] if QUANTITIES[name].held == RUN else None)
    elif QUANTITIES[name].held == BEST:
        best = max(of_taps, key=of_taps.__getitem__)
        yield Reading(best, of_taps[best])
    else:
        yield from (Reading(tap, value) for tap, value in of_taps.items())


def _changes(against: Against, name: str) -> Iterator[Reading]:
    """Of every pair of taps whose number the baseline knows."""
    if QUANTITIES[name].held == RUN:
        before = numbers.of_run(against.baseline)[name]
        if before is not None:
            yield Reading("", numbers.of_run(against.run)[name], before)
        return
    old, new = (numbers.of_taps(run, name) for run in (against.baseline, against.run))
    for pair in against.alignment.pairs:
        if pair.a in old:
            yield Reading(pair.b, new.get(pair.b), old[pair.a], pair.a)


def _beyond(reading: Reading, limit: Limit) -> float:
    """How far a reading lies beyond a limit; less than 0 where it holds. What is undefined holds no limit."""
    if reading.value is None:
        return float("inf")
    if limit.kind == MAX_CHANGE:
        assert reading.change is not None
        return abs(reading.change) - limit.bound
    return {MAX: 1, MIN: -1}[limit.kind] * (reading.value - limit.bound)


def _slack(reading: Reading, limit: Limit) -> float:
    if limit.kind != MAX_CHANGE:
        return 0.0
    return ROUNDING * max(abs(reading.value or 0), abs(reading.before or 0), limit.bound)


def _notes(against: Against) -> Iterator[str]:
    """What must be known beside the changes."""
    found = against.alignment
    before = _title(against.baseline)
    if found.removed:
        yield f"{plural(len(found.removed), 'tap')} of {before} without a counterpart: {_named(found.removed)}"
    if found.added:
        yield f"{plural(len(found.added), 'new tap')}, which no change can be told of: {_named(found.added)}"
    old, new = against.baseline.facts, against.run.facts
    shared = len(shared_probes(old, new))
    if old.name != new.name:
        yield f"{before} is a run of another model than {new.name}"
    if shared < max(len(old.probes), len(new.probes)):
        told = f"{shared:,} of {len(old.probes):,} and {len(new.probes):,} are the same"
        yield f"{before} saw other images ({told}): a change may be of the images and not of the model"
    if old.preprocess != new.preprocess:
        yield f"{before} was preprocessed differently: a change may be of that and not of the model"


def _named(taps: Iterable[str]) -> str:
    names = list(taps)
    more = [f"{len(names) - NAMED:,} more"] if len(names) > NAMED else []
    return listed([*names[:NAMED], *more])
