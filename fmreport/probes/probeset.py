"""The probes of a run: what each is, known beforehand; its pixels, decoded each time they are asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import overload

import numpy as np

from fmreport.errors import ProbeError, nearest
from fmreport.facts import ProbeFact
from fmreport.media_types import UNKNOWN, media_type
from fmreport.probes.masks import Meaning, found
from fmreport.probes.outlines import Outline
from fmreport.probes.reading import Decoder, decode_image, decode_levels
from fmreport.records import Probe


@dataclass(frozen=True, slots=True)
class ProbeFile:
    """Where an image and its mask lie, and how the mask is read."""

    path: Path
    origin: str
    """The path from the config's folder, or `skimage:cat`."""
    mask: Path | Outline | None = None
    mask_origin: str = ""
    meaning: Meaning = field(default_factory=Meaning)

    def load(self, name: str) -> tuple[Probe, ProbeFact, frozenset[int]]:
        """The decoded probe, what the manifest says of it, and the values its mask file holds.

        Raises `ProbeError`, which names the file, for whatever makes the image or its mask unusable.
        """
        if not self.origin.isprintable():
            # Bytes that are no UTF-8, or control characters, which neither the tables nor the report could hold.
            raise ProbeError(f"{self.origin!a} has a name that cannot be printed", fix="rename the file")
        image, sha256, size = _decoded(self.path, self.origin, decode_image)
        height, width = image.shape[:2]
        fact = ProbeFact(name, self.origin, sha256, (height, width), bytes=size, media_type=media_type(self.path.name))
        mask, values = None, frozenset[int]()
        if self.mask is not None:
            levels, mask_sha256, mask_size = self._levels(self.mask)
            self._same_size(levels.shape, (height, width))
            mask, values = _named(self.mask_origin, lambda: self.meaning.apply(levels)), found(levels)
            drawn = isinstance(self.mask, Outline)
            fact = replace(
                fact,
                has_mask=True,
                mask_origin=self.mask_origin,
                mask_sha256=mask_sha256,
                mask_bytes=mask_size,
                mask_media_type=UNKNOWN if drawn else media_type(self.mask_origin),
            )
        return Probe(name, image, self.origin, sha256, mask), fact, values

    def _levels(self, mask: Path | Outline) -> tuple[np.ndarray, str, int]:
        """The mask's whole numbers; SHA-256 and bytes of its file, or of its pixels where they were drawn."""
        if isinstance(mask, Outline):
            levels = mask.levels()
            return levels, hashlib.sha256(levels.tobytes()).hexdigest(), levels.nbytes
        if not mask.is_file():
            raise ProbeError(
                f"{self.origin} has no mask: there is no file {self.mask_origin}",
                fix="add the mask, or mend the pattern of masks:",
            )
        return _decoded(mask, self.mask_origin, decode_levels)

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

    @property
    def names(self) -> tuple[str, ...]:
        """The probes' names, in order, each once."""
        return tuple(fact.name for fact in self.facts)

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
        places = {name: place for place, name in enumerate(self.names)}
        chosen = [places[name] for name in names]
        return ProbeSet(tuple(self.facts[n] for n in chosen), tuple(self.files[n] for n in chosen), self.notes)


def displayed(names: Sequence[str], display: Sequence[str] | None) -> tuple[str, ...]:
    """The probes whose maps are shown: those that the config names, in its order, else the first four.

    A `ProbeError` names what is not among `names`, with the nearest that are.
    """
    if display is None:
        return tuple(names[:4])
    for number, name in enumerate(display):
        if name not in names:
            raise ProbeError(f"display[{number}]: no probe is called {name!r}", fix=nearest(name, names))
    return tuple(dict.fromkeys(display))


def _decoded(path: Path, origin: str, decode: Decoder) -> tuple[np.ndarray, str, int]:
    """What a file holds; SHA-256 and number of its bytes, all of the same open file."""
    if path.exists() and not path.is_file():
        raise ProbeError(f"{origin} is no regular file", fix="name image files; a pipe or a device holds no image")
    try:
        with path.open("rb") as handle:
            digest = hashlib.file_digest(handle, "sha256").hexdigest()
            size = handle.tell()
            return _named(origin, lambda: decode(handle)), digest, size
    except OSError as error:
        reason = error.strerror or str(error)
        raise ProbeError(f"{origin} cannot be opened: {reason}", fix="check the path and its permissions") from error


def _named(origin: str, step: Callable[[], np.ndarray]) -> np.ndarray:
    """The step's result; its `ProbeError` gets the file's name."""
    try:
        return step()
    except ProbeError as error:
        raise ProbeError(f"{origin} {error}", fix=error.fix) from error
