"""Probes in parts of one size: what one process works on at a time, and of which of them maps are measured."""

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
    """None where maps are not measured."""

    @property
    def name(self) -> str:
        """For a reader."""
        first, last = self.probes.names[0], self.probes.names[-1]
        return f"shard {self.number + 1} ({first})" if first == last else f"shard {self.number + 1} ({first} to {last})"


def count(probes: int) -> int:
    """Shards of so many probes."""
    return -(-probes // SIZE)


def spread(shards: int, wanted: int) -> list[int]:
    """The numbers of `wanted` of so many shards, ascending and evenly spread, 0 among them; all, if these are no more.

    They are those whose binary digits, read backwards behind the point, make the smallest fractions (van der Corput's
    sequence): one more shard takes the place of one of them at most, so that a longer run knows most of them already.
    """
    if wanted >= shards:
        return list(range(shards))
    digits = shards.bit_length()
    return sorted(sorted(range(shards), key=lambda number: f"{number:0{digits}b}"[::-1])[:wanted])


def mapped(probes: int, images: int | None) -> list[range]:
    """Of so many probes the places of those whose maps are measured, a shard at a time; `images` at least, None: all.

    It is fewer where the last shard, which may not be full, is among these.
    """
    shards = count(probes)
    numbers = spread(shards, shards if images is None else count(images))
    return [range(number * SIZE, min((number + 1) * SIZE, probes)) for number in numbers]


def split(probes: ProbeSet, scenes: Scenes | None) -> Iterator[Shard]:
    """All probes in their order; one shard is made at a time.

    It has scenes where `scenes` knows its probes: all of a shard, or none.
    """
    names = probes.names
    for number in range(count(len(names))):
        part = names[number * SIZE : (number + 1) * SIZE]
        known = scenes is not None and part[0] in scenes.group
        yield Shard(number, probes.named(part), scenes.only(part) if scenes is not None and known else None)
