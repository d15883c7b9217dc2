"""A config becomes a run: the stages in order, nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from fmreport import (
    analysis,
    attribution,
    dates,
    environment,
    mapped,
    notes,
    probes,
    recording,
    sources,
    tiles,
)
from fmreport import config as settings
from fmreport.analysis import outliers, progression, readability
from fmreport.blocks import blocks
from fmreport.cache import Cache
from fmreport.config import Config
from fmreport.environment import one_thread
from fmreport.extract import Advance, Extraction, Tables, choose
from fmreport.facts import Facts
from fmreport.gate import baseline
from fmreport.inventory import inventory_table, layers_table
from fmreport.opening import opened
from fmreport.pipeline.asking import check_template, displayed_of
from fmreport.pipeline.measuring import Follow, Measured, check_controls, extraction_of, measure
from fmreport.pipeline.rendering import TEMPLATES, copy, write_report
from fmreport.recording import Timed, Unwatched, Watch
from fmreport.records import Layer
from fmreport.store import Draft, Run, drafting

REPORTS = Path("reports")
PICTURES = 24
"""Probes whose pictures a run keeps, the displayed ones first; those of images unlike the rest come on top."""


@one_thread()
def run(
    config: Config | Path | str,
    *,
    overrides: Sequence[str] = (),
    out: Path | str = REPORTS,
    force: bool = False,
    cache: Path | str | None = None,
    watch: Watch | None = None,
) -> Run:
    """Extracts, analyses and renders what a config asks for, into `out/<name>/<release>/`.

    Raises an `FmreportError` that says where, what and the next step; then nothing is written, and a run that was there
    before stays as it was. `force` replaces a run that exists. `cache` is a folder for finished shards: what a run left
    there is not computed again. TensorFlow's deterministic kernels stay on afterwards.
    """
    config = config if isinstance(config, Config) else settings.load(config, overrides)
    watch = timed = Timed(watch or Unwatched())
    date = dates.date(config.date)
    destination = Path(out) / config.name / config.release
    if config.gate is not None:
        baseline.check(destination, config.gate.baseline)
    check_template(config)
    follow = Follow(watch, None if cache is None else Cache(Path(cache)))
    if follow.cache is not None:
        follow.cache.check()
    with drafting(destination, force=force) as draft:
        with watch.stage("Reading the probes") as advance:
            probe_set = probes.collect(config.probes, config.folder, advance=advance)
            displayed = displayed_of(config, probe_set.names)
        with watch.stage("Opening the model") as advance:
            it = opened(config, advance)
            check_controls(config, it.model)
        extraction = extraction_of(config, it, probe_set)
        measured = measure(config, extraction, it, draft, displayed, follow)
        evidence = measured.evidence
        analysed = {name: made.table(evidence) for name, made in analysis.load().items()}
        with watch.stage("Showing") as advance:
            _write_maps(draft, extraction, measured.tables, config, displayed, advance)
            _write_pictures(draft, probe_set, displayed, outliers.pictured(analysed["outliers"]))
        attributed = _attributed(draft, extraction, config, displayed, watch)
        facts = Facts(
            name=config.name,
            release=config.release,
            title=config.title,
            config=config.resolved(),
            model=asdict(it.model.identity),
            preprocess=it.preprocess.describe(),
            probes=draft.write_probes(probe_set.facts),
            displayed=displayed,
            channel_rule=notes.channel_rule(config, len(probe_set), len(displayed)),
            versions=environment.versions(),
            target=it.target.sentence if it.target else "",
            score=it.target.score if it.target else "",
            notes=(
                *probe_set.notes,
                *it.model.notes,
                *notes.of_maps(
                    mapped.of(probe_set.facts, config.measures.images), dissection=config.measures.dissection
                ),
                *notes.of_masks(extraction.scenes.ignored if extraction.scenes else ()),
                *notes.of_measuring(measured.tables, it.inventory),
                *readability.unread(evidence),
                *attributed,
            ),
            date=date,
            command=recording.command(config),
            inputs=recording.inputs(config, it.model.identity, sources.own_code(config)),
            taps=tuple(tap.name for tap in it.taps),
            measures=recording.versions_of_measures(),
            columns=recording.meanings(),
            seeds=recording.seeds(config),
            code=environment.code(),
            platform=measured.platform,
            repository=environment.repository(config.folder),
            licences=recording.licences(config),
        )
        listed = layers_table(it.taps, it.preprocess.size)
        _write_tables(draft, measured, listed, it.inventory)
        for name, table in analysed.items():
            draft.write_table(name, table)
        controls = [(each.evidence, each.summary) for each in measured.controls]
        draft.write_table("controls", progression.controls(controls))
        if config.report.template:
            copy(config.resolve(config.report.template), draft, TEMPLATES)
        with watch.stage("Rendering") as advance:
            write_report(draft, facts, advance)
        told = recording.execution(config, destination, batch=extraction.batch, timed=timed, shards=measured.shards)
        draft.write_execution(told)
    return Run.open(destination)


def _write_tables(draft: Draft, measured: Measured, listed: pd.DataFrame, inventory: Sequence[Layer]) -> None:
    draft.write_table("layers", listed)
    whole = inventory_table(inventory)
    draft.write_table("inventory", whole)
    draft.write_table("blocks", blocks(whole))
    draft.write_table("channels", measured.tables.channels)
    draft.write_table("histograms", measured.tables.histograms)
    draft.write_table("summary", measured.summary)


def _attributed(
    draft: Draft, extraction: Extraction, config: Config, displayed: Sequence[str], watch: Watch
) -> list[str]:
    """Writes what the target's score owes to each tap, where there is a target; returns notes for the reader."""
    if extraction.target is None:
        return []
    with watch.stage("Attributing") as advance:
        made = attribution.attribute(
            extraction, extraction.target, displayed, longest=config.figures.tile, advance=advance
        )
        for tap in extraction.taps:
            if tap.name in made.tiles:
                draft.write_tiles(tap.order, made.tiles[tap.name], attribution=True)
        draft.write_table("attribution", made.table)
    return [made.note] if made.note else []


def _write_maps(
    draft: Draft, extraction: Extraction, tables: Tables, config: Config, displayed: Sequence[str], advance: Advance
) -> None:
    mapped = {tap.name: tap for tap in extraction.taps if tiles.is_map(tap)}
    if not mapped:
        return
    options = config.figures
    picked = {
        name: choose(
            tap, tables.unseen[name], options.order, count=options.channels, random=options.random, seed=config.seed
        )
        for name, tap in mapped.items()
    }
    made: dict[str, list[tiles.Tile]] = {name: [] for name in mapped}
    chosen: Mapping[str, np.ndarray] = {name: channels for name, (channels, _) in picked.items()}
    for done, (_, maps) in enumerate(extraction.show(chosen, displayed), start=1):
        for name, values in maps.items():
            made[name].append(tiles.tile(values, longest=options.tile))
        advance(done, len(displayed))
    for name, tap in mapped.items():
        draft.write_tiles(tap.order, tiles.together(tap, displayed, *picked[name], made[name]))


def _write_pictures(draft: Draft, probe_set: probes.ProbeSet, displayed: Sequence[str], odd: Sequence[str]) -> None:
    shown = set(displayed)
    first = [*displayed, *(name for name in probe_set.names if name not in shown)][:PICTURES]
    names = dict.fromkeys([*first, *odd])
    pictures, masks = {}, {}
    for probe in probe_set.named(list(names)):
        pictures[probe.name] = probes.thumbnail(probe.image)
        if probe.mask is not None:
            masks[probe.name] = probes.mask_thumbnail(probe.mask)
    draft.write_pictures(pictures, masks)
