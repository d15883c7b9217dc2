"""The passes of a run over all of its probes: with the model's own weights, for detectors, and with permuted ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from fmreport import engines, sources
from fmreport.analysis import Evidence
from fmreport.cache import Cache
from fmreport.config import Config
from fmreport.dissection import Dissected, dissect
from fmreport.engines import Plan, Started
from fmreport.engines.caching import Cached
from fmreport.engines.following import Followed
from fmreport.engines.identity import context, told
from fmreport.errors import SourceError
from fmreport.extract import Engine, Extraction, Feed, Tables, ahead, batch_size, decoders, handed, mapped
from fmreport.facts import Platform
from fmreport.measures.summary import summarise
from fmreport.opening import Opened
from fmreport.probes import ProbeSet
from fmreport.probes.scenes import Scenes
from fmreport.recording import Watch
from fmreport.records import IMAGE
from fmreport.store import Draft

MODELS = 20
"""Models with permuted weights that a config may ask for, so that those of two seeds differ."""
SEVERAL = 8
"""Shards of which fewer need no summary."""


@dataclass(frozen=True, slots=True)
class Follow:
    """Where finished shards are kept, if anywhere, and who is told how it goes."""

    watch: Watch
    cache: Cache | None = None


@dataclass(frozen=True, slots=True)
class Control:
    """What the same probes give with permuted weights."""

    evidence: Evidence
    summary: pd.DataFrame


@dataclass(frozen=True, slots=True)
class Measured:
    """What the passes leave."""

    tables: Tables
    summary: pd.DataFrame
    evidence: Evidence
    controls: tuple[Control, ...]
    platform: Platform
    """Of whoever measured."""
    shards: Mapping[str, Any]
    """How many were computed and read, and which took longest."""


def extraction_of(config: Config, it: Opened, probes: ProbeSet) -> Extraction:
    """What a process needs to work on the probes, within the memory that the config allows."""
    memory, size = config.memory_mb, it.preprocess.size
    names = [probes.names[place] for part in mapped(len(probes), config.measures.images) for place in part]
    compared = probes if len(names) == len(probes) else probes.named(names)
    scenes = Scenes(compared, it.preprocess, seed=config.seed)
    batch = batch_size(it.model, it.taps, memory_mb=memory, probes=len(probes), wanted=config.batch)
    shapes = [(*size, it.model.image_input.channels or 3), scenes.shape]
    feed = Feed(
        threads=decoders((fact.size for fact in probes.facts), memory_mb=memory),
        ahead=ahead(shapes, batch=batch, memory_mb=memory),
        handed=handed(it.model, it.taps, batch=batch, memory_mb=memory),
    )
    return Extraction(it.model, it.taps, probes, it.preprocess, batch, scenes, target=it.target, feed=feed)


def check_controls(config: Config, model: sources.TappableModel) -> None:
    """Raises where weights are to be permuted that cannot be: now, and not when all else is measured."""
    if not config.controls.randomised:
        return
    try:
        with model.randomised(1):
            pass
    except SourceError as error:
        raise SourceError(f"{config.where('controls', 'randomised')}: {error}", fix=error.fix) from error


def measure(  # the stages before it, each of which made one
    config: Config, extraction: Extraction, it: Opened, draft: Draft, displayed: Sequence[str], follow: Follow
) -> Measured:
    """All passes; the rows of `samples` are written to the draft while they come."""
    watch = follow.watch
    with _started(config, extraction, watch) as started:
        followed = Followed(_kept(config, it, started.engine, follow))
        with watch.stage("Measuring") as advance:
            tables = extraction.measure(displayed, advance, engine=followed, rows=draft.rows("samples"))
        dissected = _dissected(extraction, config, followed, watch)
        evidence = evidence_of(tables, extraction, dissected)
        controls = tuple(_controls(config, extraction, draft, followed, watch))
        platform = started.platform or sources.platform()
    _tell(followed, watch)
    return Measured(tables, _summary(extraction, tables), evidence, controls, platform, followed.so_far.told())


@contextmanager
def _started(config: Config, extraction: Extraction, watch: Watch) -> Iterator[Started]:
    with ExitStack() as until_done:
        plan = Plan(config, extraction, watch.say)
        if config.engine.kind == "local":
            yield until_done.enter_context(engines.started(plan))
            return
        with watch.stage("Starting workers"):
            made = until_done.enter_context(engines.started(plan))
        yield made


def _kept(config: Config, it: Opened, engine: Engine, follow: Follow) -> Engine:
    """The engine, with a cache where there is one."""
    if follow.cache is None:
        return engine
    return Cached(engine, follow.cache, context(config, it), told(config, it), follow.watch.say)


def _tell(followed: Followed, watch: Watch) -> None:
    """Says how many shards were in the cache, and which took longest, where there are enough of them to tell."""
    work = followed.so_far
    if work.read:
        watch.say(f"{work.read:,} of {work.read + work.computed:,} shards were read from the cache")
    if work.computed > SEVERAL:
        slowest = ", ".join(f"{name} {seconds:.1f} s" for seconds, name in work.slowest)
        watch.say(f"{work.computed:,} shards took {work.seconds / work.computed:.1f} s in the mean; slowest: {slowest}")


def _controls(config: Config, extraction: Extraction, draft: Draft, engine: Engine, watch: Watch) -> Iterator[Control]:
    count = config.controls.randomised
    displayed = extraction.probes.names[:0]
    for number in range(1, count + 1):
        seed = config.seed * MODELS + number
        with watch.stage(f"Control {number} of {count}") as advance, draft.scratch() as rows:
            tables = extraction.measure(displayed, advance, engine=engine, rows=rows, control=seed)
            yield Control(evidence_of(tables, extraction), _summary(extraction, tables))


def _summary(extraction: Extraction, tables: Tables) -> pd.DataFrame:
    taps = pd.Series([tap.name for tap in extraction.taps])
    return summarise(taps, tables.rows.read, tables.channels, tables.histograms)


def _dissected(extraction: Extraction, config: Config, engine: Engine, watch: Watch) -> dict[str, Dissected]:
    """Nothing where nobody asks, or where there is no mask to compare with."""
    if not config.measures.dissection or extraction.scenes is None or not extraction.scenes.masked:
        return {}
    with watch.stage("Dissecting") as advance:
        return dissect(extraction, memory_mb=config.memory_mb, engine=engine, advance=advance)


def evidence_of(
    tables: Tables, extraction: Extraction, dissected: Mapping[str, Dissected] = MappingProxyType({})
) -> Evidence:
    """What analyses are given."""
    scenes = extraction.scenes
    assert scenes is not None
    sizes = np.bincount(list(scenes.group.values()), minlength=scenes.groups)
    names = (IMAGE, *(tap.name for tap in extraction.taps))
    facets = {fact.name: fact.group for fact in extraction.probes.facts if fact.group}
    some = len(scenes.group) < len(extraction.probes)
    return Evidence(
        names,
        tables.grouped,
        sizes,
        scenes.masked_groups,
        extraction.planes,
        scenes.seed,
        dissected,
        tables.rows.read,
        facets,
        frozenset(scenes.group) if some else None,
    )
