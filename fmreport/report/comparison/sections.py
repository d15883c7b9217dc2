"""The section of each pair of taps that changed: what of it did, by how much, and its maps side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fmreport.compare.align import SAME
from fmreport.compare.comparison import CHANGED, EQUAL, Change, TapChange
from fmreport.report import maps, page
from fmreport.report.comparison import pictures, table, words
from fmreport.report.comparison.page import Measure, Tap
from fmreport.report.wording import plural, sizes
from fmreport.store import Run

WIDEST, TEXT = 9.6, 165.0
"""Millimetres: a printed map at most, and all maps of a row beside their photograph."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What all sections are made from."""

    runs: tuple[Run, Run]
    addresses: Mapping[str, str]
    """Of every section, by the tap of B."""
    mapped: frozenset[str]
    """Those with maps."""
    probes: tuple[tuple[str, str], ...]
    """Names in A and in B of the images whose maps are shown."""
    settings: maps.Settings
    meanings: table.Meanings


def section(tap: TapChange, shown: Shown) -> Tap:
    """One pair of taps."""
    told = [each for each in tap.measures if each.state != EQUAL or each.missing]
    equal = len(tap.measures) - len(told)
    made = _maps(tap, shown)
    mosaic = None if isinstance(made, str) else made
    across = max((len(block.labels) for block in mosaic.blocks), default=1) if mosaic else 1
    anchor = shown.addresses[tap.pair.b]
    return Tap(
        position=str(tap.position_b),
        name=tap.pair.b,
        anchor=anchor,
        href=page.href(anchor),
        label=f"tap-{tap.position_b}",
        title=pictures.pair_name(tap),
        kind=_kind(tap),
        begins=words.begins(tap),
        facts=tuple(_facts(tap)),
        measures=tuple(_measure(each, shown.meanings) for each in told),
        measures_note=f"{plural(equal, 'other measure')} equal to the last bit." if equal else "",
        histograms=pictures.histograms(tap, shown.runs) if tap.state == CHANGED else None,
        maps=mosaic,
        sides=tuple(pictures.rows(shown.probes)) if mosaic else (),
        no_maps=made if isinstance(made, str) else "",
        unit=round(min(WIDEST, TEXT / (across + 1)), 2),
    )


def _kind(tap: TapChange) -> str:
    """Type and shape, of both sides where they differ."""
    types, shapes = (dict.fromkeys(both) for both in ((tap.type_a, tap.type_b), (tap.shape_a, tap.shape_b)))
    return " · ".join((" → ".join(types), " → ".join(map(sizes, shapes))))


def _facts(tap: TapChange) -> Iterator[page.Fact]:
    how = "" if tap.pair.how == SAME else f"{tap.pair.how}: "
    yield page.Fact("paired by", f"{how}{tap.pair.evidence}")
    if tap.drift is not None:
        yield page.Fact("numerical drift", words.drift(tap.drift))
    for fact in tap.facts:
        yield page.Fact(*words.fact(fact))
    for state in tap.channels:
        for told in words.channels(state):
            yield page.Fact(*told)


def _measure(told: Change, meanings: table.Meanings) -> Measure:
    return Measure(
        label=words.label(told.measure),
        meaning=table.meaning(told.measure, meanings),
        a=words.value(told.a),
        b=words.value(told.b),
        change=words.change(told),
        interval=words.interval(told),
        clear=told.clear,
    )


def _maps(tap: TapChange, shown: Shown) -> page.Maps | str:
    """The maps of both sides; or why there are none."""
    if tap.state == EQUAL:
        return "All its maps are equal."
    if tap.pair.b not in shown.mapped:
        return "Its maps are left out to keep this file small; both runs hold them."
    tiles = pictures.joined(*shown.runs, tap, shown.probes)
    if isinstance(tiles, str):
        return tiles
    return pictures.mosaic(tap, tiles, shown.runs, shown.addresses[tap.pair.b], shown.settings)
