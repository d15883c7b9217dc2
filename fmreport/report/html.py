"""The page as one HTML file: nothing to load, complete without JavaScript."""

from __future__ import annotations

from pathlib import Path

from fmreport.errors import RenderError
from fmreport.report import environment, finishing, theme
from fmreport.report.build import Advance, build
from fmreport.report.data_uri import data_uri
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
    theme.check(template_dir)
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
        laid = theme.read(template_dir).size
        smaller = f", or take smaller fonts: those and the logo have {laid / 1e6:.1f} MB" if laid > budget / 10 else ""
        raise RenderError(
            f"report.budget_mb: the report has {len(report) / 1e6:.1f} MB, over the budget of {budget_mb:g} MB, "
            "even with the smallest maps",
            fix=f"set it to {len(report) / 1e6 + 0.1:.1f} or more, or show fewer channels, probes or taps{smaller}",
        )
    return report


def page_to_html(page: Page, template_dir: Path | None) -> bytes:
    """The HTML of a page, whatever its size."""
    jinja = environment.html_environment(template_dir)
    jinja.filters["jpeg_uri"] = lambda data: data_uri("image/jpeg", data)
    jinja.filters["png_uri"] = lambda data: data_uri("image/png", data)
    jinja.filters["text_uri"] = lambda text: data_uri("text/csv;charset=utf-8", text.encode("utf-8"))
    jinja.globals |= {"policy": finishing.POLICY, "sizes": finishing.SIZES, "theme": theme.read(template_dir)}
    return finishing.finished(environment.render(jinja, TEMPLATE, page, template_dir), jinja)


def _bytes_of_maps(page: Page) -> float:
    blocks = [block for tap in page.taps if tap.maps for block in tap.maps.blocks]
    blocks += [each.block for tap in page.taps if tap.attribution for each in tap.attribution.probes]
    return sum(len(channel.png) for block in blocks for channel in block.channels) * 4 / 3


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
