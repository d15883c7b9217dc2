"""run, render, check, layers: the stages in order, nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType

import numpy as np
import pandas as pd

from fmreport import (
    analysis,
    attribution,
    environment,
    exports,
    figures,
    layers,
    notes,
    numbers,
    probes,
    recording,
    sources,
    target,
    tiles,
    verification,
)
from fmreport import config as settings
from fmreport.analysis import Evidence, progression, readability
from fmreport.blocks import blocks
from fmreport.config import Config
from fmreport.dissection import Dissected, dissect
from fmreport.errors import ConfigError, FmreportError, ProbeError, RenderError, SelectorError, SourceError
from fmreport.extract import Advance, Extraction, Tables, batch_size, choose
from fmreport.facts import UNDECISIVE, Facts
from fmreport.gate import baseline
from fmreport.gate.judging import Judgement, judge
from fmreport.gate.limits import Limit, laid_over, of_section, section_of
from fmreport.inventory import Inventory, inventory_table, layers_table
from fmreport.measures.summary import summarise
from fmreport.probes.scenes import Scenes
from fmreport.recording import Timed, Unwatched, Watch
from fmreport.records import IMAGE, Layer
from fmreport.report import html, latex, pdf, theme
from fmreport.report.build import build
from fmreport.report.key_figures import key_figures
from fmreport.report.listing import Listing
from fmreport.report.page import KeyFigure
from fmreport.store import LATEX, Draft, Run, drafting, recorded
from fmreport.verification import FAILED, HELD, UNCHECKED, Check

REPORTS = Path("reports")
TEMPLATES = "templates"
"""Folder of a run that keeps the user's own templates, so that the run can be rendered again without them."""
REMADE = ("report.html", "report.pdf", "figures", "manifest.json", *LATEX.values(), *exports.MADE)
"""Files and folders that rendering makes anew; whatever else lies in a run's folder stays."""
KNOWN_RECIPES = {"bit": "bit"}
"""The recipe of every model of a kind; those of TensorFlow Hub differ from module to module."""
MODELS = 20
"""Models with permuted weights that a config may ask for, so that those of two seeds differ."""
PICTURES = 24
"""Probes whose pictures a run keeps, the displayed ones first."""


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
    before stays as it was. `force` replaces a run that exists.
    """
    config = config if isinstance(config, Config) else settings.load(config, overrides)
    watch = timed = Timed(watch or Unwatched())
    date = environment.date(config.date)
    destination = Path(out) / config.name / config.release
    if config.gate is not None:
        baseline.check(destination, config.gate.baseline)
    _check_template(config)
    with drafting(destination, force=force) as draft:
        with watch.stage("Reading the probes") as advance:
            probe_set = probes.collect(config.probes, config.folder, advance=advance)
            displayed = _displayed(config, probe_set.names)
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
        with watch.stage("Showing") as advance:
            _write_maps(draft, extraction, tables, config, displayed, advance)
            _write_pictures(draft, probe_set, displayed)
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
        for name, made in analysis.load().items():
            draft.write_table(name, made.table(evidence))
        controls = [(_evidence(each, extraction), _summary(listed, each)) for each in randomised]
        draft.write_table("controls", progression.controls(controls))
        if config.report.template:
            _copy(config.resolve(config.report.template), draft, TEMPLATES)
        with watch.stage("Rendering") as advance:
            _render(draft, facts, advance)
        draft.write_execution(recording.execution(config, destination, batch=batch, timed=timed))
    return Run.open(destination)


def render(folder: Path | str, *, template: Path | None = None, watch: Watch | None = None) -> Run:
    """Makes the report of a run again from its folder alone; `template` takes the place of the run's own templates."""
    # Absolute, because a working directory inside the run is replaced with it.
    source = Run.open(Path(folder).absolute())
    theme.check(template)
    source.check_inputs()
    return _rendered_again(source, source.folder, template=template, watch=watch or Unwatched())


def _rendered_again(source: Run, destination: Path, *, template: Path | None, watch: Watch) -> Run:
    with drafting(destination, force=True) as draft:
        for path in sorted(p for p in source.folder.rglob("*") if p.is_file()):
            place = path.relative_to(source.folder)
            remade = any(place.is_relative_to(path) for path in REMADE) or (
                template is not None and place.parts[0] == TEMPLATES
            )
            if not remade:
                draft.write(place.as_posix(), path.read_bytes())
        if template is not None:
            _copy(template, draft, TEMPLATES)
        with watch.stage("Rendering") as advance:
            _render(draft, source.facts, advance)
    return Run.open(destination)


def verify(
    folder: Path | str, *, rerun: bool = False, inputs: Path | None = None, watch: Watch | None = None
) -> list[Check]:
    """Whether a run's files are as recorded, and whether its reports are made again from its tables to the byte.

    With `rerun` its inputs are compared, all is measured again, and the tables are compared; paths in its config count
    from `inputs`, else from where the config lay. Raises `StoreError` where there is no run.
    """
    folder, watch = Path(folder).absolute(), watch or Unwatched()
    with watch.stage("Hashing"):
        checks = verification.files(folder)
    if any(check.verdict == FAILED for check in checks):
        untold = ("its files are not as recorded",)
        checks.append(Check("rendered again, its reports and figures have the same bytes", UNCHECKED, untold))
        checks += [Check("made again, its tables have the same bytes", UNCHECKED, untold)] * rerun
        return checks
    run_before = Run.open(folder)
    with TemporaryDirectory() as temporary:
        try:
            again = _rendered_again(run_before, Path(temporary) / folder.name, template=None, watch=watch)
            checks.append(verification.rendered(run_before, again.folder, making()))
        except FmreportError as error:
            checks.append(Check("rendered again", UNCHECKED, (str(error), error.fix)))
        if rerun:
            checks += _rerun(run_before, Path(temporary), inputs, watch)
    return checks


def _rerun(before: Run, temporary: Path, inputs: Path | None, watch: Watch) -> list[Check]:
    try:
        config = _config_of(before, inputs)
        with watch.stage("Reading the probes") as advance:
            found = probes.collect(config.probes, config.folder, advance=advance)
        checks = [verification.same_probes(before.facts, found.facts)]
        if checks[0].verdict == FAILED:
            return checks
        again = run(config, out=temporary / "again", watch=watch)
    except FmreportError as error:
        return [Check("made again from its inputs", UNCHECKED, (str(error), error.fix))]
    checks.append(verification.same_inputs(before.facts, again.facts))
    return checks + (verification.same_tables(before, again) if checks[-1].verdict == HELD else [])


def _config_of(made: Run, inputs: Path | None) -> Config:
    """The config of a run, as it was resolved, where its paths lead to the inputs."""
    if inputs is None:
        if not made.beside:
            raise ConfigError(
                f"{made.folder} does not say where its config lay",
                fix="name the folder that its paths count from: --inputs",
            )
        inputs = (made.folder / made.beside).resolve().parent
    # What only judges a run may name others beside it, which are not beside the one that is made again.
    data = {name: section for name, section in made.facts.config.items() if name not in UNDECISIVE}
    if (made.folder / TEMPLATES).is_dir():
        data["report"] = {**data["report"], "template": str(made.folder / TEMPLATES)}
    return settings.from_dict(data, inputs)


def gate(run: Run | Path | str, limits: Sequence[Limit] = (), *, compare: str | None = None) -> Judgement:
    """Holds a run to the limits of its own config, and to others, which take the place of those on the same quantity.

    `compare` names the run that changes are counted from, in place of the config's: a release, or with a slash the
    folder of a run. Raises `GateError` where there is no limit, or no such run.
    """
    run = run if isinstance(run, Run) else Run.open(run)
    own = section_of(run)
    named = compare or (own.baseline if own else None)
    folder = Path(compare) if compare and Path(compare).name != compare else None
    found = baseline.resolve(run, named=named, folder=folder)
    return judge(run, laid_over(of_section(own), limits), found)


def telling(done: Run) -> tuple[KeyFigure, ...]:
    """The most telling numbers of a run, as its report shows them first."""
    return key_figures(done)


def advice(done: Run) -> tuple[str, ...]:
    """What a user may want to change for the next run: said once, and no part of the run."""
    return () if done.facts.date else (exports.UNDATED,)


def check(config: Config) -> None:
    """Raises one error with everything that can be known to be wrong without the model's framework."""
    problems: list[FmreportError] = []
    for step in (_check_template, _check_probes, _known_recipe, sources.check):
        try:
            step(config)
        except FmreportError as error:
            problems.append(error)
    if len(problems) == 1:
        raise problems[0]
    if problems:
        lines = "".join(f"\n- {problem}\n  {problem.fix}" for problem in problems)
        raise FmreportError(f"{len(problems)} problems:{lines}", fix="mend each of them")


def listing(config: Config) -> Listing:
    """Every layer and tap of a config's model, and which of them the config selects."""
    model = sources.open_source(config)
    size = preprocessing(config, model).size
    found, taps = model.inventory(size)
    try:
        inventory = Inventory(found, taps, frozenset(tap.name for tap in layers.select(config, taps)), size)
    except SelectorError as error:
        # The list is what its reader needs to mend the selector, so it is given all the same.
        inventory = Inventory(found, taps, frozenset(), size, error)
    return Listing(config.name, model.identity, inventory)


def preprocessing(config: Config, model: sources.TappableModel) -> probes.Preprocess:
    """The config's preprocessing, completed by what the model is known to need."""
    image, known = model.image_input, _known_recipe(config)
    made = probes.resolve(config.preprocess, default_like=known, model_size=image.size, model_channels=image.channels)
    if image.bounds is not None:
        try:
            made.check_integers(*image.bounds)
        except ProbeError as error:
            raise ProbeError(f"{config.where('preprocess')}: preprocess: {error}", fix=error.fix) from error
    return made


def _known_recipe(config: Config) -> str | None:
    """The recipe that the model is known to need; raises where the config names an unknown one or an unknown model."""
    try:
        if config.preprocess.like is not None:
            probes.recipe(config.preprocess.like)
        if config.model.kind == "application":
            return probes.recipe_for_application(config.model.name)
        return KNOWN_RECIPES.get(config.model.kind)
    except ProbeError as error:
        at = ("model", "name") if config.preprocess.like is None else ("preprocess", "like")
        raise ProbeError(f"{config.where(*at)}: {error}", fix=error.fix) from error


def _displayed(config: Config, names: Sequence[str]) -> tuple[str, ...]:
    try:
        return probes.displayed(names, config.display)
    except ProbeError as error:
        raise ProbeError(f"{config.where('display')}: {error}", fix=error.fix) from error


def _check_template(config: Config) -> None:
    if config.report.template:
        try:
            theme.check(config.resolve(config.report.template))
        except RenderError as error:
            raise RenderError(
                f"{config.where('report', 'template')}: report.template: {error}", fix=error.fix
            ) from error


def _check_probes(config: Config) -> None:
    found = probes.collect(config.probes, config.folder)
    _displayed(config, found.names)


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
    return Evidence(names, tables.grouped, sizes, scenes.masked_groups, extraction.planes, scenes.seed, dissected)


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


def _write_pictures(draft: Draft, probe_set: probes.ProbeSet, displayed: Sequence[str]) -> None:
    names = [*displayed, *(name for name in probe_set.names if name not in displayed)][:PICTURES]
    pictures, masks = {}, {}
    for probe in probe_set.named(names):
        pictures[probe.name] = probes.thumbnail(probe.image)
        if probe.mask is not None:
            masks[probe.name] = probes.mask_thumbnail(probe.mask)
    draft.write_pictures(pictures, masks)


def _copy(folder: Path, draft: Draft, name: str) -> None:
    """The files of a folder, where there is one, into a folder of the draft."""
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        draft.write((Path(name) / path.relative_to(folder)).as_posix(), path.read_bytes())


def making() -> dict[str, str]:
    """What reports are made with here."""
    return {**environment.versions(), "fmreport's code": environment.code()}


def _render(draft: Draft, facts: Facts, advance: Advance) -> None:
    """Everything that is a view of the tables; the manifest last."""
    template = draft.folder / TEMPLATES if (draft.folder / TEMPLATES).is_dir() else None
    measured = Run.drafted(draft.folder, facts)
    facts = replace(facts, rendered=making(), numbers=numbers.of_run(measured))
    drawn = Run.drafted(draft.folder, facts)
    report = facts.config["report"]
    plots = figures.draw_all(drawn)
    for file, data in figures.render_all(plots).items():
        draft.write(f"figures/{file}", data)
    for name, text in latex.of_run(drawn).items():
        draft.write(LATEX[name], text.encode("utf-8"))
    page = build(drawn, plots=plots, advance=advance)
    if "html" in report["formats"]:
        draft.write("report.html", html.render(drawn, template_dir=template, budget_mb=report["budget_mb"], page=page))
    if "pdf" in report["formats"]:
        draft.write("report.pdf", pdf.render(drawn, template_dir=template, page=page))
    for file, data in exports.asked(drawn):
        draft.write(file, data)
    for file, data in exports.crates(drawn, recorded(draft.folder)):
        draft.write(file, data)
    draft.write_manifest(facts)
