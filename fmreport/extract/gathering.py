"""What the images of one shard leave of one tap: rows, sums over images, and drawn positions.

Arrays are called `KIND/SUM`. The kinds are `row`, `(n,)` of each image, columns included; `bin`; `channel` and
`unseen`, `(C,)` over all images and over those whose maps are not shown; `group` and `whole`, `(groups, ...)` over the
images of each of the shard's groups, or over all; `place`, `(k, each, ...)` drawn positions, and `positions`, of how
many they are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from fmreport.extract.function import Parts
from fmreport.extract.working import Arrays
from fmreport.measures import Measure, Sum, derive, fold, merge
from fmreport.measures.draw import Draw
from fmreport.probes.scenes import Scenes
from fmreport.records import IMAGE, Tap

GROUPED = ("group", "whole", "place")
"""Kinds of sums that are kept of images with scenes alone."""

AT_ONCE = 16
"""Images whose rows are made at once: what that takes hardly grows with them."""


class Gathering:
    """One tap in one shard, batch by batch; `measures` by their names."""

    def __init__(
        self, measures: Mapping[str, Measure], draw: Draw, scenes: Scenes | None, *, shown: frozenset[str]
    ) -> None:
        self._measures, self._draw, self._scenes, self._shown = measures, draw, scenes, shown
        self._groups = [] if scenes is None else groups_of(scenes)
        self._waiting: list[Parts] = []
        self._rows: defaultdict[str, list[np.ndarray]] = defaultdict(list)
        self._bins: Parts = {}
        self._channels: Parts = {}
        self._unseen: Parts | None = None
        """None as long as no image is shown: then it is what all leave."""
        self._grouped: dict[str, Parts] = {"group": {}, "whole": {}}
        self._places: defaultdict[str, list[np.ndarray]] = defaultdict(list)
        self._positions: dict[str, int] = {}

    def add(self, names: Sequence[str], parts: Parts) -> None:
        """Adds the sums of a batch, `(batch, ...)`; those beyond the names are of what fills it up."""
        parts = {name: value[: len(names)] for name, value in parts.items()}
        empty = parts["finite"] == 0
        parts |= {name: np.where(empty, np.float64(np.nan), parts[name]) for name in ("minimum", "maximum")}
        per_channel = sums(self._measures, "channel")
        # What is kept of all images together is no part of a row, and may be large.
        apart = {s.name for per in ("whole", "place") for s in sums(self._measures, per)}
        rows = {name: value for name, value in parts.items() if name not in apart}
        self._waiting.append(rows | merge(per_channel, parts, axis=1))
        if sum(len(each["finite"]) for each in self._waiting) >= AT_ONCE:
            self._make_rows()
        for s in sums(self._measures, "bin"):
            if s.name in parts:
                self._bins[s.name] = self._bins.get(s.name, 0) + parts[s.name].sum(axis=0, dtype=np.int64)
        unseen = np.array([name not in self._shown for name in names])
        if self._unseen is None and not unseen.all():
            self._unseen = self._channels
        if self._unseen is not None and unseen.any():
            self._unseen = fold(per_channel, self._unseen, _of(parts, per_channel, unseen))
        self._channels = fold(per_channel, self._channels, parts)
        if self._scenes is not None:
            self._add_grouped(self._scenes, names, parts)

    def pieces(self) -> dict[str, Arrays]:
        """The arrays of each measure, by the measures' names."""
        if self._waiting:
            self._make_rows()
        return {name: self._of(measure) for name, measure in self._measures.items()}

    def _make_rows(self) -> None:
        """Of the batches that wait."""
        rows = {name: np.concatenate([each[name] for each in self._waiting]) for name in self._waiting[0]}
        self._waiting = []
        per_row = [s.name for per in ("channel", "image") for s in sums(self._measures, per) if s.name in rows]
        derived = derive(tuple(self._measures.values()), rows)
        columns = [d.column.name for m in self._measures.values() for d in m.columns if "sample" in d.levels]
        for name, value in [(s, rows[s]) for s in per_row] + [(c, derived[c]) for c in columns if c in derived]:
            self._rows[name].append(np.asarray(value))

    def _add_grouped(self, scenes: Scenes, names: Sequence[str], parts: Parts) -> None:
        at = {"group": [self._groups.index(scenes.group[name]) for name in names], "whole": [0] * len(names)}
        counts = {"group": len(self._groups), "whole": 1}
        for per, grouped in self._grouped.items():
            for name in (s.name for s in sums(self._measures, per) if s.name in parts):
                if name not in grouped:
                    dtype = np.result_type(parts[name], np.float64)
                    grouped[name] = np.zeros((counts[per], *parts[name].shape[1:]), dtype)
                for place, row in zip(at[per], parts[name], strict=True):
                    grouped[name][place] += row
        numbers = [(row, scenes.place[name]) for row, name in enumerate(names) if name in scenes.place]
        for name in (s.name for s in sums(self._measures, "place") if s.name in parts):
            rows = parts[name]
            self._positions[name] = rows.shape[1]
            # Of none, for its shape and format.
            self._places[name].append(np.empty((0, *self._draw.pick(rows[0], 0).shape), rows.dtype))
            drawn = ((row, number) for row, number in numbers if self._draw.holds(number, rows.shape[1]))
            self._places[name] += [self._draw.pick(rows[row], number)[None] for row, number in drawn]

    def _of(self, measure: Measure) -> Arrays:
        taken = [s.name for s in measure.sums]
        columns = [d.column.name for d in measure.columns if "sample" in d.levels]
        made: Arrays = {
            f"row/{name}": np.concatenate(self._rows[name]) for name in (*taken, *columns) if name in self._rows
        }
        kinds = {
            "bin": self._bins,
            "channel": self._channels,
            "unseen": self._channels if self._unseen is None else self._unseen,
        }
        kinds |= self._grouped
        made |= {f"{kind}/{name}": held[name] for kind, held in kinds.items() for name in taken if name in held}
        for name in (name for name in taken if name in self._places):
            made[f"place/{name}"] = np.concatenate(self._places[name])
            made[f"positions/{name}"] = np.array(self._positions[name])
        return made


def _of(parts: Parts, wanted: Sequence[Sum], images: np.ndarray) -> Parts:
    """Those of some of the images."""
    return {s.name: parts[s.name][images] for s in wanted if s.name in parts}


def numbered(taps: Sequence[Tap]) -> dict[int, Tap]:
    """Taps by the numbers that the arrays of pieces begin with: 0 is for the image itself, 1 the model's first."""
    return dict(enumerate(taps, 0 if any(tap.name == IMAGE for tap in taps) else 1))


def of_values(measures: Mapping[str, Measure]) -> tuple[str, ...]:
    """Names of the measures that leave something of images without scenes."""
    return tuple(name for name, m in measures.items() if not m.of_maps and not any(s.per in GROUPED for s in m.sums))


def sums(measures: Mapping[str, Measure], per: str) -> list[Sum]:
    """What the measures gather per channel, image, bin, group, ..., in their order."""
    return [s for measure in measures.values() for s in measure.sums if s.per == per]


def groups_of(scenes: Scenes) -> list[int]:
    """The groups that a shard's images belong to, each once, in the order of the images."""
    return list(dict.fromkeys(scenes.group.values()))
