"""The comparison as a PDF: PDF/A-3a and PDF/UA-1, with diff.json attached."""

from __future__ import annotations

from pathlib import Path

from fmreport.compare.as_json import as_json
from fmreport.compare.comparison import Comparison
from fmreport.report import theme
from fmreport.report.comparison.build import ATTACHED, Limit, build
from fmreport.report.pdf import typeset
from fmreport.store import Run

TEMPLATE = "diff.typ.j2"
PRINTED = Limit(taps=16, mapped=16, pictures=2)
"""Sections of a printed comparison; the others are in its table, in the page and in the JSON that it holds."""


def render(a: Run, b: Run, found: Comparison, *, template_dir: Path | None) -> bytes:
    """The PDF. Raises `RenderError` where a template fails or Typst refuses what it made."""
    theme.check(template_dir)
    attached = {ATTACHED: as_json(found)}
    return typeset(build(a, b, found, PRINTED), template_dir, attached, date=b.facts.date, template=TEMPLATE)
