"""`diff.json`: the record of a comparison field by field, and the JSON schema that says what each field means."""

from __future__ import annotations

import json
from dataclasses import asdict, is_dataclass
from typing import Any

from pydantic import ConfigDict, TypeAdapter

from fmreport.compare import align, comparison
from fmreport.compare.comparison import Comparison


def as_json(found: Comparison) -> bytes:
    """The whole comparison; the same bytes for the same runs."""
    return (json.dumps(asdict(found), indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8")


def json_schema() -> dict[str, Any]:
    """The shape of what `as_json` writes, each field with its docstring."""
    schema = _adapter().json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _adapter() -> TypeAdapter[Comparison]:
    for module in (align, comparison):
        for record in vars(module).values():
            if isinstance(record, type) and is_dataclass(record):
                record.__pydantic_config__ = ConfigDict(use_attribute_docstrings=True, extra="forbid")  # type: ignore[attr-defined]
    return TypeAdapter(Comparison)
