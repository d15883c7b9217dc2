"""The task of the measuring pass: every measure of every tap on the images of a shard."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from fmreport.extract.feeding import Batch
from fmreport.extract.function import DECIDING, Parts
from fmreport.extract.gathering import Gathering, numbered
from fmreport.extract.shards import Shard
from fmreport.extract.working import Made, Step, Task
from fmreport.measures import load
from fmreport.probes.pool import ordered

if TYPE_CHECKING:
    from fmreport.extract.extraction import Extraction


@dataclass(frozen=True, slots=True)
class Measuring:
    """Its pieces are measures, by their names."""

    pieces: tuple[str, ...]
    shown: frozenset[str] = frozenset()
    """Probes that are left out where channels are chosen."""
    control: int | None = None

    def only(self, pieces: Sequence[str]) -> Task:
        """Of some measures."""
        return replace(self, pieces=tuple(pieces))

    def identity(self, piece: str, shard: Shard) -> dict[str, Any]:
        """A measure of single values depends on the images alone, one of maps also on what they are compared with."""
        (measure,) = load([piece]).values()
        seen = {"measure": piece, "version": measure.version, "control": self.control}
        seen["images"] = [fact.sha256 for fact in shard.probes.facts]
        seen["shown"] = [name in self.shown for name in shard.probes.names]
        if measure.of_maps and shard.scenes is not None:
            seen["scenes"] = shard.scenes.identity()
            seen["masks"] = shard.probes.masks
        # The image itself is a tap where there are scenes.
        return {**seen, "image": shard.scenes is not None}

    def work(self, extraction: Extraction, shard: Shard, step: Step) -> Made:
        """All images of a shard, in batches."""
        taken = {name: m for name, m in extraction.measures.items() if name in (*self.pieces, *DECIDING)}
        maps = shard.scenes is not None
        measured = extraction.measured(tuple(taken), maps=maps)
        taps, draw = extraction.measured_taps if maps else extraction.taps, extraction.draw
        gatherings = {tap.name: Gathering(taken, draw, shard.scenes, shown=self.shown) for tap in taps}

        def of_model(batch: Batch) -> tuple[tuple[str, ...], dict[str, Parts]]:
            names, arrays = batch
            return names, measured(*arrays)

        # The model works on the next batch while what it left of this one is gathered.
        fed = extraction.batches(shard.probes, shard.scenes)
        with closing(ordered(of_model, fed, threads=1, ahead=1)) as done:
            for names, by_tap in done:
                for name, gathering in gatherings.items():
                    gathering.add(names, by_tap[name])
                step(len(names))
        made: Made = {piece: {} for piece in self.pieces}
        for number, tap in numbered(taps).items():
            for piece, arrays_of in gatherings[tap.name].pieces().items():
                if piece in made:
                    made[piece] |= {f"{number}/{key}": value for key, value in arrays_of.items()}
        return made
