"""Run data -> the frozen page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from markupsafe import Markup

from fmreport import figures, mapped
from fmreport.figures import colours, mosaics, photographs
from fmreport.figures.inline import inline
from fmreport.figures.plots import Plot, to_svg
from fmreport.probes import Preprocess
from fmreport.probes.outlines import ORIGIN
from fmreport.report import (
    attribution,
    contents,
    copies,
    detectors,
    facets,
    filmstrip,
    findings,
    maps,
    methods,
    outliers,
    page,
    provenance,
    tables,
    taps,
)
from fmreport.report.key_figures import key_figures
from fmreport.report.wording import count, full_stop, in_words, listed, percent, plural, rounded
from fmreport.store import MANIFEST, Run

SHOWN, OTHERS = 320, 96
"""Longest side in pixels of the pictures of displayed and of other probes."""

ATTACHED = {
    "layers": "what needs no image, one row per tap",
    "summary": "measures pooled over the probes, one row per tap",
    "blocks": "parts of the model: what they hold and do, adding up to the whole",
    "inventory": "every layer of the model, with its taps or the reason why it has none",
    "progression": "edges, masks and fineness along the taps, with intervals, nulls and the image as layer 0",
    "controls": "the same of models with randomised weights",
    "selectivity": "how well the best channel of each tap tells the foreground",
    "dimension": "dimensions in use, one row per tap",
    "redundancy": "channels that repeat others",
    "outliers": "images unlike the rest, tap by tap",
    "spread": "how far images differ in single quantities, tap by tap",
}
"""Tables that travel inside the PDF."""

METHODS = "how every number is made, with formulas and references"
RECORD = "the run's record before its reports were written: config, versions, and the SHA-256 of all tables and maps"

MASKS = "Outlined: the mask; its share is of the pixels that are not ignored."
DRAWN = "Masks of scikit-image’s photographs were drawn by hand for fmreport."
BUILT = ("application", "bit")
"""Kinds of models that are built here, with random weights where the config names none."""
LEAD, STRIP, FACETS = "progression", "filmstrip", "facets"
"""Figures that have a place of their own: the first page, and the section on groups of images."""
PARTS, EVERY_TAP = "Parts of the model", "Appendix: every tap"
"""Headings of the PDF under which the taps are found."""
EMPTY = (
    "A field that is empty (in the .parquet files null, which pandas reads as NaN) is undefined there, does not apply "
    "or is not known."
)
UNTRAINED = "The weights are random: nothing here was learned."
FEEDS = {"image": "the image"}
"""What an input takes, in words, where the config's own word is not one."""

Advance = Callable[[int, int], None]
Plots = Mapping[str, tuple[Plot, ...]]
"""Every figure by name, in every layout."""


def build(run: Run, *, plots: Plots | None = None, advance: Advance = lambda done, total: None) -> page.Page:
    """The page of a run; `plots` are its figures, where they are drawn; `advance(done, total)` after each tap."""
    facts, config = run.facts, run.facts.config
    photos = tuple(taken(run))
    scale = str(config.get("figures", {}).get("scale", "channel"))
    inventory, missing = tables.missing(run)
    named = contents.named(list(run.layers["tap"]))
    unseen = len(facts.probes) - len(photos)
    plotted = {each.name: each for each in _figures(plots or figures.draw_all(run))}
    sections = tuple(taps.sections(run, _settings(run, photos, None), advance))
    return page.Page(
        title=facts.title,
        run=f"{facts.name} {facts.release}",
        edition=provenance.edition(facts),
        language="en",
        authors=tuple(page.Author(a["name"], a.get("orcid") or "") for a in config.get("authors") or ()),
        author_names=tuple(str(a["name"]) for a in config.get("authors") or ()),
        abstract=config.get("abstract") or "",
        licence=config.get("licence") or "",
        doi=config.get("doi") or "",
        keys=key_figures(run),
        glance=tuple(_glance(run)),
        findings=tuple(findings.told(run)),
        notes=tuple(map(full_stop, (*facts.notes, *([UNTRAINED] if _untrained(run) else [])))),
        facts=tuple(_facts(run)),
        preprocess=str(facts.preprocess.get("sentence") or ""),
        versions=tuple(page.Fact(name, version) for name, version in facts.versions.items()),
        version_line=", ".join(f"{name} {version}" for name, version in facts.versions.items()),
        photos=photos,
        more_photos=any(not photo.displayed for photo in photos),
        mask_note=_mask_note(run, photos),
        probe_count=sum(photo.displayed for photo in photos),
        gains=gains(section.maps for section in sections),
        colours=tuple(colour_maps()),
        scale=scale,
        spans=tuple(maps.SPANS.items()),
        held=maps.HELD,
        film=film(run, [photo.name for photo in photos if photo.displayed]),
        ramp=mosaics.ramp(),
        photo_fit=str(facts.preprocess.get("resize") or "stretch"),
        probes_note=f"{plural(unseen, 'more probe')} measured, without a picture here." if unseen > 0 else "",
        outliers=outliers.told(run),
        facets=facets.told(run, plotted.get(FACETS)),
        lead=plotted[LEAD],
        strip=plotted[STRIP],
        filmstrip=filmstrip.filmstrip(run),
        more_figures=tuple(each for name, each in plotted.items() if name not in (LEAD, STRIP, FACETS)),
        table=tables.layer_table(run),
        copies=tuple(copies.copies(run)),
        maps_intro=(*maps.introduction(run, None), *attribution.introduction(run)),
        stats_intro=tuple(page.Fact(*each) for each in _meanings(sections).items()),
        taps=sections,
        contents=tuple((f"tap-{position}", name) for position, name in named.items()),
        contents_note=_contents_note(list(named.values()), len(run.layers)),
        inventory=inventory,
        missing=missing,
        definitions=tables.definitions(run),
        empty_note=EMPTY,
        methods_introduction=methods.load().introduction,
        methods=methods.load().groups,
        attachments=tuple(_attachments()),
        attachments_note=f"The tables {listed([f'{name}.csv' for name in ATTACHED])} are attached to this file; the "
        f"others lie beside it in the run's folder, in tables/. Attached, too, is {methods.FILE}, which says of every "
        "column how it is made, with formulas and references; the last column names its entry there. "
        f"{MANIFEST}, attached as well, is {RECORD}.",
    )


def shrunk(run: Run, shown: page.Page, limit: maps.Limit) -> page.Page:
    """The page with what a size budget leaves of its maps, without strips for print."""
    sections = tuple(taps.sections(run, _settings(run, shown.photos, limit)))
    intro = maps.introduction(run, limit)
    told = attribution.introduction(run) if limit.attribution else ()
    return replace(shown, maps_intro=(*intro, *told), taps=sections, gains=gains(section.maps for section in sections))


def _settings(run: Run, photos: Sequence[page.Photo], limit: maps.Limit | None) -> maps.Settings:
    options = run.facts.config.get("figures", {})
    return maps.Settings(
        scale=str(options.get("scale", "channel")),
        order=str(options.get("order", "variance")),
        photos={photo.name: photo for photo in photos},
        limit=limit,
    )


def _meanings(sections: Sequence[page.TapSection]) -> dict[str, str]:
    """What every number of the taps means, once."""
    return {stat.label: stat.meaning for section in sections for stat in section.stats}


def gains(shown: Iterable[page.Maps | None]) -> tuple[tuple[str, str, str], ...]:
    """Every gain of a page's maps once, with a name for it."""
    found = {channel.gain: None for maps in shown if maps for block in maps.blocks for channel in block.channels}
    return tuple((page.gain_name(gain), *gain) for gain in found)


def colour_maps() -> Iterator[page.ColourMaps]:
    """The choices of colours that a page offers."""
    for choice in colours.CHOICES:
        unsigned, signed = colours.curves(choice.sequential), colours.curves(choice.diverging)
        yield page.ColourMaps(choice.key, choice.label, unsigned, signed)


def _attachments() -> Iterator[page.Attachment]:
    for name, text in ATTACHED.items():
        yield page.Attachment(f"{name}.csv", "text/csv", "data", text)
    yield page.Attachment(methods.FILE, "text/markdown", "supplement", METHODS)
    yield page.Attachment(MANIFEST, "application/json", "supplement", RECORD)


def _contents_note(named: Sequence[str], taps: int) -> str:
    if len(named) == taps:
        return ""
    where = f"“{EVERY_TAP}” leads to the maps of every tap, “{PARTS}” to those of each part."
    part = next((name for name in named if name.endswith(contents.BEGINS)), "")
    return f"{part}: a part of the model, listed where it begins. {where}" if part else where


def _glance(run: Run) -> Iterator[page.Fact]:
    """What model, which probes, which release, in a few words each."""
    facts: Any = run.facts
    model = str(facts.model.get("source") or "").rstrip("/").rpartition("/")[2]
    parameters = facts.model.get("parameters")
    size = f", {rounded(float(parameters))} parameters" if parameters is not None else ""
    yield page.Fact("model", f"{model}{size}")
    layers = int(run.inventory["path"].fillna("").ne("").sum())
    yield page.Fact("taps", f"{len(run.layers):,} in {plural(layers, 'layer')}")
    masks, seen = facts.masks, mapped.of_facts(facts)
    maps = f"; maps of {seen.images:,}" if seen.some else ""
    yield page.Fact("probes", f"{plural(len(facts.probes), 'image')}, {masks} with a mask{maps}")
    height, width = facts.preprocess["size"]
    yield page.Fact("input", f"{height} × {width} pixels")
    yield page.Fact("release", facts.release)


def _facts(run: Run) -> Iterator[page.Fact]:
    facts: Any = run.facts
    model = facts.model
    yield page.Fact("Model", f"{model.get('kind') or ''}: {model.get('source') or ''}", code=True)
    if model.get("sha256"):
        yield page.Fact("SHA-256", str(model["sha256"]), code=True)
    if model.get("signature"):
        yield page.Fact("Signature", _signature(str(model["signature"]), _section(run).get("signature")))
    if weights := _weights(_section(run)):
        yield page.Fact("Weights", weights)
    if inputs := _section(run).get("inputs"):
        yield page.Fact("Inputs", "; ".join(f"{name}: {FEEDS.get(feed, feed)}" for name, feed in inputs.items()))
    if model.get("framework"):
        yield page.Fact("Framework", str(model["framework"]))
    if model.get("parameters") is not None:
        yield page.Fact("Parameters", count(model["parameters"]))
    macs, (height, width) = in_words(tables.multiply_adds(run.inventory)), facts.preprocess["size"]
    yield page.Fact("Multiply-adds", f"{macs} for one image of {height} × {width} pixels")
    layers = int(run.inventory["path"].fillna("").ne("").sum())
    yield page.Fact("Layers", f"{plural(layers, 'layer')}, {plural(len(run.layers), 'tap')} in this run")
    masks, seen = facts.masks, mapped.of_facts(facts)
    maps = f"maps measured of {seen.images:,}, {seen.masks:,} of them with a mask; " if seen.some else ""
    yield page.Fact(
        "Probes", f"{plural(len(facts.probes), 'image')}, {masks} with a mask; {maps}{len(facts.displayed)} displayed"
    )
    if sentence := detectors.sentence(run):
        yield page.Fact("Network Dissection", sentence)
    if facts.target:
        yield page.Fact("Target", facts.target)
    yield page.Fact("Run", f"{facts.name}, release {facts.release}")
    yield from provenance.circumstances(facts)


def _section(run: Run) -> Mapping[str, Any]:
    """The config's `model` section."""
    section: Mapping[str, Any] = run.facts.config.get("model") or {}
    return section


def _signature(opened: str, wanted: object) -> str:
    """Which function of a saved model was opened, and why that one."""
    shown = "the model's call outside of training (__call__)" if opened == "__call__" else opened
    return f"{shown}, {'as the config says' if wanted == opened else 'chosen by fmreport'}"


def _untrained(run: Run) -> bool:
    section = _section(run)
    return section.get("kind") in BUILT and section.get("weights") is None


def _weights(section: Mapping[str, Any]) -> str:
    """Where the weights come from; empty where the config does not say."""
    kind, weights = section.get("kind"), section.get("weights")
    if saved := section.get("handle") or section.get("path"):
        return f"as saved in {saved}"
    if weights is None:
        return "random, untrained" if kind in BUILT else "as the function returns them"
    if kind == "application" and weights == "imagenet":
        return "imagenet, those of keras.applications"
    return f"read from {weights}"


def taken(run: Run) -> Iterator[page.Photo]:
    """The photographs of a run, the displayed ones first."""
    masks, pictures = run.masks(), run.pictures()
    facts = run.facts.named(pictures.keys())
    displayed = [name for name in run.facts.displayed if name in pictures]
    for i, name in enumerate([*displayed, *(name for name in pictures if name not in displayed)]):
        fact, mask = facts[name], masks.get(name)
        height, width = pictures[name].shape[:2]
        sentence = ""
        if mask is not None:
            known = np.count_nonzero(mask != 255)
            sentence = (
                f"mask covers {percent(np.count_nonzero(mask == 1) / known)}" if known else "mask ignores everything"
            )
        yield page.Photo(
            id=f"photo-{i}",
            name=name,
            origin=fact.origin,
            size=f"{fact.size[0]} × {fact.size[1]}",
            mask=sentence,
            jpeg=photographs.jpeg(pictures[name], SHOWN if name in displayed else OTHERS),
            width=width,
            height=height,
            outline="" if mask is None else photographs.outline(mask),
            outline_box="" if mask is None else f"0 0 {mask.shape[1]} {mask.shape[0]}",
            note=" · ".join(filter(None, (f"{fact.size[0]} × {fact.size[1]}", sentence))),
            alt=f"Probe {name}{f'; its {sentence}, outlined' if sentence else ''}",
            displayed=name in displayed,
        )


def film(run: Run, names: Sequence[str]) -> bytes:
    """Photographs as the model's input has them, one below the other; nothing where there is none."""
    size, pictures = run.facts.preprocess["size"], run.pictures()
    if not names:
        return b""
    # As large as the photographs of the page, of which few models take as much.
    factor = SHOWN / max(size)
    height, width = (max(1, round(side * factor)) for side in size)
    placed = Preprocess((height, width), str(run.facts.preprocess.get("resize") or "stretch")).placed
    made = np.concatenate([placed(pictures[name].astype(np.float32)) for name in names])
    return photographs.jpeg(np.clip(np.rint(made), 0, 255).astype(np.uint8), len(made))


def _mask_note(run: Run, photos: Sequence[page.Photo]) -> str:
    """What the outlines on the photographs are; empty where there is none."""
    outlined = {photo.name for photo in photos if photo.outline}
    if not outlined:
        return ""
    drawn = any(probe.mask_origin.startswith(ORIGIN) for probe in run.facts.named(outlined).values())
    return f"{MASKS} {DRAWN}" if drawn else MASKS


def _figures(plots: Plots) -> Iterator[page.Figure]:
    return (figure(name, *drawn) for name, drawn in plots.items())


def figure(name: str, plot: Plot, in_column: Plot) -> page.Figure:
    """A plot in both layouts, for print and for a page that has colours of its own."""
    svg, column = to_svg(plot), to_svg(in_column)
    wide, narrow = (Markup(inline(each, f"{name}{i}")) for i, each in enumerate((svg, column)))
    return page.Figure(name, plot.title, plot.caption, plot.alt, svg, wide, narrow)
