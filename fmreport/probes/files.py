"""Globs to picture files, each with the shortest name that tells it from the others."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import takewhile
from pathlib import Path

from fmreport.errors import ProbeError


def matching(patterns: Sequence[str], base: Path) -> dict[Path, str]:
    """The files that the globs match, from `base`, with what each is called: its `origin`.

    Pattern by pattern, each sorted by its path, none twice; names that start with a dot are left out. A `ProbeError`
    names a pattern that matches nothing.
    """
    found: dict[Path, str] = {}
    for pattern in patterns:
        here = _match(pattern, base)
        if not here:
            raise _nothing(pattern, base)
        for path in here:
            found.setdefault(path, origin(path, base, pattern))
    return found


def origin(path: Path, base: Path, pattern: str) -> str:
    """The path from the config's folder, with forward slashes.

    Where an absolute pattern leads out of that folder, it starts at the pattern's own folder: `.../pets/cat.jpg` says
    nothing about the machine.
    """
    folder = absolute(base)
    if Path(pattern).is_absolute() and not path.is_relative_to(folder):
        return f".../{Path(os.path.relpath(path, _fixed(pattern, base).parent)).as_posix()}"
    return Path(os.path.relpath(path, folder)).as_posix()


def names(paths: Sequence[Path], taken: Iterable[str]) -> dict[Path, str]:
    """For each path its name: the shortest tail that no other path shares, without the suffix where that suffices.

    `taken` holds names that are given already; the paths must differ.
    """
    tails = {path: _tails(path) for path in paths}
    owners = Counter(tail for own in tails.values() for tail in own)
    owners.update(set(taken))
    return {path: next(tail for tail in own if owners[tail] == 1) for path, own in tails.items()}


def _tails(path: Path) -> list[str]:
    """`cat`, `cat.jpg`, `a/cat`, `a/cat.jpg`, ... for `a/cat.jpg`; a file without a suffix ends in a dot."""
    full = path.name if path.suffix else f"{path.name}."
    above = path.parent.as_posix().rstrip("/").split("/")
    folders = ["".join(f"{folder}/" for folder in above[start:]) for start in range(len(above), -1, -1)]
    return [folder + last for folder in folders for last in (path.stem, full)]


def absolute(path: Path) -> Path:
    """The path from the root, without `..`."""
    # Not resolved: a link is named as the user named it.
    return Path(os.path.abspath(path))  # noqa: PTH100


def _fixed(pattern: str, base: Path) -> Path:
    """The folder in which a pattern starts to look."""
    parts = Path(pattern).parts[:-1]
    return absolute(base.joinpath(*takewhile(lambda part: not glob.has_magic(part) and "{" not in part, parts)))


def _match(pattern: str, base: Path) -> list[Path]:
    # A file whose own name holds a bracket is meant as it is written. Unlike Path.glob, glob takes absolute patterns
    # and leaves hidden folders out.
    literal = (base / pattern).is_file()
    matches = [pattern] if literal else glob.glob(pattern, root_dir=base, recursive=True)  # noqa: PTH207
    paths = {absolute(base / match) for match in matches}
    return sorted(path for path in paths if not path.name.startswith(".") and not path.is_dir())


def _nothing(pattern: str, base: Path) -> ProbeError:
    folder = _fixed(pattern, base)
    if not folder.is_dir():
        return ProbeError(f"no file matches {pattern!r}: there is no folder {folder}", fix="mend the path")
    if (base / pattern).is_dir():
        return ProbeError(f"no file matches {pattern!r}: it is a folder", fix=f"write {pattern.rstrip('/')}/*.jpg")
    kinds = Counter(entry.suffix or entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
    holds = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())[:6]) or "nothing"
    return ProbeError(
        f"no file matches {pattern!r} in {folder}, which holds {holds}", fix="mend the pattern or the path"
    )
