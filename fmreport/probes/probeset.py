"""The probes of a run: what each is, known beforehand; its pixels, decoded each time they are asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import overload

import numpy as np

from fmreport.errors import ProbeError, nearest
from fmreport.facts import ProbeFact
from fmreport.media_types import UNKNOWN
from fmreport.probes.masks import Meaning, found
from fmreport.probes.outlines import Outline
from fmreport.probes.places import File, Place, digest
from fmreport.probes.reading import Decoder, decode_image, decode_levels
from fmreport.records import Probe

NEAREST = 12
"""Names that one message offers."""


@dataclass(frozen=True, slots=True)
class ProbeFile:
    """Where an image and its mask lie, and how the mask is read."""

    place: Place
    origin: str
    """The path from the config's folder, an address without credentials, or `skimage:cat`."""
    mask: Place | Outline | None = None
    mask_origin: str = ""
    meaning: Meaning = field(default_factory=Meaning)
    group: str | Callable[[], str] = ""
    """What it has in common with others, or what reads that, where it lies with the image."""
    called: str = ""
    """A name of its own; else its path gives it one."""

    def load(self, name: str) -> tuple[Probe, ProbeFact, frozenset[int]]:
        """The decoded probe, what the manifest says of it, and the values its mask file holds.

        Raises `ProbeError`, which names the file, for whatever makes the image or its mask unusable.
        """
        for each in (self.origin, self.mask_origin):
            if not each.isprintable():
                # Bytes that are no UTF-8, or control characters, which neither the tables nor the report could hold.
                raise ProbeError(f"{each!a} has a name that cannot be printed", fix="rename the file")
        image, sha256, size = _decoded(self.place, self.origin, decode_image)
        height, width = image.shape[:2]
        kind, group = self.place.media_type, self.group if isinstance(self.group, str) else self.group()
        fact = ProbeFact(name, self.origin, sha256, (height, width), bytes=size, media_type=kind, group=group)
        mask, values = None, frozenset[int]()
        if self.mask is not None:
            levels, mask_sha256, mask_size = self._levels(self.mask)
            self._same_size(levels.shape, (height, width))
            mask, values = self.meaning.apply(levels), found(levels)
            kind = UNKNOWN if isinstance(self.mask, Outline) else self.mask.media_type
            fact = replace(
                fact,
                has_mask=True,
                mask_origin=self.mask_origin,
                mask_sha256=mask_sha256,
                mask_bytes=mask_size,
                mask_media_type=kind,
            )
        return Probe(name, image, self.origin, sha256, mask), fact, values

    def _levels(self, mask: Place | Outline) -> tuple[np.ndarray, str, int]:
        """The mask's whole numbers; SHA-256 and bytes of its file, or of its pixels where they were drawn."""
        if isinstance(mask, Outline):
            levels = mask.levels()
            return levels, hashlib.sha256(levels.tobytes()).hexdigest(), levels.nbytes
        try:
            return _decoded(mask, self.mask_origin, decode_levels)
        except ProbeError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                raise self.no_mask() from error
            raise

    def no_mask(self) -> ProbeError:
        """The error for an image whose mask does not exist, or is no file."""
        kind = self.mask.instead() if isinstance(self.mask, File) else ""
        said = f"{self.mask_origin} is {kind}" if kind else f"there is no file {self.mask_origin}"
        return ProbeError(f"{self.origin} has no mask: {said}", fix="add the mask, or mend what names it")

    def _same_size(self, mask: tuple[int, ...], image: tuple[int, int]) -> None:
        if mask == image:
            return
        turned = (
            "; the image is turned upright by its EXIF orientation, and its mask has to be"
            if mask == image[::-1]
            else ""
        )
        fix = "a mask has the size of its image"
        if isinstance(self.mask, Outline):
            fix = "leave it out, with masks: false beside names, or install scikit-image 0.26, for which it was drawn"
        raise ProbeError(
            f"{self.mask_origin} is {mask[0]} × {mask[1]}, but its image {self.origin} is {image[0]} × {image[1]} "
            f"(height × width){turned}",
            fix=fix,
        )


@dataclass(frozen=True, slots=True)
class ProbeSet(Sequence[Probe]):
    """A sequence of probes that holds no pixels: indexing and iterating read them, one at a time."""

    facts: tuple[ProbeFact, ...]
    files: tuple[ProbeFile, ...]
    notes: tuple[str, ...] = ()
    """What was left out (`on_error: skip`): file and reason."""
    names: tuple[str, ...] = field(init=False, repr=False, compare=False)
    """The probes' names, in order, each once."""
    _numbers: dict[str, int] = field(init=False, repr=False, compare=False, default_factory=dict)
    """Where each name stands, once somebody asked for some by name."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(fact.name for fact in self.facts))

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups that probes are declared to belong to, each once, in the order in which they first appear."""
        return tuple(dict.fromkeys(fact.group for fact in self.facts if fact.group))

    @property
    def masks(self) -> list[tuple[str, str]]:
        """Of each probe its mask's SHA-256 and how the mask is read."""
        return [(fact.mask_sha256, repr(file.meaning)) for fact, file in zip(self.facts, self.files, strict=True)]

    def __len__(self) -> int:
        return len(self.facts)

    @overload
    def __getitem__(self, index: int) -> Probe: ...
    @overload
    def __getitem__(self, index: slice) -> ProbeSet: ...
    def __getitem__(self, index: int | slice) -> Probe | ProbeSet:
        """One probe, read from its file; or a part of the set, with nothing read."""
        if isinstance(index, slice):
            return ProbeSet(self.facts[index], self.files[index], self.notes)
        fact = self.facts[index]
        probe, now, _ = self.files[index].load(fact.name)
        if now != fact:
            raise ProbeError(f"{fact.origin} or its mask changed during the run", fix="run again")
        return probe

    def __iter__(self) -> Iterator[Probe]:
        return (self[index] for index in range(len(self)))

    def named(self, names: Sequence[str]) -> ProbeSet:
        """The probes of those names, in that order, with nothing read."""
        if not self._numbers:
            self._numbers.update((name, number) for number, name in enumerate(self.names))
        chosen = [self._numbers[name] for name in names]
        return ProbeSet(tuple(self.facts[n] for n in chosen), tuple(self.files[n] for n in chosen), self.notes)


def displayed(names: Sequence[str], display: Sequence[str] | None) -> tuple[str, ...]:
    """The probes whose maps are shown: those that the config names, in its order, else the first four.

    A `ProbeError` names what is not among `names`, with the nearest that are.
    """
    if display is None:
        return tuple(names[:4])
    known = set(names)
    for number, name in enumerate(display):
        if name not in known:
            raise ProbeError(f"display[{number}]: no probe is called {name!r}", fix=nearest(name, names, most=NEAREST))
    return tuple(dict.fromkeys(display))


def _decoded(place: Place, origin: str, decode: Decoder) -> tuple[np.ndarray, str, int]:
    """What a file holds; SHA-256 and number of its bytes, all of the same open file."""
    try:
        with _named(origin), place.open() as handle:
            sha256, size = digest(handle)
            return decode(handle), sha256, size
    except OSError as error:
        reason = error.strerror or str(error)
        raise ProbeError(f"{origin} cannot be opened: {reason}", fix="check the path and its permissions") from error


@contextmanager
def _named(origin: str) -> Iterator[None]:
    """Inside, a `ProbeError` that names no file gets this one's name."""
    try:
        yield
    except ProbeError as error:
        raise ProbeError(f"{origin} {error}", fix=error.fix) from error
