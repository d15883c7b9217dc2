"""Batches x taps x measures to the tables; then the few maps that are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from fmreport.errors import ProbeError, SourceError
from fmreport.measures import Measure, Sum, derive, fold, load, merge
from fmreport.measures.bins import BINS, ascending, edges
from fmreport.measures.draw import Draw
from fmreport.measures.gather import gather, groups
from fmreport.measures.scene import PREDICTION, Scene, foreground
from fmreport.probes import Preprocess, ProbeSet
from fmreport.probes.scenes import COLOURS, Scenes
from fmreport.records import IMAGE, Tap, Target
from fmreport.sources import TappableModel

Advance = Callable[[int, int], None]
Parts = dict[str, np.ndarray]

LIVE_TENSORS = 8
"""A forward pass keeps about so many tensors as large as its largest at once."""
SMALLEST_BATCH = 2
"""One image alone is computed by other kernels than several are, which round otherwise; from two on, an image gives the
same bits however many are in its batch."""
LARGEST_BATCH = 4
"""More images at once make a CPU no faster, and their maps leave its caches."""
FAITHFUL = (1e-15, 1e15)
"""Magnitudes whose squares, and many of them added up, float32 holds."""


@dataclass(frozen=True, slots=True)
class Tables:
    """What the measuring pass makes: three of a run's tables, and what channels are chosen by."""

    samples: pd.DataFrame
    channels: pd.DataFrame
    histograms: pd.DataFrame
    unseen: dict[str, Parts]
    """Per tap, the channels' sums over the probes whose maps are not shown (over all, where all are shown)."""
    grouped: dict[str, Parts]
    """Per tap, and of the image itself, what is summed over groups of probes, `(groups, ...)`, see `Scenes.group`, or
    over all, `(1, ...)`; and what is drawn from probes with masks, `(2, slots, ...)`, see `Draw`."""


@dataclass(slots=True)
class _Accumulated:
    """Everything about one tap that grows with the probes by addition, or by one row each."""

    draw: Draw
    """What is kept of the places of images with masks."""
    rows: list[Parts] = field(default_factory=list)
    bins: np.ndarray = field(default_factory=lambda: np.zeros(BINS, np.int64))
    channels: Parts = field(default_factory=dict)
    unseen: Parts = field(default_factory=dict)
    grouped: Parts = field(default_factory=dict)


def batch_size(
    model: TappableModel, taps: Sequence[Tap], *, memory_mb: int, probes: int, wanted: int | None = None
) -> int:
    """Images per batch: what the model takes, else what is wanted, else what keeps the activations under `memory_mb`.

    It is two at least, unless the memory allows one alone: that many decide how numbers are rounded.
    """
    if model.batch is not None:
        return model.batch
    largest = max(taps, key=lambda tap: tap.elements)
    per_image = 4 * LIVE_TENSORS * largest.elements
    most = memory_mb * 2**20 // per_image
    if not most:
        raise SourceError(
            f"one image needs about {per_image / 2**20:,.0f} MB for its activations ({largest.name} alone holds "
            f"{largest.elements:,} values), and memory_mb allows {memory_mb:,}",
            fix="make preprocess.size smaller, or memory_mb larger if the machine has it",
        )
    if wanted is not None:
        return max(SMALLEST_BATCH, min(wanted, probes))
    return min(most, max(SMALLEST_BATCH, min(LARGEST_BATCH, probes)))


def batches(
    probes: ProbeSet, preprocess: Preprocess, size: int, scenes: Scenes | None = None
) -> Iterator[tuple[tuple[str, ...], tuple[np.ndarray, ...]]]:
    """Names, and `(size, H, W, C)` images with, where asked for, their scenes `(size, H, W, planes)`.

    The last batch is filled up with its last image, which has no name.
    """
    names: list[str] = []
    images: list[tuple[np.ndarray, ...]] = []
    for probe in probes:
        image = preprocess.apply(probe.image)
        if not np.isfinite(image).all():
            raise ProbeError(
                f"preprocessing makes NaN or Inf of {probe.name}", fix="check range, mean and std under preprocess"
            )
        names.append(probe.name)
        images.append((image,) if scenes is None else (image, scenes.of(probe)))
        if len(names) == size:
            yield tuple(names), tuple(map(np.stack, zip(*images, strict=True)))
            names, images = [], []
    if names:
        filled = images + images[-1:] * (size - len(images))
        yield tuple(names), tuple(map(np.stack, zip(*filled, strict=True)))


@dataclass(frozen=True)
class Extraction:
    """One model with the taps, probes and preprocessing of a run."""

    model: TappableModel
    taps: tuple[Tap, ...]
    probes: ProbeSet
    preprocess: Preprocess
    batch: int
    scenes: Scenes | None = None
    """What measures of maps compare with; without it they are not taken."""
    measures: Sequence[Measure] = field(default_factory=load)
    target: Target | None = None
    """What the model decides; its own map, where it is one, is compared with as well."""

    @property
    def planes(self) -> tuple[str, ...]:
        """What maps are compared with: the planes of the scenes, `kept` left out, and the model's own prediction."""
        if self.scenes is None:
            return ()
        return (*self.scenes.planes[1:], *([PREDICTION] if self.target is not None and self.target.is_map else []))

    def measure(self, displayed: Sequence[str], advance: Advance = lambda done, total: None) -> Tables:
        """Pass 1: all probes, all taps, in batches; memory does not grow with the number of probes."""
        measured = self._measured()
        shown = set(displayed) if set(displayed) < set(self.probes.names) else set()
        draw = self._draw(measured)
        accumulated = {tap.name: _Accumulated(draw) for tap in measured}
        done = 0
        for names, arrays in batches(self.probes, self.preprocess, self.batch, self.scenes):
            by_tap = self._fast(*arrays)
            doubtful = {tap: bad for tap, parts in by_tap.items() if (bad := _doubtful(parts)).any()}
            if doubtful:
                again = self._careful(*arrays)
                for tap, bad in doubtful.items():
                    by_tap[tap] = {name: _replaced(value, again[tap][name], bad) for name, value in by_tap[tap].items()}
            for tap, parts in by_tap.items():
                self._add(accumulated[tap], names, parts, shown)
            done += len(names)
            advance(done, len(self.probes))
        return self._tables(accumulated)

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

    @cached_property
    def _fast(self) -> Callable[..., dict[str, Parts]]:
        """Built once, however often the probes are measured: a model's weights may change meanwhile."""
        return self._function(careful=False)

    @cached_property
    def _careful(self) -> Callable[..., dict[str, Parts]]:
        """The same in float64, for batches whose values float32 does not hold; of all taps, whichever needs it."""
        return self._function(careful=True)

    def _measured(self) -> tuple[Tap, ...]:
        """The taps, behind the image itself where there are scenes."""
        return self.taps if self.scenes is None else (image(self.preprocess.size), *self.taps)

    def _draw(self, measured: Sequence[Tap]) -> Draw:
        images = 0 if self.scenes is None else len(self.scenes.masked)
        return Draw(images, sum(tap.channels for tap in measured if len(tap.grid) == 2))

    def _function(self, *, careful: bool) -> Callable[..., dict[str, Parts]]:
        planes = () if self.scenes is None else self.scenes.planes
        inputs = Inputs(self.preprocess.size, self.batch, planes)
        target = self.target if self.target is not None and self.target.is_map else None
        return measuring(self.model, self._measured(), self.measures, inputs, target=target, careful=careful)

    def _sums(self, per: str) -> list[Sum]:
        return [s for measure in self.measures for s in measure.sums if s.per == per]

    def _add(self, into: _Accumulated, names: tuple[str, ...], parts: Parts, shown: set[str]) -> None:
        """Adds a batch: a row per image, everything else summed. Rows beyond the names are filling."""
        n = len(names)
        empty = parts["finite"][:n] == 0
        parts = {name: value[:n] for name, value in parts.items()}
        parts |= {name: np.where(empty, np.float64(np.nan), parts[name]) for name in ("minimum", "maximum")}
        per_channel, rows = self._sums("channel"), dict(parts)
        rows |= merge(per_channel, parts, axis=1)
        derived = _derived(self.measures, rows, "sample")
        summed = {s.name: rows[s.name] for s in (*per_channel, *self._sums("image")) if s.name in rows}
        into.rows.append({"probe": np.array(names, object), **summed, **derived})
        if "count" in parts:
            into.bins += parts["count"].sum(axis=0)
        self._add_grouped(into, names, parts)
        into.channels = fold(per_channel, into.channels, parts)
        unseen = np.array([name not in shown for name in names])
        if unseen.any():
            into.unseen = fold(per_channel, into.unseen, {s.name: parts[s.name][unseen] for s in per_channel})

    def _add_grouped(self, into: _Accumulated, names: tuple[str, ...], parts: Parts) -> None:
        if self.scenes is None:
            return
        places = [self.scenes.group[name] for name in names]
        for per, count, at in (("group", self.scenes.groups, places), ("whole", 1, [0] * len(names))):
            for value in (s.name for s in self._sums(per) if s.name in parts):
                if value not in into.grouped:
                    dtype = np.result_type(parts[value], np.float64)
                    into.grouped[value] = np.zeros((count, *parts[value].shape[1:]), dtype)
                np.add.at(into.grouped[value], at, parts[value])
        numbers = {row: self.scenes.place[name] for row, name in enumerate(names) if name in self.scenes.place}
        for value in (s.name for s in self._sums("place") if s.name in parts):
            rows = parts[value][list(numbers)]
            if value not in into.grouped:
                into.grouped[value] = np.zeros((*into.draw.shape(rows.shape[1]), *rows.shape[2:]), rows.dtype)
            into.draw.keep(into.grouped[value], rows, tuple(numbers.values()))

    def _tables(self, accumulated: Mapping[str, _Accumulated]) -> Tables:
        samples, channels, histograms = [], [], []
        low, high = edges()
        for name, a in accumulated.items():
            rows = {column: np.concatenate([row[column] for row in a.rows]) for column in a.rows[0]}
            samples.append(pd.DataFrame({"probe": rows.pop("probe"), "tap": name, **rows}))
        for tap in self.taps:
            a = accumulated[tap.name]
            derived = _derived(self.measures, a.channels, "channel")
            channels.append(
                pd.DataFrame({"tap": tap.name, "channel": np.arange(tap.channels), **a.channels, **derived})
            )
            counts = ascending(a.bins)
            kept = np.flatnonzero(counts)
            histograms.append(
                pd.DataFrame({"tap": tap.name, "low": low[kept], "high": high[kept], "count": counts[kept]})
            )
        by_probe = {name: i for i, name in enumerate(self.probes.names)}
        rows_of_samples = pd.concat(samples, ignore_index=True)
        order = rows_of_samples["probe"].map(by_probe)
        return Tables(
            rows_of_samples.iloc[np.argsort(order.to_numpy(), kind="stable")].reset_index(drop=True),
            pd.concat(channels, ignore_index=True),
            pd.concat(histograms, ignore_index=True),
            {tap.name: accumulated[tap.name].unseen for tap in self.taps},
            {name: a.grouped for name, a in accumulated.items()},
        )


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a measuring function takes."""

    size: tuple[int, int]
    """(height, width) of the images."""
    batch: int
    planes: tuple[str, ...] = ()
    """Of the scenes `(batch, height, width, planes)`; empty where it takes none."""


def image(size: tuple[int, int]) -> Tap:
    """The image itself at a size (H, W), before any preprocessing of its values, as a tap."""
    return Tap(IMAGE, "", "Image", 0, 1, (*size, len(COLOURS)), "float32", 0, 0, "by chance", "the image itself")


def measuring(
    model: TappableModel,
    taps: Sequence[Tap],
    measures: Sequence[Measure],
    inputs: Inputs,
    *,
    target: Target | None = None,
    careful: bool = False,
) -> Callable[..., dict[str, Parts]]:
    """A function from images `(batch, H, W, C)`, and scenes, to each tap's sums, `(batch, ...)` by the sums' names.

    With a target that is a map, what the model decides is a plane of the scenes.
    """
    order: list[tuple[str, ...]] = []
    twin: dict[str, str] = {}
    batch = inputs.batch

    def then(made: Mapping[str, Any], *beside: Any) -> list[dict[str, Any]]:
        tensors, scene = {tap.name: made[tap.name] for tap in of_model}, None
        if beside:
            prediction = None if target is None else foreground(made[target.tap.name], target)
            scene = Scene(beside[0], inputs.planes, prediction)
            tensors[IMAGE] = beside[0][..., -len(COLOURS) :]
        # A scope and the last layer in it hold the same tensor, which is measured once.
        first = {id(tensor): name for name, tensor in reversed(list(tensors.items()))}
        twin.update({name: first[id(tensor)] for name, tensor in tensors.items()})
        shapes = {tap.name: (batch, *tap.shape, tap.dtype) for tap in taps if twin[tap.name] == tap.name}
        order[:] = groups(shapes)
        return gather(measures, tensors, order, scene=scene, careful=careful)

    shapes_beside = [(batch, *inputs.size, len(inputs.planes))] if inputs.planes else []
    of_model = [tap for tap in taps if tap.name != IMAGE]
    beyond = [target.tap] if target is not None and target.tap not in of_model else []
    function = model.tapped([*of_model, *beyond], then, size=inputs.size, batch=batch, beside=shapes_beside)

    def parts(*arrays: np.ndarray) -> dict[str, Parts]:
        separate: dict[str, Parts] = {}
        for group, sums in zip(order, function(*arrays), strict=True):
            for i, tap in enumerate(group):
                rows = slice(i * batch, (i + 1) * batch)
                separate[tap] = {name: value[rows] for name, value in sums.items()}
        return {tap.name: separate[twin[tap.name]] for tap in taps}

    return parts


def choose(tap: Tap, sums: Parts, rule: str, *, count: int, random: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(K,) channels, the best by `rule` first and `random` others last, and (K,) True where the rule chose."""
    count = min(count, tap.channels)
    drawn = min(random, tap.channels - 1, count - 1) if tap.channels > count else 0
    score = _score(sums, rule)
    # Stable, and by number where the score is equal or undefined.
    ranked = np.argsort(-np.nan_to_num(score, nan=-np.inf), kind="stable")
    best, rest = ranked[: count - drawn], ranked[count - drawn :]
    others = np.sort(np.random.default_rng((seed, tap.order)).choice(rest, drawn, replace=False)) if drawn else rest[:0]
    return np.concatenate([best, others]), np.arange(count) < count - drawn


def _score(sums: Parts, rule: str) -> np.ndarray:
    n = np.where(sums["finite"] > 0, sums["finite"], np.nan)
    if rule == "variance":
        spread = sums["squares"] / n - (sums["total"] / n) ** 2
        return np.where(sums["minimum"] == sums["maximum"], 0.0, spread)
    if rule == "mean":
        return np.asarray(sums["total"] / n)
    if rule == "max":
        return np.where(np.isnan(n), np.nan, sums["maximum"])
    if rule == "zeros":
        return np.asarray(sums["zeros"] / n)
    return -np.arange(len(n), dtype=np.float64)


def _derived(measures: Sequence[Measure], sums: Parts, level: str) -> Parts:
    """The columns that are defined at a level, as far as there are any, in the order in which measures declare them."""
    values = derive(measures, sums)
    names = [d.column.name for m in measures for d in m.columns if level in d.levels]
    return {name: values[name] for name in names if name in values}


def _doubtful(parts: Parts) -> np.ndarray:
    """(batch,) where a channel holds NaN or Inf, or where its squares may have left the range of float32."""
    reach = np.maximum(np.abs(parts["minimum"]), np.abs(parts["maximum"]))
    small, large = FAITHFUL
    # At one position a channel is its own mean, whose square is taken in float64: there, small ones among others are
    # held, if they are normal numbers. A channel of zeros always is.
    alone = (parts["finite"] == 1) & (reach >= np.finfo(np.float32).tiny) & (reach.max(axis=1, keepdims=True) > small)
    faint = (reach > 0) & (reach < small) & ~alone
    # NaN need not show in the extremes, but it does in the sums.
    held = np.isfinite(parts["total"] + parts["squares"]) & (reach < large)
    return np.asarray((faint | ~held).any(axis=1))


def _replaced(value: np.ndarray, other: np.ndarray, where: np.ndarray) -> np.ndarray:
    return np.where(where.reshape(-1, *(1,) * (value.ndim - 1)), other, value)
