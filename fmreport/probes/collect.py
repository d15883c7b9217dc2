"""The config's sources to a `ProbeSet`: every file checked once, no pixels kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fmreport.errors import ProbeError
from fmreport.facts import ProbeFact
from fmreport.probes import files
from fmreport.probes.masks import Meaning, no_foreground
from fmreport.probes.outlines import outline
from fmreport.probes.photographs import photograph
from fmreport.probes.probeset import ProbeFile, ProbeSet

if TYPE_CHECKING:
    from fmreport.config.probes import FilesProbes, Probes

_SHOWN = 12
"""Problems that one message lists."""
_SHIPPED = "skimage:"


def collect(sources: Sequence[Probes], base: Path, *, advance: Callable[[int, int], None] | None = None) -> ProbeSet:
    """All probes of the config's sources; paths count from `base`, the config's folder.

    Each image and mask is decoded once and dropped, so that all that is wrong is known before a model runs: one
    `ProbeError` names every problem. `advance(done, total)` is called after each file. Memory does not grow with
    the number of images.
    """
    problems: list[ProbeError] = []
    listed = _listed(sources, base, problems)
    named = _names([file for _, file in listed])
    kept: list[tuple[ProbeFact, ProbeFile]] = []
    notes: list[str] = []
    levels: dict[int, tuple[Meaning, frozenset[int]]] = {}
    for done, (number, file) in enumerate(listed, start=1):
        try:
            fact, held = _checked(file, named[file.path])
        except ProbeError as error:
            if getattr(sources[number], "on_error", "stop") == "skip":
                notes.append(f"Left out: {error}")
            else:
                # Afresh: the caught one's traceback would hold the image.
                problems.append(ProbeError(str(error), fix=error.fix))
        else:
            kept.append((fact, file))
            if file.mask is not None:
                levels[number] = (file.meaning, held | (levels[number][1] if number in levels else frozenset()))
        if advance is not None:
            advance(done, len(listed))
    problems += _without_foreground(levels)
    if problems:
        raise _all_of(problems)
    if not kept:
        reasons = "".join(f"\n  {note}" for note in notes[:_SHOWN])
        raise ProbeError(f"there is no probe at all{reasons}", fix="name at least one readable image under probes:")
    return ProbeSet(tuple(fact for fact, _ in kept), tuple(file for _, file in kept), tuple(notes))


def _checked(file: ProbeFile, name: str) -> tuple[ProbeFact, frozenset[int]]:
    # A function of its own, so that no frame holds the last image's pixels while the next is decoded.
    _, fact, values = file.load(name)
    return fact, values


def _names(listed: Sequence[ProbeFile]) -> dict[Path, str]:
    """A name for each file: scikit-image's own, else the shortest that tells it from the others."""
    shipped = {f.path: f.origin.removeprefix(_SHIPPED) for f in listed if f.origin.startswith(_SHIPPED)}
    return shipped | files.names([file.path for file in listed if file.path not in shipped], shipped.values())


def _listed(sources: Sequence[Probes], base: Path, problems: list[ProbeError]) -> list[tuple[int, ProbeFile]]:
    """(number of its source, file), in the config's order; what cannot be listed goes to `problems`."""
    listed: dict[Path, tuple[int, ProbeFile]] = {}
    for number, source in enumerate(sources):
        here: list[ProbeFile] = []
        if source.kind == "skimage":
            for name in source.names:
                try:
                    here.append(_shipped(name, masks=source.masks))
                except ProbeError as error:
                    problems.append(ProbeError(f"probes[{number}].names: {error}", fix=error.fix))
        else:
            try:
                here += _matching(source, base)
            except ProbeError as error:
                problems.append(ProbeError(f"probes[{number}].images: {error}", fix=error.fix))
        for file in here:
            first, same = listed.setdefault(file.path, (number, file))
            if same is not file:
                message = f"probes[{number}]: {file.origin} is listed already: probes[{first}], {same.origin}"
                problems.append(ProbeError(message, fix="list each image once"))
    return list(listed.values())


def _shipped(name: str, *, masks: bool) -> ProbeFile:
    """The photograph of scikit-image of that name, with its mask where one was drawn and is wanted."""
    path = photograph(name)
    drawn = outline(name) if masks else None
    return ProbeFile(path, f"{_SHIPPED}{name}", drawn, drawn.origin if drawn else "")


def _matching(source: FilesProbes, base: Path) -> list[ProbeFile]:
    paths = list(files.matching(source.images, base).items())[: source.limit]
    if source.masks is None:
        return [ProbeFile(path, origin) for path, origin in paths]
    values = source.mask_values
    meaning = Meaning(values.foreground, values.ignore or ()) if values is not None else Meaning()
    found = []
    for path, origin in paths:
        mask = files.absolute(base / source.masks.replace("{stem}", path.stem))
        if mask == path:
            raise ProbeError(f"{origin} would be its own mask", fix="narrow images to the photographs, e.g. *.jpg")
        found.append(ProbeFile(path, origin, mask, files.origin(mask, base, source.masks), meaning))
    return found


def _without_foreground(held: dict[int, tuple[Meaning, frozenset[int]]]) -> list[ProbeError]:
    """An error for each source none of whose masks holds foreground: its mask_values are not the files' own."""
    problems = []
    for number, (meaning, values) in held.items():
        if not meaning.has_foreground(values):
            error = no_foreground(meaning, values)
            problems.append(ProbeError(f"probes[{number}].masks: {error}", fix=error.fix))
    return problems


def _all_of(problems: list[ProbeError]) -> ProbeError:
    if len(problems) == 1:
        return problems[0]
    lines = [f"\n  {problem} ({problem.fix})" for problem in problems[:_SHOWN]]
    if len(problems) > _SHOWN:
        lines.append(f"\n  and {len(problems) - _SHOWN} more")
    return ProbeError(
        f"{len(problems)} problems with the probes:{''.join(lines)}",
        fix="mend each, or leave unreadable files out: on_error: skip",
    )
