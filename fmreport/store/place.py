"""The place beside a run where the next one is made: held by one process at a time, and put in the run's place at once.

Both are the work of the operating system, so that they hold whenever a process is killed.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from fmreport.errors import StoreError

if sys.platform != "win32":
    import fcntl

AT_FDCWD, RENAME_EXCHANGE = -100, 2
PARTIAL, REPLACED = ".partial", ".replaced"
"""Ends of the hidden names beside a run."""


@dataclass(slots=True)
class Place:
    """A folder beside a run, of this process alone."""

    folder: Path
    locks: list[int]
    """Of the folder, and of what it is exchanged with: they end with the process, however that ends."""

    def put(self, destination: Path) -> None:
        """The folder takes its destination's place; what stood there, if anything, is cleared with the place."""
        if not destination.exists():
            self.folder.rename(destination)
            return
        if sys.platform != "win32":
            self.locks.append(_opened(destination))
            fcntl.flock(self.locks[-1], fcntl.LOCK_EX)
        if not _exchanged(self.folder, destination):
            _renamed(self.folder, destination)

    def clear(self) -> None:
        """Removes what stands in the place, unless it is of another process by now, and lets go of it."""
        with suppress(FileNotFoundError):
            now = self.folder.stat()
            if not self.locks or any(os.path.samestat(os.fstat(lock), now) for lock in self.locks):
                shutil.rmtree(self.folder, ignore_errors=True)
        for lock in self.locks:
            os.close(lock)


@contextmanager
def held(destination: Path) -> Iterator[Place]:
    """An empty folder beside `destination`, of this process alone until the block ends; then it is gone.

    What a process that was killed left there is removed. Raises `StoreError` while another process holds it.
    """
    place = _taken(destination.with_name(f".{destination.name}{PARTIAL}"), destination)
    try:
        _restored(place.folder.with_suffix(REPLACED), destination)
        for left in list(place.folder.iterdir()):
            _remove(left)
        yield place
    finally:
        place.clear()


def _taken(folder: Path, destination: Path) -> Place:
    """Makes the folder where it is missing and locks it."""
    while True:
        with suppress(FileExistsError):
            folder.mkdir()
        if folder.is_symlink() or not folder.is_dir():
            # Whatever it leads to is somebody else's, and would be emptied.
            raise StoreError(f"{folder}, where the run would be made, is no folder", fix="move it away")
        if sys.platform == "win32":
            return Place(folder, [])
        try:
            lock = _opened(folder)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if folder.exists() and os.path.samestat(os.fstat(lock), folder.stat()):
                return Place(folder, [lock])
        except BlockingIOError:
            os.close(lock)
            raise StoreError(
                f"{destination} is being written by another process",
                fix="wait until it is done, or write another `release:` into the config",
            ) from None
        # Whoever held it has moved it into place, or away, in the meantime.
        os.close(lock)


def _opened(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY | os.O_NOFOLLOW)


def _renamed(folder: Path, destination: Path) -> None:
    """Where nothing can be exchanged, two renames, the first of which is taken back if the second fails."""
    old = folder.with_suffix(REPLACED)
    try:
        destination.rename(old)
        folder.rename(destination)
    except BaseException:
        _restored(old, destination)
        raise
    finally:
        if destination.exists():
            shutil.rmtree(old, ignore_errors=True)


def _restored(old: Path, destination: Path) -> None:
    """Undoes the first rename of a process that did not come to the second."""
    if old.exists() and not destination.exists():
        old.rename(destination)


def _exchanged(one: Path, other: Path) -> bool:
    """Swaps two names in one step, of which no half can be seen; False where the system or the disk cannot."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if sys.platform == "linux" else None
    if rename is None:
        return False
    done: int = rename(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE)
    return done == 0


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
