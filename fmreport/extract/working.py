"""What is done with every shard, and who does it: the small interface between stages and engines."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from fmreport.errors import TOO_LARGE, OutOfMemoryError
from fmreport.extract.memory import SMALLEST_BATCH, needs
from fmreport.extract.shards import Shard

if TYPE_CHECKING:
    from fmreport.extract.extraction import Extraction

Arrays = dict[str, np.ndarray]
Made = dict[str, Arrays]
"""What a task made of a shard: arrays by name, by the task's pieces."""
Advance = Callable[[int, int], None]
"""Is called with (done, total)."""
Step = Callable[[int], None]
"""Is called with the number of images that were just worked on."""


class Task(Protocol):
    """What is done with each shard alone. Its results depend on nothing but itself, the model and the shard."""

    @property
    def pieces(self) -> tuple[str, ...]:
        """Parts of its result that can be made without the others."""

    @property
    def control(self) -> int | None:
        """Seed of the order into which the weights are brought for it; None: the model's own."""

    def only(self, pieces: Sequence[str]) -> Task:
        """The task that makes some of the pieces."""

    def identity(self, piece: str, shard: Shard) -> dict[str, Any]:
        """All of the task and the shard that decides a piece, ready for JSON."""

    def work(self, extraction: Extraction, shard: Shard, step: Step) -> Made:
        """Its pieces of a shard."""


@dataclass(frozen=True, slots=True)
class Job:
    """A task, or some pieces of it, on one shard."""

    task: Task
    shard: Shard


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a job."""

    shard: Shard
    made: Made
    seconds: float = 0.0
    """That it took; 0 where nothing was computed."""


class Engine(Protocol):
    """Whoever works on shards."""

    def work(self, jobs: Iterable[Job], step: Step) -> Iterator[Done]:
        """Each job's result when it is there, in any order; jobs of one call have one `control`.

        Few jobs are taken ahead of the first that is not done yet, so that memory does not grow with their number.
        """


def in_order(done: Iterable[Done]) -> Iterator[Done]:
    """Results by the numbers of their shards, from 0; what comes too early waits."""
    early: dict[int, Done] = {}
    number = 0
    for each in done:
        early[each.shard.number] = each
        while number in early:
            yield early.pop(number)
            number += 1


class InProcess:
    """Works here, on one shard after another."""

    def __init__(self, extraction: Extraction, say: Callable[[str], None] = lambda text: None) -> None:
        """`say` is told what a user should know."""
        self._extraction, self._say = extraction, say
        self._permuted = ExitStack()
        self._control: int | None = None

    def work(self, jobs: Iterable[Job], step: Step) -> Iterator[Done]:
        """In the order of the jobs."""
        try:
            for job in jobs:
                yield self.one(job, step)
        finally:
            self._permute(None)

    def one(self, job: Job, step: Step) -> Done:
        """One job; the weights stay in its order until another asks for another one."""
        self._permute(job.task.control)
        start = time.monotonic()
        made = self._made(job, step)
        return Done(job.shard, made, time.monotonic() - start)

    def _permute(self, seed: int | None) -> None:
        if seed != self._control:
            self._permuted.close()
            self._control = seed
            if seed is not None:
                self._permuted.enter_context(self._extraction.model.randomised(seed))

    def _made(self, job: Job, step: Step) -> Made:
        """The job's result; where memory does not suffice, by smaller batches from now on."""
        while True:
            stepped: list[int] = []

            def steps(images: int, stepped: list[int] = stepped) -> None:
                stepped.append(images)
                step(images)

            try:
                return job.task.work(self._extraction, job.shard, steps)
            except (OutOfMemoryError, MemoryError) as error:
                batch, told = self._extraction.batch, str(error) or "memory ran out"
                smaller = max(SMALLEST_BATCH, batch // 2)
                if self._extraction.model.batch is not None or smaller >= batch:
                    raise OutOfMemoryError(
                        f"{told}; {needs(self._extraction.model, self._extraction.taps, batch)}", fix=TOO_LARGE
                    ) from error
                # Its images are worked on again.
                step(-sum(stepped))
                self._extraction = replace(self._extraction, batch=smaller)
                self._say(f"{told}; from now on {smaller} images at a time, where it was {batch}")
