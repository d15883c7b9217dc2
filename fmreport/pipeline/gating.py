"""A run is held to limits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fmreport.environment import one_thread
from fmreport.gate import baseline
from fmreport.gate.judging import Judgement, judge
from fmreport.gate.limits import Limit, laid_over, of_section, section_of
from fmreport.store import Run


@one_thread()
def gate(run: Run | Path | str, limits: Sequence[Limit] = (), *, compare: str | None = None) -> Judgement:
    """Holds a run to the limits of its own config, and to others, which take the place of those on the same quantity.

    `compare` names the run that changes are counted from, in place of the config's: a release, or with a slash the
    folder of a run. Raises `GateError` where there is no limit, or no such run.
    """
    run = run if isinstance(run, Run) else Run.open(run)
    own = section_of(run)
    named = compare or (own.baseline if own else None)
    folder = Path(compare) if compare and Path(compare).name != compare else None
    found = baseline.resolve(run, named=named, folder=folder)
    return judge(run, laid_over(of_section(own), limits), found)
