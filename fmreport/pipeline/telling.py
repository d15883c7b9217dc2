"""What the command line says of a run that is done."""

from __future__ import annotations

from fmreport import (
    exports,
)
from fmreport.report.key_figures import key_figures
from fmreport.report.page import KeyFigure
from fmreport.store import Run


def telling(done: Run) -> tuple[KeyFigure, ...]:
    """The most telling numbers of a run, as its report shows them first."""
    return key_figures(done)


def advice(done: Run) -> tuple[str, ...]:
    """What a user may want to change for the next run: said once, and no part of the run."""
    return () if done.facts.date else (exports.UNDATED,)
