"""Two runs become a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fmreport.compare.as_json import as_json
from fmreport.compare.comparing import compare
from fmreport.compare.comparison import Comparison
from fmreport.environment import one_thread
from fmreport.pipeline.rendering import TEMPLATES
from fmreport.report import comparison
from fmreport.store import COMPARISON, Run, check_free, drafting

BUDGET_MB = 10.0
"""Of a comparison whose second run says nothing of it."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What `diff` found, and where it wrote it."""

    found: Comparison
    folder: Path
    """Holds diff.html, diff.pdf and diff.json."""


@one_thread()
def diff(
    a: Path | str,
    b: Path | str,
    *,
    out: Path | str | None = None,
    allow: Sequence[str] = (),
    force: bool = False,
) -> Difference:
    """Compares two run folders and writes what changed from A to B, into `out` or beside B, whole or not at all.

    It looks as the report of B does: with that run's own colours, fonts and logo. `allow` names what is refused
    otherwise, `different-probes` and `different-preprocessing`. Raises an `FmreportError` that says where, what and the
    next step.
    """
    one, other = _compared(a), _compared(b)
    found = compare(one, other, allow=allow)
    destination = _beside(other, found) if out is None else Path(out)
    check_free(destination, force=force, kind="comparison")
    kept = other.folder / TEMPLATES
    themed = kept if kept.is_dir() else None
    budget = other.facts.config.get("report", {}).get("budget_mb", BUDGET_MB)
    with drafting(destination, force=force, kind="comparison") as draft:
        draft.write("diff.html", comparison.html.render(one, other, found, template_dir=themed, budget_mb=budget))
        draft.write("diff.pdf", comparison.pdf.render(one, other, found, template_dir=themed))
        draft.write(COMPARISON, as_json(found))
    return Difference(found, destination)


@one_thread()
def differences(a: Path | str, b: Path | str, *, allow: Sequence[str] = ()) -> Comparison:
    """What `diff` finds, with nothing written."""
    return compare(_compared(a), _compared(b), allow=allow)


def _compared(folder: Path | str) -> Run:
    """A run whose tables and maps are those that it wrote."""
    # Absolute, because the name of `.` is empty.
    run = Run.open(Path(folder).absolute())
    run.check_inputs()
    return run


def _beside(b: Run, found: Comparison) -> Path:
    """Where a comparison is written that is given no place: beside B, as `diff-v1-v2`, with the name of another A."""
    name = "" if found.a.name == found.b.name else f"{found.a.name}-"
    return b.folder.parent / f"diff-{name}{found.a.release}-{found.b.release}"
