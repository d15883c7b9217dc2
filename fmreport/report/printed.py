"""The page as it is printed: what is added for paper, and which taps and maps there is room for."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from PIL import Image

from fmreport.figures import photographs
from fmreport.report import appendix, build, contents, half_pages, page, provenance, references, summary_of_methods
from fmreport.report.tables import NOT_SELECTED
from fmreport.report.wording import DASH, plural
from fmreport.store import Run

DPI = 300
SMALL = 19.0
"""Width in millimetres at which the pictures of probes that are not displayed are printed."""
MOST_PARTS = 16
"""Parts of the model of which the first tap is selected, at most."""
IDENTIFIER = re.compile(r",? \b(?:arXiv|bioRxiv|doi) [\w./()-]*[\w/]")
"""A work's number in a column's source."""
SPARE = 1.25
"""Pixels are left out where there are more than so many times those that print can show."""


@dataclass(frozen=True, slots=True)
class Definition(page.Definition):
    """What a column means, with the numbers of the works that define it."""

    works: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TapSection(page.TapSection):
    """One tap, with the maps that half a page has room for."""

    layout: half_pages.Layout
    undefined: str
    """Which of its numbers do not exist, and why; empty where all do."""


@dataclass(frozen=True, slots=True)
class Page(page.Page):
    """The whole report, for paper."""

    summary: tuple[summary_of_methods.Paragraph, ...]
    taps: tuple[TapSection, ...]
    taps_note: str
    """Which taps have half a page, where not all have; empty where all do."""
    numbers: tuple[appendix.Table, ...]
    """Those of every tap."""
    definitions: tuple[Definition, ...]
    untapped: tuple[page.MissingLayer, ...]
    """Layers that cannot be tapped."""
    unselected: tuple[page.MissingLayer, ...]
    """Those that could."""
    works: tuple[references.Reference, ...]
    origin: provenance.Provenance


def printed(run: Run, shown: page.Page) -> Page:
    """The page of a run for paper; how long it is stands in the run's config, under `report.pdf`."""
    report: dict[str, Any] = run.facts.config["report"]
    elsewhere = "report.html" if "html" in report["formats"] else "the run's folder, in maps/"
    chosen, note = _chosen(shown, report["pdf"]["taps"], elsewhere)
    labels = {tap.name: tap.label for tap in chosen}
    works = references.cited(definition.source for definition in shown.definitions)
    listed = _contents(shown, chosen)
    photos = tuple(_photos(run, shown.photos))
    return Page(
        **{
            **_fields(shown),
            "photos": photos,
            "taps": tuple(_tap(tap, elsewhere) for tap in chosen),
            "findings": tuple(replace(each, links=_linked(each.links, labels)) for each in shown.findings),
            "table": _table(shown.table, labels),
            "maps_intro": (dict(shown.spans)[shown.scale], *shown.maps_intro) if chosen else (),
            "contents": listed,
            "contents_note": shown.contents_note if len(listed) < len(chosen) else "",
            "definitions": tuple(_definition(each, works) for each in shown.definitions),
        },
        summary=summary_of_methods.told(run, shown),
        taps_note=note,
        numbers=appendix.tables(run, labels),
        untapped=tuple(layer for layer in shown.missing if layer.reason != NOT_SELECTED),
        unselected=tuple(layer for layer in shown.missing if layer.reason == NOT_SELECTED),
        works=works,
        origin=provenance.told(run),
    )


def pixels(millimetres: float) -> int:
    """As many as print shows along a length."""
    return math.ceil(millimetres / 25.4 * DPI)


def selected(shown: page.Page) -> tuple[tuple[page.TapSection, ...], str]:
    """The taps that matter most, and the rule by which they do: where findings point, and a walk along the model."""
    pointed = {label for finding in shown.findings for _, _, label in finding.links}
    begun = [part.rows[0].label for part in shown.table.parts if part.rows]
    step = -(-len(begun) // MOST_PARTS) or 1
    walked = {*begun[::step], *(tap.label for tap in shown.taps[-1:])}
    chosen = tuple(tap for tap in shown.taps if tap.label in pointed | walked)
    every = "each part" if step == 1 else f"every {step}{_ending(step)} part"
    rule = (
        f"Printed are {len(chosen)} of {plural(len(shown.taps), 'tap')}: those that the findings point to, the first "
        f"of {every} of the model, and the last."
    )
    return chosen, rule


def _ending(number: int) -> str:
    return {2: "nd", 3: "rd"}.get(number, "th")


def _chosen(shown: page.Page, wanted: str, elsewhere: str) -> tuple[tuple[page.TapSection, ...], str]:
    if wanted == "all":
        return shown.taps, ""
    others = f"Maps of all taps are in {elsewhere}; their numbers are in “{build.EVERY_TAP}”."
    if wanted == "summary":
        return (), f"Maps are not printed here. {others}"
    chosen, rule = selected(shown)
    return chosen, f"{rule} {others}"


def _fields(shown: Any) -> dict[str, Any]:
    """The fields of a frozen record, for one that has more of them."""
    return {field.name: getattr(shown, field.name) for field in fields(shown)}


def _contents(shown: page.Page, chosen: Sequence[page.TapSection]) -> tuple[tuple[str, str], ...]:
    if len(chosen) == len(shown.taps):
        return shown.contents
    return tuple((chosen[at - 1].label, name) for at, name in contents.named([tap.name for tap in chosen]).items())


def _linked(links: Iterable[tuple[str, str, str]], labels: dict[str, str]) -> tuple[tuple[str, str, str], ...]:
    return tuple((tap, address, labels.get(tap, "")) for tap, address, _ in links)


def _table(table: page.Table, labels: dict[str, str]) -> page.Table:
    """Parts lead to what is printed of them."""
    parts = (replace(part, rows=tuple(row for row in part.rows if row.name in labels)) for part in table.parts)
    return replace(table, parts=tuple(parts))


def _definition(each: page.Definition, works: Sequence[references.Reference]) -> Definition:
    numbers = tuple(number for number, work in enumerate(works, 1) if work.cited_by(each.source))
    # The list has what finds a work; here its names are enough.
    return Definition(**_fields(replace(each, text=IDENTIFIER.sub("", each.text))), works=numbers)


def _tap(tap: page.TapSection, elsewhere: str) -> TapSection:
    tap, layout = half_pages.fitted(tap, elsewhere)
    maps, attribution = tap.maps, tap.attribution
    if maps is not None:
        maps = replace(maps, blocks=tuple(_sharp_enough(block, layout.unit) for block in maps.blocks))
    if attribution is not None:
        probes = tuple(replace(each, block=_sharp_enough(each.block, layout.attributed)) for each in attribution.probes)
        attribution = replace(attribution, probes=probes)
    known = tuple(stat for stat in tap.stats if stat.value != DASH)
    made = replace(tap, maps=maps, attribution=attribution, stats=known)
    return TapSection(**_fields(made), layout=layout, undefined=_undefined(tap.stats))


def _undefined(stats: Iterable[page.Stat]) -> str:
    """What of the numbers does not exist, and why: `population sparseness, lifetime sparseness: signed`."""
    found: dict[str, list[str]] = {}
    for stat in stats:
        if stat.value == DASH:
            found.setdefault(stat.reason, []).append(stat.label)
    return "; ".join(f"{', '.join(labels)}: {reason}" for reason, labels in found.items())


def _sharp_enough(block: page.Block, unit: float) -> page.Block:
    """The block, without the pixels that print would not show."""
    return replace(block, strips=tuple(_strip(strip, pixels(unit * len(block.labels))) for strip in block.strips))


def _strip(strip: page.Strip, width: int) -> page.Strip:
    if strip.width <= SPARE * width:
        return strip
    height = max(1, round(strip.height * width / strip.width))
    with Image.open(io.BytesIO(strip.png)) as picture:
        smaller = picture.convert("RGB").resize((width, height), Image.Resampling.BOX)
    buffer = io.BytesIO()
    smaller.save(buffer, format="PNG")
    return replace(strip, png=buffer.getvalue(), width=width, height=height)


def _photos(run: Run, photos: Iterable[page.Photo]) -> Iterable[page.Photo]:
    """Those of other probes as sharp as print shows them; each picture of a displayed one serves all its places."""
    pictures = run.pictures()
    for photo in photos:
        yield photo if photo.displayed else replace(photo, jpeg=photographs.jpeg(pictures[photo.name], pixels(SMALL)))
