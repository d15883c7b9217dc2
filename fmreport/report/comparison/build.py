"""Two runs and their comparison -> the frozen page."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from fmreport.compare.comparison import Comparison, TapChange
from fmreport.figures import both_by_depth, drift_by_depth, mosaics
from fmreport.figures.layout import LAYOUTS
from fmreport.report import build as report
from fmreport.report import maps, page
from fmreport.report.comparison import pictures, table
from fmreport.report.comparison.page import Difference, Page, Part, Side
from fmreport.report.comparison.sections import Shown, section
from fmreport.report.taps import anchors
from fmreport.report.wording import count, full_stop, plural
from fmreport.store import Run

SIDES = "A: {} · B: {}"
PARTS = {
    "model": ("Model", "The same kind, source, hash and number of parameters."),
    "preprocessing": ("Preprocessing", "The same, value by value."),
    "config": ("Config", "The same in every setting."),
    "environment": ("Environment", "The same versions."),
}
"""Title of each part of the differences, and what stands where there is none."""
ATTACHED = "diff.json"
MEASURED = ("selectivity", "dimension", "summary", "samples")
"""Tables with measures; what stands later counts."""


@dataclass(frozen=True, slots=True)
class Limit:
    """What a page has room for."""

    taps: int
    """Sections."""
    mapped: int
    """Those of them with maps."""
    tile: int | None = None
    """Longest side of a map in pixels; None: as the runs hold them, and with strips for print."""
    pictures: int = 4
    """Whose maps are shown."""


def build(a: Run, b: Run, found: Comparison, limit: Limit) -> Page:
    """The page of a comparison."""
    rows = table.places(a, b, found)
    changed = [tap for tap in found.taps if tap.differs]
    kept = _weightiest(changed, limit.taps)
    addresses = anchors([tap.pair.b for tap in kept])
    axis, courses = table.courses(a, b, rows)
    names = f"{found.a.name} {found.a.release}", f"{found.b.name} {found.b.release}"
    drawn = [both_by_depth.draw(axis, courses, names, layout) for layout in LAYOUTS]
    probes = pictures.shown(a, b)[: limit.pictures]
    photos = tuple(_photos(b, probes))
    own = maps.Limit(limit.tile) if limit.tile else None
    shown = Shown(
        runs=(a, b),
        addresses=addresses,
        mapped=frozenset(tap.pair.b for tap in _weightiest(kept, limit.mapped)),
        probes=tuple(probes),
        settings=maps.Settings("channel", "index", {photo.name: photo for photo in photos}, own),
        meanings={name: column for table in MEASURED for name, column in b.columns[table].items()},
    )
    taps = tuple(section(tap, shown) for tap in kept)
    return Page(
        title=_title(found),
        run=SIDES.format(*names),
        edition=SIDES.format(*names),
        language="en",
        authors=(),
        author_names=(),
        abstract="",
        licence="",
        doi="",
        keys=tuple(_keys(found)),
        glance=tuple(_glance(found)),
        same=found.same,
        sides=(_side("A", a, found), _side("B", b, found)),
        verdict=found.verdict,
        warnings=tuple(map(full_stop, found.warnings)),
        notes=tuple(map(full_stop, found.notes)),
        parts=tuple(_parts(found)),
        probes_line=_probes(found),
        figure=report.figure("both_by_depth", *drawn),
        drift=_drift(rows, found),
        table=table.table(
            rows, shown.meanings, {name: page.href(anchor) for name, anchor in addresses.items()}, (a, b)
        ),
        taps=taps,
        taps_note=_left_out(len(changed), len(kept)),
        reading=tuple(_reading(found)) if taps else (),
        photos=photos,
        probe_count=len(photos),
        film=report.film(b, [probe for _, probe in pictures.rows(probes)]) if any(tap.maps for tap in taps) else b"",
        photo_fit=str(b.facts.preprocess.get("resize") or "stretch"),
        gains=report.gains(tap.maps for tap in taps),
        colours=tuple(report.colour_maps()),
        scale="channel",
        ramp=mosaics.ramp(),
        filmstrip=(),
        attachments=(page.Attachment(ATTACHED, "application/json", "data", "the whole comparison, field by field"),),
    )


def _drift(rows: Sequence[table.Place], found: Comparison) -> page.Figure | None:
    course = table.drift(rows, found.onset)
    if course is None:
        return None
    return report.figure("drift_by_depth", *(drift_by_depth.draw(course, layout) for layout in LAYOUTS))


def _title(found: Comparison) -> str:
    if found.a.name == found.b.name:
        return f"{found.b.name}: {found.a.release} → {found.b.release}"
    return f"{found.a.name} {found.a.release} → {found.b.name} {found.b.release}"


def _glance(found: Comparison) -> Iterator[page.Fact]:
    yield page.Fact("taps", f"{found.a.taps:,} in A, {found.b.taps:,} in B, {found.counts.pairs:,} paired")
    yield page.Fact("probes", f"{plural(found.probes.shared, 'image')} in both")
    yield page.Fact("change", "B less A")


def _keys(found: Comparison) -> Iterator[page.KeyFigure]:
    counts = found.counts
    yield page.KeyFigure(
        f"{counts.changed:,} of {counts.pairs:,}",
        "paired taps whose numbers changed",
        f"{counts.equal:,} equal to the last bit, {counts.rounding:,} but for rounding",
    )
    yield page.KeyFigure(
        f"{counts.renamed:,} · {counts.added:,} · {counts.removed:,}",
        "taps renamed, added, removed",
        f"{counts.moved:,} moved; {counts.activations:,} with another activation",
    )
    yield page.KeyFigure(
        f"{counts.newly_silent:,}",
        "channels newly silent" if counts.newly_silent != 1 else "channel newly silent",
        f"{counts.no_longer_silent:,} no longer",
    )


def _side(letter: str, run: Run, found: Comparison) -> Side:
    facts, side = run.facts, found.a if letter == "A" else found.b
    parameters = facts.model.get("parameters")
    told = [("run", facts.id[:12]), ("date", facts.date)]
    told += [("model", side.model), ("parameters", "" if parameters is None else count(float(parameters)))]
    told += [("SHA-256", str(facts.model.get("sha256") or "")), ("framework", str(facts.model.get("framework") or ""))]
    told += [("taps", f"{side.taps:,}"), ("probes", plural(side.probes, "image"))]
    code = ("run", "model", "SHA-256")
    return Side(
        letter,
        f"{side.name} {side.release}",
        tuple(page.Fact(term, value, term in code) for term, value in told if value),
    )


def _parts(found: Comparison) -> Iterator[Part]:
    for part, (title, equal) in PARTS.items():
        rows = [each for each in found.differences if each.part == part]
        told = (Difference(each.key, _setting(each.a), _setting(each.b), each.counts) for each in rows)
        yield Part(title, tuple(told), "" if rows else equal)


def _setting(known: str | None) -> str:
    if known is None:
        return "not there"
    text = json.loads(known)
    return text if isinstance(text, str) and text else known


def _probes(found: Comparison) -> str:
    probes = found.probes
    if probes.same:
        return f"Both runs have the same {plural(probes.shared, 'image')} and masks; changes are image by image."
    if probes.paired:
        alone = f"{len(probes.only_a):,} in A alone, {len(probes.only_b):,} in B alone"
        return (
            f"{plural(probes.shared, 'image')} in both runs, on which measures are compared, image by image; {alone}."
        )
    return "No image is in both runs: changes are between means of different images."


def _photos(run: Run, probes: Sequence[tuple[str, str]]) -> Iterator[page.Photo]:
    """The photograph of every row of the maps."""
    taken = {photo.name: photo for photo in report.taken(run)}
    for i, (letter, probe) in enumerate(pictures.rows(probes)):
        yield replace(taken[probe], id=f"photo-{i}", name=pictures.row_name(letter, probe))


def _weightiest(taps: Sequence[TapChange], most: int) -> list[TapChange]:
    """As many as that, those where most changed, in their order."""

    def weight(tap: TapChange) -> tuple[bool, bool, float]:
        own = any(each.new and not each.handed_on for each in tap.channels)
        apart = [abs(each.change) for each in tap.measures if each.unit == "1" and each.change is not None]
        return tap.begins or tap.activation or tap.shape_a != tap.shape_b, own, max(apart, default=0.0)

    kept = sorted(taps, key=weight, reverse=True)[:most]
    return sorted(kept, key=lambda tap: tap.position_b)


def _left_out(changed: int, kept: int) -> str:
    if kept == changed:
        return ""
    return (
        f"{kept} of {changed} taps that changed have a section: those where changes begin, where activations, shapes "
        "or silent channels are others, and then those that changed most. The others are in the table and in diff.json."
    )


def _reading(found: Comparison) -> Iterator[str]:
    yield (
        "A measure is taken of every image by itself; A and B are its means over the images compared, and the change "
        "is B less A. A run's own report pools all values of a tap, which for some measures is another number."
    )
    if found.counts.intervals:
        yield (
            "Intervals hold 95% of 1000 resamples of the images, the same for all taps: they say how a mean change "
            "would vary with other images like these. In bold: those that leave out 0. There are "
            f"{found.counts.intervals:,} of them; about 1 in 20 leaves out 0 where nothing holds beyond these images."
        )
    else:
        yield "Below 10 images no interval is told, but the least and the largest change of an image."
