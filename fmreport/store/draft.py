"""Writing a run folder: what is written is whole or absent."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from fmreport import manifest
from fmreport.errors import StoreError
from fmreport.facts import Facts, FileFact, ProbeFact
from fmreport.media_types import media_type
from fmreport.records import Tiles
from fmreport.store import probes
from fmreport.store.layout import ATTRIBUTED, COMPARISON, EXECUTION, MANIFEST, PICTURES, SCRATCH, TABLES, TILES
from fmreport.store.place import held
from fmreport.store.rows import ParquetRows


@dataclass(frozen=True, slots=True)
class Draft:
    """A run folder that is being written, under another name beside its destination.

    Its manifest is the last thing to be written, so that without one it is no run.
    """

    folder: Path
    _told: dict[str, tuple[tuple[int, ...], FileFact]] = field(default_factory=dict, init=False, repr=False)
    """What is known of files that were hashed, as long as they stay what they were."""

    def write(self, path: str, data: bytes) -> None:
        """Writes one file at a path inside the folder."""
        target = self._cleared(path)
        target.write_bytes(data)

    def take(self, path: str, source: Path, sha256: str = "") -> None:
        """Has the very file that lies elsewhere, or a copy where that cannot be; of its SHA-256, where it is known."""
        target = self._cleared(path)
        try:
            os.link(source, target)
        except OSError:  # on another disk, or one that has no links
            shutil.copyfile(source, target)
        if sha256:
            self._told[path] = (_state(target), FileFact(media_type(target.name), target.stat().st_size, sha256))

    def write_probes(self, facts: Sequence[ProbeFact]) -> Sequence[ProbeFact]:
        """The probes as a manifest tells of them: themselves; where they are very many, in a table that is written."""
        if len(facts) <= probes.MOST:
            return tuple(facts)
        return probes.write(self._cleared(manifest.PROBES), facts)

    def rows(self, name: str) -> ParquetRows:
        """One of `TABLES`, to be written row by row."""
        return ParquetRows(self.folder / "tables" / TABLES[name])

    @contextmanager
    def scratch(self) -> Iterator[ParquetRows]:
        """Rows that are gone when the context ends."""
        path = self.folder / SCRATCH
        try:
            yield ParquetRows(path)
        finally:
            path.unlink(missing_ok=True)

    def write_table(self, name: str, table: pd.DataFrame) -> None:
        """Writes one of `TABLES`."""
        file = TABLES[name]
        as_csv = file.endswith(".csv")
        data = table.to_csv(index=False, lineterminator="\n").encode() if as_csv else table.to_parquet(index=False)
        self.write(f"tables/{file}", data)

    def write_tiles(self, order: int, tiles: Tiles, *, attribution: bool = False) -> None:
        """Writes the maps of one tap, named by its place in the model; with `attribution`, those of its attribution."""
        path = (ATTRIBUTED if attribution else TILES).format(order)
        self.write(path, _npz({name: value for name, value in asdict(tiles).items() if name != "tap"}))

    def write_pictures(self, pictures: Mapping[str, np.ndarray], masks: Mapping[str, np.ndarray]) -> None:
        """Writes the probes' pictures `(h, w, 3)` uint8 and masks `(h, w)` uint8 by the probes' names."""
        arrays: dict[str, Any] = {"pictures": np.array(list(pictures)), "masks": np.array(list(masks))}
        arrays |= {f"picture_{i}": picture for i, picture in enumerate(pictures.values())}
        arrays |= {f"mask_{i}": mask for i, mask in enumerate(masks.values())}
        self.write(PICTURES, _npz(arrays))

    def write_manifest(self, facts: Facts) -> None:
        """Writes the manifest, which lists every other file with its hash."""
        self.write(MANIFEST, manifest.written(facts, self.recorded()))

    def recorded(self) -> dict[str, FileFact]:
        """What a manifest says of every file of the draft; none is hashed twice that has not changed."""
        found = {}
        for path in _listed(self.folder):
            file = self.folder / path
            known, fact = self._told.get(path, ((), None))
            state = _state(file)
            if fact is None or known != state:
                fact = file_fact(file)
                self._told[path] = (state, fact)
            found[path] = fact
        return found

    def _cleared(self, path: str) -> Path:
        """Where a file goes that does not lie there yet: what was taken is another run's as well."""
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        self._told.pop(path, None)
        return target

    def write_execution(self, told: Mapping[str, Any]) -> None:
        """Writes what is true of this execution alone."""
        self.write(EXECUTION, manifest.sealed(told))


def recorded(folder: Path) -> dict[str, FileFact]:
    """What a manifest says of every file of a run, by its path."""
    return {path: file_fact(folder / path) for path in _listed(folder)}


def _listed(folder: Path) -> list[str]:
    """The files that a manifest lists, by their paths."""
    return sorted({path.relative_to(folder).as_posix() for path in plain(folder)} - {MANIFEST, EXECUTION})


def _state(path: Path) -> tuple[int, ...]:
    """What changes where the file does."""
    now = path.stat()
    return now.st_ino, now.st_size, now.st_mtime_ns


def plain(folder: Path) -> list[Path]:
    """The files below a folder, links aside: what they lead to is not of the run."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def file_fact(path: Path) -> FileFact:
    """One file as it is."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return FileFact(media_type(path.name), file.tell(), digest)


def _npz(arrays: Mapping[str, Any]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


Kind = Literal["run", "comparison"]
HELD_BY: Mapping[Kind, tuple[str, frozenset[str]]] = {
    "run": (MANIFEST, frozenset({"format", "outputs", "probes"})),
    "comparison": (COMPARISON, frozenset({"format", "a", "b", "verdict"})),
}
"""What tells a folder of each kind: a JSON file with these keys, of any format. Others write a manifest.json too."""
ANOTHER: Mapping[Kind, str] = {
    "run": "write another `release:` into the config, or another --out",
    "comparison": "name another --out",
}


def check_free(destination: Path, *, force: bool, kind: Kind = "run") -> None:
    """Raises `StoreError` unless a run, or a comparison, may be written there: each replaces only its own kind."""
    if not os.path.lexists(destination):
        return
    if not force:
        raise StoreError(f"{destination} exists already", fix=f"{ANOTHER[kind]}, or replace it with --force")
    if not _replaceable(destination, kind):
        raise StoreError(
            f"{destination} is no {kind}, so --force does not replace it", fix="move it away, or choose another --out"
        )


def _replaceable(folder: Path, kind: Kind) -> bool:
    """Whether a folder is empty or of that kind."""
    try:
        if not any(folder.iterdir()):
            return True
    except OSError:
        return False
    name, keys = HELD_BY[kind]
    return _holds(folder / name, keys)


def _holds(path: Path, keys: frozenset[str]) -> bool:
    """Whether a JSON file is there and has these keys."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and keys <= found.keys()


@contextmanager
def drafting(destination: Path, *, force: bool, kind: Kind = "run") -> Iterator[Draft]:
    """A draft that becomes `destination` when the block ends; whatever else happens, `destination` stays as it was."""
    check_free(destination, force=force, kind=kind)
    made: list[Path] = []
    try:
        target = destination.resolve()
        made += [parent for parent in target.parents if not parent.exists()]
        target.parent.mkdir(parents=True, exist_ok=True)
        with held(target) as place:
            check_free(destination, force=force, kind=kind)
            yield Draft(place.folder)
            check_free(destination, force=force, kind=kind)
            place.put(target)
    except OSError as error:
        raise _unwritable(destination, error) from error
    finally:
        for parent in made:
            with suppress(OSError):  # of a run that was written they are not empty
                parent.rmdir()


def _unwritable(destination: Path, error: OSError) -> StoreError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreError(f"the disk is full: {destination} was not written", fix="free space, or choose another --out")
    message = f"{destination} was not written: {error.strerror or error}"
    return StoreError(message, fix="check the folder's permissions, or choose another --out")
