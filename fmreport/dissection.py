"""Network Dissection's protocol: passes over the probes for each channel's threshold, and one for what exceeds it.

Bau et al. 2017, arXiv 1704.05796. Whatever is computed is appended to the model's own graph and leaves it as counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fmreport.extract import Advance, Extraction, batches, image
from fmreport.measures.overlap import Alignment, alignment, exceeding, overlap, tiles
from fmreport.measures.quantile import Search, bits_per_pass, count_parts, split
from fmreport.probes.scenes import COLOURS
from fmreport.records import IMAGE, Tap

MASKS = ("mask", "shuffled 1")
"""What activations are compared with: the own masks, and those of other images where there are several."""
SHARE = 4
"""Counts may take one in so many parts of the memory that activations may."""


@dataclass(frozen=True, slots=True)
class Dissected:
    """What the protocol counts of one tap with C channels, in pixels of all probes with masks that are not ignored."""

    threshold: np.ndarray
    """(C,) float32: the 0.995 quantile over all probes; NaN of a channel without a finite value."""
    active: np.ndarray
    """(C,) at which the upsampled map exceeds it."""
    overlap: np.ndarray
    """(K, C) of these, inside each of `MASKS`; K is 1 where a single probe has a mask."""
    inside: np.ndarray
    """(K,) inside each of `MASKS`."""
    by_receptive_field: bool
    """Whether maps are aligned by what their elements see, not by the extent of their grid."""


def dissect(
    extraction: Extraction, *, memory_mb: int, advance: Advance = lambda done, total: None
) -> dict[str, Dissected]:
    """By the names of the taps that are maps, behind the image itself; some probe must have a mask."""
    scenes = extraction.scenes
    assert scenes is not None
    size = extraction.preprocess.size
    taps = (image(size), *(tap for tap in extraction.taps if len(tap.grid) == 2 and tap.is_map))
    channels = sum(tap.channels for tap in taps)
    bits = bits_per_pass(channels, memory_mb * 2**20 // SHARE)
    progress = _Progress(advance, Search(0, bits).passes * len(extraction.probes) + len(scenes.masked))
    found = _thresholds(extraction, taps, bits, progress)
    aligned = {tap.name: alignment(tap, size) for tap in taps}
    inside, counts = _overlaps(extraction, taps, aligned, found, progress)
    return {
        name: Dissected(found[name], each[:, 0], each[:, 1:].T, inside[1:], aligned[name].by_receptive_field)
        for name, each in counts.items()
    }


@dataclass(slots=True)
class _Progress:
    advance: Advance
    total: int
    done: int = 0

    def by(self, probes: int) -> None:
        self.done += probes
        self.advance(self.done, self.total)


def _thresholds(extraction: Extraction, taps: Sequence[Tap], bits: int, progress: _Progress) -> dict[str, np.ndarray]:
    """`(C,)` of each tap, exact, however the probes are batched."""
    places = dict(zip((tap.name for tap in taps), _parts([tap.channels for tap in taps]), strict=True))
    search = Search(sum(tap.channels for tap in taps), bits)

    def then(tensors: Mapping[str, Any], _: Any, real: Any, low: Any, shift: Any) -> list[Any]:
        return [count_parts(tensors[name], real, low[:, place], shift, bits=bits) for name, place in places.items()]

    function = _function(extraction, taps, then, [(2, len(search.low)), (1,)])
    for _ in range(search.passes):
        counts = np.zeros((len(search.low), 1 << bits), np.int64)
        settings = split(search.low), np.array([search.shift], np.float32)
        for names, arrays in _batches(extraction, extraction.probes.names):
            for place, found in zip(places.values(), function(*arrays, *settings), strict=True):
                counts[place] += found
            progress.by(len(names))
        search.narrow(counts)
    return {name: search.values[place] for name, place in places.items()}


def _overlaps(
    extraction: Extraction,
    taps: Sequence[Tap],
    aligned: Mapping[str, Alignment],
    thresholds: Mapping[str, np.ndarray],
    progress: _Progress,
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """`(P,)` pixels that are kept and, of these, inside each mask; and `(C, P)` of them active in each tap."""
    scenes = extraction.scenes
    assert scenes is not None
    kept, *masks = (scenes.planes.index(name) for name in ("kept", *MASKS) if name in scenes.planes)
    places = dict(zip(thresholds, _parts([len(each) for each in thresholds.values()]), strict=True))
    joined = np.concatenate(list(thresholds.values()))

    def then(tensors: Mapping[str, Any], scene: Any, real: Any, threshold: Any) -> list[Any]:
        from keras import ops

        looked = scene[..., kept, None] * real[:, None, None, None]
        planes = ops.concatenate([looked, *(looked * scene[..., mask, None] for mask in masks)], axis=-1)
        # Maps of one grid need the same pixels in the same order.
        shown = {each: tiles(planes, each) for each in dict.fromkeys(aligned.values())}
        found: dict[Alignment, list[tuple[Any, Any, Any]]] = {each: [] for each in shown}
        for name, place in places.items():
            cell, channel, excess = exceeding(tensors[name], threshold[place], aligned[name])
            found[aligned[name]].append((cell, channel + place.start, excess))
        # One loop for all maps of a grid: a loop of its own for each takes longer to build than to run.
        counts = [overlap(_joined(cells), shown[each], each, channels=len(joined)) for each, cells in found.items()]
        return [ops.sum(ops.cast(planes, "int64"), axis=(0, 1, 2)), sum(counts[1:], start=counts[0])]

    function = _function(extraction, taps, then, [joined.shape])
    total, counts = np.zeros(1 + len(masks), np.int64), np.zeros((len(joined), 1 + len(masks)), np.int64)
    for names, arrays in _batches(extraction, scenes.masked):
        of_masks, of_channels = function(*arrays, joined)
        total += of_masks
        counts += of_channels
        progress.by(len(names))
    return total, {name: counts[place] for name, place in places.items()}


def _joined(cells: Sequence[tuple[Any, ...]]) -> Any:
    """One behind the other."""
    from keras import ops

    return tuple(ops.concatenate(each, axis=0) for each in zip(*cells, strict=True))


def _parts(sizes: Sequence[int]) -> list[slice]:
    """Of so many numbers each, one behind the other."""
    ends = np.cumsum(sizes).tolist()
    return [slice(end - size, end) for size, end in zip(sizes, ends, strict=True)]


def _function(
    extraction: Extraction, taps: Sequence[Tap], then: Callable[..., list[Any]], beside: Sequence[tuple[int, ...]]
) -> Callable[..., list[np.ndarray]]:
    """A function of images, their scenes, what `_batches` says of them, and others, to what `then` makes of the maps.

    Maps are float32; the image itself is one of them.
    """
    scenes, batch = extraction.scenes, extraction.batch
    assert scenes is not None

    def of_maps(made: Mapping[str, Any], scene: Any, *others: Any) -> list[Any]:
        from keras import ops

        tensors = {name: ops.cast(tensor, "float32") for name, tensor in made.items()}
        return then({**tensors, IMAGE: scene[..., -len(COLOURS) :]}, scene, *others)

    size = extraction.preprocess.size
    of_model = [tap for tap in taps if tap.name != IMAGE]
    shapes = [(batch, *size, len(scenes.planes)), (batch,), *beside]
    return extraction.model.tapped(of_model, of_maps, size=size, batch=batch, beside=shapes)


def _batches(extraction: Extraction, names: Sequence[str]) -> Iterator[tuple[tuple[str, ...], tuple[np.ndarray, ...]]]:
    """Names; images, their scenes, and `(batch,)` 1 for an image, 0 for what fills up the last batch."""
    probes, place = extraction.probes.named(names), np.arange(extraction.batch)
    for part, arrays in batches(probes, extraction.preprocess, extraction.batch, extraction.scenes):
        yield part, (*arrays, (place < len(part)).astype(np.float32))
