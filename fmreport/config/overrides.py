"""`--set key.sub[0].x=value`: settings from the command line, laid over the file's."""

from __future__ import annotations

import re
from collections.abc import Sequence

from fmreport.config.checking import dotted, is_unknown, unknown
from fmreport.config.reading import Document, Place, Problem, Where, read_value
from fmreport.config.schema import NOTHING, Schema, value_at

_STEPS = re.compile(r"[^\s.\[\]=]+(\.[^\s.\[\]=]+|\[\d{1,6}\])*")
_STEP = re.compile(r"\[(\d+)\]|[^.\[\]]+")
_BEHIND = 1_000_000_000
"""Places of overrides sort behind every line of a file."""


def lay_over(document: Document, overrides: Sequence[str], schema: Schema) -> None:
    """Sets each `path=value`, read as YAML; what cannot be set goes to the document's problems.

    Keys that the schema does not have are set all the same: the check of the whole tells them.
    """
    for number, text in enumerate(overrides):
        place = Place(_BEHIND + number, f"--set {text}")
        key, equals, value = text.partition("=")
        if not equals or not _STEPS.fullmatch(key.strip()):
            document.problems.append(
                Problem(place, (), "not of the form key.sub[0]=value, such as figures.channels=16")
            )
            continue
        path: Where = tuple(int(step[1]) if step[1] is not None else step[0] for step in _STEP.finditer(key.strip()))
        at, obstacle = _obstacle(document, path, place)
        if not obstacle:
            _forget(document, path)
            value_at(document.data, path[:-1])[path[-1]] = read_value(value, document, path, place)
        elif is_unknown(at, document.data, schema):
            document.problems.append(Problem(place, at, unknown(at, document.data, schema)))
        else:
            document.problems.append(Problem(place, path, f"{obstacle}; set {dotted(at)} as a whole"))


def _obstacle(document: Document, path: Where, place: Place) -> tuple[Where, str]:
    """Where something stands in the way of setting `path`, and what; sections that are missing on the way are made."""
    for length, step in enumerate(path):
        at, holder = path[:length], value_at(document.data, path[:length])
        if isinstance(step, int):
            count = len(holder) if isinstance(holder, list) else 0
            if step >= count:
                return at, f"{dotted(at)} has {f'{count} in the file, counted from 0' if count else 'none in the file'}"
        elif holder is None or holder is NOTHING:
            document.places[at] = place
            value_at(document.data, at[:-1])[at[-1]] = {}
        elif not isinstance(holder, dict):
            return at, f"{dotted(at)} holds no keys"
    return path, ""


def _forget(document: Document, path: Where) -> None:
    """Drops what is known of the value that is replaced, its problems included."""
    for known in (document.places, document.numbers):
        for old in [each for each in known if each[: len(path)] == path]:
            del known[old]
    document.unread = {each for each in document.unread if each[: len(path)] != path}
    document.problems = [each for each in document.problems if each.path[: len(path)] != path]
