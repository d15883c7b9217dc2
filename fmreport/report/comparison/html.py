"""The comparison as one HTML file, of the same parts as a report."""

from __future__ import annotations

from pathlib import Path

from fmreport.compare.comparison import Comparison
from fmreport.errors import RenderError
from fmreport.report import theme
from fmreport.report.comparison.build import Limit, build
from fmreport.report.html import page_to_html
from fmreport.store import Run

TEMPLATE = "diff.html.j2"
STEPS = tuple(
    Limit(*each)
    for each in ((48, 48, 64), (48, 48, 40), (48, 24, 40), (48, 12, 40), (48, 12, 24), (24, 6, 24), (12, 0, 24))
)
"""What is tried in turn where the page is over its budget: smaller maps, then fewer."""


def render(a: Run, b: Run, found: Comparison, *, template_dir: Path | None, budget_mb: float) -> bytes:
    """The page, at most `budget_mb` x 10^6 bytes. Raises `RenderError` where no step fits, or a template fails."""
    theme.check(template_dir)
    made = b""
    for limit in STEPS:
        made = page_to_html(build(a, b, found, limit), template_dir, TEMPLATE)
        if len(made) <= budget_mb * 1e6:
            return made
    raise RenderError(
        f"the comparison has {len(made) / 1e6:.1f} MB, over the budget of {budget_mb:g} MB that B's config has under "
        "report.budget_mb, even without maps",
        fix="compare runs of fewer taps, or take smaller fonts and a smaller logo",
    )
