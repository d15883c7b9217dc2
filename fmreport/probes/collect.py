"""The config's sources to a `ProbeSet`: every file checked once, no pixels kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from fmreport.config.probes import Probes
from fmreport.environment import cores
from fmreport.errors import ProbeError
from fmreport.facts import ProbeFact
from fmreport.probes.listing import listed
from fmreport.probes.masks import Meaning, no_foreground
from fmreport.probes.naming import names
from fmreport.probes.places import THREADS, File
from fmreport.probes.pool import ordered
from fmreport.probes.probeset import ProbeFile, ProbeSet

_SHOWN = 12
"""Problems that one message lists."""
_AHEAD = 64
"""Results that wait for an earlier one; they hold no pixels."""


def collect(sources: Sequence[Probes], base: Path, *, advance: Callable[[int, int], None] | None = None) -> ProbeSet:
    """All probes of the config's sources; paths count from `base`, the config's folder.

    What cannot be listed, such as files that a table names and that do not exist, is told before anything is decoded.
    Then each image and mask is decoded once and dropped, in as many threads as there are processors, so that all that
    is wrong is known before a model runs. Either way one `ProbeError` names every problem. `advance(done, total)` is
    called after each file. Memory does not grow with the pixels of the images.
    """
    found = _listed(sources, base)
    called = _names([file for _, file in found])
    threads = cores() if all(_here(file) for _, file in found) else max(cores(), THREADS)
    checked = ordered(_checked, ((file, called[file.place.path]) for _, file in found), threads=threads, ahead=_AHEAD)
    problems: list[ProbeError] = []
    kept: list[tuple[ProbeFact, ProbeFile]] = []
    notes: list[str] = []
    levels: dict[int, tuple[Meaning, frozenset[int]]] = {}
    for done, ((number, file), made) in enumerate(zip(found, checked, strict=True), start=1):
        if not isinstance(made, ProbeError):
            fact, held = made
            kept.append((fact, file))
            if file.mask is not None:
                levels[number] = (file.meaning, held | (levels[number][1] if number in levels else frozenset()))
        elif getattr(sources[number], "on_error", "stop") == "skip":
            notes.append(f"Left out: {made}")
        else:
            problems.append(made)
        if advance is not None:
            advance(done, len(found))
    problems += _without_foreground(levels)
    if problems:
        raise _all_of(problems, "mend each, or leave unreadable files out: on_error: skip")
    if not kept:
        reasons = "".join(f"\n  {note}" for note in notes[:_SHOWN])
        raise ProbeError(f"there is no probe at all{reasons}", fix="name at least one readable image under probes:")
    return ProbeSet(tuple(fact for fact, _ in kept), tuple(file for _, file in kept), tuple(notes))


def _checked(item: tuple[ProbeFile, str]) -> tuple[ProbeFact, frozenset[int]] | ProbeError:
    """What is told of a probe, and the values of its mask; nothing of its pixels."""
    file, name = item
    try:
        _, fact, values = file.load(name)
    except ProbeError as error:
        # Afresh: the caught one's traceback would hold the image.
        return ProbeError(str(error), fix=error.fix)
    return fact, values


def _here(probe: ProbeFile) -> bool:
    return all(place.here for place in (probe.place, probe.mask) if isinstance(place, File))


def _names(found: Sequence[ProbeFile]) -> dict[str, str]:
    """A name for each probe by its path: its own, else the shortest that tells it from the others."""
    own = {file.place.path: file.called for file in found if file.called}
    return own | names([file.place.path for file in found if not file.called], own.values())


def _listed(sources: Sequence[Probes], base: Path) -> list[tuple[int, ProbeFile]]:
    """(number of its source, file), in the config's order. Raises one `ProbeError` with all that cannot be listed."""
    found: dict[str, tuple[int, ProbeFile]] = {}
    problems: list[ProbeError] = []
    for number, source in enumerate(sources):
        here = listed(source, base)
        problems += [ProbeError(f"probes[{number}].{problem}", fix=problem.fix) for problem in here.problems]
        for file in here.files:
            first, same = found.setdefault(file.place.path, (number, file))
            if same is not file:
                message = f"probes[{number}]: {file.origin} is listed already: probes[{first}], {same.origin}"
                problems.append(ProbeError(message, fix="list each image once"))
    if problems:
        raise _all_of(problems, "mend each")
    return list(found.values())


def _without_foreground(held: dict[int, tuple[Meaning, frozenset[int]]]) -> list[ProbeError]:
    """An error for each source none of whose masks holds foreground: its mask_values are not the files' own."""
    problems = []
    for number, (meaning, values) in held.items():
        if not meaning.has_foreground(values):
            error = no_foreground(meaning, values)
            problems.append(ProbeError(f"probes[{number}]: {error}", fix=error.fix))
    return problems


def _all_of(problems: list[ProbeError], fix: str) -> ProbeError:
    if len(problems) == 1:
        return problems[0]
    lines = [f"\n  {problem} ({problem.fix})" for problem in problems[:_SHOWN]]
    if len(problems) > _SHOWN:
        lines.append(f"\n  and {len(problems) - _SHOWN} more")
    return ProbeError(f"{len(problems)} problems with the probes:{''.join(lines)}", fix=fix)
