"""A config becomes a run: the stages in order, nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd

from fmreport import (
    analysis,
    attribution,
    dates,
    environment,
    layers,
    notes,
    probes,
    recording,
    sources,
    target,
    tiles,
)
from fmreport import config as settings
from fmreport.analysis import Evidence, outliers, progression, readability
from fmreport.blocks import blocks
from fmreport.config import Config
from fmreport.dissection import Dissected, dissect
from fmreport.environment import one_thread
from fmreport.errors import SourceError
from fmreport.extract import Advance, Extraction, Tables, batch_size, choose
from fmreport.facts import Facts
from fmreport.gate import baseline
from fmreport.inventory import inventory_table, layers_table
from fmreport.measures.summary import summarise
from fmreport.pipeline.asking import check_template, displayed_of, preprocessing
from fmreport.pipeline.rendering import TEMPLATES, copy, write_report
from fmreport.probes.scenes import Scenes
from fmreport.recording import Timed, Unwatched, Watch
from fmreport.records import IMAGE, Layer
from fmreport.store import Draft, Run, drafting

REPORTS = Path("reports")
MODELS = 20
"""Models with permuted weights that a config may ask for, so that those of two seeds differ."""
PICTURES = 24
"""Probes whose pictures a run keeps, the displayed ones first; those of images unlike the rest come on top."""


@one_thread()
def run(
    config: Config | Path | str,
    *,
    overrides: Sequence[str] = (),
    out: Path | str = REPORTS,
    force: bool = False,
    watch: Watch | None = None,
) -> Run:
    """Extracts, analyses and renders what a config asks for, into `out/<name>/<release>/`.

    Raises an `FmreportError` that says where, what and the next step; then nothing is written, and a run that was there
    before stays as it was. `force` replaces a run that exists. TensorFlow's deterministic kernels stay on afterwards.
    """
    config = config if isinstance(config, Config) else settings.load(config, overrides)
    watch = timed = Timed(watch or Unwatched())
    date = dates.date(config.date)
    destination = Path(out) / config.name / config.release
    if config.gate is not None:
        baseline.check(destination, config.gate.baseline)
    check_template(config)
    with drafting(destination, force=force) as draft:
        with watch.stage("Reading the probes") as advance:
            probe_set = probes.collect(config.probes, config.folder, advance=advance)
            displayed = displayed_of(config, probe_set.names)
        with watch.stage("Opening the model") as advance:
            model = sources.open_source(config, advance)
            _check_controls(config, model)
            preprocess = preprocessing(config, model)
            inventory, all_taps = model.inventory(preprocess.size)
            taps = layers.select(config, all_taps)
            decided = target.resolve(config, all_taps)
        batch = batch_size(model, taps, memory_mb=config.memory_mb, probes=len(probe_set), wanted=config.batch)
        scenes = Scenes(probe_set, preprocess, seed=config.seed)
        extraction = Extraction(model, taps, probe_set, preprocess, batch, scenes, target=decided)
        with watch.stage("Measuring") as advance:
            tables = extraction.measure(displayed, advance)
        dissected = _dissected(extraction, config, watch)
        randomised = _randomised(extraction, config, displayed, watch)
        evidence = _evidence(tables, extraction, dissected)
        analysed = {name: made.table(evidence) for name, made in analysis.load().items()}
        with watch.stage("Showing") as advance:
            _write_maps(draft, extraction, tables, config, displayed, advance)
            _write_pictures(draft, probe_set, displayed, outliers.pictured(analysed["outliers"]))
        attributed = _attributed(draft, extraction, config, displayed, watch)
        facts = Facts(
            name=config.name,
            release=config.release,
            title=config.title,
            config=config.resolved(),
            model=asdict(model.identity),
            preprocess=preprocess.describe(),
            probes=probe_set.facts,
            displayed=displayed,
            channel_rule=notes.channel_rule(config, len(probe_set), len(displayed)),
            versions=environment.versions(),
            target=decided.sentence if decided else "",
            score=decided.score if decided else "",
            notes=(
                *probe_set.notes,
                *model.notes,
                *notes.of_masks(scenes.ignored),
                *notes.of_measuring(tables, inventory),
                *readability.unread(evidence),
                *attributed,
            ),
            date=date,
            command=recording.command(config),
            inputs=recording.inputs(config, model.identity, sources.own_code(config)),
            taps=tuple(tap.name for tap in taps),
            measures=recording.versions_of_measures(),
            columns=recording.meanings(),
            seeds=recording.seeds(config),
            code=environment.code(),
            platform=sources.platform(),
            repository=environment.repository(config.folder),
            licences=recording.licences(config),
        )
        listed = layers_table(taps, preprocess.size)
        _write_tables(draft, tables, listed, inventory)
        for name, table in analysed.items():
            draft.write_table(name, table)
        controls = [(_evidence(each, extraction), _summary(listed, each)) for each in randomised]
        draft.write_table("controls", progression.controls(controls))
        if config.report.template:
            copy(config.resolve(config.report.template), draft, TEMPLATES)
        with watch.stage("Rendering") as advance:
            write_report(draft, facts, advance)
        draft.write_execution(recording.execution(config, destination, batch=batch, timed=timed))
    return Run.open(destination)


def _write_tables(draft: Draft, tables: Tables, listed: pd.DataFrame, inventory: Sequence[Layer]) -> None:
    draft.write_table("layers", listed)
    whole = inventory_table(inventory)
    draft.write_table("inventory", whole)
    draft.write_table("blocks", blocks(whole))
    for name in ("samples", "channels", "histograms"):
        draft.write_table(name, getattr(tables, name))
    draft.write_table("summary", _summary(listed, tables))


def _summary(listed: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    return summarise(listed["tap"], tables.samples, tables.channels, tables.histograms)


def _check_controls(config: Config, model: sources.TappableModel) -> None:
    """Raises where weights are to be permuted that cannot be: now, and not when all else is measured."""
    if not config.controls.randomised:
        return
    try:
        with model.randomised(1):
            pass
    except SourceError as error:
        raise SourceError(f"{config.where('controls', 'randomised')}: {error}", fix=error.fix) from error


def _randomised(extraction: Extraction, config: Config, displayed: Sequence[str], watch: Watch) -> list[Tables]:
    """What the same probes give with permuted weights, as often as the config asks."""
    made, count = [], config.controls.randomised
    for number in range(1, count + 1):
        seed = config.seed * MODELS + number
        with watch.stage(f"Control {number} of {count}") as advance, extraction.model.randomised(seed):
            made.append(extraction.measure(displayed, advance))
    return made


def _dissected(extraction: Extraction, config: Config, watch: Watch) -> dict[str, Dissected]:
    """Nothing where nobody asks, or where there is no mask to compare with."""
    if not config.measures.dissection or extraction.scenes is None or not extraction.scenes.masked:
        return {}
    with watch.stage("Dissecting") as advance:
        return dissect(extraction, memory_mb=config.memory_mb, advance=advance)


def _evidence(
    tables: Tables, extraction: Extraction, dissected: Mapping[str, Dissected] = MappingProxyType({})
) -> Evidence:
    scenes = extraction.scenes
    assert scenes is not None
    sizes = np.bincount(list(scenes.group.values()), minlength=scenes.groups)
    names = (IMAGE, *(tap.name for tap in extraction.taps))
    read, facets = tables.samples.__getitem__, {fact.name: fact.group for fact in extraction.probes.facts if fact.group}
    return Evidence(
        names, tables.grouped, sizes, scenes.masked_groups, extraction.planes, scenes.seed, dissected, read, facets
    )


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
