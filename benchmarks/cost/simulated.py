"""A run as events: workers that differ, linger and die, around one driver, one network link and one disk.

It follows `fmreport.engines.cluster`: a worker has one shard at a time and gets the next as soon as the driver has
taken its result; then the driver writes that to the cache and merges what is in order, and takes no other meanwhile; no
shard is begun more than `AHEAD` per worker ahead of the first whose result was not taken; a worker that died is
replaced while the driver waits.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from heapq import heappop, heappush

import numpy as np

from benchmarks.cost.formulas import AHEAD, Stations

HOUR = 3600.0
SHARED, WORKERS = ("storage", "network", "driver"), "workers"
MEASURED, ARRIVED, DIED = "measured", "arrived", "died"


@dataclass(frozen=True, slots=True)
class Chance:
    """What may differ from shard to shard."""

    spread: float = 0.0
    """Standard deviation of the logarithm of a shard's seconds; their mean stays."""
    stragglers: float = 0.0
    """Share of the shards that take `slower` times as long."""
    slower: float = 1.0
    deaths: float = 0.0
    """Of one worker, per hour of work."""
    replaced: float = 0.0
    """Seconds until another worker stands in its place; the driver waits for it."""
    seed: int = 0


NONE = Chance()


def usual(replaced: float) -> Chance:
    """Shards that differ by a tenth, one in a hundred that takes three times as long, a death in twenty hours.

    An assumption, and not measured: it depends on the cluster.
    """
    return Chance(spread=0.1, stragglers=0.01, slower=3.0, deaths=0.05, replaced=replaced)


@dataclass(slots=True)
class Simulated:
    """How it went."""

    seconds: float = 0.0
    """Until everything was merged."""
    busy: dict[str, float] = field(default_factory=lambda: dict.fromkeys((*SHARED, WORKERS), 0.0))
    """Seconds of work at each place; of the workers, all together, what was lost included."""
    deaths: int = 0
    waiting: int = 0
    """Results that waited for an earlier one at once, at most."""


@dataclass(slots=True)
class _Run:
    """What is under way."""

    shards: int
    workers: int
    at: Stations
    chance: Chance
    rng: np.random.Generator
    told: Simulated = field(default_factory=Simulated)
    events: list[tuple[float, int, str, int]] = field(default_factory=list)
    """(when, number of the event, what, shard)."""
    free: dict[str, float] = field(default_factory=lambda: dict.fromkeys(SHARED, 0.0))
    """From when on each place takes what comes next."""
    again: deque[int] = field(default_factory=deque)
    """Shards whose worker died."""
    early: set[int] = field(default_factory=set)
    """Shards that are there before an earlier one."""
    begun: int = 0
    merged: int = 0
    happened: int = 0

    def through(self, place: str, when: float, seconds: float) -> float:
        """When something is through that comes to a place and takes so long there; first come, first served."""
        self.told.busy[place] += seconds
        self.free[place] = max(self.free[place], when) + seconds
        return self.free[place]

    def expect(self, when: float, what: str, shard: int) -> None:
        """An event to come; of two at one time, the first that was expected is the first."""
        self.happened += 1
        heappush(self.events, (when, self.happened, what, shard))

    def next(self) -> int | None:
        """A shard to be handed out."""
        if self.again:
            return self.again.popleft()
        if self.begun == self.shards or self.begun - self.merged >= AHEAD * self.workers:
            return None
        self.begun += 1
        return self.begun - 1

    def hand_out(self, shard: int, when: float) -> None:
        """A worker reads its images and measures them, or dies on the way."""
        chance = self.chance
        seconds = self.at.worker * self.rng.lognormal(-(chance.spread**2) / 2, chance.spread)
        if self.rng.random() < chance.stragglers:
            seconds *= chance.slower
        lives = self.rng.exponential(HOUR / chance.deaths) if chance.deaths else np.inf
        self.told.busy[WORKERS] += min(seconds, lives)
        begun = self.through("storage", when, self.at.storage)
        self.expect(begun + min(seconds, lives), DIED if lives < seconds else MEASURED, shard)

    def take(self, shard: int, when: float) -> float:
        """The driver takes a result, and merges it with those that waited for it; returns when it has taken it."""
        self.early.add(shard)
        self.told.waiting = max(self.told.waiting, len(self.early) - (self.merged in self.early))
        taken = self.through("driver", when, self.at.taking)
        self.through("driver", taken, self.at.keeping)
        while self.merged in self.early:
            self.early.remove(self.merged)
            self.merged += 1
            self.through("driver", taken, self.at.merging)
        return taken

    def replace(self, shard: int, when: float) -> float:
        """The driver waits for a worker in the place of one that died; returns when it is there."""
        self.told.deaths += 1
        self.again.append(shard)
        return self.through("driver", when, self.chance.replaced)


def simulate(shards: int, workers: int, at: Stations, chance: Chance = NONE) -> Simulated:
    """A measuring pass over so many shards by workers that are ready; the same seed gives the same run."""
    run = _Run(shards, workers, at, chance, np.random.default_rng(chance.seed))
    idle, now = workers, 0.0
    while True:
        while idle and (shard := run.next()) is not None:
            run.hand_out(shard, now)
            idle -= 1
        if not run.events:
            run.told.seconds = run.free["driver"]
            return run.told
        when, _, what, shard = heappop(run.events)
        if what == MEASURED:
            run.expect(run.through("network", when, at.network), ARRIVED, shard)
            continue
        now = run.take(shard, when) if what == ARRIVED else run.replace(shard, when)
        idle += 1
