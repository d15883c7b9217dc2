"""Maps of a tap of both runs in one mosaic and one scale, row by row A and B; their histograms on one axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fmreport.compare.align import shared_probes
from fmreport.compare.comparison import TapChange
from fmreport.figures import mosaics
from fmreport.figures.histograms import outlines
from fmreport.records import Tiles
from fmreport.report import maps, page
from fmreport.report.comparison.page import Histograms
from fmreport.report.wording import number, percent, plural, sizes
from fmreport.store import Run

CHANNELS = 16
"""Shown of each tap, at most."""
LETTERS = ("A", "B")


def shown(a: Run, b: Run) -> list[tuple[str, str]]:
    """Images whose maps both runs show: their names in A and in B."""
    there = b.pictures().keys()
    both = [pair for pair in shared_probes(a.facts, b.facts) if pair[0] in a.facts.displayed and pair[1] in there]
    return [pair for pair in both if pair[1] in b.facts.displayed]


def rows(probes: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Letter and name of the probe of every row of a mosaic."""
    return [(letter, probe) for _, probe in probes for letter in LETTERS]


def row_name(letter: str, probe: str) -> str:
    """What a row is called where it stands for a probe."""
    return f"{letter}: {probe}"


def joined(a: Run, b: Run, tap: TapChange, probes: Sequence[tuple[str, str]]) -> Tiles | str:
    """The maps of both sides as those of twice as many probes; or why there are none."""
    one, other = a.tiles(tap.pair.a), b.tiles(tap.pair.b)
    if one is None or other is None:
        return "It is no map of rows and columns." if one is None and other is None else "Only one side has maps."
    if not probes:
        return "No picture is displayed by both runs."
    if tap.shape_a.rpartition(" x ")[2] != tap.shape_b.rpartition(" x ")[2]:
        return "A and B have not as many channels: none of the one stands for one of the other."
    channels = _channels(one, other, tap)
    if not channels:
        return "Of this tap the runs show no channel in common."
    longest = min(max(each.values.shape[-2:]) for each in (one, other))
    sides = [
        _of(mosaics.shrink(each, longest), [pair[side] for pair in probes], channels)
        for side, each in enumerate((one, other))
    ]
    if sides[0].values.shape != sides[1].values.shape:
        return "The maps of A and of B have not the same proportions."
    values, low, high = (
        np.stack([getattr(side, name) for side in sides], axis=1).reshape(2 * len(probes), *shape)
        for name, shape in (("values", sides[0].values.shape[1:]), ("low", (-1,)), ("high", (-1,)))
    )
    names = tuple(row_name(*row) for row in rows(probes))
    return Tiles(
        tap.pair.b, names, np.array(channels), sides[0].chosen & sides[1].chosen, values, low, high, other.grid
    )


def _channels(one: Tiles, other: Tiles, tap: TapChange) -> list[int]:
    """Those that both runs show, what fell silent first."""
    both = [int(each) for each in one.channels if each in other.channels]
    first = {number for each in tap.channels for number in (*each.new, *each.gone)}
    return sorted(both, key=lambda number: number not in first)[:CHANNELS]


def _of(tiles: Tiles, probes: Sequence[str], channels: Sequence[int]) -> Tiles:
    places = [list(tiles.channels).index(channel) for channel in channels]
    at = np.ix_([tiles.probes.index(probe) for probe in probes], places)
    return replace(tiles, values=tiles.values[at], low=tiles.low[at], high=tiles.high[at], chosen=tiles.chosen[places])


def mosaic(tap: TapChange, tiles: Tiles, runs: tuple[Run, Run], anchor: str, settings: maps.Settings) -> page.Maps:
    """The maps with their labels, coloured in one scale."""
    told = [_summary(run, name) for run, name in zip(runs, (tap.pair.a, tap.pair.b), strict=True)]
    zeros = ", ".join(f"{letter} {percent(row['zero_fraction'])}" for letter, row in zip(LETTERS, told, strict=True))
    least = min(float(row["minimum"]) for row in told)
    channels = int(tap.shape_b.rpartition(" x ")[2])
    own = maps.TapWords(tap.pair.b, anchor, channels, zeros, "", frozenset(), frozenset())
    made = maps.maps(tiles, own, settings, signed=mosaics.is_signed(tiles, least))
    states = _states(tap)
    pictures = plural(len(tiles.probes) // 2, "picture")
    return replace(
        made,
        blocks=tuple(_tagged(block, states) for block in made.blocks),
        alt=f"{pair_name(tap)} on {pictures}, each of A above that of B; {len(tiles.channels)} of {channels} channels",
        caption=_caption(tap, tiles, channels),
    )


def pair_name(tap: TapChange) -> str:
    """Its name, or that of A and that of B."""
    return tap.pair.b if tap.pair.a == tap.pair.b else f"{tap.pair.a} → {tap.pair.b}"


def _caption(tap: TapChange, tiles: Tiles, channels: int) -> str:
    grids = dict.fromkeys(sizes(shape.rpartition(" x ")[0]) for shape in (tap.shape_a, tap.shape_b))
    alike = "" if len(grids) == 1 else ", drawn alike"
    return (
        f"{len(tiles.channels)} of {plural(channels, 'channel')}, those that both runs show; {' and '.join(grids)} "
        f"pixels{alike}. Of each picture A stands above B, in one scale. A channel of A and that of B have the same "
        "number; where weights were trained anew they need not stand for the same."
    )


def _states(tap: TapChange) -> dict[int, str]:
    """What is to stand above channels that are in another state than they were."""
    found: dict[int, str] = {}
    for each in tap.channels:
        found |= dict.fromkeys(each.new, f"{each.state} in B")
        found |= dict.fromkeys(each.gone, f"{each.state} in A")
    return found


def _tagged(block: page.Block, states: dict[int, str]) -> page.Block:
    def of(label: page.ChannelLabel) -> page.ChannelLabel:
        state = states.get(int(label.number), "")
        return replace(label, tag=state or label.tag, title=f"{label.title}{f', {state}' if state else ''}")

    labels = tuple(of(label) for label in block.labels)
    channels = tuple(
        replace(channel, label=label, alt=label.title) for channel, label in zip(block.channels, labels, strict=True)
    )
    return replace(block, labels=labels, channels=channels)


def histograms(tap: TapChange, runs: tuple[Run, Run]) -> Histograms | None:
    """Both distributions on one axis; None where neither has a value other than zero."""
    bins = []
    for run, name in zip(runs, (tap.pair.a, tap.pair.b), strict=True):
        held = run.histograms[run.histograms["tap"] == name]
        bins.append(tuple(held[column].to_numpy() for column in ("low", "high", "count")))
    made = outlines([(low, high, count) for low, high, count in bins])
    there = next((each for each in made if each is not None), None)
    if there is None:
        return None
    low, high = number(there.low), number(there.high)
    medians = ", ".join(
        f"median of {letter} {number(float(_summary(run, name)['q50']))}"
        for letter, run, name in zip(LETTERS, runs, (tap.pair.a, tap.pair.b), strict=True)
    )
    return Histograms(
        a="" if made[0] is None else made[0].path,
        b="" if made[1] is None else made[1].path,
        zero_at="" if there.zero_at is None else f"{there.zero_at:.1f}",
        low=low,
        high=high,
        caption="Values other than exact zeros: A filled, B as a line, on one axis and each as shares of its own",
        alt=f"Histograms of A and B of {pair_name(tap)} from {low} to {high}: {medians}",
    )


def _summary(run: Run, tap: str) -> dict[str, float]:
    row = run.summary[run.summary["tap"] == tap].iloc[0]
    return {str(name): value for name, value in row.items() if name != "tap"}
