"""Bytes of what one shard leaves, from the shapes of its taps: what travels to the driver, and what a cache holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from fmreport.extract import SIZE
from fmreport.measures import load
from fmreport.measures.bins import BINS
from fmreport.measures.draw import Draw
from fmreport.measures.places import places
from fmreport.measures.projection import WIDTH
from fmreport.measures.readability import LEVELS, targets
from fmreport.measures.signature import ROWS
from fmreport.measures.spectrum import PER_CYCLE
from fmreport.probes.scenes import MANY, groups, planes
from fmreport.records import Tap

NUMBER = 8
"""Bytes of a float64 and of an int64, as which nearly everything travels."""
ARRAY = 48
"""Bytes that pickle adds to an array, about: its name, its format, its shape."""
KINDS = ("rows", "bins", "channels", "groups", "whole", "places")
"""What a result holds, as in `fmreport.extract.gathering`."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A tap that is a map; the image itself is one of 3 channels."""

    height: int
    width: int
    channels: int

    @classmethod
    def of(cls, tap: Tap) -> Shape:
        """A tap's."""
        return cls(*tap.shape)

    @property
    def elements(self) -> int:
        """Values of one image."""
        return self.height * self.width * self.channels


@dataclass(frozen=True, slots=True)
class Part:
    """The images of one shard."""

    images: int = SIZE
    masks: int = 0
    """How many images of the whole run have masks; here all have, or none has."""
    run: int = 0
    """Images of the whole run, where these are not all."""

    @property
    def groups(self) -> int:
        """The groups that they fall into."""
        return len(set(groups(min(max(self.run, self.images), MANY))[: self.images]))


@dataclass(frozen=True, slots=True)
class Counts:
    """How many sums and columns the measures have, of each kind."""

    channel: int
    bins: int
    rows: int


@cache
def counts(*, masks: bool) -> Counts:
    """Of all measures; those of masks are not taken where there are none."""
    # The taps of these models hold no whole numbers.
    measures = {name: m for name, m in load().items() if name != "saturation" and (masks or name != "regions")}.values()
    per = [s.per for m in measures for s in m.sums]
    columns = sum("sample" in column.levels for m in measures for column in m.columns)
    return Counts(per.count("channel"), per.count("bin"), per.count("channel") + per.count("image") + columns)


def by_kind(taps: Sequence[Shape], part: Part) -> dict[str, int]:
    """Bytes of all arrays of one shard's result by their kind; `taps` hold the image itself."""
    number = counts(masks=part.masks > 0)
    made = dict.fromkeys(KINDS, 0)
    for tap in taps:
        made["rows"] += NUMBER * number.rows * part.images
        made["bins"] += NUMBER * number.bins * BINS
        # Those of images whose maps are not shown are the same, but in the few shards that hold one that is.
        made["channels"] += NUMBER * number.channel * tap.channels
        made["groups"] += NUMBER * per_group(tap, part.masks) * part.groups
        made["whole"] += NUMBER * (1 + ROWS) * (tap.channels + 1)
        made["places"] += drawn(tap, taps, part)
    return made


def per_group(tap: Shape, masks: int) -> int:
    """Numbers that are kept of one tap for each group of images."""
    held = targets(planes(masks))
    side = min(tap.channels, WIDTH) + 1 + len(held)
    gram = side * (side + 1) // 2 + (2 * len(LEVELS) if masks else 0)
    rings = min(tap.height, tap.width) * PER_CYCLE // 2
    return 2 * tap.channels + 3 * rings + 5 + (gram if tap.height * tap.width > 1 else 0)


def drawn(tap: Shape, taps: Sequence[Shape], part: Part) -> int:
    """Bytes of the values at single positions, two for each channel, and of their labels."""
    positions = len(places((tap.height, tap.width)))
    if not part.masks or positions == 1:
        return 0
    draw = Draw(part.masks, sum(each.channels for each in taps))
    held = sum(draw.holds(number, positions) for number in range(part.images))
    return held * len(draw.pick(np.zeros(positions), 0)) * (2 * tap.channels + 4)


def arrays(taps: Sequence[Shape], part: Part) -> int:
    """Arrays of one shard's result."""
    number = counts(masks=part.masks > 0)
    maps = [tap for tap in taps if tap.height * tap.width > 1]
    # Of groups: pooled, spectrum, variation; the signature; Gram matrices, with overlap, drawn values and labels.
    each = number.rows + number.bins + 2 * number.channel + 4
    return len(taps) * each + len(maps) * (1 + (5 if part.masks else 0))


def result_bytes(taps: Sequence[Shape], part: Part) -> int:
    """Of one shard's result as it travels."""
    return sum(by_kind(taps, part).values()) + ARRAY * arrays(taps, part)
