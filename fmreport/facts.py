"""What a run records of itself: the content of its manifest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from itertools import islice
from typing import Any, ClassVar, overload

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
    """Of the file's bytes; of a folder, or of a model with data in files beside it, over the names and bytes of all
    files in order."""


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


Reading = Callable[[range, Collection[str] | None], Iterator[ProbeFact]]
"""Reads the probes of places that follow one another; of these only those of the names, where there are names."""


class ProbeTable(Sequence[ProbeFact]):
    """Probes that are too many for a manifest: they lie in a table and are read when they are asked for, none kept."""

    def __init__(self, images: int, masks: int, read: Reading) -> None:
        self._images, self._read = images, read
        self.masks = masks
        """How many of them have a mask."""

    def __len__(self) -> int:
        return self._images

    @overload
    def __getitem__(self, place: int) -> ProbeFact: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[ProbeFact, ...]: ...
    def __getitem__(self, place: int | slice) -> ProbeFact | tuple[ProbeFact, ...]:
        if isinstance(place, slice):
            places = range(self._images)[place]
            return tuple(self._read(places, None)) if places.step == 1 else tuple(self)[place]
        at = range(self._images)[place]
        return next(self._read(range(at, at + 1), None))

    def __iter__(self) -> Iterator[ProbeFact]:
        return self._read(range(self._images), None)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ProbeTable | tuple):
            return NotImplemented
        return len(self) == len(other) and all(one == another for one, another in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def named(self, names: Collection[str]) -> Iterator[ProbeFact]:
        """Those of these names, in their own order."""
        return self._read(range(self._images), names)


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


@dataclass(frozen=True)
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
    probes: Sequence[ProbeFact]
    """Every image, with its mask where it has one; those of a run that has very many lie in a table."""
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

    @cached_property
    def id(self) -> str:
        """SHA-256 over what decides the run's results: two runs of one ID have the same tables."""
        content = {name: value for name, value in self.without_probes().items() if name in DECISIVE}
        content["config"] = {key: value for key, value in self.config.items() if key not in UNDECISIVE}
        # As `digest` makes it, piece by piece: of very many probes the whole would be large.
        hashed, before = hashlib.sha256(), "{"
        for name in sorted({*content, "probes"}):
            hashed.update(f'{before}"{name}":'.encode())
            for piece in _listed(self.probes) if name == "probes" else (compact(content[name]),):
                hashed.update(piece.encode("utf-8", "surrogatepass"))
            before = ","
        hashed.update(b"}")
        return hashed.hexdigest()

    @property
    def maps(self) -> int | None:
        """Of about how many images maps were to be measured; None: of all, as long as there was no such setting."""
        wanted = (self.config.get("measures") or {}).get("maps")
        return wanted if isinstance(wanted, int) else None

    @property
    def masks(self) -> int:
        """How many probes have a mask."""
        if isinstance(self.probes, ProbeTable):
            return self.probes.masks
        return sum(probe.has_mask for probe in self.probes)

    def named(self, names: Collection[str]) -> dict[str, ProbeFact]:
        """The probes of these names, as far as there are such."""
        if isinstance(self.probes, ProbeTable):
            return {probe.name: probe for probe in self.probes.named(names)}
        return {probe.name: probe for probe in self.probes if probe.name in names}

    def without_probes(self) -> dict[str, Any]:
        """All but the probes, as plain data."""
        told = asdict(replace(self, probes=()))
        del told["probes"]
        return told


_OF_PROBES = tuple(sorted(each.name for each in fields(ProbeFact)))
_PIECE = 1000
"""Probes that are written at once."""


def _listed(probes: Sequence[ProbeFact]) -> Iterator[str]:
    """A list of probes as compact JSON, in pieces."""
    before, left = "[", iter(probes)
    while some := tuple(islice(left, _PIECE)):
        told = [{name: getattr(probe, name) for name in _OF_PROBES} for probe in some]
        for each in told:
            # Without a group as before there were groups, so that older runs keep their ID.
            if not each["group"]:
                del each["group"]
        yield before + compact(told)[1:-1]
        before = ","
    yield "]" if probes else "[]"


def compact(content: Any) -> str:
    """JSON in the one form that is hashed, whatever the order of keys."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(content: Mapping[str, Any]) -> str:
    """SHA-256 over JSON content, whatever the order of its keys."""
    return hashlib.sha256(compact(content).encode("utf-8", "surrogatepass")).hexdigest()
