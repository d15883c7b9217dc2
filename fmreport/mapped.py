"""Of which images of a run maps were measured: all, or some that are spread evenly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

from fmreport.extract.shards import mapped
from fmreport.facts import Facts, ProbeFact


@dataclass(frozen=True)
class Mapped:
    """Images whose maps were measured, among those that the model was shown."""

    among: Sequence[ProbeFact]
    places: tuple[range, ...]
    """Of them among all, a shard at a time."""

    @property
    def images(self) -> int:
        """How many they are."""
        return sum(map(len, self.places))

    @property
    def some(self) -> bool:
        """Whether there are others."""
        return self.images < len(self.among)

    @cached_property
    def masks(self) -> int:
        """How many of them have a mask."""
        return sum(probe.has_mask for probe in self.probes)

    @property
    def probes(self) -> Iterator[ProbeFact]:
        """They, a shard at a time."""
        return chain.from_iterable(self.among[part.start : part.stop] for part in self.places)

    @property
    def told(self) -> str:
        """`1,024 of 50,000 images`."""
        return f"{self.images:,} of {len(self.among):,} images"

    @property
    def within(self) -> str:
        """What follows the number of some of them: nothing where they are all images."""
        return f" of {self.images:,} whose maps were measured" if self.some else ""

    @property
    def spread(self) -> str:
        """How they lie among all."""
        runs = len(self.places)
        return "the first ones" if runs == 1 else f"in {runs} runs of neighbours that are evenly spread"


def of(probes: Sequence[ProbeFact], images: int | None) -> Mapped:
    """About so many `images` of these, None: all."""
    return Mapped(probes, tuple(mapped(len(probes), images)))


def of_facts(facts: Facts) -> Mapped:
    """Of a run, as it tells."""
    return of(facts.probes, facts.maps)
