"""The run that changes are counted from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fmreport import archive, manifest
from fmreport.errors import GateError, nearest
from fmreport.store import Run


@dataclass(frozen=True, slots=True)
class Baseline:
    """The run, or why there is none."""

    run: Run | None
    missing: str = ""
    """Empty where there is one."""
    notes: tuple[str, ...] = ()


def check(folder: Path, named: str | None) -> None:
    """Raises `GateError` where a run that is going to be written to `folder` names a baseline that there is not."""
    if named is not None:
        _opened(_place(folder, named), folder, named)


def resolve(run: Run, *, named: str | None, folder: Path | None = None) -> Baseline:
    """The run in a folder, else the named one (a release, or name/release of the same archive), else the one before.

    Raises `GateError` where a run is asked for that there is not, or where the one before cannot be read.
    """
    if folder is not None:
        return Baseline(_opened(folder, run.folder, str(folder)))
    if named is not None:
        return Baseline(_opened(_place(run.folder, named), run.folder, named))
    earlier, unread = archive.before(run.folder)
    after = archive.natural(earlier.name) if earlier else None
    for entry in unread:
        name = archive.natural(entry.folder)
        if name < archive.natural(archive.lexical(run.folder).name) and (after is None or name > after):
            raise GateError(
                f"the release {entry.folder} before {run.facts.release} cannot be read: {entry.problem}",
                fix="restore it, or name the run to compare with: --baseline RELEASE",
            )
    notes = tuple(f"not read beside the run: {archive.readable(each.folder)}: {each.problem}" for each in unread)
    if earlier is None:
        return Baseline(None, f"there is no release of {run.facts.name} before {run.facts.release}", notes)
    return Baseline(Run.open(earlier), notes=notes)


def _place(run: Path, named: str) -> Path:
    """Archives have the shape name/release."""
    releases = archive.lexical(run).parent
    return (releases.parent if "/" in named else releases) / named


def _opened(folder: Path, run: Path, named: str) -> Run:
    if folder.resolve() == run.resolve():
        raise GateError(f"the baseline {named} is the run itself", fix="name another release")
    if not (folder / manifest.FILE).is_file():
        parent = folder.parent
        others = (
            sorted(each.name for each in parent.iterdir() if (each / manifest.FILE).is_file())
            if parent.is_dir()
            else []
        )
        raise GateError(f"the baseline {named} is no run", fix=nearest(folder.name, set(others) - {run.name}))
    return Run.open(folder)
