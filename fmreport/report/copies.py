"""The tables of taps and of parts as text, to be taken along from the page."""

from __future__ import annotations

from collections.abc import Iterator

from fmreport.report import latex, page, tables
from fmreport.store import Run

TABLES = {"layers": "Taps", "blocks": "Parts"}


def copies(run: Run) -> Iterator[page.CopyText]:
    """Each table as CSV and as LaTeX, the latter as it lies beside the run's tables."""
    as_latex = latex.of_run(run)
    as_csv = {"layers": tables.as_text(run), "blocks": run.blocks}
    for name, title in TABLES.items():
        text = as_csv[name].to_csv(index=False, lineterminator="\n")
        yield page.CopyText(f"{title} as CSV", f"{title.lower()}.csv", text)
        yield page.CopyText(f"{title} as LaTeX", f"{title.lower()}.tex", as_latex[name])
