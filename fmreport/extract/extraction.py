"""One model with the taps, probes and preprocessing of a run: the two passes over its probes."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from fmreport.extract.feeding import FEED, Batch, Feed, batches
from fmreport.extract.function import Inputs, Measured, faithfully, image, measuring
from fmreport.extract.gathering import of_values
from fmreport.extract.measuring import Measuring
from fmreport.extract.memory import SMALLEST_BATCH, portions
from fmreport.extract.merging import Kept, Merging, Rows, Tables
from fmreport.extract.shards import split
from fmreport.extract.working import Advance, Done, Engine, InProcess, Job, Step, Task, in_order
from fmreport.measures import Measure, load
from fmreport.measures.draw import Draw
from fmreport.measures.scene import PREDICTION
from fmreport.probes import Preprocess, ProbeSet
from fmreport.probes.scenes import Scenes
from fmreport.records import Tap, Target
from fmreport.sources import TappableModel

F = TypeVar("F")


@dataclass(frozen=True)
class Extraction:
    """What a process needs to work on any shard of a run."""

    model: TappableModel
    taps: tuple[Tap, ...]
    probes: ProbeSet
    preprocess: Preprocess
    batch: int
    scenes: Scenes | None = None
    """What measures of maps compare with; they are taken of the probes that it knows, all of a shard or none."""
    measures: Mapping[str, Measure] = field(default_factory=load)
    """By name."""
    target: Target | None = None
    """What the model decides; its own map, where it is one, is compared with as well."""
    feed: Feed = FEED
    functions: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    """What was made of the model's graph so far: building it takes seconds."""

    @property
    def planes(self) -> tuple[str, ...]:
        """What maps are compared with: the planes of the scenes, `kept` left out, and the model's own prediction."""
        if self.scenes is None:
            return ()
        return (*self.scenes.planes[1:], *([PREDICTION] if self.target is not None and self.target.is_map else []))

    @property
    def measured_taps(self) -> tuple[Tap, ...]:
        """The taps, behind the image itself where there are scenes."""
        return self.taps if self.scenes is None else (image(self.preprocess.size), *self.taps)

    @property
    def draw(self) -> Draw:
        """Which positions of which images are kept."""
        images = 0 if self.scenes is None else self.scenes.drawn
        return Draw(images, sum(tap.channels for tap in self.measured_taps if len(tap.grid) == 2))

    def measure(
        self,
        displayed: Sequence[str],
        advance: Advance = lambda done, total: None,
        *,
        engine: Engine | None = None,
        rows: Rows | None = None,
        control: int | None = None,
    ) -> Tables:
        """Pass 1: all probes, all taps; memory does not grow with the number of probes.

        `engine` does the work (default: this process), `rows` takes what grows with the probes (default: memory), and
        `control` is the seed by which weights are permuted first.
        """
        shown = frozenset(displayed) if set(displayed) < set(self.probes.names) else frozenset()
        task = Measuring(tuple(self.measures), shown, control)
        groups = 0 if self.scenes is None else self.scenes.groups
        merging = Merging(self.measures, self.measured_taps, self.draw, groups=groups, rows=rows or Kept())
        of_single = task.only(of_values(self.measures))
        shards = split(self.probes, self.scenes)
        jobs = (Job(of_single if self.scenes is not None and shard.scenes is None else task, shard) for shard in shards)
        for done in self._worked(jobs, Stepped(advance, len(self.probes)), engine):
            merging.add(done.shard, done.made)
        return merging.tables()

    def over_maps(self, task: Task, step: Step, engine: Engine | None = None) -> Iterator[Done]:
        """The task on every shard of `mapped`, its results in the order of the probes; shards are numbered anew."""
        return self._worked((Job(task, shard) for shard in split(self.mapped, self.scenes)), step, engine)

    @property
    def mapped(self) -> ProbeSet:
        """The probes whose maps are measured."""
        known = () if self.scenes is None else self.scenes.group
        if len(known) == len(self.probes):
            return self.probes
        return self.probes.named([name for name in self.probes.names if name in known])

    def _worked(self, jobs: Iterable[Job], step: Step, engine: Engine | None) -> Iterator[Done]:
        return in_order((engine or InProcess(self)).work(jobs, step))

    def show(
        self, chosen: Mapping[str, np.ndarray], names: Sequence[str]
    ) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
        """Pass 2: `(probe, {tap: (*spatial, K) maps})` of the chosen channels of each tap, a few probes at a time.

        The maps are those that were measured, bit for bit.
        """
        from keras import ops

        taps = [tap for tap in self.taps if tap.name in chosen]
        orders = {tap.name: tap.order for tap in taps}

        def pick(tensors: Mapping[str, Any]) -> dict[str, Any]:
            # By place: a path may hold what a dict of tensors is not keyed by.
            return {str(orders[tap]): ops.take(tensor, chosen[tap], axis=-1) for tap, tensor in tensors.items()}

        size = min(self.batch, self.model.batch or SMALLEST_BATCH)
        functions = [
            self.model.tapped(portion, pick, size=self.preprocess.size, batch=size)
            for portion in portions(taps, self.feed.handed)
        ]
        for part, images in batches(self.probes.named(names), self.preprocess, size):
            maps = {order: value for function in functions for order, value in function(*images).items()}
            for i, name in enumerate(part):
                yield name, {tap.name: np.asarray(maps[str(tap.order)][i], np.float32) for tap in taps}

    def batches(self, probes: ProbeSet, scenes: Scenes | None) -> Iterator[Batch]:
        """Probes in batches, with their scenes where there are any."""
        return batches(probes, self.preprocess, self.batch, scenes, feed=self.feed)

    def measured(self, names: tuple[str, ...], *, maps: bool) -> Measured:
        """A function from a batch, with scenes for `maps`, to the sums of the named measures; some of them decide."""

        def made(*, careful: bool) -> Measured:
            key = ("careful" if careful else "measured", names, maps)
            return self.function(key, lambda: self._measuring(names, maps=maps, careful=careful))

        # In float64, for batches whose values float32 does not hold; of all taps, whichever needs it.
        return faithfully(made(careful=False), lambda: made(careful=True))

    def function(self, key: Hashable, make: Callable[[], F]) -> F:
        """What `make` returns, built once for each key: a model's weights may change meanwhile."""
        made: F = self.functions[key] if key in self.functions else self.functions.setdefault(key, make())
        return made

    def _measuring(self, names: Sequence[str], *, maps: bool, careful: bool) -> Measured:
        planes = self.scenes.planes if maps and self.scenes is not None else ()
        inputs = Inputs(self.preprocess.size, self.batch, planes, self.feed.handed)
        target = self.target if maps and self.target is not None and self.target.is_map else None
        taken = (self.measures[name] for name in names)
        taps = self.measured_taps if maps else self.taps
        return measuring(self.model, taps, taken, inputs, target=target, careful=careful)


class Stepped:
    """Steps of so many images to (done, total)."""

    def __init__(self, advance: Advance, total: int) -> None:
        self._advance, self._total, self._done = advance, total, 0

    def __call__(self, images: int) -> None:
        """So many images more."""
        self._done += images
        self._advance(self._done, self._total)
