"""The page as one HTML file: nothing to load, complete without JavaScript."""

from __future__ import annotations

import base64
from pathlib import Path

from fmreport.errors import RenderError
from fmreport.figures import mosaics, png
from fmreport.report import environment
from fmreport.report.build import Advance, build
from fmreport.report.maps import Limit
from fmreport.report.page import Page
from fmreport.store import Run

TEMPLATE = "report.html.j2"
STEPS = (
    *(Limit(tile) for tile in (64, 56, 48, 40, 32, 24)),
    *(Limit(tile, channels) for tile, channels in ((24, 16), (16, 16), (16, 8), (8, 8), (8, 4))),
)
"""What is tried in turn where the page is over its budget: smaller tiles while they can be read, then fewer."""


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
    environment.check_overrides(template_dir)
    budget = budget_mb * 1e6
    page = page or build(run, advance=advance)
    report = page_to_html(page, template_dir)
    whole = len(report)
    for limit in STEPS:
        if len(report) <= budget:
            break
        # What cannot fit is not tried.
        if _least(page, whole, limit) <= budget or limit == STEPS[-1]:
            report = page_to_html(build(run, limit=limit), template_dir)
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
    blocks = [block for tap in page.taps if tap.maps for block in tap.maps.blocks]
    blocks += [each.block for tap in page.taps if tap.attribution for each in tap.attribution.probes]
    return [strip.png for block in blocks for strip in block.strips]


def _bytes_of_maps(page: Page) -> float:
    return sum(len(data) for data in _strips(page)) * 4 / 3


def _least(page: Page, size: int, limit: Limit) -> float:
    """Bytes to which a limit brings a page of `size` at best."""
    shown = [tap.maps for tap in page.taps if tap.maps]
    tile = max((maps.tile for maps in shown), default=0)
    channels = max((sum(len(block.labels) for block in maps.blocks) for maps in shown), default=0)
    smaller = min(limit.tile / max(tile, 1), 1)
    fewer = min((limit.channels or channels) / max(channels, 1), 1)
    if smaller == fewer == 1:
        return size
    # Of maps, bytes go with the pixels, or a little slower; of the rest, a part goes with the channels.
    maps = _bytes_of_maps(page)
    return 0.8 * maps * smaller**2 * fewer + (size - maps) * (0.2 + 0.8 * fewer)
