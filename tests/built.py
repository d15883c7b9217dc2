"""Pages and HTML reports of the synthetic runs, built once for all files of a worker: their figures take long."""

from __future__ import annotations

from functools import cache

from run_data import SyntheticRun, sd_unet_run, small_run, with_target

from fmreport.report import build, html
from fmreport.report.page import Page


@cache
def targeted_run() -> SyntheticRun:
    """The small run with a target."""
    return with_target(small_run())


RUNS = {"small": small_run, "targeted": targeted_run, "sd_unet": sd_unet_run}


@cache
def page_of(run: str) -> Page:
    """The page of one of `RUNS`."""
    return build.build(RUNS[run]())


@cache
def report_of(run: str) -> bytes:
    """The HTML of that page, without a theme."""
    return html.render(RUNS[run](), template_dir=None, budget_mb=10, page=page_of(run))
