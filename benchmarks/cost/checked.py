"""The formulas beside real runs of models, taps and images by which no constant was settled."""

from __future__ import annotations

import math
import os
import pickle
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.cost.constants import Constants
from benchmarks.cost.formulas import Hardware, Work, makespan, shared, stations, worker_seconds
from benchmarks.cost.sizes import result_bytes
from benchmarks.cost.subjects import Subject, extraction, least, photographs, plain, watched, work_of

if TYPE_CHECKING:
    from fmreport.extract import Done, Engine, Extraction, Job, Step

ALONE = (
    (Subject("SD-UNet 16"), 12),
    (Subject("SD-UNet 16"), 32),
    (Subject("SD-UNet 32", 2), 12),
    (Subject("R50x1", 2), 12),
    (Subject("small"), 64),
)
"""Shards of one process, and their images: other widths, taps and numbers of images than were measured."""
CLUSTERS = ((Subject("SD-UNet 8", 4), 256, 1), (Subject("SD-UNet 8", 4), 256, 2), (Subject("small"), 1024, 2))
"""Measuring passes by Ray: images and workers, each of which has one core."""
HERE = Hardware("here", cores=1, network=math.inf, storage=math.inf)
"""A worker on this machine: nothing travels but through memory, and files lie in the system's cache."""


def checked(constants: Constants, runs: int, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Rows of what was predicted and what was measured."""
    from fmreport.environment import one_thread

    rows: list[dict[str, Any]] = []

    def add(*made: dict[str, Any]) -> None:
        for row in made:
            rows.append(row | {"load": round(os.getloadavg()[0], 1)})
            say(f"{row['what']}, {row['case']}: {row['measured'] / row['predicted']:.2f} of what was predicted")

    with one_thread():
        for subject, images in ALONE:
            with tempfile.TemporaryDirectory() as folder:
                add(*alone(subject, images, constants, Path(folder), runs))
        for subject, images, workers in CLUSTERS:
            with tempfile.TemporaryDirectory() as folder:
                add(*cluster(subject, images, workers, constants, Path(folder)))
    return rows


def alone(subject: Subject, images: int, constants: Constants, folder: Path, runs: int) -> list[dict[str, Any]]:
    """One shard in this process: seconds of all cores, time that passed, bytes."""
    from fmreport.extract import InProcess, Job, split
    from fmreport.extract.measuring import Measuring

    photographs(folder, images)
    made = extraction(subject.config(folder))
    work = worked(subject.name, made, runs)
    job = Job(Measuring(tuple(made.measures)), next(split(made.probes, made.scenes)))
    engine = InProcess(made)
    taken = least(lambda: engine.one(job, lambda _: None), runs)
    size = len(pickle.dumps(engine.one(job, lambda _: None).made, 5))
    core = images * sum(worker_seconds(work, constants.rates).values())
    cores = len(os.sched_getaffinity(0))
    case = f"{subject.name}: {len(work.taps)} taps, {images} images"
    return [
        {"what": "core seconds", "case": case, "predicted": core, "measured": taken.core},
        {"what": "seconds", "case": case, "predicted": shared(core, cores, constants.rates), "measured": taken.wall},
        {"what": "MB", "case": case, "predicted": result_bytes(work.every, work.part) / 1e6, "measured": size / 1e6},
    ]


def worked(name: str, made: Extraction, runs: int) -> Work:
    """With the plain forward pass as it is measured here: it is the model's, and no constant of ours."""
    return work_of(name, made, least(plain(made), runs + 2).core / made.batch)


def cluster(subject: Subject, images: int, workers: int, constants: Constants, folder: Path) -> list[dict[str, Any]]:
    """Measuring passes by Ray, behind one that does not count, in which workers build their graphs.

    The time that passes is predicted from the constants, and from the seconds that the shards themselves took, which
    others on the machine lengthen. The second is a check of the queue alone; so is the last, in which the driver sleeps
    over each result for as long as a shard takes.
    """
    from fmreport.engines import Plan, started

    photographs(folder, images)
    config = subject.config(folder, engine={"kind": "ray", "workers": workers, "num_cpus": 1})
    made = extraction(config)
    work = worked(subject.name, made, 2)
    at = stations(work, HERE, constants.rates)
    beside = at.worker - shard_seconds(work, constants)
    with started(Plan(config, made, lambda text: None)) as ready:
        made.measure((), engine=ready.engine)
        before = core_seconds(ready.engine)
        each, wall = passed(made, ready.engine)
        taken = core_seconds(ready.engine) - before
        slower, longer = passed(made, ready.engine, sleep=each)
    seen = replace(at, worker=each + beside)
    slowed = replace(at, worker=slower + beside, keeping=each)
    case = f"{subject.name}: {len(work.taps)} taps, {images:,} images, Ray, {workers} of one core"
    both = {
        "workers' core seconds": (work.shards * at.worker, taken),
        "seconds": (makespan(work.shards, workers, at), wall),
        "seconds, from the shards'": (makespan(work.shards, workers, seen), wall),
        "the same with a driver that sleeps": (makespan(work.shards, workers, slowed), longer),
    }
    return [{"what": what, "case": case, "predicted": one, "measured": other} for what, (one, other) in both.items()]


def passed(made: Extraction, engine: Engine, *, sleep: float = 0.0) -> tuple[float, float]:
    """Seconds of a shard, in the mean, and of the pass; the driver sleeps for so long over each result."""
    from fmreport.engines.following import Followed

    followed = Followed(engine)
    with watched() as watch:
        made.measure((), engine=Sleeping(followed, sleep))
    return followed.so_far.seconds / followed.so_far.computed, watch.wall


class Sleeping:
    """Passes work on to another engine, and takes its time over each result."""

    def __init__(self, engine: Engine, seconds: float) -> None:
        self._engine, self._seconds = engine, seconds

    def work(self, jobs: Iterable[Job], step: Step) -> Iterator[Done]:
        """As the other engine does it."""
        for done in self._engine.work(jobs, step):
            time.sleep(self._seconds)
            yield done


def shard_seconds(work: Work, constants: Constants) -> float:
    """Of one core for one shard, without handing over its result."""
    return work.part.images * sum(worker_seconds(work, constants.rates).values())


def core_seconds(engine: Any) -> float:
    """That the workers' processes have taken so far (Linux)."""
    ticks = 0
    for process in engine.processes:
        fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
