"""A run is held to limits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fmreport.environment import one_thread
from fmreport.errors import GateError
from fmreport.gate import baseline
from fmreport.gate.judging import Judgement, judge
from fmreport.gate.limits import MAX_CHANGE, Limit, laid_over, of_section, section_of
from fmreport.store import Run


@one_thread()
def gate(run: Run | Path | str, limits: Sequence[Limit] = (), *, compare: str | None = None) -> Judgement:
    """Holds a run to the limits of its own config, and to others, which take the place of those on the same quantity.

    `compare` names the run that changes are counted from, in place of the config's: a release, or with a slash the
    folder of a run. Raises `GateError` where there is no limit, or no such run, and `StoreError` where a table is not
    what the run wrote.
    """
    if compare is not None and not compare.strip():
        raise GateError("the baseline has no name", fix="name a release or the folder of a run, or leave it out")
    run = run if isinstance(run, Run) else Run.open(run)
    own = section_of(run)
    named = compare or (own.baseline if own else None)
    folder = Path(compare) if compare and Path(compare).name != compare else None
    held = laid_over(of_section(own), limits)
    # A release before this one is of no concern to limits that count no change, damaged or not.
    wanted = named is not None or any(limit.kind == MAX_CHANGE for limit in held)
    found = baseline.resolve(run, named=named, folder=folder) if wanted else baseline.Baseline(None)
    for each in (run, found.run):
        if each is not None:
            each.check_inputs()
    return judge(run, held, found)
