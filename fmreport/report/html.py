"""The page as one HTML file: nothing to load, complete without JavaScript."""

from __future__ import annotations

import base64
from pathlib import Path

from fmreport.errors import RenderError
from fmreport.figures import mosaics, png
from fmreport.report import environment
from fmreport.report.build import Advance, build
from fmreport.report.page import Page
from fmreport.store import Run

TEMPLATE = "report.html.j2"
STEPS = (64, 56, 48, 40, 32, 24, 16, 8)
"""Longest side of a tile in pixels, tried in turn where the page is over its budget."""


def render(
    run: Run,
    *,
    template_dir: Path | None,
    budget_mb: float,
    page: Page | None = None,
    advance: Advance = lambda done, total: None,
) -> bytes:
    """The HTML report, at most `budget_mb` x 10^6 bytes; `page` is the run's page where it is built already.

    Where the maps make it larger, they are area-averaged in steps, and the page says so. `advance(done, total)` follows
    the taps of the first attempt. Raises `RenderError` where no step fits, or where a template fails.
    """
    environment.check_overrides(template_dir)
    budget = budget_mb * 1e6
    page = page or build(run, advance=advance)
    report = page_to_html(page, template_dir)
    largest = _largest_tile(page)
    for limit in (step for step in STEPS if step < largest):
        if len(report) <= budget:
            break
        maps = _bytes_of_maps(page)
        # Bytes go with the pixels, or a little slower; a step that cannot fit is not tried.
        if len(report) - maps + 0.8 * maps * (limit / largest) ** 2 > budget and limit != STEPS[-1]:
            continue
        report = page_to_html(build(run, tile_limit=limit), template_dir)
    if len(report) > budget:
        raise RenderError(
            f"report.budget_mb: the report has {len(report) / 1e6:.1f} MB, over the budget of {budget_mb:g} MB, "
            "even with the smallest maps",
            fix=f"set it to {len(report) / 1e6 + 0.1:.1f} or more, or show fewer channels, probes or taps",
        )
    return report


def page_to_html(page: Page, template_dir: Path | None) -> bytes:
    """The HTML of a page, whatever its size."""
    jinja = environment.html_environment(template_dir)
    jinja.filters["jpeg_uri"] = lambda data: "data:image/jpeg;base64," + base64.b64encode(data).decode("ascii")
    jinja.filters["png_uri"] = _png_uri
    return environment.render(jinja, TEMPLATE, page, template_dir).encode("utf-8")


def _png_uri(data: bytes) -> str:
    """A mosaic as a `data:` address, its gaps see-through."""
    return "data:image/png;base64," + base64.b64encode(png.with_transparency(data, mosaics.GAP)).decode("ascii")


def _strips(page: Page) -> list[bytes]:
    return [s.png for tap in page.taps if tap.maps for block in tap.maps.blocks for s in block.strips]


def _bytes_of_maps(page: Page) -> float:
    return sum(len(data) for data in _strips(page)) * 4 / 3


def _largest_tile(page: Page) -> int:
    return max((tap.maps.tile for tap in page.taps if tap.maps), default=0)
