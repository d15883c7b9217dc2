"""The manifest of a run as a file: written, read whatever its format, checked, and its JSON schema.

It ends in the SHA-256 of itself, so that it can be told to be whole without any other file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from pathlib import PurePosixPath
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from fmreport.errors import StoreError
from fmreport.facts import Facts, FileFact, ProbeFact, ProbeTable, Reading, digest
from fmreport.media_types import media_type

FILE = "manifest.json"
FORMAT = 2
"""Version of the manifest; those before it are read as well."""
FACTS = tuple(each.name for each in fields(Facts))
PROBES: Final = "tables/probes.parquet"
"""The probes of a run that has more of them than a manifest lists."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a manifest says."""

    facts: Facts
    outputs: dict[str, FileFact]
    """Every other file of the run by its path, but those that tell of one execution."""
    format: int
    """In which it was written."""
    id: str
    """As it stands there; empty in format 1, which had none."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """The files of a manifest."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(use_attribute_docstrings=True)

    outputs: dict[str, FileFact]
    """Every other file of the run by its path, but those that tell of one execution."""


@dataclass(frozen=True, slots=True)
class InTable:
    """Where the probes of a run are listed that has very many: a row each, a column for each of their entries."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(use_attribute_docstrings=True, extra="forbid")

    table: Literal["tables/probes.parquet"]
    """Among the outputs; its columns `height` and `width` are the entry `size`."""
    images: Annotated[int, Field(ge=0)]
    """How many probes there are."""
    masks: Annotated[int, Field(ge=0)]
    """How many of them have a mask."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The entry of probes that are in a table."""

    probes: InTable


def written(facts: Facts, outputs: Mapping[str, FileFact]) -> bytes:
    """The file: its own SHA-256 last."""
    listed = {path: asdict(outputs[path]) for path in sorted(outputs)}
    probes = facts.probes
    told = InTable(PROBES, len(probes), probes.masks) if isinstance(probes, ProbeTable) else None
    among = {"probes": asdict(told) if told else [asdict(each) for each in probes]}
    content = {**dict.fromkeys(FACTS), **facts.without_probes(), **among}
    return sealed({"format": FORMAT, "id": facts.id, **content, "outputs": listed})


def sealed(content: Mapping[str, Any]) -> bytes:
    """JSON content with its own SHA-256, which is that of the content without it, in the one form that has it."""
    whole = {**content, "sha256": digest(json.loads(json.dumps(content)))}
    return (json.dumps(whole, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "surrogatepass")


def is_sealed(data: bytes) -> bool:
    """Whether a file is, to the byte, what `sealed` made."""
    try:
        content = json.loads(data)
        content.pop("sha256")
        return data == sealed(content)
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        return False


def _unread(images: int) -> Reading:
    """For who reads a manifest alone."""

    def read(_places: range, _names: Collection[str] | None) -> Iterator[ProbeFact]:
        told = f"the {images:,} probes lie in {PROBES}, and the manifest was read alone"
        raise StoreError(told, fix="open the run's folder")

    return read


def read(data: bytes, named: str, probes: Callable[[int], Reading] = _unread) -> Manifest:
    """The manifest in a file that messages call `named`; raises `StoreError` where it is none.

    `probes` gives what reads the table of so many probes, where the run has one and somebody asks.
    """
    try:
        content = json.loads(data)
    except ValueError as error:
        raise StoreError(f"{named} cannot be read: {error}", fix=RESTORE) from error
    except RecursionError as error:
        raise StoreError(f"{named} cannot be read: it is nested too deeply", fix=RESTORE) from error
    if not isinstance(content, dict) or not isinstance(content.get("format"), int):
        raise StoreError(f"{named} is no manifest of a run", fix="give a folder that a run wrote")
    found = content["format"]
    if found != FORMAT and found not in OLDER:
        raise StoreError(
            f"{named} has format {found}, and this version reads up to {FORMAT}", fix="read it with a newer fmreport"
        )
    try:
        return _checked(OLDER[found](content) if found in OLDER else content, found, named, probes)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise StoreError(f"{named}: {place}: {first['msg']}", fix=RESTORE) from error
    except (KeyError, TypeError, AttributeError) as error:
        raise StoreError(f"{named} cannot be read: it has no {error}", fix=RESTORE) from error


RESTORE = "restore it, or run it again"


def _checked(content: Mapping[str, Any], found: int, named: str, probes: Callable[[int], Reading]) -> Manifest:
    told = {name: value for name, value in content.items() if name not in ("format", "id", "outputs", "sha256")}
    listed = TypeAdapter(Outputs).validate_python({"outputs": content["outputs"]})
    for path in map(PurePosixPath, listed.outputs):
        if path.is_absolute() or ".." in path.parts:
            raise StoreError(f"{named}: outputs.{path} leads out of the run", fix=RESTORE)
    facts = _facts(told, probes)
    if isinstance(facts.probes, ProbeTable) and PROBES not in listed.outputs:
        raise StoreError(f"{named}: probes: {PROBES} is not among the outputs", fix=RESTORE)
    return Manifest(facts, listed.outputs, found, str(content.get("id", "")))


def _facts(told: dict[str, Any], reading: Callable[[int], Reading]) -> Facts:
    probes = told.get("probes")
    if isinstance(probes, list):
        # As they are kept.
        return _adapter().validate_python(told | {"probes": tuple(probes)})
    if not isinstance(probes, dict):
        return _adapter().validate_python(told)
    where = TypeAdapter(Elsewhere).validate_python({"probes": probes}).probes
    facts = _adapter().validate_python(told | {"probes": ()})
    return replace(facts, probes=ProbeTable(where.images, where.masks, reading(where.images)))


def _of_format_1(content: Mapping[str, Any]) -> dict[str, Any]:
    """Outputs had a hash alone, and of the files that were read little was told."""
    kept = {name: value for name, value in content.items() if name in FACTS}
    outputs = {
        path: {"media_type": media_type(path), "bytes": None, "sha256": sha256}
        for path, sha256 in content["outputs"].items()
    }
    return {**kept, "outputs": outputs}


OLDER: dict[int, Callable[[Mapping[str, Any]], dict[str, Any]]] = {1: _of_format_1}
"""What makes a manifest of today's format of an older one's content."""


@cache
def json_schema() -> dict[str, Any]:
    """The JSON schema of a manifest of today's format; do not change it."""
    schema = _adapter().json_schema()
    outputs, elsewhere = (TypeAdapter(each).json_schema() for each in (Outputs, Elsewhere))
    own = {
        "format": {"const": FORMAT, "description": "version of the manifest"},
        "id": {"type": "string", "pattern": "^[0-9a-f]{64}$", "description": "SHA-256 over what decides the results"},
        **outputs["properties"],
        "sha256": {
            "type": "string",
            "pattern": "^[0-9a-f]{64}$",
            "description": "of the manifest without this entry, as JSON with sorted keys and without spaces",
        },
    }
    probes = {"anyOf": [schema["properties"]["probes"], elsewhere["properties"]["probes"]]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "fmreport manifest",
        "properties": {**own, **schema["properties"], "probes": probes},
        # A file holds everything, defaults too.
        "required": [*own, *schema["properties"]],
        "$defs": {**schema["$defs"], **outputs["$defs"], **elsewhere["$defs"]},
    }


@cache
def _adapter() -> TypeAdapter[Facts]:
    return TypeAdapter(Facts)
