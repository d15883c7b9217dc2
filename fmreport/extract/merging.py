"""What the shards leave, one after another, to the tables of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np
import pandas as pd

from fmreport.extract.function import Parts
from fmreport.extract.gathering import groups_of, numbered, sums
from fmreport.extract.shards import Shard
from fmreport.extract.working import Made
from fmreport.measures import COMBINE, Measure, derive
from fmreport.measures.bins import BINS, ascending, edges
from fmreport.measures.draw import Draw
from fmreport.records import IMAGE, Tap


class Rows(Protocol):
    """Where the rows of `samples` go, shard by shard."""

    def add(self, rows: pd.DataFrame) -> None:
        """Takes the rows of one shard."""

    def read(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """All rows; of the named columns alone, as far as there are such, if there are names."""


class Kept:
    """Rows that are kept in memory."""

    def __init__(self) -> None:
        self._frames: list[pd.DataFrame] = []

    def add(self, rows: pd.DataFrame) -> None:
        """Takes the rows of one shard."""
        self._frames.append(rows)

    def read(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """All rows, of the named columns alone if there are names."""
        whole = pd.concat(self._frames, ignore_index=True)
        return whole if columns is None else whole[[name for name in columns if name in whole]]


@dataclass(frozen=True)
class Tables:
    """What the measuring pass makes: three of a run's tables, and what channels are chosen by."""

    rows: Rows
    """Of the table `samples`."""
    channels: pd.DataFrame
    histograms: pd.DataFrame
    unseen: dict[str, Parts]
    """Per tap, the channels' sums over the probes whose maps are not shown (over all, where all are shown)."""
    grouped: dict[str, Parts]
    """Per tap, and of the image itself, what is summed over groups of probes, `(groups, ...)`, see `Scenes.group`, or
    over all, `(1, ...)`; and what is drawn from probes with masks, `(2, slots, ...)`, see `Draw`."""

    @cached_property
    def samples(self) -> pd.DataFrame:
        """All rows with all columns: as much memory as they take."""
        return self.rows.read()


@dataclass(slots=True)
class _Accumulated:
    """Everything about one tap that is added up."""

    bins: np.ndarray = field(default_factory=lambda: np.zeros(BINS, np.int64))
    channels: Parts = field(default_factory=dict)
    unseen: Parts = field(default_factory=dict)
    grouped: Parts = field(default_factory=dict)


class Merging:
    """Takes shards in their order; memory grows with the taps and their channels, not with the probes."""

    def __init__(
        self, measures: Mapping[str, Measure], taps: Sequence[Tap], draw: Draw, *, groups: int, rows: Rows
    ) -> None:
        """`taps` are all that were measured; of so many `groups` of probes."""
        self._measures, self._taps, self._draw, self._groups, self._rows = measures, taps, draw, groups, rows
        self._accumulated = [_Accumulated() for _ in taps]
        self._place = {number: place for place, number in enumerate(numbered(taps))}
        self._held: list[str] = []
        self._combine = {s.name: COMBINE[s.combine] for s in sums(measures, "channel")}

    def add(self, shard: Shard, made: Made) -> None:
        """Adds the pieces of the next shard; the first one has all that any has."""
        rows: list[Parts] = [{} for _ in self._taps]
        for name in (name for name in self._measures if name in made):
            for key, value in made[name].items():
                number, kind, column = key.split("/", 2)
                place = self._place[int(number)]
                if kind == "row":
                    rows[place][column] = value
                elif kind != "positions":
                    positions = int(made[name].get(f"{number}/positions/{column}", 0))
                    self._merge(self._accumulated[place], (kind, column, value), shard, positions)
        self._rows.add(self._table(shard.probes.names, rows))

    def tables(self) -> Tables:
        """Of all shards."""
        channels, histograms = [], []
        low, high = edges()
        of_model = [(tap, a) for tap, a in zip(self._taps, self._accumulated, strict=True) if tap.name != IMAGE]
        for tap, a in of_model:
            derived = self._derived(a.channels)
            channels.append(
                pd.DataFrame({"tap": tap.name, "channel": np.arange(tap.channels), **a.channels, **derived})
            )
            counts = ascending(a.bins)
            kept = np.flatnonzero(counts)
            histograms.append(
                pd.DataFrame({"tap": tap.name, "low": low[kept], "high": high[kept], "count": counts[kept]})
            )
        return Tables(
            self._rows,
            pd.concat(channels, ignore_index=True),
            pd.concat(histograms, ignore_index=True),
            {tap.name: a.unseen for tap, a in of_model},
            {tap.name: a.grouped for tap, a in zip(self._taps, self._accumulated, strict=True)},
        )

    def _merge(self, into: _Accumulated, found: tuple[str, str, np.ndarray], shard: Shard, positions: int) -> None:
        kind, name, value = found
        if kind == "bin":
            into.bins += value
        elif kind in ("channel", "unseen"):
            whole = into.channels if kind == "channel" else into.unseen
            whole[name] = self._combine[name](whole[name], value) if name in whole else value
        elif kind == "place":
            self._keep(into.grouped, name, value, shard, positions)
        else:
            assert shard.scenes is not None
            at = groups_of(shard.scenes) if kind == "group" else [0]
            if name not in into.grouped:
                into.grouped[name] = np.zeros((self._groups if kind == "group" else 1, *value.shape[1:]), value.dtype)
            into.grouped[name][at] += value

    def _keep(self, kept: Parts, name: str, value: np.ndarray, shard: Shard, positions: int) -> None:
        assert shard.scenes is not None
        if name not in kept:
            kept[name] = np.zeros((*self._draw.shape(positions), *value.shape[2:]), value.dtype)
        numbers = (number for number in shard.scenes.place.values() if self._draw.holds(number, positions))
        for picked, number in zip(value, numbers, strict=True):
            self._draw.keep(kept[name], picked, number, positions)

    def _table(self, names: Sequence[str], rows: Sequence[Parts]) -> pd.DataFrame:
        """One row per probe and tap that was measured; a column that a tap or a shard has not is NaN there."""
        if not self._held:
            found = {name for parts in rows for name in parts}
            self._held = [name for name in self._columns() if name in found]
        measured = [parts for parts in rows if parts]
        columns = {}
        for name in self._held:
            whole = all(name in parts for parts in measured)
            nothing = np.full(len(names), np.nan)
            by_tap = [parts[name] if whole else parts.get(name, nothing) for parts in measured]
            columns[name] = np.stack(by_tap, axis=1).ravel()
        taps = [tap.name for tap, parts in zip(self._taps, rows, strict=True) if parts]
        return pd.DataFrame(
            {"probe": np.repeat(np.array(names, object), len(taps)), "tap": taps * len(names), **columns}
        )

    def _columns(self) -> list[str]:
        """Of `samples`: sums, then what is derived of them."""
        gathered = [s.name for per in ("channel", "image") for s in sums(self._measures, per)]
        derived = [d.column.name for m in self._measures.values() for d in m.columns if "sample" in d.levels]
        return [*gathered, *derived]

    def _derived(self, totals: Parts) -> Parts:
        """The columns of channels, as far as there are any, in the order in which measures declare them."""
        values = derive(tuple(self._measures.values()), totals)
        names = [d.column.name for m in self._measures.values() for d in m.columns if "channel" in d.levels]
        return {name: values[name] for name in names if name in values}
