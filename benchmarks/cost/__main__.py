"""What a run costs: `python -m benchmarks.cost [--measure] [--check] [--draw PNG] [--docs PAGE]`.

`--measure` measures the constants on this machine and writes `benchmarks/cost.json`; `--check` holds what the formulas
say against real runs, and writes that there as well; `--draw` draws throughput by workers; `--docs` makes the tables of
a page anew. Without any of them, what runs of many images cost.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.cost import told
from benchmarks.cost.constants import FILE, load, save


def main() -> None:
    """Does what is asked, in that order."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", action="store_true", help=f"measure the constants of {FILE.name}")
    parser.add_argument("--check", action="store_true", help="compare with real runs")
    parser.add_argument("--draw", type=Path, metavar="FILE", help="draw throughput by workers, a PNG")
    parser.add_argument("--docs", type=Path, metavar="PAGE", help="make the tables of a page anew")
    parser.add_argument("--runs", type=int, default=3, help="of which the fastest counts")
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    out = Console(highlight=False)
    if options.measure:
        from benchmarks.cost.measured import measured

        save(measured(options.runs, out.print))
    if options.check:
        from benchmarks.cost.checked import checked

        found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
        rows = checked(load(), options.runs, out.print)
        save({**found, "checks": rows})
    if options.draw:
        from benchmarks.cost.drawn import draw

        draw(load(), options.draw)
    if options.docs:
        options.docs.write_text(told.filled(options.docs.read_text(encoding="utf-8"), load()), encoding="utf-8")
    if not (options.measure or options.check or options.draw or options.docs):
        print(told.costs(load()))


if __name__ == "__main__":
    main()
