"""Weights in another order: what a model still shows with them is its architecture's doing, not its training's."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from fmreport.errors import SourceError


class Weight(Protocol):
    """What holds numbers of a model: a variable of Keras or TensorFlow, read whenever the model runs."""

    @property
    def dtype(self) -> Any:
        """As TensorFlow or its name says it."""

    def numpy(self) -> Any:
        """A copy of the numbers."""

    def assign(self, value: Any) -> Any:
        """Puts others in their place."""


@contextmanager
def permuted(weights: Iterable[Weight], seed: int, source: str) -> Iterator[None]:
    """Inside the context each weight holds its own entries in another order, after it in its own, bit for bit.

    Whole numbers and strings stay as they are, and so do weights whose entries are all equal. The originals are kept
    in memory meanwhile; beyond them one weight at a time is copied. Raises `SourceError` where nothing changes;
    `source` names the model there.
    """
    changed = 0
    # Puts everything back, the last first, even where a weight or the block inside fails.
    with ExitStack() as originals:
        for weight in weights:
            if not tf.as_dtype(weight.dtype).is_floating:
                continue
            before = np.asarray(weight.numpy())
            if alike(before):
                continue
            originals.callback(weight.assign, before)
            weight.assign(_shuffled(before, seed))
            changed += 1
        if not changed:
            raise SourceError(
                f"{source} cannot be randomised: it has no floating-point weights, or none with two different entries",
                fix="write controls: {randomised: 0}, or give the model trained weights",
            )
        yield


def alike(values: Any) -> bool:
    """Whether all entries of an array are equal, so that their order tells nothing."""
    return bool(values.size < 2 or (values == values.flat[0]).all())


def _shuffled(values: Any, seed: int) -> Any:
    # By content, not by name or position: names repeat, positions differ from format to format, and one weight that a
    # graph holds twice, as constants of a layer that is called twice, must stay one.
    content = zlib.crc32(values.reshape(-1).view(np.uint8))
    shuffled = values.flatten()
    np.random.default_rng((seed, content)).shuffle(shuffled)
    return shuffled.reshape(values.shape)
