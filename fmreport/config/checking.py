"""What the checks found, in plain sentences: where, what was found, what is expected."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from pydantic_core import ErrorDetails

from fmreport.config.base import PATTERNS
from fmreport.config.reading import BEYOND, Document, Problem, Where
from fmreport.config.schema import NOTHING, Schema, kinds_at, schema_at, value_at
from fmreport.errors import ConfigError, nearest

_TYPES = {
    "bool_type": "true or false",
    "dict_type": "a mapping (key: value)",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_type": "a whole number",
    "mapping_type": "a mapping (key: value)",
    "model_attributes_type": "a mapping (key: value)",
    "model_type": "a mapping (key: value)",
    "string_type": "text",
    "tuple_type": "a list",
}
"""What a setting expects, by the type of the error."""

_BOUNDS = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "at least"),
    "less_than_equal": ("le", "at most"),
}


def settle(document: Document, schema: Schema) -> None:
    """Keeps numbers as written where the schema wants text; elsewhere refuses what is too large or not finite."""
    for path, written in document.numbers.items():
        number = value_at(document.data, path)
        if "string" in schema_at(schema, document.data, path).get("type", ""):
            value_at(document.data, path[:-1])[path[-1]] = written
        elif isinstance(number, int | float) and not (math.isfinite(number) and abs(number) < BEYOND):
            refused = document.refuse(path, f"the number {_found(written)} is too large, or not finite")
            value_at(document.data, path[:-1])[path[-1]] = refused


def translate(errors: Sequence[ErrorDetails], document: Document, schema: Schema) -> list[Problem]:
    """The problems that the errors stand for, without those of values that could not be read."""
    problems = []
    for error in errors:
        path = _path(error, document.data)
        unread = any(path[:length] in document.unread for length in range(len(path) + 1))
        if not unread and not _follows(error, value_at(document.data, path)):
            problems.append(Problem(document.place(path), path, _sentence(error, path, document.data, schema)))
    return problems


def stop_at(problems: Sequence[Problem]) -> None:
    """Raises one `ConfigError` for all problems, a line each, in the order of the file; for none it does nothing."""
    if not problems:
        return
    ordered = sorted(dict.fromkeys(problems), key=lambda problem: problem.place.order)
    lines = [f"{place.shown}: {f'{dotted(path)}: ' if path else ''}{text}" for place, path, text in ordered]
    raise ConfigError(
        "\n".join(lines),
        fix=f"mend {'this line' if len(lines) == 1 else f'these {len(lines)} problems'}; "
        "`fmreport schema` lists every key, `fmreport new MODEL` prints a whole config",
    ) from None


def dotted(path: Where) -> str:
    """The path as in a message: `layers[2].name`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def is_unknown(path: Where, data: object, schema: Schema) -> bool:
    """Whether `path` ends in a key that its section does not have."""
    known = schema_at(schema, data, path[:-1]).get("properties")
    return known is not None and path[-1] not in known


def unknown(path: Where, data: object, schema: Schema) -> str:
    """What to say of such a key: the nearest that there are, or the section that has it."""
    known = schema_at(schema, data, path[:-1]).get("properties", {})
    key = str(path[-1])
    homes = [name for name in schema["properties"] if key in schema_at(schema, data, (name,)).get("properties", {})]
    advice = nearest(key, known)
    if homes and advice.startswith("one of"):
        return f"unknown key; it stands under {homes[0]}: {homes[0]}.{key}"
    return f"unknown key; {advice}"


def _follows(error: ErrorDetails, value: object) -> bool:
    """Whether the error only follows from another: a default that rests on it, a list emptied of its faulty values."""
    return error["type"] == "default_factory_not_called" or (error["type"] == "too_short" and value != [])


def _path(error: ErrorDetails, data: object) -> Where:
    """The path in the user's data, from pydantic's own."""
    loc = error["loc"]
    # Behind a section that has kinds, pydantic puts the kind.
    kind_at = {"engine": 1, "model": 1, "probes": 2}.get(str(loc[0])) if loc else None
    path = tuple(step for number, step in enumerate(loc) if number != kind_at)
    # Positions that nobody wrote: a single number that stands for a list, the end of a list that is too short.
    while path and isinstance(path[-1], int) and value_at(data, path) is NOTHING:
        path = path[:-1]
    return (*path, "kind") if error["type"].startswith("union_tag") else path


def _sentence(error: ErrorDetails, path: Where, data: object, schema: Schema) -> str:
    here, found, context = schema_at(schema, data, path), error["input"], error.get("ctx", {})
    special: dict[str, Callable[[], str]] = {
        "extra_forbidden": lambda: unknown(path, data, schema),
        "missing": lambda: _missing(error, here, value_at(data, path)),
        "union_tag_not_found": lambda: f"missing; one of: {', '.join(kinds_at(schema, data, path[:-1]))}",
        "union_tag_invalid": lambda: _no_such(value_at(data, path), kinds_at(schema, data, path[:-1])),
        "literal_error": lambda: _no_such(found, here["enum"]),
        "value_error": lambda: str(context["error"]),
        "string_pattern_mismatch": lambda: f"expected {PATTERNS[context['pattern']]}; found {_found(found)}",
        "string_too_short": lambda: "expected some text, found none",
        "string_too_long": lambda: f"expected at most {context['max_length']} letters, found {len(found)}",
        "too_short": lambda: "expected at least one value, found none",
        "too_long": lambda: _length(here, value_at(data, path)),
    }
    if error["type"] in special:
        return special[error["type"]]()
    if error["type"] in _TYPES:
        kind = "text " if isinstance(found, str) else ""
        default = "; leave the key out to get its default" if found is None and "default" in here else ""
        return f"expected {_TYPES[error['type']]}, found {kind}{_found(found)}{default}"
    if error["type"] in _BOUNDS:
        key, words = _BOUNDS[error["type"]]
        low, high = here.get("minimum"), here.get("maximum")
        limits = f"{words} {context[key]:g}" if low is None or high is None else f"{low} to {high}"
        return f"expected {limits}, found {_found(found)}"
    return f"{_found(found)} does not fit here"


def _missing(error: ErrorDetails, here: Schema, value: object) -> str:
    if isinstance(error["loc"][-1], int):
        return _length(here, value)
    return f"missing: {here['description']}"


def _length(here: Schema, value: object) -> str:
    low, high = here["minItems"], here["maxItems"]
    found = len(value) if isinstance(value, list) else 1
    return f"expected {high if low == high else f'at most {high}'} values, found {found}"


def _no_such(value: object, words: Sequence[str]) -> str:
    if isinstance(value, str):
        return f"{_found(value)} is not known; {nearest(value, words)}"
    return f"expected one of: {', '.join(words)}; found {_found(value)}"


def _found(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:56]}...{text[-1]}"
