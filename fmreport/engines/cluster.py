"""The engine that is a Ray cluster: workers open the model once each and take shards."""

from __future__ import annotations

import os
import socket
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayActorError, RayError, RayTaskError

from fmreport import environment
from fmreport.config import RayEngine
from fmreport.engines import Plan, Started
from fmreport.engines.worker import Failed, Order, Portion, Ready, Worker
from fmreport.environment import cores
from fmreport.errors import EngineError
from fmreport.extract import Done, Job, Step
from fmreport.facts import Platform

ANSWERS = 5.0
"""Seconds in which a machine must answer."""
STARTS = 300.0
"""Seconds in which the cluster must find room for a worker and its model be open."""
TRIES = 3
"""Workers that a shard may end before it is taken to be the reason."""
AHEAD = 4
"""Shards per worker that are begun, at most, ahead of the first that is not done."""
STORE = 1 << 29
"""Bytes in which a cluster of its own keeps what travels."""
ADVICE = "start a cluster with `ray start --head`, mend engine.address, or write engine: {kind: ray, address: local}"


@contextmanager
def start(plan: Plan) -> Iterator[Started]:
    """Joins or starts a cluster and opens the model in every worker."""
    section = plan.config.engine
    assert isinstance(section, RayEngine)
    where = f"{plan.config.where('engine')}: engine"
    _join(section, where)
    try:
        crew = Crew(plan, section, where)
        yield Started(crew, crew.platform)
    finally:
        ray.shutdown()


def threads(section: RayEngine) -> int:
    """Cores of each worker."""
    if section.num_cpus is not None:
        return section.num_cpus
    return max(1, cores() // section.workers) if section.address == "local" else 1


def _join(section: RayEngine, where: str) -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR", "include_dashboard": None}
    local = section.address == "local"
    if local:
        room = {"num_cpus": section.workers * threads(section), "object_store_memory": STORE}
        quiet |= room | {"include_dashboard": False}
    elif section.address != "auto":
        _check_answers(section.address, where)
    try:
        ray.init(section.address, **quiet)
    except (RayError, ConnectionError, OSError, RuntimeError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        fix = "see that this machine has room for Ray's own processes" if local else ADVICE
        raise EngineError(f"{where}.address: no Ray cluster at {section.address}: {reason}", fix=fix) from error


def _check_answers(address: str, where: str) -> None:
    """Raises where nobody answers: Ray itself tries for minutes."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=ANSWERS).close()
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise EngineError(f"{where}.address: nobody answers at {address}: {reason}", fix=ADVICE) from error


@dataclass(slots=True)
class _Member:
    """One worker."""

    number: int
    actor: Any
    ready: Ready


@dataclass(slots=True)
class _Begun:
    """A job that a worker has."""

    job: Job
    member: _Member
    tries: int


@dataclass(slots=True)
class _Progress:
    """What of the jobs is under way: the first that is not done settles how far ahead others may be."""

    jobs: Iterator[Job]
    again: deque[tuple[Job, int]] = field(default_factory=deque)
    """Jobs whose worker ended, and how often."""
    order: deque[int] = field(default_factory=deque)
    """Numbers of the shards that were taken, in that order, from the first that is not done."""
    done: set[int] = field(default_factory=set)

    def next(self, most: int) -> tuple[Job, int] | None:
        """Another job, unless there is none or so many are ahead of the first."""
        if self.again:
            return self.again.popleft()
        job = next(self.jobs, None) if len(self.order) < most else None
        if job is None:
            return None
        self.order.append(job.shard.number)
        return job, 0

    def ended(self, number: int) -> None:
        """A shard is done."""
        self.done.add(number)
        while self.order and self.order[0] in self.done:
            self.done.remove(self.order.popleft())


class Crew:
    """Workers with an open model."""

    def __init__(self, plan: Plan, section: RayEngine, where: str) -> None:
        self._plan, self._section, self._where = plan, section, where
        extraction = plan.extraction
        scenes = None if extraction.scenes is None else extraction.scenes.of_roles({}, {})
        self._order = ray.put(
            Order(
                plan.config.detached(),
                scenes,
                extraction.batch,
                replace(extraction.feed, threads=min(extraction.feed.threads, threads(section))),
                environment.versions(),
                environment.code(),
                extraction.model.identity.sha256,
            )
        )
        asked = [self._actor() for _ in range(section.workers)]
        answers = [actor.open.remote(self._order) for actor in asked]
        self._members = [
            _Member(number, actor, self._answer(answer, number))
            for number, (actor, answer) in enumerate(zip(asked, answers, strict=True), start=1)
        ]
        first = self._members[0].ready
        self.platform: Platform = first.platform
        for each in self._members[1:]:
            self._check_alike(each.ready)

    @property
    def processes(self) -> tuple[int, ...]:
        """Numbers of the workers' processes, on their machines."""
        return tuple(member.ready.pid for member in self._members)

    def work(self, jobs: Iterable[Job], step: Step) -> Iterator[Done]:
        """As they end, a few ahead of the first that is not done."""
        progress = _Progress(iter(jobs))
        idle, begun = list(self._members), dict[Any, _Begun]()
        done: Done | None = None
        while True:
            while idle and (found := progress.next(AHEAD * len(self._members))) is not None:
                member = idle.pop(0)
                begun[member.actor.work.remote(Portion.of(found[0]))] = _Begun(found[0], member, found[1])
            if done is not None:
                # Only now, so that no worker waits until somebody has taken it.
                yield done
                done = None
            if not begun:
                return
            (reference,), _ = ray.wait(list(begun), num_returns=1)
            one = begun.pop(reference)
            try:
                answer = ray.get(reference)
            except RayActorError as error:
                self._replace(one, error)
                progress.again.append((one.job, one.tries + 1))
                idle.append(one.member)
                continue
            except RayTaskError as error:
                raise self._broken(one, error) from error
            idle.append(one.member)
            if isinstance(answer, Failed):
                raise answer.error()
            made, seconds, says = answer
            for each in says:
                self._plan.say(f"worker {one.member.number} ({one.member.ready.host}): {each}")
            step(len(one.job.shard.probes))
            progress.ended(one.job.shard.number)
            done = Done(one.job.shard, made, seconds)

    def _actor(self) -> Any:
        cpus = threads(self._section)
        environ = {"TF_NUM_INTRAOP_THREADS": str(cpus), "TF_NUM_INTEROP_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
        options = {"num_cpus": cpus, "num_gpus": self._section.num_gpus, "max_restarts": 0}
        return ray.remote(Worker).options(**options, runtime_env={"env_vars": environ}).remote()

    def _answer(self, answer: Any, number: int) -> Ready:
        """Of a worker that is asked to open the model."""
        try:
            found = ray.get(answer, timeout=STARTS)
        except GetTimeoutError as error:
            raise EngineError(
                f"{self._where}: after {STARTS:g} s worker {number} of {self._section.workers} has not opened its "
                f"model; each takes {threads(self._section)} CPU and {self._section.num_gpus:g} GPU, and the cluster "
                f"has {_resources()}",
                fix="ask for fewer workers, or for less of each",
            ) from error
        except RayError as error:
            raise EngineError(
                f"{self._where}: worker {number} of {self._section.workers} does not start: {_reason(error)}",
                fix="install fmreport, in the same version, and all that the model's code imports on every machine of "
                "the cluster; where memory ran out, ask for fewer workers",
            ) from error
        if isinstance(found, Failed):
            raise found.error()
        ready: Ready = found
        return ready

    def _check_alike(self, ready: Ready) -> None:
        if ready.platform != self.platform:
            first = self._members[0].ready.host
            raise EngineError(
                f"{self._where}: workers on {first} and on {ready.host} compute with other processors, devices or "
                "builds of TensorFlow, so that results would depend on who takes which shard",
                fix="give Ray machines of one kind, or fewer workers, on one of them",
            )

    def _replace(self, one: _Begun, error: RayActorError) -> None:
        """Another worker in the place of one that ended; raises where its shard has ended others before."""
        name, member = one.job.shard.name, one.member
        if one.tries + 1 >= TRIES:
            raise EngineError(
                f"{name} ended {TRIES} workers, the last with: {_reason(error)}",
                fix="if memory ran out, write a smaller batch or fewer workers; finished shards are kept with --cache",
            ) from error
        self._plan.say(f"worker {member.number} ({member.ready.host}) ended at {name}, which another one takes")
        member.actor = self._actor()
        member.ready = self._answer(member.actor.open.remote(self._order), member.number)
        self._check_alike(member.ready)

    def _broken(self, one: _Begun, error: RayTaskError) -> EngineError:
        return EngineError(
            f"worker {one.member.number} ({one.member.ready.host}) fails at {one.job.shard.name}: {_reason(error)}",
            fix="run it with engine: {kind: local} to see whether it fails there, too",
        )


def _resources() -> str:
    """What the cluster has of what workers take."""
    has: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return " and ".join(f"{has.get(name, 0):g} {name}" for name in ("CPU", "GPU"))


def _reason(error: RayError) -> str:
    """The last line of a trace that says something, or what it is."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
