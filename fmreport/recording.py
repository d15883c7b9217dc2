"""What a run records of its inputs, and of its own execution."""

from __future__ import annotations

import os
import platform
import re
import shlex
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from fmreport import analysis, columns, measures, probes
from fmreport.config import UNDECIDING, Config
from fmreport.config.addresses import unsigned_all
from fmreport.config.base import portable
from fmreport.extract import Advance
from fmreport.facts import FileFact, InputFact
from fmreport.media_types import FOLDER, media_type
from fmreport.sources import Identity
from fmreport.store import file_fact

RUN = ("fmreport", "run")


class Watch(Protocol):
    """Follows a run; the command line draws progress bars with it."""

    def stage(self, title: str) -> AbstractContextManager[Advance]:
        """One stage, from beginning to end of the context; what it yields is called with (done, total)."""

    def say(self, text: str) -> None:
        """Something that a user should know while it happens."""


class Unwatched:
    """Follows nothing."""

    @contextmanager
    def stage(self, title: str) -> Iterator[Advance]:
        """Drops all progress."""
        yield lambda done, total: None

    def say(self, text: str) -> None:
        """Drops it."""


class Timed:
    """Passes stages on to another watch, and remembers how long each took."""

    def __init__(self, watch: Watch, clock: Callable[[], float] = time.time) -> None:
        self._watch, self._clock = watch, clock
        self._began = clock()
        self._seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, title: str) -> Iterator[Advance]:
        """One stage of the other watch."""
        start = self._clock()
        with self._watch.stage(title) as advance:
            yield advance
        self._seconds[title] = self._clock() - start

    def say(self, text: str) -> None:
        """Passes it on."""
        self._watch.say(text)

    def told(self) -> dict[str, Any]:
        """When it began and ended, and seconds by stage."""
        ended = self._clock()
        return {
            "started": _moment(self._began),
            "ended": _moment(ended),
            "seconds": {title: round(seconds, 3) for title, seconds in self._seconds.items()}
            | {"all": round(ended - self._began, 3)},
        }


def execution(
    config: Config, destination: Path, *, batch: int, timed: Timed, shards: Mapping[str, Any]
) -> dict[str, Any]:
    """What is true of this execution alone; nothing in it names a machine or a person, so that it can be published."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else None
    return {
        "format": 1,
        **timed.told(),
        "batch": batch,
        "engine": config.engine.kind,
        "shards": dict(shards),
        "config": _between(destination, config.folder / config.source.name),
        "host": {
            "system": " ".join((platform.system(), platform.machine(), *platform.libc_ver())).strip(),
            "processor": processor(),
            "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
            "memory_bytes": memory,
        },
    }


def processor() -> str:
    """The processor's own name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor())


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _between(destination: Path, config: Path) -> str:
    """The config's path from the run's folder; empty where they have nothing but the root in common."""
    here, there = destination.resolve(), config.resolve()
    common = Path(os.path.commonpath([here, there]))
    return Path(os.path.relpath(there, here)).as_posix() if common != Path(common.anchor) else ""


def inputs(config: Config, identity: Identity, code: Mapping[str, Path]) -> tuple[InputFact, ...]:
    """The model's file, folder or weights, the config's modules, tables of probes, and the user's templates."""
    section = config.resolved()["model"]
    path = next((section[key] for key in ("path", "handle", "weights") if section.get(key)), None)
    made = []
    if path is not None and identity.sha256:
        kind = media_type(path) if Path(path).suffix else FOLDER
        made.append(InputFact("model", path, FileFact(kind, identity.bytes, identity.sha256)))
    made += [InputFact("code", name, file_fact(file)) for name, file in code.items()]
    made += [InputFact("probes", name, fact) for name, fact in probes.table_facts(config.probes, config.folder)]
    if config.report.template:
        folder = config.resolve(config.report.template)
        files = sorted(file for file in folder.rglob("*") if file.is_file())
        made += [InputFact("template", file.relative_to(folder).as_posix(), file_fact(file)) for file in files]
    return tuple(made)


def command(config: Config) -> str:
    """What makes the run again, where the config lies: with the file as it is, or as it was changed by `--set`."""
    words = [*RUN, config.source.name]
    for text in config.overrides:
        key, _, value = text.partition("=")
        if re.split(r"[.\[]", key.strip())[0] not in UNDECIDING:
            told = unsigned_all(value) if key.startswith("probes") else value
            words += ["--set", f"{key}={portable(told, config.folder)}"]
    return shlex.join(words)


def licences(config: Config) -> dict[str, str]:
    """As the config declares them: of the report, of the model, of each kind of probes."""
    declared = {"report": config.licence, "model": config.model.licence}
    declared |= {f"probes[{number}]": each.licence for number, each in enumerate(config.probes)}
    return {name: licence for name, licence in declared.items() if licence}


def seeds(config: Config) -> dict[str, int]:
    """What is drawn at random, and its seed."""
    drawn = ["channels", "moved masks", "resamples of images"] + ["permuted weights"] * bool(config.controls.randomised)
    drawn += ["weights"] * (getattr(config.model, "weights", "") is None)
    return dict.fromkeys(drawn, config.seed)


def versions_of_measures() -> dict[str, int]:
    """Measures and analyses, and the version of what each computes."""
    taken, made = measures.load().items(), analysis.load().items()
    return {name: each.version for name, each in taken} | {name: each.version for name, each in made}


def meanings() -> dict[str, dict[str, dict[str, str]]]:
    """Of every table each column's unit, meaning and source."""
    return {
        table: {
            name: {"unit": column.unit, "meaning": column.meaning, "source": column.source}
            for name, column in named.items()
        }
        for table, named in columns.described().items()
    }
