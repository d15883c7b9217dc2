"""Remembers how long shards took, and which took longest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import nlargest
from typing import Any

from fmreport.extract import Done, Engine, Job, Step

SLOWEST = 3


@dataclass(slots=True)
class Work:
    """Of all shards so far."""

    computed: int = 0
    read: int = 0
    """From a cache."""
    seconds: float = 0.0
    slowest: tuple[tuple[float, str], ...] = ()
    """Seconds and name."""

    def told(self) -> dict[str, Any]:
        """Ready for JSON."""
        slowest = [{"shard": name, "seconds": round(seconds, 3)} for seconds, name in self.slowest]
        return {"computed": self.computed, "read": self.read, "seconds": round(self.seconds, 3), "slowest": slowest}


class Followed:
    """Passes work on to another engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self.so_far = engine, Work()

    def work(self, jobs: Iterable[Job], step: Step) -> Iterator[Done]:
        """As the other engine does it."""
        for done in self._engine.work(jobs, step):
            it = self.so_far
            if done.seconds:
                it.computed, it.seconds = it.computed + 1, it.seconds + done.seconds
                it.slowest = tuple(nlargest(SLOWEST, (*it.slowest, (done.seconds, done.shard.name))))
            else:
                it.read += 1
            yield done
