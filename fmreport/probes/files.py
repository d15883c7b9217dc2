"""The source `files`: globs to picture files, here or elsewhere, with their masks."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import takewhile
from pathlib import Path

from fmreport.config.addresses import scheme, unsigned
from fmreport.config.probes import FilesProbes, MaskValues
from fmreport.errors import ProbeError
from fmreport.probes import remote
from fmreport.probes.listing import Listing
from fmreport.probes.masks import Meaning
from fmreport.probes.places import File, absolute, missing, placed, split, unaddressed
from fmreport.probes.probeset import ProbeFile


def listed(source: FilesProbes, base: Path) -> Listing:
    """The files that the globs match, each with its mask; those whose mask does not exist are problems."""
    masks, meaning = _Masks(source.masks, base) if source.masks else None, meaning_of(source.mask_values)
    found = []
    for file, origin in matching(source.images, base)[: source.limit]:
        mask, called = masks.of(file, origin) if masks else (None, "")
        group = file.path.rpartition("/")[0].rpartition("/")[2] if source.group else ""
        found.append(ProbeFile(file, origin, mask, called, meaning, group))
    return Listing(tuple(found), tuple(without_masks("masks", found)) if source.on_error == "stop" else ())


def meaning_of(values: MaskValues | None) -> Meaning:
    """What the config says of the masks' pixel values."""
    return Meaning(values.foreground, values.ignore or ()) if values is not None else Meaning()


def without_masks(setting: str, probes: Iterable[ProbeFile]) -> list[ProbeError]:
    """An error for each probe whose mask is a file that does not exist."""
    masked: dict[File, ProbeFile] = {}
    for probe in probes:
        if isinstance(probe.mask, File):
            masked.setdefault(probe.mask, probe)
    try:
        errors = [masked[file].no_mask() for file in missing(masked)]
    except ProbeError as error:
        errors = [error]
    return [ProbeError(f"{setting}: {error}", fix=error.fix) for error in errors]


def matching(patterns: Sequence[str], base: Path) -> list[tuple[File, str]]:
    """The files that the globs match, from `base`, with what each is called: its `origin`.

    Pattern by pattern, each sorted by its path, none twice; names that start with a dot are left out. A `ProbeError`
    names a pattern that matches nothing.
    """
    found: dict[File, str] = {}
    for pattern in map(unaddressed, patterns):
        elsewhere = bool(scheme(pattern))
        here = _elsewhere(pattern) if elsewhere else [File(path) for path in _match(pattern, base)]
        if not here:
            raise _nothing_elsewhere(pattern) if elsewhere else _nothing(pattern, base)
        origins = Origins(base, pattern)
        for file in here:
            found.setdefault(file, origins.of(file))
    return list(found.items())


class Origins:
    """What messages and reports call files that one pattern, or one table, names."""

    def __init__(self, base: Path, pattern: str) -> None:
        """`base` is the config's folder, `pattern` what the config says."""
        self._base, self._pattern = Path(absolute(base)), unaddressed(pattern)
        self._of_folder = cache(self._folder)

    def of(self, file: File) -> str:
        """The path from the config's folder, with forward slashes; an address without credentials.

        Where an absolute pattern leads out of that folder, it starts at the pattern's own folder: `.../pets/cat.jpg`
        says nothing about the machine.
        """
        if not file.here:
            return file.path
        folder, name = os.path.split(file.address)
        return f"{self._of_folder(folder)}{name}"

    def _folder(self, folder: str) -> str:
        """The origin of a file in that folder, without the file's name."""
        if Path(self._pattern).is_absolute() and not Path(folder).is_relative_to(self._base):
            way = Path(os.path.relpath(folder, _fixed(self._pattern, self._base).parent))
            return f".../{'' if way == Path() else f'{way.as_posix()}/'}"
        way = Path(os.path.relpath(folder, self._base))
        return "" if way == Path() else f"{way.as_posix()}/"


class _Masks:
    """Where the masks of images lie."""

    def __init__(self, pattern: str, base: Path) -> None:
        self._pattern, self._base, self._origins = unaddressed(pattern), base, Origins(base, pattern)

    def of(self, image: File, origin: str) -> tuple[File, str]:
        """An image's mask, and what it is called."""
        mask = placed(self._pattern.replace("{stem}", split(image.name)[0]), self._base)
        if mask == image:
            message = f"images: {origin} would be its own mask"
            raise ProbeError(message, fix="narrow images to the photographs, e.g. *.jpg")
        return mask, self._origins.of(mask)


def _elsewhere(pattern: str) -> list[File]:
    try:
        return [File(address) for address in remote.matching(pattern)]
    except ProbeError as error:
        raise ProbeError(f"images: {unsigned(pattern)} {error}", fix=error.fix) from error


def _fixed(pattern: str, base: Path) -> Path:
    """The folder in which a pattern starts to look."""
    parts = Path(pattern).parts[:-1]
    return Path(absolute(base.joinpath(*takewhile(lambda part: not glob.has_magic(part) and "{" not in part, parts))))


def _match(pattern: str, base: Path) -> list[str]:
    # A file whose own name holds a bracket is meant as it is written. Unlike Path.glob, glob takes absolute patterns
    # and leaves hidden folders out.
    plain = placed(pattern, base).address
    literal = os.path.isfile(plain)  # noqa: PTH113
    matches = [plain] if literal else glob.glob(pattern, root_dir=base, recursive=True)  # noqa: PTH207
    paths = {absolute(base / match) for match in matches}
    # By folders and not by letters, so that `a/b` comes before `a-b`.
    ordered = sorted(paths, key=_parts)
    return [path for path in ordered if not _parts(path)[-1].startswith(".") and not os.path.isdir(path)]  # noqa: PTH112


def _parts(path: str) -> list[str]:
    # A Path takes ten times as long, and there may be very many.
    return path.split(os.sep)  # noqa: PTH206


def _nothing_elsewhere(pattern: str) -> ProbeError:
    return ProbeError(f"images: no file matches {unsigned(pattern)!r}", fix="mend the pattern or the address")


def _nothing(pattern: str, base: Path) -> ProbeError:
    folder, what = _fixed(pattern, base), f"images: no file matches {pattern!r}"
    if not os.path.isdir(folder):  # noqa: PTH112  # Path's own raises where a name is too long
        return ProbeError(f"{what}: there is no folder {folder}", fix="mend the path")
    if os.path.isdir(base / pattern):  # noqa: PTH112
        return ProbeError(f"{what}: it is a folder", fix=f"write {pattern.rstrip('/')}/*.jpg")
    kinds = Counter(entry.suffix or entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
    holds = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())[:6]) or "nothing"
    return ProbeError(f"{what} in {folder}, which holds {holds}", fix="mend the pattern or the path")
