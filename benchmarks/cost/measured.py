"""The constants of the formulas, measured on this machine by calling what a run calls."""

from __future__ import annotations

import os
import pickle
import platform
import tempfile
import tracemalloc
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.cost.formulas import Work
from benchmarks.cost.reported import reporting
from benchmarks.cost.sizes import Part, arrays, result_bytes
from benchmarks.cost.subjects import Subject, extraction, least, photographs, plain, watched, work_of
from fmreport.probes.scenes import MANY, groups

if TYPE_CHECKING:
    import pandas as pd

    from fmreport.config import Config
    from fmreport.extract import Arrays, Extraction, Made

SUBJECTS = (
    Subject("SD-UNet 32"),
    Subject("SD-UNet 32", 4),
    Subject("SD-UNet 8"),
    Subject("R50x1"),
    Subject("R50x1", 4),
)
MEASURED = 12
"""Images of a shard that is timed; three batches."""
LARGE = MANY
"""Images of the run to which the shards are taken to belong whose results are merged, kept and sent."""


@dataclass(frozen=True, slots=True)
class Timed:
    """One subject."""

    work: Work
    opened: float
    """Seconds of one core."""
    traced: float
    """Seconds of one core in which the first shard took longer than the others."""
    shard: float
    """Seconds of one core per image."""
    prepared: float
    """The same for reading and preparing it."""
    wall: float
    made: Made
    """Of a whole shard of a large run, as far as its arrays' shapes go."""
    whole: Extraction

    @property
    def efficiency(self) -> float:
        """Cores that worked, in the mean."""
        return self.shard / self.wall


def timed(subject: Subject, folder: Path, runs: int) -> Timed:
    """Its first shard cut to a few images, several times, and what these consist of."""
    from fmreport.extract import InProcess, Job, split
    from fmreport.extract.measuring import Measuring

    with watched() as opening:
        made = extraction(subject.config(folder))
    few = Job(Measuring(tuple(made.measures)), next(split(made.probes[:MEASURED], made.scenes)))
    engine = InProcess(made)

    def one() -> Any:
        return engine.one(few, lambda images: None)

    with watched() as first:
        result = one()
    shard, forward = least(one, runs), least(plain(made), 4 * runs)
    prepared = least(lambda: list(made.batches(made.probes[:MEASURED], made.scenes)), runs)
    return Timed(
        work_of(subject.name, made, forward.core / made.batch),
        opening.core,
        max(first.core - shard.core, 0.0),
        shard.core / MEASURED,
        prepared.core / MEASURED,
        shard.wall / MEASURED,
        grown(result.made, len(made.probes)),
        made,
    )


def grown(made: Made, images: int) -> Made:
    """A result with the shapes of one of so many images of a large run: of each image or group as many as there."""
    many = {"row": images, "group": Part(images, run=LARGE).groups}

    def more(name: str, value: np.ndarray) -> np.ndarray:
        kind = name.split("/")[1]
        return np.resize(value, (many[kind], *value.shape[1:])) if kind in many else value

    return {piece: {name: more(name, value) for name, value in of.items()} for piece, of in made.items()}


def of_workers(found: list[Timed]) -> dict[str, float]:
    """What taps, values and channels take beside the model, by least squares of all subjects."""
    from scipy.optimize import nnls

    rows, seconds = [], []
    for one in found:
        every = one.work.every
        row = np.array([len(every), sum(t.elements for t in every), sum(t.channels for t in every)], float)
        left = max(one.shard - one.work.predict - one.prepared, 0.0)
        # Of relative errors: a small network counts as much as a large one.
        rows.append(row / one.shard)
        seconds.append(left / one.shard)
    scale = np.abs(rows).max(axis=0)
    fitted, _ = nnls(np.array(rows) / scale, np.array(seconds))
    return dict(zip(("tap", "element", "channel"), (fitted / scale).tolist(), strict=True))


def of_images(config: Config, found: list[Timed], runs: int) -> dict[str, float]:
    """What a file takes to be read and prepared, and what the driver keeps of it."""
    from fmreport import probes
    from fmreport.probes.scenes import Scenes

    made = found[0].whole
    pixels = sum(fact.size[0] * fact.size[1] for fact in made.probes.facts)
    decode = least(lambda: probes.collect(config.probes, config.folder), runs).core / pixels
    prepare = []
    for one in found:
        height, width = one.work.size
        prepare.append((one.prepared - decode * one.work.file_pixels) / (height * width))
    tracemalloc.start()
    kept = probes.collect(config.probes, config.folder)
    scenes = Scenes(kept, made.preprocess)
    memory = tracemalloc.get_traced_memory()[0] / len(kept)
    tracemalloc.stop()
    portion = pickle.dumps((kept, scenes.place, scenes.group), 5)
    return {
        "decode": decode,
        "prepare": float(np.median(prepare)),
        "memory_bytes": memory,
        "portion_bytes": len(portion) / len(kept),
    }


class Dropped:
    """Rows of `samples` that go nowhere; the last remain."""

    def __init__(self) -> None:
        self.last: pd.DataFrame | None = None

    def add(self, rows: pd.DataFrame) -> None:
        """Takes the rows of one shard."""
        self.last = rows

    def read(self, columns: Any = None) -> pd.DataFrame:
        """The last ones."""
        assert self.last is not None
        return self.last


def of_driver(found: list[Timed], folder: Path, runs: int) -> dict[str, float]:
    """What it takes to merge a result, to write its rows, and to keep it in a cache; seconds of its one core."""
    from scipy.optimize import nnls

    from fmreport.cache import Cache
    from fmreport.extract import split
    from fmreport.extract.merging import Merging
    from fmreport.store.rows import ParquetRows

    features, seconds, rows = [], [], []
    for one in found:
        whole, rest = one.whole, Dropped()
        assert whole.scenes is not None
        scenes = whole.scenes.of_roles({}, dict(zip(whole.probes.names, groups(LARGE), strict=False)))
        merging = Merging(whole.measures, whole.measured_taps, whole.draw, groups=scenes.groups, rows=rest)
        shard = next(split(whole.probes, scenes))
        taken = least(partial(merging.add, shard, one.made), runs).core
        part = Part(len(whole.probes), run=LARGE)
        features.append([arrays(one.work.every, part), result_bytes(one.work.every, part)])
        seconds.append(taken)
        frame = rest.read()
        with watched() as writing:
            table = ParquetRows(folder / "rows.parquet")
            for _ in range(10):
                table.add(frame)
            table.read(["tap"])
        rows.append(writing.core / 10 / len(frame))
    scale = np.array(features, float).max(axis=0)
    fitted, _ = nnls(np.array(features) / scale / np.array(seconds)[:, None], np.ones(len(seconds)))
    by_array, by_byte = (fitted / scale).tolist()
    kept, cache = found[0].made, Cache(folder / "cache")
    size = sum(sum(value.nbytes for value in piece.values()) for piece in kept.values())
    keys = {piece: f"{number:064x}" for number, piece in enumerate(kept)}

    def put() -> None:
        for piece, key in keys.items():
            cache.put(key, kept[piece], {})

    def get() -> list[Arrays]:
        return [cache.get(key) for key in keys.values() if cache.holds(key)]

    put_seconds = least(put, runs).core
    return {
        "merge_array": by_array,
        "merge_byte": by_byte,
        "row": float(np.median(rows)),
        "put_byte": put_seconds / size,
        "get_byte": least(get, runs).core / size,
    }


def of_messages(made: Made, runs: int) -> dict[str, float]:
    """What Ray takes to carry a small result and a real one between two processes here."""
    import ray

    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level=40, object_store_memory=1 << 29)
    try:

        @ray.remote
        class Echo:
            def keep(self, value: Any) -> None:
                self.value = value

            def small(self) -> bool:
                return True

            def large(self) -> Any:
                return self.value

        echo = Echo.remote()  # type: ignore[attr-defined]
        ray.get(echo.keep.remote(made))
        size = len(pickle.dumps(made, 5))
        small = least(lambda: [ray.get(echo.small.remote()) for _ in range(50)], runs).wall / 50
        large = least(lambda: ray.get(echo.large.remote()), runs).wall
    finally:
        ray.shutdown()
    return {"message": small, "send_byte": (large - small) / size}


def measured(runs: int, say: Any) -> dict[str, Any]:
    """Everything that `cost.json` holds."""
    from fmreport.environment import one_thread
    from fmreport.extract import SIZE

    load = os.getloadavg()[0]
    with one_thread(), tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        photographs(folder, SIZE)
        found = []
        for subject in SUBJECTS:
            found.append(timed(subject, folder, runs))
            say(f"{subject.name}: {found[-1].shard:.3f} s of one core per image, {found[-1].wall:.3f} s passed")
        rates = of_images(SUBJECTS[0].config(folder), found, runs) | of_workers(found)
        rates |= of_driver(found, folder, runs)
        say("driver measured")
        rates |= of_messages(found[0].made, runs)
        rates |= reporting(Subject("SD-UNet 8"), folder)
        rates["open"] = float(np.median([one.opened for one in found]))
        rates["trace"] = float(np.median([one.traced / len(one.work.every) for one in found]))
        cores = len(os.sched_getaffinity(0))
        rates["efficiency"] = min(1.0, float(np.median([one.efficiency for one in found])) / cores)
    return {"hardware": hardware(load, os.getloadavg()[0]), "rates": rates, "models": models(found)}


def models(found: list[Timed]) -> dict[str, Any]:
    """What the formulas must know of a model."""
    return {
        one.work.name: {
            "size": one.work.size,
            "predict": one.work.predict,
            "shard": one.shard,
            "taps": [[tap.height, tap.width, tap.channels] for tap in one.work.taps],
        }
        for one in found
    }


def hardware(*load: float) -> dict[str, Any]:
    """What it was measured on, and how busy that was before and after."""
    from fmreport.environment import versions

    lines = Path("/proc/cpuinfo").read_text(encoding="ascii").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    kept = {name: version for name, version in versions().items() if name in ("tensorflow", "numpy", "python")}
    return {
        "processor": names[0] if names else platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(memory / 1e9, 1),
        "versions": kept | {"python": platform.python_version()},
        "load": [round(each, 1) for each in load],
    }
