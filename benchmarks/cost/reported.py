"""What analyses and report take: whatever the number of images, and for each of them."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.cost.subjects import Subject, watched

if TYPE_CHECKING:
    import pandas as pd

    from fmreport.store import Run

FEW, MANY = 500, 3000
"""Images of tables that are analysed, to tell what each more takes."""
LISTED, CLASSES = 1 << 15, 1000
"""Images of a table of probes that is weighed, and the folders that they lie in."""
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


def reporting(subject: Subject, folder: Path) -> dict[str, float]:
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
    return {
        "report": report,
        "report_row": max(taken[MANY] - taken[FEW], 0.0) / rows,
        "row_bytes": (folder / "longer.parquet").stat().st_size / len(written),
        "fact_bytes": fact_bytes(folder),
    }


def fact_bytes(folder: Path) -> float:
    """Of the table of probes, per image: no two files alike, paths such as ImageNet's, no masks."""
    from fmreport.facts import ProbeFact
    from fmreport.store import probes

    rng = np.random.default_rng(0)
    # A folder's name and a file's number have eight digits; hashes do not compress.
    classes = np.sort(rng.integers(10**7, 10**8, CLASSES)).repeat(-(-LISTED // CLASSES))[:LISTED].tolist()
    numbers, sizes = rng.permutation(10**5)[:LISTED].tolist(), rng.integers(10**4, 10**6, LISTED).tolist()

    def fact(number: int) -> ProbeFact:
        name, sha256 = f"n{classes[number]}/{numbers[number]:08}", hashlib.sha256(str(number).encode()).hexdigest()
        return ProbeFact(name, f"train/{name}.jpg", sha256, (375, 500), bytes=sizes[number], media_type="image/jpeg")

    probes.write(folder / "probes.parquet", tuple(map(fact, range(LISTED))))
    return (folder / "probes.parquet").stat().st_size / LISTED


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
