"""Finished shards as files, so that nothing is computed twice: by an interrupted run, or by one with more probes.

Any number of processes may use one folder. A file is whole or absent, and says by its hash whether it is as written.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import ml_dtypes
import numpy as np

from fmreport.errors import StoreError
from fmreport.facts import digest

SUFFIX, PARTIAL = ".shard", ".partial"
NAME = re.compile(r"[0-9a-f]{64}")
FORMAT = 1
LONGEST_HEADER = 1 << 16
FOREIGN = {"bfloat16": (ml_dtypes.bfloat16, np.uint16)}
"""Formats that NumPy's files do not know, and what holds their bits there."""
UNDER_WAY = 3600.0
"""Seconds in which a file that is being written is not taken for one that was left."""
Arrays = Mapping[str, np.ndarray]


class DamagedError(Exception):
    """A file is not what was written."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file."""

    path: Path
    bytes: int
    used: float
    """When it was last written or read, in seconds since 1970."""
    told: Mapping[str, Any]
    """What it holds, in words, as `Cache.put` was told; empty of a file that is not whole, or not ours."""


class Cache:
    """A folder of finished shards."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def check(self) -> None:
        """Raises `StoreError` where something else than a folder is in its place."""
        if os.path.lexists(self.folder) and not self.folder.is_dir():
            raise StoreError(f"the cache {self.folder} is no folder", fix="name a folder with --cache, or a new one")

    def path(self, key: str) -> Path:
        """Where a piece of a shard lies, or would lie; `key` is 64 hexadecimal digits."""
        return self.folder / key[:2] / f"{key}{SUFFIX}"

    def holds(self, key: str) -> bool:
        """Whether there is such a file; raises `DamagedError` where it does not begin as one that was written."""
        try:
            with self.path(key).open("rb") as file:
                if _header(file).get("key") != key:
                    raise DamagedError(str(self.path(key)))
        except FileNotFoundError:
            return False
        except OSError as error:
            raise _unusable(self.folder, error) from error
        return True

    def get(self, key: str) -> dict[str, np.ndarray]:
        """The arrays of a file; raises `DamagedError` where it is not what was written, or not there any more."""
        path = self.path(key)
        try:
            with path.open("rb") as file:
                header = _header(file)
                body = file.read()
            with suppress(OSError):  # of a folder that others may only read
                os.utime(path)
        except FileNotFoundError as error:
            raise DamagedError(str(path)) from error
        except OSError as error:
            raise _unusable(self.folder, error) from error
        if header.get("key") != key or hashlib.sha256(body).hexdigest() != header.get("sha256"):
            raise DamagedError(str(path))
        return _unpacked(body)

    def put(self, key: str, arrays: Arrays, told: Mapping[str, Any]) -> None:
        """Writes a file; `told` says whose it is and what it holds: `name`, `model`, `piece`, and how many `images`."""
        body = _packed(arrays)
        header = {**told, "format": FORMAT, "key": key, "sha256": hashlib.sha256(body).hexdigest()}
        path = self.path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            made, name = tempfile.mkstemp(suffix=PARTIAL, dir=path.parent)
            try:
                with os.fdopen(made, "wb") as file:
                    file.write(json.dumps(header).encode() + b"\n" + body)
                os.replace(name, path)  # noqa: PTH105
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise _unusable(self.folder, error) from error

    def entries(self) -> Iterator[Entry]:
        """Every file that is this cache's, those that were not finished included."""
        if not self.folder.is_dir():
            raise StoreError(f"{self.folder} is no folder", fix="name the one that runs were given with --cache")
        for path in sorted(self.folder.glob("[0-9a-f][0-9a-f]/*")):
            if path.is_symlink() or not path.is_file():
                continue
            if (path.suffix == SUFFIX and NAME.fullmatch(path.stem)) or path.suffix == PARTIAL:
                with suppress(FileNotFoundError):  # another process has taken it away
                    yield _entry(path)

    def prune(self, *, before: float | None = None, most: int | None = None) -> list[Entry]:
        """Removes what was last used `before` a time, then what was used longest ago until `most` bytes are left.

        Returns what was removed. What is not whole goes in any case, but for what may be under way: of the last hour.
        """
        kept: list[Entry] = []
        gone: list[Entry] = []
        for entry in self.entries():
            (kept if entry.told and (before is None or entry.used >= before) else gone).append(entry)
        left = time.time() - UNDER_WAY
        gone = [entry for entry in gone if entry.path.suffix == SUFFIX or entry.used < left]
        size = sum(entry.bytes for entry in kept)
        for entry in sorted(kept, key=lambda entry: (entry.used, entry.path)):
            if most is None or size <= most:
                break
            gone.append(entry)
            size -= entry.bytes
        for entry in gone:
            entry.path.unlink(missing_ok=True)
            with suppress(OSError):  # not empty
                entry.path.parent.rmdir()
        return gone


def key_of(context: str, identity: Mapping[str, Any]) -> str:
    """Of a piece of a shard: SHA-256 over all that decides its numbers; `context` stands for what all shards share."""
    return digest({"context": context, **identity})


def _entry(path: Path) -> Entry:
    stat = path.stat()
    told: Mapping[str, Any] = {}
    if path.suffix == SUFFIX:
        with suppress(DamagedError), path.open("rb") as file:
            header = _header(file)
            told = header if _is_ours(header) else {}
    return Entry(path, stat.st_size, stat.st_mtime, told)


def _header(file: BinaryIO) -> dict[str, Any]:
    line = file.readline(LONGEST_HEADER)
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DamagedError(file.name) from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise DamagedError(file.name)
    return found


def _is_ours(header: Mapping[str, Any]) -> bool:
    """Whether it says what a file of ours is told."""
    match header:
        case {"name": str(), "model": str(), "piece": str(), "images": int(images)}:
            return images >= 0
    return False


def _packed(arrays: Arrays) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **{_named(name, value): _plain(value) for name, value in arrays.items()})
    return buffer.getvalue()


def _unpacked(body: bytes) -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(body), allow_pickle=False) as file:
        return {name.partition(":")[0]: _original(name, file[name]) for name in file.files}


def _named(name: str, value: np.ndarray) -> str:
    return f"{name}:{value.dtype.name}" if value.dtype.name in FOREIGN else name


def _plain(value: np.ndarray) -> np.ndarray:
    return value.view(FOREIGN[value.dtype.name][1]) if value.dtype.name in FOREIGN else value


def _original(name: str, value: np.ndarray) -> np.ndarray:
    _, _, foreign = name.partition(":")
    return value.view(FOREIGN[foreign][0]) if foreign else value


def _unusable(folder: Path, error: OSError) -> StoreError:
    return StoreError(
        f"the cache {folder} cannot be used: {error.strerror or error}",
        fix="free space or mend its permissions, and run again: finished shards are kept; or name another --cache",
    )
