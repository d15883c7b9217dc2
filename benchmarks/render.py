"""Time and memory of a report, from the tables alone: `python -m benchmarks.render RUN [--taps 51 500] [--json FILE]`.

`RUN` is the folder of a run. Its taps are repeated until there are as many as asked, each with its own maps, and its
probes are, too; every size is rendered in a process of its own. Then Chromium opens the page: when it can be used, and
what its tab takes when all of it was scrolled through.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import stretched
from benchmarks.timing import MB, in_fresh_process, status
from fmreport import figures
from fmreport.report import build, html, pdf
from fmreport.store import Run

PROBES = (1, 20)
"""How often the probes are repeated, to see what they take."""
BUDGET_MB = 10.0
SCROLLS = 60
"""Steps in which a page is scrolled through."""


@contextmanager
def timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    """Adds what the block takes."""
    start = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - start


def rendered(folder: Path, report: Path) -> dict[str, Any]:
    """Seconds of each stage of one report, its sizes, and megabytes at the peak above what the process took before."""
    run, seconds = Run.open(folder), dict[str, float]()
    before = status("VmRSS")
    with timed(seconds, "figures"):
        figures.render_all(run)
    with timed(seconds, "page"):
        page = build.build(run)
    with timed(seconds, "html"):
        as_html = html.render(run, template_dir=None, budget_mb=BUDGET_MB, page=page)
    with timed(seconds, "pdf"):
        as_pdf = pdf.render(run, template_dir=None, page=page)
    seconds["all"] = sum(seconds.values())
    report.write_bytes(as_html)
    sizes = {"html MB": len(as_html) / 1e6, "pdf MB": len(as_pdf) / 1e6}
    return seconds | sizes | {"peak MB": (status("VmHWM") - before) / MB}


def opened(report: Path) -> dict[str, float]:
    """Seconds until the page can be used and is drawn, and megabytes of its tab after a scroll through all of it."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(report.as_uri())
        timing = "performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
        usable = page.evaluate(timing) / 1e3
        painted = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime") / 1e3
        first, slowest = tab(), 0.0
        for step in range(SCROLLS):
            start = time.perf_counter()
            page.evaluate(f"scrollTo(0, document.documentElement.scrollHeight * {step / SCROLLS})")
            page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
            slowest = max(slowest, time.perf_counter() - start)
        last = tab()
        browser.close()
    return {"usable s": usable, "drawn s": painted, "slowest scroll s": slowest, "tab MB": first, "scrolled MB": last}


def tab() -> float:
    """Megabytes that the largest of Chromium's renderers holds for itself, as its task manager tells them."""
    found = [0]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if "type=renderer" in (process / "cmdline").read_text():
                lines = (process / "smaps_rollup").read_text().splitlines()
                found.append(int(next(line for line in lines if line.startswith("Private_Dirty:")).split()[1]))
        except OSError:  # it ended meanwhile
            continue
    return max(found) / 1024


def measured(run: Path, taps: int, probes: int, folder: Path) -> dict[str, Any]:
    """Everything of one size."""
    at = folder / f"{taps}_{probes}"
    stretched.write(Run.open(run), at, taps=taps, probes=probes)
    row = in_fresh_process("benchmarks.render", str(at), "--one", str(at / "report.html"))
    return {"taps": taps, "probes": len(Run.open(at).facts.probes), **row}


def main() -> None:
    """Renders every size in turn and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--taps", type=int, nargs="+", default=[51, 500])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(rendered(options.run, options.one)))
        return
    with tempfile.TemporaryDirectory(prefix="fmreport-") as folder:
        rows = []
        for taps in options.taps:
            for probes in PROBES:
                row = measured(options.run, taps, probes, Path(folder))
                if probes == PROBES[0]:
                    row |= opened(Path(folder) / f"{taps}_{probes}" / "report.html")
                rows.append(row)
    table = Table(*map(str, rows[0]))
    for row in rows:
        table.add_row(*(_shown(row.get(name)) for name in rows[0]))
    Console(width=200).print(table)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def _shown(value: Any) -> str:
    return "" if value is None else f"{value:.2f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
