"""What the images show, pixel by pixel: edges, masks, and masks of no meaning to compare these with."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from skimage.filters import sobel

from fmreport.probes.masks import IGNORED
from fmreport.probes.preprocess import LUMA, Preprocess
from fmreport.probes.probeset import ProbeSet
from fmreport.records import Probe

NULLS = 20
"""Masks of no meaning that each image gets beside its own: so many that to exceed them all is p < 0.05."""
BANK = 64
"""Masks from which shuffled ones and the prior are taken, at most."""
GROUPS = 64
"""Groups of images, at most, whose sums are kept apart; up to so many images are a group each."""
TOGETHER = 8
"""Groups that as many consecutive images as there are groups fall into, where there are enough to fill them all."""
MANY = GROUPS * GROUPS // TOGETHER
"""Images that are enough."""
COLOURS = ("red", "green", "blue")


def planes(masks: int) -> tuple[str, ...]:
    """The planes of scenes among which there are so many masks, as `Scenes` describes them."""
    nulls = (*_numbered("shuffled", shuffles(masks)), *_numbered("shifted", NULLS - shuffles(masks)))
    return ("kept", "edge", *(("mask", "prior", *nulls) if masks else ()), *COLOURS)


def shuffles(masks: int) -> int:
    """How many of the nulls are masks of other images: all of them, where there are as many."""
    return max(min(NULLS, masks - 1), 0)


class Scenes:
    """The planes of every probe, `(h, w, planes)` float32 at the size at which the model is fed.

    `kept` is 1 where the image is looked at: 0 where the mask says to ignore it, and on padding. `edge` is the Sobel
    magnitude of the luminance, `red`, `green`, `blue` the image itself, 0-255. Where some probe has a mask: `mask` is
    1 on the foreground; `prior` the mean mask of other images; `shuffled 1`, ... masks of other images; `shifted
    1`, ... the image's own mask moved around the torus, where these are too few. All of these are 0 for a probe
    without a mask. A mask that ignores all of the image is none: `masked` leaves such probes out, `ignored` names them.
    """

    def __init__(self, probes: ProbeSet, preprocess: Preprocess, *, seed: int = 0) -> None:
        """Reads the masks of `BANK` probes, spread evenly over those that have one; all, where one of these is none."""
        self._preprocess, self.seed = preprocess, seed
        self.place: Mapping[str, int]
        """The number of each probe among those with masks."""
        self.group: Mapping[str, int]
        having = tuple(fact.name for fact in probes.facts if fact.has_mask)
        self.masked, bank = having, self._read(probes, _spread(having))
        if not all(map(_tells, bank.values())):
            # Then any may be.
            self.masked = tuple(probe.name for probe in probes.named(having) if _tells(self._mask(probe)))
            bank = self._read(probes, _spread(self.masked))
        self.drawn = len(self.masked)
        """Of all probes, how many have masks."""
        self.place = {name: place for place, name in enumerate(self.masked)}
        self.ignored = tuple(name for name in having if name not in self.place)
        self._bank = {name: mask == 1 for name, mask in bank.items()}
        self._banked = {name: number for number, name in enumerate(self._bank)}
        self._shuffles = shuffles(len(bank))
        self._taken = _derangements(len(bank), self._shuffles, seed)
        self.planes = planes(len(bank))
        unmasked = [fact.name for fact in probes.facts if fact.name not in self.place]
        # A group is of images with masks or of images without, so that sums of either are at hand.
        first = min(len(self.masked), GROUPS)
        self.group = dict(zip(self.masked, groups(len(self.masked)), strict=True))
        self.group |= {name: first + place for name, place in zip(unmasked, groups(len(unmasked)), strict=True)}
        self.groups = first + min(len(unmasked), GROUPS)
        self.masked_groups = first

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of the planes of one probe."""
        return (*self._preprocess.size, len(self.planes))

    def only(self, names: Sequence[str]) -> Scenes:
        """The same, and knows of no other probes than these."""
        place = {name: self.place[name] for name in names if name in self.place}
        return self.of_roles(place, {name: self.group[name] for name in names})

    def of_roles(self, place: Mapping[str, int], group: Mapping[str, int]) -> Scenes:
        """The same, of other probes, whose `place` and `group` these are."""
        part = copy.copy(self)
        part.place, part.group, part.masked, part.ignored = place, group, tuple(place), ()
        return part

    def identity(self) -> dict[str, Any]:
        """What decides the planes of its probes beside these themselves, ready for JSON."""
        bank = hashlib.sha256(repr(tuple(self._bank)).encode())
        for mask in self._bank.values():
            bank.update(np.packbits(mask).tobytes())
        kept = {"bank": bank.hexdigest(), "planes": list(self.planes), "seed": self.seed}
        return kept | {"place": list(self.place.items()), "group": list(self.group.items())}

    def of(self, probe: Probe) -> np.ndarray:
        """The planes of a probe."""
        rgb = self._preprocess.placed(probe.image)
        mask = self._mask(probe)
        planes = [mask != IGNORED, _sobel(rgb @ LUMA)]
        if "mask" in self.planes:
            planes += self._masks(probe, mask == 1)
        return np.stack([*planes, *np.moveaxis(rgb, -1, 0)], axis=-1).astype(np.float32)

    def _read(self, probes: ProbeSet, names: Sequence[str]) -> dict[str, np.ndarray]:
        return {probe.name: self._mask(probe) for probe in probes.named(names)}

    def _mask(self, probe: Probe) -> np.ndarray:
        """`(h, w)` uint8; background everywhere for a probe without a mask, padding ignored."""
        mask = np.zeros(probe.image.shape[:2], np.uint8) if probe.mask is None else probe.mask
        return self._preprocess.apply_mask(mask)

    def _masks(self, probe: Probe, mask: np.ndarray) -> list[np.ndarray]:
        """The planes from `mask` to the last null, in their order."""
        nothing = np.zeros(mask.shape, np.float32)
        if probe.name not in self.place:
            return [nothing] * (2 + NULLS)
        others = [other for name, other in self._bank.items() if name != probe.name]
        prior = np.mean(others, axis=0, dtype=np.float32) if others else nothing
        place, bank = self.place[probe.name], list(self._bank.values())
        own = self._banked.get(probe.name, place % len(bank))
        shuffled = [bank[taken[own]] for taken in self._taken]
        return [mask, prior, *shuffled, *self._shifted(mask, place)]

    def _shifted(self, mask: np.ndarray, place: int) -> list[np.ndarray]:
        """The mask around the torus, in each axis by a quarter to three quarters of its side."""
        rng = np.random.default_rng((self.seed, place))
        moves = (rng.uniform(0.25, 0.75, (NULLS - self._shuffles, 2)) * mask.shape).astype(int)
        return [np.roll(mask, tuple(move), axis=(0, 1)) for move in moves]


def _spread(names: Sequence[str]) -> list[str]:
    """`BANK` of these, at most, evenly spread; of more, the same ones until they have doubled."""
    if len(names) <= BANK:
        return list(names)
    among = 1 << (len(names).bit_length() - 1)
    return [names[place] for place in range(0, among, among // BANK)]


def groups(images: int) -> list[int]:
    """The group of each of so many images, from 0: of many, those of one shard fall into few, whose sums travel."""
    place = np.arange(images)
    group = place // GROUPS * TOGETHER + place % TOGETHER if images >= MANY else place
    found: list[int] = (group % GROUPS).tolist()
    return found


def _tells(mask: np.ndarray) -> bool:
    """Whether a mask leaves anything to be looked at."""
    return bool((mask != IGNORED).any())


def _derangements(count: int, wanted: int, seed: int) -> list[np.ndarray]:
    """`wanted` ways to give each of `count` images another one's mask, every mask once in each.

    Each way is a ring of all images in an order of its own, so that ways have as little in common as chance lets them,
    with one another and with the folds. Where ways are as many as other images, each image gets every other one's: one
    ring, by one more step each time.
    """
    made = []
    rng = np.random.default_rng((seed, count))
    order = rng.permutation(count)
    for number in range(wanted):
        every = wanted == count - 1
        ring, step = (order, number + 1) if every else (rng.permutation(count), 1)
        taken = np.empty(count, np.int64)
        taken[ring] = np.roll(ring, -step)
        made.append(taken)
    return made


def _sobel(luminance: np.ndarray) -> np.ndarray:
    """`(h, w)` magnitude of the Sobel gradient, borders mirrored."""
    magnitude: np.ndarray = sobel(luminance)  # type: ignore[no-untyped-call]
    return magnitude


def _numbered(name: str, count: int) -> tuple[str, ...]:
    return tuple(f"{name} {number}" for number in range(1, count + 1))
