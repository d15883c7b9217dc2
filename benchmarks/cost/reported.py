"""What analyses and report take: whatever the number of images, and for each of them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.cost.subjects import Subject, watched

if TYPE_CHECKING:
    import pandas as pd

    from fmreport.probes import ProbeSet
    from fmreport.store import Run

FEW, MANY = 500, 3000
"""Images of tables that are analysed, to tell what each more takes."""
OVER_IMAGES = ("outliers", "spread")
"""Analyses that read all rows of `samples`."""
MEASURED = "Measuring"
"""The last stage that is reckoned elsewhere."""


class Watching:
    """Remembers the seconds of all cores that this process has taken when measuring is done."""

    def __init__(self) -> None:
        self.measured = 0.0

    @contextmanager
    def stage(self, title: str) -> Iterator[Callable[[int, int], None]]:
        """As `fmreport.recording.Watch`."""
        yield lambda done, total: None
        if title == MEASURED:
            self.measured = time.process_time()

    def say(self, text: str) -> None:
        """Nothing."""


def reporting(subject: Subject, folder: Path, probes: ProbeSet) -> dict[str, float]:
    """Of a small run, and of its table of samples made longer."""
    import fmreport
    from fmreport.store.rows import ParquetRows

    # What it takes behind the measuring of few images is what it takes behind that of any number.
    few = subject.config(folder, probes=[{"kind": "files", "images": "00000*.jpg"}])
    watching = Watching()
    run = fmreport.run(few, out=folder / "reports", watch=watching)
    report = time.process_time() - watching.measured
    taken = {images: analysed(run, images) for images in (FEW, MANY)}
    rows = (MANY - FEW) * run.samples["tap"].nunique()
    table, written = ParquetRows(folder / "longer.parquet"), longer(run.samples, MANY)
    table.add(written)
    table.read(["tap"])
    listed = json.dumps([asdict(fact) for fact in probes.facts], indent=1, default=str)
    return {
        "report": report,
        "report_row": max(taken[MANY] - taken[FEW], 0.0) / rows,
        "row_bytes": (folder / "longer.parquet").stat().st_size / len(written),
        "manifest_bytes": len(listed) / len(probes),
    }


def analysed(run: Run, images: int) -> float:
    """Seconds of the analyses that read single images, of a table of so many."""
    from fmreport import analysis
    from fmreport.analysis import Evidence
    from fmreport.extract import Kept
    from fmreport.records import IMAGE

    samples = longer(run.samples, images)
    held = Kept()
    held.add(samples)
    evidence = Evidence((IMAGE, *run.layers["tap"]), {}, np.ones(1), 0, (), 0, samples=held.read)
    made = analysis.load()
    with watched() as watch:
        for name in OVER_IMAGES:
            made[name].table(evidence)
    return watch.core


def longer(samples: pd.DataFrame, images: int) -> pd.DataFrame:
    """A table of so many images: its own, again and again, with noise and under other names."""
    taps = samples["tap"].nunique()
    rows = np.resize(np.arange(len(samples)), images * taps)
    made = samples.iloc[rows].reset_index(drop=True)
    numbers = made.select_dtypes("float64").columns
    noise = np.random.default_rng(0).lognormal(0, 0.1, len(made))
    return made.assign(
        probe=np.repeat([f"{number:07}" for number in range(images)], taps),
        **{name: made[name] * noise for name in numbers},
    )
