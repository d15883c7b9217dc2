"""The tiles of one tap -> its mosaic with every label, range and rule: strips for print, columns of grey for a page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fmreport.figures import mosaics, png
from fmreport.records import Tiles
from fmreport.report import page
from fmreport.report.wording import number, plural
from fmreport.store import Run

LARGEST_ROW = 16
SMALLEST_ROW = 8
"""Channels side by side: at most, and the room that fewer get."""
WIDER = 4
"""How much wider than a channel's own scale its values may be held."""


@dataclass(frozen=True, slots=True)
class Limit:
    """What a size budget leaves of the maps of each tap."""

    tile: int
    """Longest side of a tile in pixels."""
    channels: int | None = None
    """Channels shown; None for all that the run has."""
    attribution: bool = True
    """Whether the maps of attribution are shown."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What is the same for the maps of all taps."""

    scale: str
    """`channel` or `tap`: what the colours span."""
    order: str
    """The rule that chose the channels, in words."""
    photos: Mapping[str, page.Photo]
    limit: Limit | None
    """None where no budget asks for less."""


@dataclass(frozen=True, slots=True)
class TapWords:
    """What labels and captions say of the tap."""

    name: str
    anchor: str
    """Address of its section."""
    channels: int
    zeros: str
    sees: str
    """Stride and receptive field; empty where they are not known."""
    silent: frozenset[int]
    constant: frozenset[int]


def maps(tiles: Tiles, words: TapWords, settings: Settings, *, signed: bool) -> page.Maps:
    """The mosaic: blocks of at most 16 channels, in each one strip of maps per probe and one column per channel."""
    if settings.limit is not None and settings.limit.channels is not None:
        tiles = _fewer(tiles, settings.limit.channels)
    drawn = tiles if settings.limit is None else mosaics.shrink(tiles, settings.limit.tile)
    own, common = (mosaics.scale_of(tiles, signed=signed, mode=mode) for mode in ("channel", "tap"))
    scale = own if settings.scale == "channel" else common
    held = _held(tiles, own, common)
    greys = mosaics.greys(drawn, held)
    # A page that is made smaller is not printed.
    indices = mosaics.levels(drawn, scale) if settings.limit is None else None
    count = len(tiles.channels)
    columns = max(SMALLEST_ROW, -(-count // -(-count // LARGEST_ROW)))
    labels = tuple(_label(tiles, words, own, k) for k in range(count))
    channels = tuple(
        replace(
            channel(labels[k], greys[:, k], alt=labels[k].title),
            anchor=f"{words.anchor}~c{labels[k].number}",
            href=page.href(f"{words.anchor}~c{labels[k].number}"),
            rank=_rank(tiles, settings.order, k),
            gain=(_gain(held, own, k), _gain(held, common, k)),
        )
        for k in range(count)
    )
    blocks = []
    for start in range(0, count, columns):
        part = slice(start, min(start + columns, count))
        size = part.stop - part.start
        strips = (
            ()
            if indices is None
            else tuple(
                _strip(settings.photos[probe], data, _alt(words, tiles, probe, labels[part]))
                for i, probe in enumerate(tiles.probes)
                for data in [mosaics.encode(mosaics.mosaic(indices[i, part], size), signed=signed)]
            )
        )
        blocks.append(page.Block(labels[part], strips, channels[part], ", ".join(tiles.probes), ""))
    height, width = drawn.values.shape[-2:]
    low, middle, high = _bar_labels(scale, settings.scale)
    return page.Maps(
        grid=columns + 1,
        tile=max(height, width),
        blocks=tuple(blocks),
        height_per_width=height / width,
        signed=signed,
        alt=_alt(words, tiles, f"{plural(len(tiles.probes), 'picture')}", labels),
        bar=mosaics.colour_bar(signed),
        bar_alt=_bar_alt(low, middle, high),
        bar_low=low,
        bar_high=high,
        by_channel=_legend(own, "channel"),
        by_tap=_legend(common, "tap"),
        caption=_caption(tiles, drawn, scale, words),
        has_random=not bool(tiles.chosen.all()),
    )


def channel(label: page.ChannelLabel, greys: NDArray[np.uint8], *, alt: str) -> page.Channel:
    """The column of one channel, without an address, from its (P, h, w) grey maps."""
    data = mosaics.stacked(greys)
    width, height = png.size(data)
    return page.Channel(label, "", "", "", alt, data, width, height, ("1", "1"))


def _rank(tiles: Tiles, order: str, k: int) -> str:
    """The place of a channel by the rule; random ones have none."""
    if not tiles.chosen[k]:
        return "drawn at random"
    return "by number" if order == "index" else f"place {k + 1} by {order}"


def _held(tiles: Tiles, own: mosaics.Scale, common: mosaics.Scale) -> mosaics.Scale:
    """The scale in which values are held: a channel's own, or wider where its peaks show in the scale of its tap.

    At most `WIDER` times as wide, so that the channel's own scale keeps enough steps.
    """
    ends = np.fmax(np.abs(tiles.low), np.abs(tiles.high))
    peaks = np.fmax.reduce(np.where(np.isfinite(ends), ends, np.nan), axis=0)
    wanted = np.fmin(np.fmin(peaks, common.limits), WIDER * own.limits)
    return replace(own, limits=np.fmax(own.limits, wanted).astype(np.float32))


def _gain(held: mosaics.Scale, shown: mosaics.Scale, k: int) -> str:
    """The factor that takes the values of a channel to a scale, to three digits."""
    factor = float(held.limits[k]) / float(shown.limits[k]) if shown.limits[k] > 0 else 1.0
    return f"{factor:.3g}" if np.isfinite(factor) else "1"


def _legend(scale: mosaics.Scale, mode: str) -> page.Legend:
    low, middle, high = _bar_labels(scale, mode)
    return page.Legend(low, high, _bar_alt(low, middle, high))


def _bar_alt(low: str, middle: str, high: str) -> str:
    return f"Colour bar from {low}{f' over {middle}' if middle else ''} to {high}"


def _fewer(tiles: Tiles, count: int) -> Tiles:
    """The best and, in their share, the random ones of the channels."""
    random = int((~tiles.chosen).sum())
    best = len(tiles.channels) - random
    drawn = min(random, -(-random * count // max(len(tiles.channels), 1)))
    kept = np.r_[: min(best, count - drawn), best : best + drawn]
    return replace(
        tiles,
        channels=tiles.channels[kept],
        chosen=tiles.chosen[kept],
        values=tiles.values[:, kept],
        low=tiles.low[:, kept],
        high=tiles.high[:, kept],
    )


SPANS = {
    "channel": "Each channel has its own colour scale, the same for every picture: this shows shapes.",
    "tap": "All channels of a tap have one colour scale: this shows strengths.",
}
"""What the colours of maps span, by the scale."""
HELD = f"On this page a value beyond {WIDER} times its channel's own limit is drawn as that; the run's folder holds it."
"""What is lost where a page colours the values that it holds by the scale of the tap."""


def introduction(run: Run, limit: Limit | None) -> tuple[str, ...]:
    """How to read the maps of every tap, a sentence or two each; `limit` as in `Settings`."""
    probes = len(run.facts.probes)
    signed = (
        "Maps without negative values run from 0 to their largest value; signed maps run both ways from 0, the middle "
        "of the colours, and end at the 99th percentile of their absolute values."
    )
    silent = (
        f"Silent means zero at every position of every image of this probe set ({plural(probes, 'image')}). "
        "Maps correlate with what is in a picture; they do not show what causes an output."
    )
    smaller = ""
    if limit is not None:
        fewer = f", and {limit.channels} channels of each layer at most" if limit.channels else ""
        fewer += "" if limit.attribution or not run.facts.target else ", and attribution is left out"
        smaller = (
            f"To keep this file within its size budget, maps are drawn at {limit.tile} pixels a side at most, "
            f"area-averaged{fewer}; the run folder holds all of it."
        )
    columns = "Columns are channels, numbered from 0; rows are pictures. Pixels are those of the layer's own grid."
    return (columns, run.facts.channel_rule, signed, silent, *([smaller] if smaller else []))


def _strip(photo: page.Photo, data: bytes, alt: str) -> page.Strip:
    return page.Strip(photo.id, photo.name, photo.jpeg, data, *png.size(data), alt)


def _alt(words: TapWords, tiles: Tiles, probe: str, labels: tuple[page.ChannelLabel, ...]) -> str:
    rows, columns = tiles.grid
    return (
        f"{words.name} on {probe}: {rows} × {columns}, {plural(words.channels, 'channel')}, {words.zeros} zeros; "
        f"{len(labels)} shown: {', '.join(label.number for label in labels)}"
    )


def _label(tiles: Tiles, words: TapWords, scale: mosaics.Scale, k: int) -> page.ChannelLabel:
    channel, limit = int(tiles.channels[k]), float(scale.limits[k])
    low, high = tiles.low[:, k], tiles.high[:, k]
    finite = np.isfinite(low) & np.isfinite(high)
    tag = "not finite" if not finite.all() else ""
    if channel in words.silent:
        tag = "silent"
    elif channel in words.constant:
        tag = "constant"
    shown = ""
    if finite.any() and tag != "silent":
        shown = f"±{number(limit, 2)}" if scale.signed else f"0–{number(limit, 2)}"
    chosen = bool(tiles.chosen[k])
    title = f"channel {channel} of {words.channels}"
    if finite.any():
        title += f", {number(float(low[finite].min()))} to {number(float(high[finite].max()))} on the pictures shown"
    title += f"{'' if chosen else ', drawn at random'}{f', {tag} on this probe set' if tag else ''}"
    return page.ChannelLabel(str(channel), shown, tag, not chosen, title)


def _bar_labels(scale: mosaics.Scale, mode: str) -> tuple[str, str, str]:
    if mode == "channel":
        return ("−limit", "0", "+limit") if scale.signed else ("0", "", "limit")
    limit = number(float(scale.limits[0]))
    return (f"−{limit}", "0", limit) if scale.signed else ("0", "", limit)


def _caption(tiles: Tiles, drawn: Tiles, scale: mosaics.Scale, words: TapWords) -> str:
    height, width = tiles.grid
    shown, random = len(tiles.channels), int((~tiles.chosen).sum())
    channels = words.channels
    which = f"{shown} of {plural(channels, 'channel')}" if shown < channels else f"all {plural(channels, 'channel')}"
    if channels == 1:
        which = "the only channel"
    grid = f"{height} × {width} pixels"
    small = drawn.values.shape[-2:]
    if small != tiles.grid:
        grid += f", drawn at {small[0]} × {small[1]} (area-averaged)"
    sees = f"; {words.sees}" if words.sees else ""
    parts = [f"{which[0].upper()}{which[1:]}{f', the last {random} drawn at random' if random else ''}; {grid}{sees}."]
    parts.append("Each channel's own limit stands under its number.")
    if scale.clipped:
        parts.append("Values beyond the 99th percentile are clipped.")
    parts.append(f"{plural(len(tiles.probes), 'image')}; correlational, not causal.")
    return " ".join(parts)
