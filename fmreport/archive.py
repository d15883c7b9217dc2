"""Many runs below one folder, as their manifests tell of them; nothing else of a run is read.

What was read is kept in `.index.json` beside the runs, and read again only where a manifest's SHA-256 is another.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import re
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from fmreport import manifest
from fmreport.errors import FmreportError, StoreError

KEPT = ".index.json"
FORMAT = 1
"""Of that file; it grows where anything else of a manifest is kept."""
REPORTS = ("report.html", "report.pdf")
MOST = 64 * 2**20
"""Bytes of a file that is read: a manifest of ten thousand outputs has 2 MB."""


@dataclass(frozen=True, slots=True)
class Told:
    """What is kept of a manifest."""

    name: str
    release: str
    title: str
    date: str
    """ISO 8601; empty where the run has none."""
    model: str
    """Kind and source."""
    framework: str
    probes: int
    taps: int | None
    """How many; None in format 1, which did not say."""
    notes: int
    """How many things a reader is told to know."""
    id: str
    """Empty in format 1."""
    format: int
    reports: tuple[str, ...]
    """Those of `REPORTS` that there are."""
    numbers: dict[str, float | None]
    """Empty in format 1."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One folder with a manifest."""

    folder: str
    """Below the archive, with slashes; bytes that are no text as `os.fsdecode` has them."""
    sha256: str = ""
    """Of the manifest; empty where it cannot be read."""
    told: Told | None = None
    """None where the manifest is damaged, or another program's."""
    problem: str = ""
    """Why."""


@dataclass(frozen=True, slots=True)
class Archive:
    """All entries below one folder."""

    entries: tuple[Entry, ...] = field(default=())
    """By folder."""
    read: int = 0
    """How many of them were new or changed."""

    @property
    def models(self) -> dict[str, tuple[Entry, ...]]:
        """The runs by the name of their model, each in the order of releases."""
        found: dict[str, list[Entry]] = {}
        for entry in self.entries:
            if entry.told:
                found.setdefault(entry.told.name, []).append(entry)
        return {name: in_order(found[name]) for name in sorted(found, key=natural)}

    @property
    def problems(self) -> tuple[Entry, ...]:
        """What could not be read."""
        return tuple(entry for entry in self.entries if not entry.told)


def opened(folder: Path) -> Archive:
    """Every run below a folder, at any depth; what has not changed is taken from `.index.json`.

    Hidden folders, which runs that are being written are, and links to folders are left out. Raises `StoreError` where
    the folder is none, is itself a run, or holds no run.
    """
    if not folder.is_dir():
        raise StoreError(f"{folder} is no folder", fix="give the folder that `fmreport run --out` writes to")
    archive = _read(folder, _kept(folder))
    if archive.models:
        return archive
    if (folder / manifest.FILE).is_file():
        raise StoreError(f"{folder} is itself a run", fix="give the folder that holds all runs")
    but = "".join(f" that can be read; {entry.folder}: {entry.problem}" for entry in archive.problems[:1])
    raise StoreError(f"{folder} holds no run{but}", fix="write one: fmreport run CONFIG --out DIR")


def keep(folder: Path, archive: Archive) -> None:
    """Writes what the next `opened` need not read again: the same bytes wherever the folder lies."""
    content = {"format": FORMAT, "entries": [asdict(entry) for entry in archive.entries]}
    replace_file(folder / KEPT, json.dumps(content, indent=0, sort_keys=True).encode("ascii"))


def replace_file(path: Path, data: bytes) -> None:
    """Writes a file that is whole or as it was before; raises `StoreError` where it cannot."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        draft = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            draft.chmod(0o644)
            draft.replace(path)
        finally:
            with suppress(OSError):  # renamed
                draft.unlink()
    except OSError as error:
        raise StoreError(
            f"{path} was not written: {error.strerror or error}", fix="check the folder's permissions, or free space"
        ) from error


def in_order(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Runs of one model from first to last: by date where all have one, then by release, `v2` before `v10`."""
    runs = [(entry, entry.told) for entry in entries if entry.told]
    dated = all(told.date for _, told in runs)
    ordered = sorted(runs, key=lambda run: (run[1].date if dated else "", natural(run[1].release), run[0].folder))
    return tuple(entry for entry, _ in ordered)


def natural(text: str) -> tuple[Any, ...]:
    """What text is sorted by so that numbers in it count as numbers."""
    # Digits by their length first, since a hostile release may have more of them than a number can be read from.
    parts = re.split("([0-9]+)", text.casefold())
    counted = [(len(part.lstrip("0")), part.lstrip("0")) if i % 2 else part for i, part in enumerate(parts)]
    return (counted, text)


def before(run: Path) -> tuple[Path | None, tuple[Entry, ...]]:
    """The release before a run, of the same name, in the folder around it; None where there is none.

    Beside it, what stood there and could not be read. The folder around a run is that of its path as it was given, and
    links to runs count there, but to this one. Raises `StoreError` where that folder cannot be listed.
    """
    place, itself = lexical(run), run.resolve()
    try:
        names = [each.name for each in place.parent.iterdir() if os.path.lexists(each / manifest.FILE)]
    except OSError as error:
        raise StoreError(
            f"{place.parent} cannot be listed: {error.strerror or error}", fix="name the baseline: --baseline RUN"
        ) from error
    others = [each for each in names if not each.startswith(".") and (place.parent / each).resolve() != itself]
    archive = Archive(tuple(_entry(place.parent, name, None) for name in sorted([*others, place.name])))
    for entries in archive.models.values():
        folders = [entry.folder for entry in entries]
        if place.name in folders[1:]:
            return place.parent / folders[folders.index(place.name) - 1], archive.problems
    return None, archive.problems


def lexical(path: Path) -> Path:
    """The whole path, its links as they are."""
    return Path(os.path.abspath(path))  # noqa: PTH100  # `resolve` would follow links


def _read(folder: Path, kept: Mapping[str, Entry]) -> Archive:
    entries = [_entry(folder, name, kept.get(name)) for name in sorted(_found(folder))]
    return Archive(tuple(entries), sum(entry is not kept.get(entry.folder) for entry in entries))


def _found(folder: Path) -> Iterator[str]:
    """Folders with a manifest; of those that cannot be listed the name as well."""
    waiting = [""]
    while waiting:
        below = waiting.pop()
        try:
            with os.scandir(folder / below) as listed:
                inside = [each.name for each in listed if _is_folder(each)]
        except OSError:
            yield below
            continue
        for name in inside:
            path = f"{below}/{name}".removeprefix("/")
            if os.path.lexists(folder / path / manifest.FILE):
                yield path
            else:
                waiting.append(path)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    return not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False)


def _entry(folder: Path, name: str, kept: Entry | None) -> Entry:
    try:
        data = regular(folder / name / manifest.FILE)
    except OSError as error:
        return Entry(name, problem=f"{manifest.FILE} cannot be read: {error.strerror or error}")
    sha256 = hashlib.sha256(data).hexdigest()
    if kept is not None and kept.sha256 == sha256:
        return kept
    try:
        return Entry(name, sha256, told=_told(manifest.read(data, manifest.FILE)))
    except FmreportError as error:
        return Entry(name, sha256, problem=readable(str(error)))
    except UnicodeError:
        return Entry(name, sha256, problem=f"{manifest.FILE} cannot be read: it holds halves of characters")
    except RecursionError:
        return Entry(name, sha256, problem=f"{manifest.FILE} cannot be read: it is nested too deeply")


def regular(path: Path) -> bytes:
    """The bytes of a file; raises `OSError` where it is none that ends, such as a pipe, or has more than `MOST`."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "it is no regular file")
    with path.open("rb") as file:
        data = file.read(MOST + 1)
    if len(data) > MOST:
        raise OSError(errno.EFBIG, f"it has more than {MOST >> 20} MiB")
    return data


def _told(read: manifest.Manifest) -> Told:
    facts = read.facts
    source = " ".join(str(facts.model[key]) for key in ("kind", "source") if facts.model.get(key))
    told = (facts.name, facts.release, facts.title, facts.date, source, str(facts.model.get("framework", "")))
    name, release, title, date, model, framework = map(readable, told)
    return Told(
        name=name,
        release=release,
        title=title,
        date=date,
        model=model,
        framework=framework,
        probes=len(facts.probes),
        taps=len(facts.taps) or None,
        notes=len(facts.notes),
        id=readable(read.id),
        format=read.format,
        reports=tuple(name for name in REPORTS if name in read.outputs),
        numbers={
            readable(name): value if value is not None and math.isfinite(value) else None
            for name, value in facts.numbers.items()
        },
    )


def readable(text: str) -> str:
    """Text that can be written as UTF-8: halves of characters, which JSON and names of files can hold, as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _kept(folder: Path) -> dict[str, Entry]:
    """What the last index kept, by folder; nothing where that is missing, of another format or damaged."""
    try:
        content = json.loads(regular(folder / KEPT))
        if content["format"] != FORMAT:
            return {}
        entries = TypeAdapter(tuple[Entry, ...]).validate_python(content["entries"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError, ValidationError):
        return {}
    return {entry.folder: entry for entry in entries} if all(map(_is_sound, entries)) else {}


def _is_sound(entry: Entry) -> bool:
    """Whether `_entry` can have made it: anyone may have written the file, and its words and links go into a page."""
    told = entry.told
    words = [entry.sha256, entry.problem]
    if told:
        words += [told.name, told.release, told.title, told.date, told.model, told.framework, told.id, *told.numbers]
        if not set(told.reports) <= set(REPORTS) or min(told.probes, told.taps or 0, told.notes) < 0:
            return False
        if not all(value is None or math.isfinite(value) for value in told.numbers.values()):
            return False
    return all(readable(word) == word for word in words)
