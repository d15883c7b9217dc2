"""Probes in parts of one size: what one process works on at a time, whoever it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fmreport.probes import ProbeSet
from fmreport.probes.scenes import Scenes

SIZE = 64
"""Probes of a shard. Sums are rounded shard by shard, so that it settles the last digits of a table."""


@dataclass(frozen=True, slots=True)
class Shard:
    """Consecutive probes of a run, and what measures of maps compare them with."""

    number: int
    """From 0."""
    probes: ProbeSet
    scenes: Scenes | None = None

    @property
    def name(self) -> str:
        """For a reader."""
        first, last = self.probes.names[0], self.probes.names[-1]
        return f"shard {self.number + 1} ({first})" if first == last else f"shard {self.number + 1} ({first} to {last})"


def count(probes: int) -> int:
    """Shards of so many probes."""
    return -(-probes // SIZE)


def split(probes: ProbeSet, scenes: Scenes | None) -> Iterator[Shard]:
    """All probes in their order; one shard is made at a time."""
    names = probes.names
    for number in range(count(len(names))):
        part = names[number * SIZE : (number + 1) * SIZE]
        yield Shard(number, probes.named(part), None if scenes is None else scenes.only(part))
