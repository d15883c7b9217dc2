"""One model with the taps, probes and preprocessing of a run: the two passes over its probes."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from fmreport.extract.feeding import FEED, Batch, Feed, batches
from fmreport.extract.function import Inputs, Measured, faithfully, image, measuring
from fmreport.extract.measuring import Measuring
from fmreport.extract.memory import SMALLEST_BATCH
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
    """What measures of maps compare with; without it they are not taken."""
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
        for done in self.over_shards(task, Stepped(advance, len(self.probes)), engine):
            merging.add(done.shard, done.made)
        return merging.tables()

    def over_shards(self, task: Task, step: Step, engine: Engine | None = None) -> Iterator[Done]:
        """The task on every shard, its results in the order of the probes."""
        jobs = (Job(task, shard) for shard in split(self.probes, self.scenes))
        return in_order((engine or InProcess(self)).work(jobs, step))

    def show(
        self, chosen: Mapping[str, np.ndarray], names: Sequence[str]
    ) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
        """Pass 2: `(probe, {tap: (*spatial, K) maps})` of the chosen channels of each tap, a few probes at a time.

        The maps are those that were measured, bit for bit.
        """
        from keras import ops

        taps = [tap for tap in self.taps if tap.name in chosen]

        def pick(tensors: Mapping[str, Any]) -> dict[str, Any]:
            # By place: a path may hold what a dict of tensors is not keyed by.
            return {str(tap.order): ops.take(tensors[tap.name], chosen[tap.name], axis=-1) for tap in taps}

        size = min(self.batch, self.model.batch or SMALLEST_BATCH)
        function = self.model.tapped(taps, pick, size=self.preprocess.size, batch=size)
        for part, images in batches(self.probes.named(names), self.preprocess, size):
            maps = function(*images)
            for i, name in enumerate(part):
                yield name, {tap.name: np.asarray(maps[str(tap.order)][i], np.float32) for tap in taps}

    def batches(self, probes: ProbeSet, scenes: Scenes | None) -> Iterator[Batch]:
        """Probes in batches, with their scenes where there are any."""
        return batches(probes, self.preprocess, self.batch, scenes, feed=self.feed)

    def measured(self, names: tuple[str, ...]) -> Measured:
        """A function from a batch to the sums of the named measures, those that decide among them."""
        fast = self.function(("measured", names), lambda: self._measuring(names))
        # In float64, for batches whose values float32 does not hold; of all taps, whichever needs it.
        return faithfully(fast, lambda: self.function(("careful", names), lambda: self._measuring(names, careful=True)))

    def function(self, key: Hashable, make: Callable[[], F]) -> F:
        """What `make` returns, built once for each key: a model's weights may change meanwhile."""
        made: F = self.functions[key] if key in self.functions else self.functions.setdefault(key, make())
        return made

    def _measuring(self, names: Sequence[str], *, careful: bool = False) -> Measured:
        inputs = Inputs(self.preprocess.size, self.batch, () if self.scenes is None else self.scenes.planes)
        target = self.target if self.target is not None and self.target.is_map else None
        taken = (self.measures[name] for name in names)
        return measuring(self.model, self.measured_taps, taken, inputs, target=target, careful=careful)


class Stepped:
    """Steps of so many images to (done, total)."""

    def __init__(self, advance: Advance, total: int) -> None:
        self._advance, self._total, self._done = advance, total, 0

    def __call__(self, images: int) -> None:
        """So many images more."""
        self._done += images
        self._advance(self._done, self._total)
