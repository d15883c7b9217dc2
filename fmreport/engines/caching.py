"""Shards that are kept: what a cache holds is read, the rest computed and written as soon as it is there."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from fmreport.cache import Cache, DamagedError, key_of
from fmreport.extract import Done, Engine, Job, Made, Step

AHEAD = 1024
"""Shards that are looked for, at most, before the first of them is passed on: more than any engine works on at once."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """A job, and the keys of those of its pieces that are to be read from the cache."""

    job: Job
    keys: Mapping[str, str]


@dataclass(slots=True)
class _Way:
    """What is under way."""

    jobs: Iterator[Job]
    taken: deque[_Kept] = field(default_factory=deque)
    """Jobs that were looked at, and not passed on yet."""
    computed: dict[int, Done] = field(default_factory=dict)
    """What came of them, by the numbers of their shards."""
    lost: deque[Job] = field(default_factory=deque)
    """What was in the cache when it was looked for, and was not when it was read."""
    ended: bool = False


class Cached:
    """Asks another engine for what its cache does not hold."""

    def __init__(
        self, engine: Engine, cache: Cache, context: str, told: Mapping[str, Any], say: Callable[[str], None]
    ) -> None:
        """`context` stands for what all shards share; `told` says in words whose they are."""
        self._engine, self._cache, self._context, self._told, self._say = engine, cache, context, told, say

    def work(self, jobs: Iterable[Job], step: Step) -> Iterator[Done]:
        """In the order of the jobs."""
        way = _Way(iter(jobs))
        while way.lost or not way.ended:
            for done in self._engine.work(self._missing(way, step), step):
                self._keep(done, next(kept.job for kept in way.taken if kept.job.shard.number == done.shard.number))
                before = way.computed.get(done.shard.number, Done(done.shard, {}))
                made = {**before.made, **done.made}
                way.computed[done.shard.number] = Done(done.shard, made, before.seconds + done.seconds)
                yield from self._ready(way, step)
            yield from self._ready(way, step)

    def _missing(self, way: _Way, step: Step) -> Iterator[Job]:
        """What is to be computed, until no job is left, or so many were looked at that some must be passed on first."""
        while True:
            while way.lost:
                yield way.lost.popleft()
            if len(way.taken) >= AHEAD:
                return
            job = next(way.jobs, None)
            if job is None:
                way.ended = True
                return
            kept = _Kept(job, self._kept(job))
            way.taken.append(kept)
            lacking = [piece for piece in job.task.pieces if piece not in kept.keys]
            if lacking:
                yield Job(job.task.only(lacking), job.shard)
            else:
                step(len(job.shard.probes))

    def _ready(self, way: _Way, step: Step) -> Iterator[Done]:
        """What is there of the first jobs, up to one of which something is not computed yet."""
        while way.taken:
            kept = way.taken[0]
            shard = kept.job.shard
            done = way.computed.get(shard.number, Done(shard, {}))
            if len(kept.keys) + len(done.made) < len(kept.job.task.pieces):
                return
            read = self._read(kept)
            if lost := [piece for piece in kept.keys if piece not in read]:
                # Its images, which were told to be done, are worked on again.
                step(-len(shard.probes))
                way.lost.append(Job(kept.job.task.only(lost), shard))
                way.taken[0] = _Kept(kept.job, {piece: key for piece, key in kept.keys.items() if piece in read})
                return
            way.taken.popleft()
            way.computed.pop(shard.number, None)
            yield Done(shard, {**read, **done.made}, done.seconds)

    def _read(self, kept: _Kept) -> Made:
        """The pieces that are whole in the cache; one that is not was lost since it was looked for."""
        read: Made = {}
        for piece, key in kept.keys.items():
            try:
                read[piece] = self._cache.get(key)
            except DamagedError:
                self._tell(piece, kept.job, key)
        return read

    def _kept(self, job: Job) -> dict[str, str]:
        """The keys of the pieces that lie in the cache; what is damaged there is as if it did not."""
        found = {}
        for piece in job.task.pieces:
            key = key_of(self._context, job.task.identity(piece, job.shard))
            try:
                if self._cache.holds(key):
                    found[piece] = key
            except DamagedError:
                self._tell(piece, job, key)
        return found

    def _tell(self, piece: str, job: Job, key: str) -> None:
        path = self._cache.path(key)
        what = "damaged in the cache" if path.exists() else "no longer in the cache"
        self._say(f"{piece} of {job.shard.name} is {what}, and computed again: {path}")

    def _keep(self, done: Done, job: Job) -> None:
        for piece, arrays in done.made.items():
            key = key_of(self._context, job.task.identity(piece, done.shard))
            told = {**self._told, "piece": piece, "shard": done.shard.name, "images": len(done.shard.probes)}
            self._cache.put(key, arrays, told)
