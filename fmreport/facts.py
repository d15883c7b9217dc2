"""What a run records of itself: the content of its manifest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

from pydantic import ConfigDict

DECISIVE = (
    "config", "model", "inputs", "preprocess", "probes", "measures", "versions", "code", "platform",
)  # fmt: skip
"""Facts that settle what a run finds: its ID is derived from them."""
UNDECISIVE = ("gate",)
"""Sections of the config that only judge what was found."""


@dataclass(frozen=True, slots=True)
class FileFact:
    """One file, or all files of a folder together."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(use_attribute_docstrings=True, extra="forbid")

    media_type: str
    bytes: int | None
    """Not known of a run of format 1."""
    sha256: str
    """Of the file's bytes; of a folder, over the names and bytes of its files in order."""


@dataclass(frozen=True, slots=True)
class InputFact:
    """What a run reads beside its probes."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(use_attribute_docstrings=True, extra="forbid")

    role: str
    """`model` (its file, folder or weights), `code` (modules that the config names), `probes` (a table that names
    images) or `template`."""
    path: str
    """As written in the config, without credentials; of a template, its path in the run's folder."""
    file: FileFact


@dataclass(frozen=True, slots=True)
class ProbeFact:
    """One probe: its image, and its mask where it has one."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(use_attribute_docstrings=True, extra="forbid")

    name: str
    origin: str
    """The image's path relative to the config, or `skimage:cat`."""
    sha256: str
    size: tuple[int, int]
    """Height and width of the file's image, in pixels."""
    has_mask: bool = False
    mask_origin: str = ""
    """The mask file's path relative to the config, or `fmreport outline: cat`; empty where there is none."""
    mask_sha256: str = ""
    """Of the mask file's bytes (of the mask's pixels where there is no file)."""
    bytes: int | None = None
    """Of the image's file; not known of a run of format 1."""
    media_type: str = ""
    mask_bytes: int | None = None
    mask_media_type: str = ""
    group: str = ""
    """What the probe has in common with some others, such as its class; empty where nothing is declared."""


@dataclass(frozen=True, slots=True)
class Platform:
    """What numbers were computed with, as far as it may decide their last digits."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(use_attribute_docstrings=True, extra="forbid")

    system: str
    """Operating system and architecture, such as `Linux x86_64`."""
    processor_features: tuple[str, ...]
    """Instruction sets that NumPy finds, such as AVX512F."""
    devices: tuple[str, ...]
    """Accelerators that TensorFlow uses; empty where it computes on the processor."""
    framework: dict[str, str]
    """How TensorFlow was built: its commit, its compiler and, where it has them, CUDA and cuDNN."""
    settings: dict[str, str]
    """What decides its rounding: determinism, TensorFloat-32, and the environment variables that choose kernels."""


@dataclass(frozen=True, slots=True)
class Repository:
    """The git repository that the config lies in."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(use_attribute_docstrings=True, extra="forbid")

    commit: str
    dirty: bool
    """Whether a file that git follows differs from that commit."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a run records about itself beside its tables: `manifest.json`."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(use_attribute_docstrings=True, extra="forbid")

    name: str
    release: str
    title: str
    config: dict[str, Any]
    """The config as resolved: every default written out, `batch` left out, which decides nothing."""
    model: dict[str, Any]
    """`kind`, `source` (path, name or handle), `sha256`, `framework` (e.g. `keras 3.15.1`), `parameters`,
    `signature` (which of a saved model's functions was opened; empty for others)."""
    preprocess: dict[str, Any]
    """What was done to every image, every value resolved."""
    probes: tuple[ProbeFact, ...]
    displayed: tuple[str, ...]
    """Names of the probes whose maps are shown."""
    channel_rule: str
    """A sentence: how the shown channels were chosen, and on which images."""
    versions: dict[str, str]
    """Packages whose versions decide what a run holds, and Python."""
    target: str = ""
    """What the model decides, as part of a sentence; empty where the config has no target."""
    score: str = ""
    """The one number per image that stands for it."""
    notes: tuple[str, ...] = field(default=())
    """Warnings a reader must see: skipped images, NaN or Inf, layers without a tap."""
    date: str = ""
    """ISO 8601 date that the config or SOURCE_DATE_EPOCH gives; empty where neither does."""
    command: str = ""
    """What makes the run again, where the config lies."""
    inputs: tuple[InputFact, ...] = ()
    taps: tuple[str, ...] = ()
    """Names of what was tapped, in the order in which the model runs."""
    measures: dict[str, int] = field(default_factory=dict)
    """Measures and analyses, and the version of what each computes."""
    columns: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)
    """Of every table each column: its unit, its meaning, and its source in the literature."""
    seeds: dict[str, int] = field(default_factory=dict)
    """What is drawn at random, and the seed of it."""
    code: str = ""
    """SHA-256 over fmreport's own modules and templates."""
    platform: Platform | None = None
    """Not known of a run of format 1."""
    repository: Repository | None = None
    """None where the config lies in no git repository."""
    licences: dict[str, str] = field(default_factory=dict)
    """As declared in the config: of the report, of the model, of the probes."""
    rendered: dict[str, str] = field(default_factory=dict)
    """Versions of the packages, and fmreport's code, that made the reports; those above measured."""
    numbers: dict[str, float | None] = field(default_factory=dict)
    """Key numbers of the whole run, for lists of many runs; None where one is undefined."""

    @property
    def id(self) -> str:
        """SHA-256 over what decides the run's results: two runs of one ID have the same tables."""
        content = asdict(self)
        content["config"] = {key: value for key, value in self.config.items() if key not in UNDECISIVE}
        # Without a group as before there were groups, so that older runs keep their ID.
        content["probes"] = [{k: v for k, v in probe.items() if v or k != "group"} for probe in content["probes"]]
        return digest({name: content[name] for name in DECISIVE})


def digest(content: Mapping[str, Any]) -> str:
    """SHA-256 over JSON content, whatever the order of its keys."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
