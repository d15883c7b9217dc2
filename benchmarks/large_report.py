"""A report of very many probes beside one of few: `python -m benchmarks.large_report RUN [--probes 50 100000]`.

`RUN` is the folder of a run. Its rows of `samples` are repeated with noise under other names until there are as many
probes as asked, a part at a time, and the analyses that read them are made anew. Each size is rendered from its folder
in a process of its own, in turn; printed are seconds and megabytes at the peak, and what they are of the smallest.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import parquet
from rich.console import Console
from rich.table import Table

from benchmarks.timing import MB, in_fresh_process, status
from fmreport import analysis, pipeline
from fmreport.analysis import Evidence
from fmreport.facts import ProbeFact
from fmreport.records import IMAGE
from fmreport.store import TABLES, Draft, Run, drafting

PART = 500
"""Probes that are made at once."""
GROUPS = 1000
"""Groups that they are of."""
OVER_IMAGES = ("outliers", "spread", "facets")
"""Analyses of the table `samples` alone."""
SIZED = (f"tables/{TABLES['samples']}", f"tables/{TABLES['facets']}", "manifest.json", "report.html", "report.pdf")
"""Files whose sizes are told."""


def write(run: Run, folder: Path, probes: int) -> dict[str, float]:
    """Writes a run of so many probes into a new folder; returns the seconds that its analyses took."""
    facts = [_fact(run, number) for number in range(probes)]
    with drafting(folder, force=True) as draft:
        for name in TABLES.keys() - {"samples", *OVER_IMAGES}:
            if (run.folder / "tables" / TABLES[name]).is_file():
                draft.write_table(name, run.table(name))
        for path in (run.folder / "maps").iterdir():
            draft.write(f"maps/{path.name}", path.read_bytes())
        _write_samples(draft, run, [fact.name for fact in facts])
        seconds = _analyse(draft, run, facts)
        first = run.facts.probes[: len(run.pictures())]
        listed = draft.write_probes((*first, *facts[len(first) :]))
        told = replace(run.facts, probes=listed, measures={**run.facts.measures, "outliers": 1})
        draft.write_manifest(told)
    return seconds


def _fact(run: Run, number: int) -> ProbeFact:
    """A probe like one of the run's; those with pictures keep their names."""
    own = run.facts.probes
    name = own[number].name if number < len(own) else f"set/part{number // 1000:04}/image{number:07}.jpg"
    return replace(own[number % len(own)], name=name, origin=name, group=f"group {number % GROUPS:03}")


def _write_samples(draft: Draft, run: Run, names: Sequence[str]) -> None:
    path = draft.folder / "tables" / TABLES["samples"]
    path.parent.mkdir(exist_ok=True)
    with parquet.ParquetWriter(path, pa.Schema.from_pandas(run.samples, preserve_index=False)) as file:
        for part in _parts(run.samples, names):
            file.write_table(pa.Table.from_pandas(part, schema=file.schema, preserve_index=False))


def _parts(samples: pd.DataFrame, names: Sequence[str]) -> Iterator[pd.DataFrame]:
    own = [rows for _, rows in samples.groupby("probe", sort=False)]
    rng = np.random.default_rng(0)
    numbers = samples.select_dtypes("float64").columns
    for start in range(0, len(names), PART):
        some = names[start : start + PART]
        made = pd.concat([own[(start + i) % len(own)].assign(probe=name) for i, name in enumerate(some)])
        yield made.assign(**{name: made[name] * rng.lognormal(0, 0.1, len(made)) for name in numbers})


def _analyse(draft: Draft, run: Run, facts: Sequence[ProbeFact]) -> dict[str, float]:
    path = draft.folder / "tables" / TABLES["samples"]
    evidence = Evidence(
        (IMAGE, *run.layers["tap"]),
        {},
        np.ones(1),
        0,
        (),
        0,
        samples=lambda names: pd.read_parquet(path, columns=names),
        facets={fact.name: fact.group for fact in facts},
    )
    seconds = {}
    for name in OVER_IMAGES:
        start = time.perf_counter()
        draft.write_table(name, analysis.load()[name].table(evidence))
        seconds[name] = time.perf_counter() - start
    return seconds


def rendered(folder: Path) -> dict[str, float]:
    """Seconds of one report, and megabytes at the peak above what the process took before."""
    before, start = status("VmRSS"), time.perf_counter()
    pipeline.render(folder)
    return {"seconds": time.perf_counter() - start, "peak MB": (status("VmHWM") - before) / MB}


def main() -> None:
    """Renders every size in turn and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--probes", type=int, nargs="+", default=[50, 100_000])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(rendered(options.run)))
        return
    with tempfile.TemporaryDirectory(prefix="fmreport-") as folder:
        rows = compared(Run.open(options.run), options.probes, options.runs, Path(folder))
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*(f"{value:,.2f}" if isinstance(value, float) else f"{value:,}" for value in row.values()))
    Console(width=200).print(table)


def compared(run: Run, sizes: Sequence[int], runs: int, folder: Path) -> list[dict[str, Any]]:
    """A row per size: medians, and what they are of the first."""
    analysed = {size: write(run, folder / str(size), size) for size in sizes}
    found: dict[int, list[dict[str, float]]] = {size: [] for size in sizes}
    for _ in range(runs):
        for size in sizes:
            found[size].append(in_fresh_process("benchmarks.large_report", str(folder / str(size)), "--one"))
    rows = []
    for size in sizes:
        row: dict[str, Any] = {"probes": size}
        for name in found[size][0]:
            row[name] = median(each[name] for each in found[size])
            row[f"{name} ratio"] = median(
                each[name] / first[name] for each, first in zip(found[size], found[sizes[0]], strict=True)
            )
        files = {
            "samples": f"tables/{TABLES['samples']}",
            "manifest": "manifest.json",
            "html": "report.html",
            "pdf": "report.pdf",
        }
        row |= {f"{name} MB": (folder / str(size) / path).stat().st_size / 1e6 for name, path in files.items()}
        rows.append(row | {f"{name} s": seconds for name, seconds in analysed[size].items()})
    shutil.rmtree(folder, ignore_errors=True)
    return rows


if __name__ == "__main__":
    main()
