"""The files of a run against its manifest, and its reports against those that are made from its tables again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from fmreport import manifest
from fmreport.errors import StoreError
from fmreport.facts import FileFact
from fmreport.store import EXECUTION, MANIFEST, Run, recorded
from fmreport.verification.check import FAILED, HELD, UNCHECKED, Check, difference, some


def files(folder: Path) -> list[Check]:
    """The files of a run as they lie there, against what was recorded of them."""
    try:
        run = Run.open(folder)
    except StoreError as error:
        if not (folder / MANIFEST).is_file():
            raise
        damaged = Check(f"{MANIFEST} is whole", FAILED, (str(error),))
        return [damaged, Check("the other files are as recorded", UNCHECKED, (f"{MANIFEST} cannot be read",))]
    return [_of_manifest(run), _of_execution(run), _of_others(run)]


def _of_manifest(run: Run) -> Check:
    asked = f"{MANIFEST} is whole"
    if run.manifest.format < manifest.FORMAT:
        return Check(asked, UNCHECKED, (f"it is of format {run.manifest.format}, which holds no hash of itself",))
    if not manifest.is_sealed((run.folder / MANIFEST).read_bytes()):
        return Check(asked, FAILED, (f"{MANIFEST} is not what the run wrote",))
    try:
        made_of = run.facts.id
    except StoreError as error:
        return Check(asked, UNCHECKED, (f"its ID is also that of a table: {error}",))
    if run.manifest.id != made_of:
        return Check(asked, FAILED, (f"{MANIFEST}: the ID is not that of what it records",))
    return Check(asked, HELD, (f"run {run.manifest.id}",))


def _of_execution(run: Run) -> Check:
    asked, path = f"{EXECUTION} is whole", run.folder / EXECUTION
    if not path.is_file():
        known = run.manifest.format == manifest.FORMAT
        return Check(asked, FAILED if known else HELD, (f"{EXECUTION} is missing" if known else "there was none yet",))
    if not manifest.is_sealed(path.read_bytes()):
        return Check(asked, FAILED, (f"{EXECUTION} is not what the run wrote",))
    return Check(asked, HELD)


def _of_others(run: Run) -> Check:
    expected, found = run.manifest.outputs, recorded(run.folder)
    wrong = [f"{path} is missing" for path in expected.keys() - found.keys()]
    wrong += [f"{path} is no file of the run" for path in found.keys() - expected.keys()]
    wrong += [f"{path} is no file of the run: {what}" for path, what in _foreign(run.folder, found)]
    wrong += [
        f"{path} is not what the run wrote: {_hash(found[path])}, recorded {_hash(expected[path])}"
        for path in expected.keys() & found.keys()
        if not _as_recorded(found[path], expected[path])
    ]
    asked = f"all {len(expected)} other files are as recorded"
    return Check(asked, FAILED if wrong else HELD, tuple(sorted(wrong)))


def _as_recorded(found: FileFact, expected: FileFact) -> bool:
    # Of a run of format 1 the hash alone is known.
    return found.sha256 == expected.sha256 and (expected.bytes is None or found == expected)


def _foreign(folder: Path, found: Mapping[str, FileFact]) -> Iterator[tuple[str, str]]:
    """What lies below a run and is neither a plain file nor a folder of some, with what it is."""
    holding = {parent.as_posix() for path in (*found, MANIFEST) for parent in PurePosixPath(path).parents}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            yield name, "a link"
        elif path.is_dir():
            if name not in holding:
                yield name, "an empty folder"
        elif not path.is_file():
            yield name, "no plain file"


def _hash(fact: FileFact) -> str:
    return f"SHA-256 {fact.sha256[:12]}… ({fact.bytes:,} bytes)" if fact.bytes is not None else f"{fact.sha256[:12]}…"


def rendered(run: Run, again: Path, made_now: Mapping[str, str]) -> Check:
    """The reports and figures of a run against those that were made from its tables just now."""
    expected, found = run.manifest.outputs, recorded(again)
    differ = sorted(
        path for path in expected if path not in found or found[path].sha256 != expected[path].sha256
    ) + sorted(found.keys() - expected.keys())
    asked = "rendered again, its reports and figures have the same bytes"
    others = tuple(difference(run.facts.rendered, made_now))
    if not others and (again / MANIFEST).read_bytes() != (run.folder / MANIFEST).read_bytes():
        differ.append(MANIFEST)
    if not differ:
        return Check(asked, HELD)
    named = f"other bytes: {some(differ)}"
    if others:
        return Check(asked, UNCHECKED, (named, f"made with {some(others)}"))
    return Check(asked, FAILED, (named, "although versions and code are the same"))
