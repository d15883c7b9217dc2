"""What all sections of a config share: strictness, and the kinds of text that a setting can hold."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    PlainSerializer,
    SerializationInfo,
)

T = TypeVar("T")
Items = TypeVar("Items", bound=Sequence[Any])

FOLDER_NAME = r"^[A-Za-z0-9_-][A-Za-z0-9._-]*$"
ARCHIVED = r"^([A-Za-z0-9_-][A-Za-z0-9._-]*/)?[A-Za-z0-9_-][A-Za-z0-9._-]*$"
IMPORTED = r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$"
CLASS_NAME = r"^[A-Za-z]\w*$"
SHA256 = r"^[0-9a-fA-F]{64}$"
ORCID = r"^\d{4}-\d{4}-\d{4}-\d{3}[\dX]$"
DATE = r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$"
DOI = r"^10\.\d{4,9}/\S+$"
FILE = "file://"
WITH_STEM = r"\{stem\}"
ADDRESS = r"^(auto|local|(ray://)?[^\s:/]+:[0-9]{1,5})$"
PARENT = r"^\{parent\}$"

PATTERNS = {
    FOLDER_NAME: "letters, digits, dots, _ and -, with no dot in front",
    ARCHIVED: "a release such as v1, or name/release of a run in the same archive",
    IMPORTED: "module:name, such as my_module:make_model",
    CLASS_NAME: "a name from keras.applications, such as ResNet50V2",
    SHA256: "the 64 hexadecimal digits of a SHA-256",
    ORCID: "an ORCID iD, such as 0000-0002-1825-0097",
    DATE: "a date, such as 2026-11-21",
    DOI: "a DOI, such as 10.5281/zenodo.1234567",
    ADDRESS: "auto, local, or host:port of a cluster, such as 10.0.0.1:6379",
    WITH_STEM: "a path that holds {stem}, such as masks/{stem}.png",
    PARENT: "{parent}, the name of the folder that an image lies in",
}
"""Each pattern in words, for a message."""


class Section(BaseModel):
    """A part of a config: frozen, without unknown keys, and nothing is converted (`"5"` is no number)."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def portable(text: str, folder: Path | None) -> str:
    """The path text without what is true of one machine only.

    An absolute path becomes relative to `folder` where it lies inside, else `.../` and its last name; any other text
    stays as it is.
    """
    if text.startswith(FILE):
        return f"{FILE}{portable(text.removeprefix(FILE), folder)}"
    if folder is not None and Path(text).is_absolute() and Path(text).is_relative_to(folder):
        return Path(text).relative_to(folder).as_posix()
    for path in (PurePosixPath(text), PureWindowsPath(text)):
        if path.is_absolute():
            return f".../{path.name}"
    return text


def _portable_path(text: str, info: SerializationInfo) -> str:
    return portable(text, (info.context or {}).get("folder"))


def _portable_value(value: JsonValue, info: SerializationInfo) -> JsonValue:
    if isinstance(value, str):
        return _portable_path(value, info)
    if isinstance(value, list):
        return [_portable_value(each, info) for each in value]
    if isinstance(value, dict):
        return {key: _portable_value(each, info) for key, each in value.items()}
    return value


def _one_or_many(value: object) -> object:
    if isinstance(value, list):
        return tuple(value)
    return value if value is None or isinstance(value, dict | tuple) else (value,)


def one_or_many(kind: Any) -> BeforeValidator:
    """Lets a single value of a setting's `kind` stand for a list of one."""
    return BeforeValidator(_one_or_many, json_schema_input_type=kind | list[kind])


def _side_or_sides(value: object) -> object:
    if isinstance(value, list):
        return tuple(value)
    return (value, value) if isinstance(value, int) else value


def _distinct(items: Items) -> Items:
    seen = set()
    for item in items:
        if item in seen:
            raise ValueError(f"{item!r} is listed twice")
        seen.add(item)
    return items


def _of_the_calendar(text: str) -> str:
    try:
        date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"expected a day of the calendar, such as 2026-11-21; found {text!r}") from None
    return text


Text = Annotated[str, Field(min_length=1)]
Date = Annotated[str, Field(pattern=DATE), AfterValidator(_of_the_calendar)]
FolderName = Annotated[str, Field(pattern=FOLDER_NAME, max_length=100)]
Imported = Annotated[str, Field(pattern=IMPORTED)]
Sha256 = Annotated[str, Field(pattern=SHA256)]
PathText = Annotated[str, Field(min_length=1), PlainSerializer(_portable_path)]
"""A path as written; `Config.resolve` makes it a `Path`."""
Value = Annotated[JsonValue, PlainSerializer(_portable_value)]
"""Anything that YAML can say: text, numbers, true, false, null, lists and mappings of these."""
Positive = Annotated[int, Field(ge=1)]
Level = Annotated[int, Field(ge=0, le=65535)]
Distinct = Annotated[tuple[T, ...], Field(min_length=1), AfterValidator(_distinct)]
"""At least one value, none twice."""
AnyDistinct = Annotated[tuple[T, ...], AfterValidator(_distinct)]
"""Values of which none stands twice; none at all will do."""
Positives = Annotated[Distinct[Positive], one_or_many(Positive)]
Levels = Annotated[tuple[Level, ...], AfterValidator(_distinct), one_or_many(Level)]
Size = Annotated[
    tuple[Positive, Positive],
    BeforeValidator(_side_or_sides, json_schema_input_type=Positive | tuple[Positive, Positive]),
]
"""(height, width) in pixels; one number stands for both."""
