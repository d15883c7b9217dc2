"""One worker of an engine: a process that opens the model once and works on shards."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, replace

from fmreport import environment, opening, sources
from fmreport.config import Config
from fmreport.environment import one_thread
from fmreport.errors import EngineError, FmreportError
from fmreport.extract import Extraction, Feed, InProcess, Job, Made, Shard, Task
from fmreport.facts import Platform
from fmreport.probes import ProbeSet
from fmreport.probes.scenes import Scenes

SAME = "install the same packages on every machine of the cluster"


@dataclass(frozen=True, slots=True)
class Order:
    """All that a worker needs to open the model as the run does."""

    config: Config
    scenes: Scenes | None
    """Of no probe."""
    batch: int
    feed: Feed
    versions: Mapping[str, str]
    code: str
    """Of fmreport's modules, where the run was started."""
    sha256: str
    """Of the model."""


@dataclass(frozen=True, slots=True)
class Failed:
    """An error that a user can meet, as it travels between processes."""

    kind: type[FmreportError]
    message: str
    fix: str
    host: str

    @classmethod
    def of(cls, error: FmreportError) -> Failed:
        """The error here."""
        return cls(type(error), str(error), error.fix, platform.node())

    def error(self) -> FmreportError:
        """The error there."""
        return self.kind(f"on a worker ({self.host}): {self.message}", fix=self.fix)


@dataclass(frozen=True, slots=True)
class Ready:
    """A worker whose model is open."""

    host: str
    pid: int
    platform: Platform


@dataclass(frozen=True, slots=True)
class Portion:
    """A job as it travels: of the scenes only the part in which probes differ."""

    number: int
    task: Task
    probes: ProbeSet
    roles: tuple[Mapping[str, int], Mapping[str, int]] | None
    """`place` and `group` of its scenes, where it has any."""

    @classmethod
    def of(cls, job: Job) -> Portion:
        """A job, packed."""
        shard, scenes = job.shard, job.shard.scenes
        # Notes are of the whole run, and may be many.
        probes = replace(shard.probes, notes=())
        return cls(shard.number, job.task, probes, None if scenes is None else (scenes.place, scenes.group))


class Worker:
    """Holds the model, and takes one job at a time."""

    def __init__(self) -> None:
        self._says: list[str] = []
        self._engine: InProcess | None = None
        self._scenes: Scenes | None = None

    def open(self, order: Order) -> Ready | Failed:
        """Opens the model; comes before all work."""
        try:
            with one_thread():
                it = opening.opened(order.config)
                _check(order, it)
        except FmreportError as error:
            return Failed.of(error)
        none, self._scenes = ProbeSet((), ()), order.scenes
        extraction = Extraction(
            it.model, it.taps, none, it.preprocess, order.batch, order.scenes, target=it.target, feed=order.feed
        )
        self._engine = InProcess(extraction, self._says.append)
        return Ready(platform.node(), os.getpid(), sources.platform())

    def work(self, portion: Portion) -> tuple[Made, float, tuple[str, ...]] | Failed:
        """What the task makes of the shard, seconds that it took, and what a user should know."""
        assert self._engine is not None
        scenes = None
        if portion.roles is not None:
            assert self._scenes is not None
            scenes = self._scenes.of_roles(*portion.roles)
        self._says.clear()
        try:
            with one_thread():
                done = self._engine.one(
                    Job(portion.task, Shard(portion.number, portion.probes, scenes)), lambda images: None
                )
        except FmreportError as error:
            return Failed.of(error)
        return done.made, done.seconds, tuple(self._says)


def _check(order: Order, it: opening.Opened) -> None:
    """Raises `EngineError` where this worker would not compute what the run's own process does."""
    here = environment.versions()
    other = [name for name, version in order.versions.items() if here.get(name) != version]
    if other:
        told = ", ".join(f"{name} {here.get(name, 'missing')} instead of {order.versions[name]}" for name in other)
        raise EngineError(f"other versions than where the run was started: {told}", fix=SAME)
    if environment.code() != order.code:
        raise EngineError("another fmreport than where the run was started, of the same version", fix=SAME)
    if it.model.identity.sha256 != order.sha256:
        raise EngineError(
            f"{it.model.identity.source} is not the file that it is where the run was started",
            fix="copy the model to the same place on every machine of the cluster, or to a disk that they share",
        )
