"""What a run costs, as formulas: seconds, bytes and messages of images, taps, channels and workers.

A run has three parts, one after another. The driver reads every image once; workers measure shards, whose results the
driver takes over the network and merges; the driver analyses the tables and writes the report.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from benchmarks.cost.sizes import Part, Shape, arrays, result_bytes
from fmreport.extract import SIZE, count

AHEAD = 4
"""Shards per worker that the driver lets go ahead of the first that is not done, as in `fmreport.engines.cluster`."""
MESSAGES = 2
"""Of a shard: to a worker, and back."""


@dataclass(frozen=True, slots=True)
class Hardware:
    """Machines of one kind; the driver is one of them."""

    name: str
    cores: int
    """Of a worker, and of the driver."""
    network: float
    """Bytes per second into the driver."""
    storage: float
    """Bytes per second of the disk that all share."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Seconds and bytes as they were measured; seconds are those of one core unless they say otherwise."""

    decode: float
    """Seconds per pixel of a file."""
    prepare: float
    """Seconds per pixel that the model is fed: resizing, edges."""
    tap: float
    """Seconds per tap and image."""
    element: float
    """Seconds per value of a tap."""
    channel: float
    """Seconds per channel and image."""
    open: float
    """Seconds until a worker's model is open."""
    trace: float
    """Seconds per tap until the graph of the measures is built, in each worker."""
    merge_array: float
    """Seconds per array of a result."""
    merge_byte: float
    """Seconds per byte of a result."""
    row: float
    """Seconds per row of `samples`: to make it and write it."""
    message: float
    """Seconds of the driver per shard, for handing it out and taking its result."""
    send_byte: float
    """Seconds of the worker per byte of its result."""
    put_byte: float
    """Seconds of the driver per byte that it writes to a cache."""
    get_byte: float
    """Seconds of the driver per byte that it reads from a cache."""
    report: float
    """Seconds of analyses, maps and report, whatever the number of images."""
    report_row: float
    """Seconds of analyses and report per row of `samples`."""
    row_bytes: float
    """Of `samples` on disk."""
    fact_bytes: float
    """Of the table of probes that a run over many images has, per image."""
    memory_bytes: float
    """That the driver holds per image."""
    portion_bytes: float
    """To a worker, per image."""
    efficiency: float
    """Of several cores: 1 where two are twice as fast as one."""


@dataclass(frozen=True, slots=True)
class Work:
    """Images, a model, and its taps."""

    name: str
    images: int
    size: tuple[int, int]
    """(height, width) at which the model is fed."""
    taps: tuple[Shape, ...]
    """Without the image itself, which is measured as well."""
    predict: float
    """Seconds of one core for the plain forward pass of one image."""
    file_pixels: int
    file_bytes: int
    masks: bool = False
    cached: bool = False
    """Whether shards are written to a cache."""

    @property
    def every(self) -> tuple[Shape, ...]:
        """The taps and the image itself."""
        return (Shape(*self.size, 3), *self.taps)

    @property
    def part(self) -> Part:
        """A whole shard; of fewer images all are in one."""
        return Part(min(SIZE, self.images), self.images if self.masks else 0, self.images)

    @property
    def shards(self) -> int:
        """How many there are."""
        return count(self.images)

    @property
    def rows(self) -> int:
        """Of the table `samples`."""
        return self.images * len(self.every)


@dataclass(frozen=True, slots=True)
class Stations:
    """Seconds of one shard at each place that it passes; all but `worker` are there once, the driver in three parts."""

    storage: float
    worker: float
    network: float
    taking: float
    """Of the driver, when a result comes: until its worker has the next shard."""
    keeping: float
    """Of the driver, behind that: for writing the result to a cache."""
    merging: float
    """Of the driver, behind that, when it is the result's turn."""

    @property
    def once(self) -> Mapping[str, float]:
        """Those that workers queue for."""
        driver = self.taking + self.keeping + self.merging
        return {"storage": self.storage, "network": self.network, "driver": driver}

    @property
    def cycle(self) -> float:
        """From one shard of a worker to its next, where nobody waits."""
        return self.storage + self.worker + self.network + self.taking


def worker_seconds(work: Work, rates: Rates) -> dict[str, float]:
    """Seconds of one core for one image, by what they go into."""
    elements = sum(tap.elements for tap in work.every)
    channels = sum(tap.channels for tap in work.every)
    pixels = work.size[0] * work.size[1]
    return {
        "decoding": rates.decode * work.file_pixels + rates.prepare * pixels,
        "model": work.predict,
        "measures": rates.tap * len(work.every) + rates.element * elements + rates.channel * channels,
    }


def shared(seconds: float, cores: int, rates: Rates) -> float:
    """Seconds of one core, done by several."""
    return seconds if cores == 1 else seconds / (cores * rates.efficiency)


def merge_seconds(work: Work, rates: Rates) -> float:
    """Seconds of the driver for merging one shard, its rows of `samples` included."""
    every, part = work.every, work.part
    rows = rates.row * part.images * len(every)
    return rates.merge_array * arrays(every, part) + rates.merge_byte * result_bytes(every, part) + rows


def stations(work: Work, hardware: Hardware, rates: Rates) -> Stations:
    """Seconds of one shard."""
    images, size = work.part.images, result_bytes(work.every, work.part)
    core = images * sum(worker_seconds(work, rates).values())
    kept = rates.put_byte * size if work.cached else 0.0
    return Stations(
        images * work.file_bytes / hardware.storage,
        shared(core, hardware.cores, rates) + rates.send_byte * size,
        size / hardware.network,
        rates.message,
        kept,
        merge_seconds(work, rates),
    )


def makespan(shards: int, workers: int, at: Stations) -> float:
    """Seconds until all are merged, where all shards take equally long; exact.

    What makes a shard wait is the one before it at the same station, or, at the first, that no worker is free until the
    result `workers` places before it is taken. So the last result is taken at the end of the longest path of steps:
    first a cycle, then steps of one shard, as long as the slowest station, or of `workers` shards, as long as a cycle.
    Length is linear in how many are of the second kind: none, or as many as there can be, is longest.
    """
    slowest = max(at.once.values())
    rounds = -(-shards // workers)
    left = shards - (rounds - 1) * workers
    taken = max(rounds * at.cycle + (left - 1) * slowest, at.cycle + (shards - 1) * slowest)
    return taken + at.keeping + at.merging


@dataclass(frozen=True)
class Cost:
    """A run by so many workers."""

    work: Work
    hardware: Hardware
    rates: Rates
    workers: int

    @cached_property
    def at(self) -> Stations:
        """Seconds of one shard."""
        return stations(self.work, self.hardware, self.rates)

    @cached_property
    def seconds(self) -> dict[str, float]:
        """Of the parts of a run, one after another."""
        work, rates = self.work, self.rates
        decoding = rates.decode * work.file_pixels / self.hardware.cores
        return {
            "reading": work.images * max(decoding, work.file_bytes / self.hardware.storage),
            "starting": rates.open + rates.trace * len(work.every),
            "measuring": makespan(work.shards, self.workers, self.at),
            "report": rates.report + rates.report_row * work.rows,
        }

    @property
    def total(self) -> float:
        """Seconds of the run."""
        return sum(self.seconds.values())

    @property
    def throughput(self) -> float:
        """Images per second, from the first to the report."""
        return self.work.images / self.total

    @property
    def core_hours(self) -> float:
        """Of all workers, while they are held."""
        held = self.seconds["starting"] + self.seconds["measuring"]
        return self.workers * self.hardware.cores * held / 3600

    @property
    def busy(self) -> dict[str, float]:
        """Seconds for which each part of the machinery is needed, by itself; the longest is the bottleneck."""
        each = worker_seconds(self.work, self.rates)
        share = self.work.shards * self.at.worker / self.workers / sum(each.values())
        return {
            **{name: seconds * share for name, seconds in each.items()},
            "driver: reading": self.seconds["reading"],
            "storage": self.work.shards * self.at.storage,
            "network": self.work.shards * self.at.network,
            "driver: merging": self.work.shards * self.at.once["driver"],
            "driver: report": self.seconds["report"],
        }

    @property
    def bottleneck(self) -> str:
        """What is needed longest."""
        return max(self.busy, key=lambda name: self.busy[name])

    @property
    def ceilings(self) -> dict[str, float]:
        """Images per second that no number of workers exceeds, of each thing that is there once."""
        return {
            name: self.work.images / seconds
            for name, seconds in self.busy.items()
            if name.startswith("driver") or name in ("storage", "network")
        }

    @property
    def bytes(self) -> dict[str, float]:
        """What travels and what is kept, of the whole run."""
        work, rates = self.work, self.rates
        result = result_bytes(work.every, work.part) * work.images / work.part.images
        return {
            "storage to workers": float(work.images * work.file_bytes),
            "driver to workers": work.images * rates.portion_bytes,
            "workers to driver": result,
            "cache": result if work.cached else 0.0,
            "samples": work.rows * rates.row_bytes,
            "probes": work.images * rates.fact_bytes,
        }

    @property
    def messages(self) -> int:
        """Between driver and workers; two more for each worker that opens the model."""
        return MESSAGES * (self.work.shards + self.workers)

    @property
    def memory(self) -> dict[str, float]:
        """Bytes of the driver: what is known of each image, and results that may wait for an earlier one, at most."""
        waiting = min(AHEAD * self.workers, self.work.shards) - 1
        return {
            "images": self.work.images * self.rates.memory_bytes,
            "waiting results": float(waiting * result_bytes(self.work.every, self.work.part)),
        }
