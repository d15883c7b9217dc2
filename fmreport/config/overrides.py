"""`--set key.sub[0].x=value`: settings from the command line, laid over the file's."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from fmreport.config.checking import dotted
from fmreport.config.reading import Document, Place, Problem, Where, read_value

_STEPS = re.compile(r"[^\s.\[\]=]+(\.[^\s.\[\]=]+|\[\d{1,6}\])*")
_STEP = re.compile(r"\[(\d+)\]|[^.\[\]]+")
_BEHIND = 1_000_000_000
"""Places of overrides sort behind every line of a file."""


def lay_over(document: Document, overrides: Sequence[str]) -> None:
    """Sets each `path=value`, read as YAML; what cannot be set goes to the document's problems."""
    for number, text in enumerate(overrides):
        place = Place(_BEHIND + number, f"--set {text}")
        key, equals, value = text.partition("=")
        if not equals or not _STEPS.fullmatch(key.strip()):
            document.problems.append(
                Problem(place, (), "not of the form key.sub[0]=value, such as figures.channels=16")
            )
            continue
        path: Where = tuple(int(step[1]) if step[1] is not None else step[0] for step in _STEP.finditer(key.strip()))
        problem = _set(document, path, value, place)
        if problem:
            document.problems.append(Problem(place, path, problem))


def _set(document: Document, path: Where, value: str, place: Place) -> str:
    """Sets the value; what stands in its way otherwise."""
    holder: Any = document.data
    for length, step in enumerate(path, start=1):
        here = path[: length - 1]
        if isinstance(step, int) and not (isinstance(holder, list) and step < len(holder)):
            count = len(holder) if isinstance(holder, list) else 0
            return f"{dotted(here)} has {count or 'no'} value{'' if count == 1 else 's'} in the file, counted from 0; set {dotted(here)} as a whole"
        if isinstance(step, str) and not isinstance(holder, dict):
            return f"{dotted(here)} holds no keys; set {dotted(here)} as a whole"
        if length == len(path):
            _forget(document, path)
            holder[step] = read_value(value, document, path, place)
        elif isinstance(step, int) or holder.get(step) is not None:
            holder = holder[step]
        else:
            document.places[path[:length]] = place
            holder[step] = holder = {}
    return ""


def _forget(document: Document, path: Where) -> None:
    """Drops what is known of the value that is replaced, its problems included."""
    for known in (document.places, document.numbers):
        for old in [each for each in known if each[: len(path)] == path]:
            del known[old]
    document.unread = {each for each in document.unread if each[: len(path)] != path}
    document.problems = [each for each in document.problems if each.path[: len(path)] != path]
