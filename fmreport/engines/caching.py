"""Shards that are kept: what a cache holds is read, the rest computed and written as soon as it is there."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from fmreport.cache import Cache, DamagedError, key_of
from fmreport.extract import Done, Engine, Job, Made, Step

AHEAD = 1024
"""Shards that are looked for, at most, before the first of them is passed on: more than any engine works on at once."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """A job, and the keys of those of its pieces that lie in the cache."""

    job: Job
    keys: Mapping[str, str]


class Cached:
    """Asks another engine for what its cache does not hold."""

    def __init__(
        self, engine: Engine, cache: Cache, context: str, told: Mapping[str, Any], say: Callable[[str], None]
    ) -> None:
        """`context` stands for what all shards share; `told` says in words whose they are."""
        self._engine, self._cache, self._context, self._told, self._say = engine, cache, context, told, say

    def work(self, jobs: Iterable[Job], step: Step) -> Iterator[Done]:
        """In the order of the jobs."""
        taken: deque[_Kept] = deque()
        computed: dict[int, Done] = {}
        rest = iter(jobs)
        for first in rest:
            missing = self._missing(chain((first,), rest), taken, step)
            for done in self._engine.work(missing, step):
                self._keep(done, next(kept.job for kept in taken if kept.job.shard.number == done.shard.number))
                computed[done.shard.number] = done
                yield from self._ready(taken, computed)
            yield from self._ready(taken, computed)

    def _missing(self, jobs: Iterable[Job], taken: deque[_Kept], step: Step) -> Iterator[Job]:
        """What is to be computed; all that was looked at is `taken`, and ends it when it has become much."""
        for job in jobs:
            kept = _Kept(job, self._kept(job))
            taken.append(kept)
            lacking = [piece for piece in job.task.pieces if piece not in kept.keys]
            if lacking:
                yield Job(job.task.only(lacking), job.shard)
            else:
                step(len(job.shard.probes))
            if len(taken) >= AHEAD:
                return

    def _ready(self, taken: deque[_Kept], computed: dict[int, Done]) -> Iterator[Done]:
        """What is there of the first jobs, up to one of which something is not computed yet."""
        while taken:
            kept = taken[0]
            shard = kept.job.shard
            if shard.number not in computed and len(kept.keys) < len(kept.job.task.pieces):
                return
            taken.popleft()
            done = computed.pop(shard.number, Done(shard, {}))
            yield Done(shard, {**self._read(kept), **done.made}, done.seconds)

    def _read(self, kept: _Kept) -> Made:
        return {piece: self._cache.get(key) for piece, key in kept.keys.items()}

    def _kept(self, job: Job) -> dict[str, str]:
        """The keys of the pieces that lie in the cache; what is damaged there is as if it did not."""
        found = {}
        for piece in job.task.pieces:
            key = key_of(self._context, job.task.identity(piece, job.shard))
            try:
                if self._cache.holds(key):
                    found[piece] = key
            except DamagedError:
                self._say(
                    f"{piece} of {job.shard.name} is damaged in the cache, and computed again: {self._cache.path(key)}"
                )
        return found

    def _keep(self, done: Done, job: Job) -> None:
        for piece, arrays in done.made.items():
            key = key_of(self._context, job.task.identity(piece, done.shard))
            told = {**self._told, "piece": piece, "shard": done.shard.name, "images": len(done.shard.probes)}
            self._cache.put(key, arrays, told)
