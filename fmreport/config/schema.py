"""The JSON schema of a config, and what it says of one setting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fmreport.config.reading import Where

Schema = Mapping[str, Any]

NOTHING = object()
"""What stands where nothing does."""

_OUTER = ("description", "default")
"""What a setting says of itself rather than its type."""


def schema_at(schema: Schema, data: object, path: Where) -> Schema:
    """The part of `schema` that speaks of `path` in `data`; empty where none does."""
    return _opened(_part_at(schema, data, path), schema, value_at(data, path))


def kinds_at(schema: Schema, data: object, path: Where) -> list[str]:
    """The kinds that the section at `path` can have."""
    return list(_part_at(schema, data, path)["discriminator"]["mapping"])


def value_at(data: object, path: Where) -> Any:
    """What stands at `path`; `NOTHING` where nothing does."""
    for step in path:
        if isinstance(data, Mapping):
            data = data.get(step, NOTHING)
        else:
            data = data[step] if isinstance(data, list) and isinstance(step, int) and step < len(data) else NOTHING
    return data


def _part_at(schema: Schema, data: object, path: Where) -> Schema:
    """As `schema_at`, with references, alternatives and kinds still closed."""
    part = schema
    for length, step in enumerate(path):
        here = _opened(part, schema, value_at(data, path[:length]))
        if isinstance(step, int):
            places = here.get("prefixItems", ())
            part = places[step] if step < len(places) else here.get("items", {})
        else:
            others = here.get("additionalProperties")
            part = here.get("properties", {}).get(step, others if isinstance(others, Mapping) else {})
    return part


def _opened(part: Schema, schema: Schema, data: object) -> Schema:
    """The part behind references, alternatives and kinds, with what the setting says of itself."""
    outer = {key: part[key] for key in _OUTER if key in part}
    while True:
        if "discriminator" in part:
            kind = value_at(data, ("kind",))
            part = {"$ref": part["discriminator"]["mapping"].get(kind, "")} if isinstance(kind, str) else {}
        elif "anyOf" in part:
            options = [option for option in part["anyOf"] if option.get("type") != "null"]
            lists = [option for option in options if option.get("type") == "array"]
            part = lists[0] if lists and isinstance(data, list) else options[0]
        elif "$ref" in part:
            part = schema["$defs"].get(part["$ref"].rpartition("/")[2], {})
        else:
            return {**part, **outer}
