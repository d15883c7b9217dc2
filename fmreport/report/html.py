"""The page as one HTML file: nothing to load, complete without JavaScript."""

from __future__ import annotations

from bisect import bisect_left
from functools import cache
from pathlib import Path

from fmreport.errors import RenderError
from fmreport.report import environment, finishing, theme
from fmreport.report.build import Advance, build, shrunk
from fmreport.report.data_uri import data_uri
from fmreport.report.maps import Limit
from fmreport.report.page import Page
from fmreport.store import Run

TEMPLATE = "report.html.j2"
STEPS = (
    *(Limit(tile) for tile in (64, 56, 48, 40, 32, 24)),
    Limit(24, attribution=False),
    *(Limit(*each, attribution=False) for each in ((24, 16), (24, 8), (16, 8), (24, 4), (16, 4), (8, 4))),
)
"""What is tried in turn where the page is over its budget: smaller tiles while they can be read, then no attribution,
then fewer channels."""


def render(
    run: Run,
    *,
    template_dir: Path | None,
    budget_mb: float,
    page: Page | None = None,
    advance: Advance = lambda done, total: None,
) -> bytes:
    """The HTML report, at most `budget_mb` x 10^6 bytes; `page` is the run's page where it is built already.

    Where the maps make it larger, there are smaller and then fewer of them, and the page says so. `advance(done,
    total)` follows the taps of the first attempt. Raises `RenderError` where no step fits, or where a template fails.
    """
    theme.check(template_dir)
    budget = budget_mb * 1e6
    page = page or build(run, advance=advance)
    report = page_to_html(page, template_dir)
    if len(report) > budget:
        report = _smaller(run, page, budget, template_dir)
    if len(report) > budget:
        laid = theme.read(template_dir).size
        smaller = f", or take smaller fonts: those and the logo have {laid / 1e6:.1f} MB" if laid > budget / 10 else ""
        raise RenderError(
            f"report.budget_mb: the report has {len(report) / 1e6:.1f} MB, over the budget of {budget_mb:g} MB, "
            "even with the smallest maps",
            fix=f"set it to {len(report) / 1e6 + 0.1:.1f} or more, or show fewer channels, probes or taps{smaller}",
        )
    return report


def page_to_html(page: object, template_dir: Path | None, template: str = TEMPLATE) -> bytes:
    """The HTML of a page that the template is for, whatever its size."""
    jinja = environment.html_environment(template_dir)
    jinja.filters["jpeg_uri"] = lambda data: data_uri("image/jpeg", data)
    jinja.filters["png_uri"] = lambda data: data_uri("image/png", data)
    jinja.filters["text_uri"] = lambda text: data_uri("text/plain;charset=utf-8", text.encode("utf-8"))
    jinja.globals |= {"policy": finishing.POLICY, "sizes": finishing.SIZES, "theme": theme.read(template_dir)}
    return finishing.finished(environment.render(jinja, template, page, template_dir), jinja)


def _smaller(run: Run, page: Page, budget: float, template_dir: Path | None) -> bytes:
    """The report at the first of `STEPS` that fits, or at the last."""

    @cache
    def at(step: int) -> bytes:
        return page_to_html(shrunk(run, page, STEPS[step]), template_dir)

    # Each step makes the report smaller than the one before, so that few of them need to be tried.
    last = len(STEPS) - 1
    return at(bisect_left(range(last), True, key=lambda step: len(at(step)) <= budget))
