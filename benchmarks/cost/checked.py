"""The formulas beside real runs of models, taps and images by which no constant was settled."""

from __future__ import annotations

import math
import os
import pickle
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.cost.constants import Constants
from benchmarks.cost.formulas import Hardware, Work, makespan, shared, stations, worker_seconds
from benchmarks.cost.sizes import result_bytes
from benchmarks.cost.subjects import Subject, extraction, least, photographs, plain, watched, work_of

if TYPE_CHECKING:
    from fmreport.extract import Extraction

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
    """A measuring pass by Ray, behind one that does not count, in which workers build their graphs.

    The time that passes is predicted twice: from the constants, and from the seconds that the shards themselves took,
    which others on the machine lengthen. The second is a check of the queue alone.
    """
    from fmreport.engines import Plan, started
    from fmreport.engines.following import Followed

    photographs(folder, images)
    config = subject.config(folder, engine={"kind": "ray", "workers": workers, "num_cpus": 1})
    made = extraction(config)
    work = worked(subject.name, made, 2)
    with started(Plan(config, made, lambda text: None)) as ready:
        made.measure((), engine=ready.engine)
        followed, before = Followed(ready.engine), core_seconds(ready.engine)
        with watched() as watch:
            made.measure((), engine=followed)
        taken = core_seconds(ready.engine) - before
    at = stations(work, HERE, constants.rates)
    seen = replace(at, worker=followed.so_far.seconds / work.shards + at.worker - shard_seconds(work, constants))
    case = f"{subject.name}: {len(work.taps)} taps, {images:,} images, Ray, {workers} of one core"
    both = {
        "workers' core seconds": (work.shards * at.worker, taken),
        "seconds": (makespan(work.shards, workers, at), watch.wall),
        "seconds, from the shards'": (makespan(work.shards, workers, seen), watch.wall),
    }
    return [{"what": what, "case": case, "predicted": one, "measured": other} for what, (one, other) in both.items()]


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
