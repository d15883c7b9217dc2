"""Network Dissection's protocol: passes over the probes for each channel's threshold, and one for what exceeds it.

Bau et al. 2017, arXiv 1704.05796. Whatever is computed is appended to the model's own graph and leaves it as counts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from fmreport.extract import SIZE, Advance, Engine, Extraction, Made, Shard, Step, Stepped, Task, image, portions
from fmreport.measures.overlap import Alignment, alignment, exceeding, overlap, tiles
from fmreport.measures.quantile import Search, bits_per_pass, count_parts, split
from fmreport.probes.scenes import COLOURS
from fmreport.records import IMAGE, Tap

MASKS = ("mask", "shuffled 1")
"""What activations are compared with: the own masks, and those of other images where there are several."""
SHARE = 4
"""Counts may take one in so many parts of the memory that activations may."""
HANDED_ON_MB = 32
"""They may take so much where every shard hands on its own."""
VERSION = 1
"""Raised whenever the same activations would give other counts."""
Function = Callable[..., list[np.ndarray]]


@dataclass(frozen=True, slots=True)
class Dissected:
    """What the protocol counts of one tap with C channels, in pixels of its probes with masks that are not ignored."""

    threshold: np.ndarray
    """(C,) float32: the 0.995 quantile over its probes; NaN of a channel without a finite value."""
    active: np.ndarray
    """(C,) at which the upsampled map exceeds it."""
    overlap: np.ndarray
    """(K, C) of these, inside each of `MASKS`; K is 1 where a single probe has a mask."""
    inside: np.ndarray
    """(K,) inside each of `MASKS`."""
    by_receptive_field: bool
    """Whether maps are aligned by what their elements see, not by the extent of their grid."""


def dissect(
    extraction: Extraction,
    *,
    memory_mb: int,
    engine: Engine | None = None,
    advance: Advance = lambda done, total: None,
) -> dict[str, Dissected]:
    """By the names of the taps that are maps, behind the image itself; of the probes whose maps are measured.

    Some of these must have a mask.
    """
    scenes, taps = extraction.scenes, _maps(extraction)
    assert scenes is not None
    places = _places(taps)
    channels, images = sum(tap.channels for tap in taps), len(extraction.mapped)
    most = memory_mb // SHARE if images <= SIZE else min(memory_mb // SHARE, HANDED_ON_MB)
    search = Search(channels, bits_per_pass(channels, most * 2**20))
    step = Stepped(advance, (search.passes + 1) * images)
    for number in range(search.passes):
        counting = Counting(number, search.bits, search.shift, search.low)
        counts = np.zeros((channels, 1 << search.bits), np.int64)
        for done in extraction.over_maps(counting, step, engine):
            counts += done.made["counts"]["counts"]
        search.narrow(counts)
    size, found = extraction.preprocess.size, search.values
    planes = len(_planes(scenes.planes))
    total, active = np.zeros(planes, np.int64), np.zeros((channels, planes), np.int64)
    for done in extraction.over_maps(Overlapping(found), step, engine):
        total += done.made["overlaps"]["total"]
        active += done.made["overlaps"]["active"]
    return {
        tap.name: Dissected(
            found[place],
            active[place, 0],
            active[place, 1:].T,
            total[1:],
            alignment(tap, size).by_receptive_field,
        )
        for tap, place in zip(taps, places, strict=True)
    }


@dataclass(frozen=True, slots=True, eq=False)
class Counting:
    """How many values of each channel lie in each part of the range in which its threshold is sought."""

    number: int
    """Of the pass, from 0."""
    bits: int
    shift: int
    low: np.ndarray
    """`(C,)` of all taps, one behind the other; see `Search`."""
    pieces: tuple[str, ...] = ("counts",)
    control: int | None = None

    def only(self, pieces: Sequence[str]) -> Task:
        """There is one piece."""
        assert tuple(pieces) == self.pieces
        return self

    def identity(self, piece: str, shard: Shard) -> dict[str, Any]:
        """The images, and what is counted."""
        asked = {"dissection": piece, "version": VERSION, "bits": self.bits, "shift": self.shift}
        return asked | {"low": _sha256(self.low), "images": [fact.sha256 for fact in shard.probes.facts]}

    def work(self, extraction: Extraction, shard: Shard, step: Step) -> Made:
        """`(C, 2^bits)` int64."""
        function = extraction.function(("counting", self.bits), partial(_counting, extraction, self.bits))
        settings = split(self.low), np.array([self.shift], np.float32)
        counts = np.zeros((len(self.low), 1 << self.bits), np.int64)
        places = _places(_maps(extraction))
        for count, arrays in _batches(extraction, shard, shard.probes.names):
            for place, found in zip(places, function(*arrays, *settings), strict=True):
                counts[place] += found
            step(count)
        return {"counts": {"counts": counts}}


@dataclass(frozen=True, slots=True, eq=False)
class Overlapping:
    """At how many pixels each channel exceeds its threshold: anywhere, and inside each of `MASKS`."""

    thresholds: np.ndarray
    """`(C,)` of all taps, one behind the other."""
    pieces: tuple[str, ...] = ("overlaps",)
    control: int | None = None

    def only(self, pieces: Sequence[str]) -> Task:
        """There is one piece."""
        assert tuple(pieces) == self.pieces
        return self

    def identity(self, piece: str, shard: Shard) -> dict[str, Any]:
        """The images, their scenes, and the thresholds."""
        assert shard.scenes is not None
        asked = {"dissection": piece, "version": VERSION, "thresholds": _sha256(self.thresholds)}
        seen = {"images": [fact.sha256 for fact in shard.probes.facts], "masks": shard.probes.masks}
        return asked | seen | {"scenes": shard.scenes.identity()}

    def work(self, extraction: Extraction, shard: Shard, step: Step) -> Made:
        """`total` `(P,)` pixels that are kept and, of these, inside each mask; `active` `(C, P)` of them."""
        assert shard.scenes is not None
        planes = len(_planes(shard.scenes.planes))
        total, active = np.zeros(planes, np.int64), np.zeros((len(self.thresholds), planes), np.int64)
        masked = [name for name in shard.probes.names if name in shard.scenes.place]
        step(len(shard.probes) - len(masked))
        if masked:
            function = extraction.function("overlapping", partial(_overlapping, extraction))
            for count, arrays in _batches(extraction, shard, masked):
                of_masks, of_channels = function(*arrays, self.thresholds)
                total += of_masks
                active += of_channels
                step(count)
        return {"overlaps": {"total": total, "active": active}}


def _counting(extraction: Extraction, bits: int) -> Function:
    """`(C, 2^bits)` of each tap, of a batch and of the settings of a search."""
    taps = _maps(extraction)
    places = dict(zip((tap.name for tap in taps), _places(taps), strict=True))
    channels = sum(tap.channels for tap in taps)

    def then(tensors: Mapping[str, Any], _: Any, real: Any, low: Any, shift: Any) -> list[Any]:
        return [count_parts(tensors[name], real, low[:, places[name]], shift, bits=bits) for name in tensors]

    def together(parts: Sequence[list[np.ndarray]]) -> list[np.ndarray]:
        return [counts for part in parts for counts in part]

    return _function(extraction, taps, then, [(2, channels), (1,)], together)


def _overlapping(extraction: Extraction) -> Function:
    """What `Overlapping` makes, of one batch and of all thresholds."""
    scenes, taps = extraction.scenes, _maps(extraction)
    assert scenes is not None
    kept, *masks = _planes(scenes.planes)
    places = dict(zip((tap.name for tap in taps), _places(taps), strict=True))
    aligned = {tap.name: alignment(tap, extraction.preprocess.size) for tap in taps}
    channels = sum(tap.channels for tap in taps)

    def then(tensors: Mapping[str, Any], scene: Any, real: Any, threshold: Any) -> list[Any]:
        from keras import ops

        looked = scene[..., kept, None] * real[:, None, None, None]
        planes = ops.concatenate([looked, *(looked * scene[..., mask, None] for mask in masks)], axis=-1)
        # Maps of one grid need the same pixels in the same order.
        shown = {each: tiles(planes, each) for each in dict.fromkeys(aligned[name] for name in tensors)}
        found: dict[Alignment, list[tuple[Any, Any, Any]]] = {each: [] for each in shown}
        for name, tensor in tensors.items():
            place = places[name]
            cell, channel, excess = exceeding(tensor, threshold[place], aligned[name])
            found[aligned[name]].append((cell, channel + place.start, excess))
        # One loop for all maps of a grid: a loop of its own for each takes longer to build than to run.
        counts = [overlap(_joined(cells), shown[each], each, channels=channels) for each, cells in found.items()]
        return [ops.sum(ops.cast(planes, "int64"), axis=(0, 1, 2)), sum(counts[1:], start=counts[0])]

    def together(parts: Sequence[list[np.ndarray]]) -> list[np.ndarray]:
        return [parts[0][0], np.sum([of_channels for _, of_channels in parts], axis=0)]

    return _function(extraction, taps, then, [(channels,)], together)


def _function(
    extraction: Extraction,
    taps: Sequence[Tap],
    then: Callable[..., list[Any]],
    beside: Sequence[tuple[int, ...]],
    together: Callable[[Sequence[list[np.ndarray]]], list[np.ndarray]],
) -> Function:
    """A function of images, their scenes, what `_batches` says of them, and others, to what `then` makes of the maps.

    Maps are float32, by name in the order of the taps; the image itself is one of them. Where not all are handed over
    at once, `together` makes one of what several runs of the model give.
    """
    scenes, batch = extraction.scenes, extraction.batch
    assert scenes is not None

    size = extraction.preprocess.size
    shapes = [(batch, *size, len(scenes.planes)), (batch,), *beside]

    def of_portion(portion: Sequence[Tap]) -> Function:
        def of_maps(made: Mapping[str, Any], scene: Any, *others: Any) -> list[Any]:
            from keras import ops

            tensors = {name: ops.cast(tensor, "float32") for name, tensor in made.items()}
            tensors[IMAGE] = scene[..., -len(COLOURS) :]
            return then({tap.name: tensors[tap.name] for tap in portion}, scene, *others)

        of_model = [tap for tap in portion if tap.name != IMAGE]
        return extraction.model.tapped(of_model, of_maps, size=size, batch=batch, beside=shapes)

    parts = [of_portion(portion) for portion in portions(taps, extraction.feed.handed)]
    return lambda *arrays: together([part(*arrays) for part in parts])


def _batches(
    extraction: Extraction, shard: Shard, names: Sequence[str]
) -> Iterator[tuple[int, tuple[np.ndarray, ...]]]:
    """How many images; these, their scenes, and `(batch,)` 1 for an image, 0 for what fills up the last batch."""
    place = np.arange(extraction.batch)
    for part, arrays in extraction.batches(shard.probes.named(names), shard.scenes):
        yield len(part), (*arrays, (place < len(part)).astype(np.float32))


def _maps(extraction: Extraction) -> tuple[Tap, ...]:
    """The taps that are maps, behind the image itself."""
    maps = (tap for tap in extraction.taps if len(tap.grid) == 2 and tap.is_map)
    return (image(extraction.preprocess.size), *maps)


def _planes(names: Sequence[str]) -> list[int]:
    """Where the planes that are looked at stand in a scene, `kept` first."""
    return [names.index(name) for name in ("kept", *MASKS) if name in names]


def _places(taps: Sequence[Tap]) -> list[slice]:
    """Where the channels of each tap stand among those of all."""
    sizes = [tap.channels for tap in taps]
    ends = np.cumsum(sizes).tolist()
    return [slice(end - size, end) for size, end in zip(sizes, ends, strict=True)]


def _joined(cells: Sequence[tuple[Any, ...]]) -> Any:
    """One behind the other."""
    from keras import ops

    return tuple(ops.concatenate(each, axis=0) for each in zip(*cells, strict=True))


def _sha256(values: np.ndarray) -> str:
    return hashlib.sha256(values.tobytes()).hexdigest()
