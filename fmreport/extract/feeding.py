"""Images and scenes in batches, decoded beside the model so that it need not wait for them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from fmreport.errors import ProbeError
from fmreport.probes import Preprocess, ProbeSet
from fmreport.probes.pool import ordered
from fmreport.probes.scenes import Scenes

Batch = tuple[tuple[str, ...], tuple[np.ndarray, ...]]


@dataclass(frozen=True, slots=True)
class Feed:
    """How much is done at once, beside the model and of what it makes; see `fmreport.extract.memory`."""

    threads: int = 1
    ahead: int = 1
    handed: int | None = None
    """Bytes of each image's activations that another framework hands over at once; None: all, or there is none."""


FEED = Feed()
"""One image after another."""


def batches(
    probes: ProbeSet, preprocess: Preprocess, size: int, scenes: Scenes | None = None, *, feed: Feed = FEED
) -> Iterator[Batch]:
    """Names, and `(size, H, W, C)` images with, where asked for, their scenes `(size, H, W, planes)`.

    The last batch is filled up with its last image, which has no name.
    """

    def prepared(place: int) -> tuple[str, tuple[np.ndarray, ...]]:
        probe = probes[place]
        image = preprocess.apply(probe.image)
        if not np.isfinite(image).all():
            raise ProbeError(
                f"preprocessing makes NaN or Inf of {probe.name}", fix="check range, mean and std under preprocess"
            )
        return probe.name, (image,) if scenes is None else (image, scenes.of(probe))

    names: list[str] = []
    images: list[tuple[np.ndarray, ...]] = []
    with closing(ordered(prepared, range(len(probes)), threads=feed.threads, ahead=feed.ahead)) as made:
        for name, arrays in made:
            names.append(name)
            images.append(arrays)
            if len(names) == size:
                yield tuple(names), tuple(map(np.stack, zip(*images, strict=True)))
                names, images = [], []
    if names:
        filled = images + images[-1:] * (size - len(images))
        yield tuple(names), tuple(map(np.stack, zip(*filled, strict=True)))
