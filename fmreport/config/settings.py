"""A whole config: its settings, and where each was written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, PrivateAttr, ValidationError

from fmreport.config.base import DOI, Date, Distinct, FolderName, Section, Text
from fmreport.config.checking import settle, stop_at, translate
from fmreport.config.engine import Engine, LocalEngine
from fmreport.config.gate import GateSection
from fmreport.config.models import Model
from fmreport.config.overrides import lay_over
from fmreport.config.probes import Probes
from fmreport.config.reading import Document, read_python, read_yaml
from fmreport.config.sections import (
    Author,
    ControlsSection,
    FiguresSection,
    MeasuresSection,
    PreprocessSection,
    ReportSection,
    Selector,
    TargetSection,
)
from fmreport.errors import FILES, ConfigError, nearest

UNDECIDING = ("batch", "engine")
"""Settings on which no result depends."""
UNNAMED = Path("CONFIG")
"""Stands for the file's name in messages about settings that came from Python."""

Selectors = tuple[Selector, ...]


@dataclass(frozen=True)
class Origin:
    """Where the settings came from."""

    source: Path = UNNAMED
    folder: Path = Path()
    document: Document | None = None
    overrides: tuple[str, ...] = ()


class Config(Section):
    """What a run is to do."""

    name: FolderName = Field(description="name of the model's reports; a run lands in reports/<name>/<release>/")
    release: FolderName = Field(
        default="v1",
        description="which release of the model this is; numbers are kept as written",
        json_schema_extra={"type": ["string", "number"]},
    )
    title: Text = Field(
        default_factory=lambda data: str(data.get("name", "untitled")), description="the report's title; default: name"
    )
    authors: tuple[Author, ...] = Field(default=(), description="who stands behind the run")
    abstract: Text | None = Field(default=None, description="a paragraph for the report's first page")
    licence: Text | None = Field(default=None, description="licence of the report, such as CC-BY-4.0")
    date: Date | None = Field(
        default=None, description="the report's date, such as 2026-11-21; default: SOURCE_DATE_EPOCH"
    )
    doi: str | None = Field(
        None, pattern=DOI, description="DOI of the model or the paper, such as 10.5281/zenodo.1234567"
    )
    model: Model = Field(description="the model and where it comes from")
    preprocess: PreprocessSection = Field(
        default=PreprocessSection(), description="what is done to an image before the model sees it"
    )
    probes: tuple[Probes, ...] = Field(min_length=1, description="the images that the model is shown")
    display: Distinct[Text] | None = Field(
        default=None, description="names of the probes whose maps are shown; default: the first four"
    )
    layers: Selectors = Field(
        default=(
            Selector(type="*Conv*"),
            Selector(type="*ReLU*", optional=True),
            Selector(type="Activation", optional=True),
        ),
        min_length=1,
        description="which layers are tapped: what any entry selects",
    )
    exclude: Selectors = Field(default=(), description="which of these are left out again")
    target: TargetSection | None = Field(default=None, description="what the model decides; default: nothing is asked")
    measures: MeasuresSection = Field(default=MeasuresSection(), description="what is measured beside what always is")
    controls: ControlsSection = Field(default=ControlsSection(), description="what the model is measured against")
    figures: FiguresSection = Field(default=FiguresSection(), description="which channels are shown, and how")
    report: ReportSection = Field(default=ReportSection(), description="what is written")
    gate: GateSection | None = Field(
        default=None, description="limits that the run is held to when it is written; default: none"
    )
    batch: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="images at a time; default: as many as fit into memory_mb"
    )
    memory_mb: int = Field(default=1024, ge=1, description="memory that activations may take, in megabytes")
    engine: Engine = Field(default=LocalEngine(kind="local"), description="who works on the probes; default: local")
    seed: int = Field(default=0, ge=0, le=2**32 - 1, description="seed of all that is drawn at random")

    _origin: Origin = PrivateAttr(default_factory=Origin)

    @property
    def source(self) -> Path:
        """The file as it was given to `load`; `CONFIG` where the settings came from Python."""
        return self._origin.source

    @property
    def folder(self) -> Path:
        """The folder that paths in the config count from, absolute."""
        return self._origin.folder

    @property
    def overrides(self) -> tuple[str, ...]:
        """What was laid over the file, each as `key=value`."""
        return self._origin.overrides

    def detached(self) -> Config:
        """The same settings without their text, for another process; messages there name the file alone."""
        other = self.model_copy()
        other._origin = replace(self._origin, document=None)
        return other

    def resolve(self, text: str) -> Path:
        """The path that a text in the config means. `builtin:NAME` is no path."""
        return self.folder / text

    def where(self, *path: str | int) -> str:
        """Where a setting was written: `file:line` or `--set key=value`.

        `where("layers", 2)` is the third selector. For a default, which is written nowhere, it is where the
        section around it is written, else the file alone.
        """
        document = self._origin.document
        return str(self.source) if document is None else document.place(path).shown

    def resolved(self) -> dict[str, Any]:
        """Every setting, defaults written out, ready for JSON; `from_dict` makes the same config of it.

        What no result depends on is left out: `batch` and `engine`. Absolute paths become relative to the config's
        folder, or `.../` and their last name.
        """
        return self.model_dump(mode="json", context={"folder": self.folder}, exclude=set(UNDECIDING))


def load(path: Path | str, overrides: Sequence[str] = ()) -> Config:
    """The config in a YAML file, with overrides `key.sub[0].x=value` laid over it.

    A `ConfigError` tells every problem at once, each with its file and line.
    """
    document = read_yaml(_text(Path(path)), str(path))
    lay_over(document, overrides, json_schema())
    return _checked(document, Origin(Path(path), Path(path).absolute().parent, document, tuple(overrides)))


def from_dict(data: Mapping[str, Any], folder: Path | str) -> Config:
    """The config in Python data, as YAML would say it; paths count from `folder`. Raises `ConfigError`."""
    return _checked(read_python(data, str(UNNAMED)), Origin(UNNAMED, Path(folder).absolute()))


@cache
def json_schema() -> dict[str, Any]:
    """The JSON schema of a config, for an editor's completion; do not change it."""
    schema = Config.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "fmreport config"}


def _checked(document: Document, origin: Origin) -> Config:
    settle(document, json_schema())
    try:
        # As JSON, because there strictness still takes a list for a tuple.
        config = Config.model_validate_json(json.dumps(document.data))
    except ValidationError as error:
        found = translate(error.errors(include_url=False), document, json_schema())
        stop_at([*document.problems, *found])
        raise
    stop_at(document.problems)
    config._origin = origin
    return config


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError(
            f"{path}:{line}: not UTF-8 text (byte 0x{error.object[error.start]:02x})", fix="save the file as UTF-8"
        ) from None
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file", fix=_instead(path.parent, path.name)) from None
    except IsADirectoryError:
        raise ConfigError(f"{path}: a folder, not a config", fix=_instead(path, path.name)) from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}", fix="name a YAML file that can be read") from None


def _instead(folder: Path, name: str) -> str:
    """The configs that may have been meant."""
    names = sorted(each.name for each in folder.glob("*.y*ml")) if folder.is_dir() else []
    if not names:
        return "`fmreport new MODEL` prints a config to start from"
    return f"name a YAML file in {folder}; {nearest(name, names, most=FILES)}"
