"""Any model that another framework runs, as a `TappableModel`: what it computes is handed to the same measures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import tensorflow as tf

from fmreport.errors import TOO_LARGE, OutOfMemoryError, SourceError
from fmreport.records import Layer, Tap
from fmreport.sources import Identity
from fmreport.sources.blueprint.graph import Blueprint
from fmreport.sources.blueprint.listing import Drawing, listing
from fmreport.sources.facts.graph_facts import GraphFacts
from fmreport.sources.inputs import Inputs, Size
from fmreport.sources.layout import Layout
from fmreport.sources.listing import Output
from fmreport.sources.randomised import Weight, permuted

T = TypeVar("T")
Arrays = dict[Hashable, np.ndarray]
"""What a model computed, `(batch, ...)` in its own layout, by what its framework calls it."""
ALIGNED = 64
"""Bytes at a multiple of which TensorFlow reads numbers where they lie."""
PROBING_BATCH = 5
"""Images that are run once to learn what the model holds: as many as axes that are no batch hardly ever have."""


@dataclass(frozen=True, slots=True)
class _Listed:
    layers: tuple[Layer, ...]
    taps: tuple[Tap, ...]
    held: Mapping[str, Hashable]
    """What the framework calls each tap, by the tap's name."""
    channels_first: Mapping[str, bool]
    """By the tap's name."""


class HostedModel(ABC):
    """A blueprint of the model tells its facts; its own framework computes; TensorFlow measures what comes of it."""

    hosted = True

    def __init__(self, identity: Identity, inputs: Inputs, notes: tuple[str, ...]) -> None:
        self.identity, self.notes, self._inputs = identity, (*inputs.notes, *notes), inputs
        self.batch, self.image_input = inputs.batch, inputs.image
        self._known: dict[Size, _Listed] = {}

    @abstractmethod
    def _draw(self, blueprint: Blueprint, fed: Sequence[Any], arrays: Sequence[np.ndarray]) -> Drawing:
        """Draws the model for the tensors that it is fed; `arrays` are such inputs, for which it may be run."""

    @abstractmethod
    def _running(self, wanted: Sequence[Hashable]) -> Callable[[Sequence[np.ndarray]], Arrays]:
        """A function from the model's inputs to what is wanted of what it computes.

        It reads the weights when it runs, and raises `SourceError` where the model cannot.
        """

    @abstractmethod
    def _weights(self) -> Iterable[Weight]:
        """What holds the numbers of the model, each once."""

    def inventory(self, size: Size) -> tuple[tuple[Layer, ...], tuple[Tap, ...]]:
        """Every layer and every tap for images of `size` (H, W), in the order in which the model runs."""
        listed = self._listed(size)
        return listed.layers, listed.taps

    def tapped(
        self,
        taps: Sequence[Tap],
        then: Callable[..., T],
        *,
        size: Size,
        batch: int,
        beside: Sequence[tuple[int, ...]] = (),
    ) -> Callable[..., T]:
        """A function from images `(batch, H, W, C)` float32 to `then` of the taps' activations, as NumPy arrays."""
        listed = self._listed(size)
        if lost := [tap.name for tap in taps if tap.name not in listed.held]:
            raise SourceError(
                f"{lost[0]} is not called for images of {size[0]} x {size[1]}", fix="leave it out under exclude"
            )
        # A scope and the last layer in it hand over one tensor.
        first: dict[Hashable, Tap] = {}
        for tap in taps:
            first.setdefault(listed.held[tap.name], tap)
        specs = [tf.TensorSpec((batch, *tap.shape), tap.dtype) for tap in first.values()]

        def measures(*tensors: Any) -> T:
            made = dict(zip(first, tensors, strict=False))
            return then({tap.name: made[listed.held[tap.name]] for tap in taps}, *tensors[len(first) :])

        others = [tf.TensorSpec(shape, tf.float32) for shape in beside]
        measuring = tf.function(measures, autograph=False).get_concrete_function(*specs, *others)
        running = self._running(list(first))

        def run(images: np.ndarray, *arrays: np.ndarray) -> T:
            try:
                found = running(self._fed(images, size, batch))
                # One after the other, so that what was handed over is not held twice.
                made = [tensor(self._activations(found.pop(key), first[key], listed, batch)) for key in first]
                result = measuring(*made, *(tf.constant(array, tf.float32) for array in arrays))
            except (tf.errors.ResourceExhaustedError, MemoryError) as error:
                raise OutOfMemoryError(
                    f"memory ran out for {batch} images of {size[0]} x {size[1]} at a time", fix=TOO_LARGE
                ) from error
            measured: T = tf.nest.map_structure(np.asarray, result)
            return measured

        return run

    def randomised(self, seed: int) -> AbstractContextManager[None]:
        """Inside the context every weight holds its own entries in another order, which `seed` settles."""
        return permuted(self._weights(), seed, self.identity.source)

    def _listed(self, size: Size) -> _Listed:
        if size not in self._known:
            batch = self.batch or PROBING_BATCH
            shape = (batch, *size, self.image_input.channels or 3)
            # Noise, so that nothing is left out that a black image would not reach.
            arrays = self._fed(np.random.default_rng(0).random(shape, np.float32), size, batch)
            with tf.Graph().as_default():
                images = tf.compat.v1.placeholder(tf.float32, shape, name="images")
                fed = self._inputs.fed(images, batch)
                layout = Layout((tensor, self._inputs.channels_first(i)) for i, tensor in enumerate(fed))
                drawing = self._draw(Blueprint(), fed, arrays)
                found = listing(drawing, images, layout, batch)
                facts = GraphFacts(images, found.owners())
                outputs: dict[str, Output] = {output.name: output for output in found.outputs}
                taps = tuple(
                    replace(tap, quantisation=drawing.quantised.get(outputs[tap.name].tensor.name))
                    for tap in found.taps(facts)
                )
                self._known[size] = _Listed(
                    found.layers(facts, taps),
                    taps,
                    {tap.name: drawing.held[outputs[tap.name].tensor.name] for tap in taps},
                    {tap.name: outputs[tap.name].channels_first for tap in taps},
                )
        return self._known[size]

    def _fed(self, images: np.ndarray, size: Size, batch: int) -> list[np.ndarray]:
        """What the model is fed for images."""
        if images.shape[:3] != (batch, *size):
            raise ValueError(f"images {images.shape} are not {batch} of {size}")
        return [np.ascontiguousarray(each) for each in self._inputs.fed(tf.constant(images), batch)]

    def _activations(self, values: np.ndarray, tap: Tap, listed: _Listed, batch: int) -> np.ndarray:
        """Channels last, as they are listed."""
        if listed.channels_first[tap.name]:
            values = np.moveaxis(values, 1, -1)
        if values.shape != (batch, *tap.shape):
            raise SourceError(
                f"{tap.name} has the shape {values.shape} for {batch} images, not that of its list entry, "
                f"{tap.shape}, for each",
                fix="leave it out under exclude: its first axis is not the batch",
            )
        return values


def tensor(values: np.ndarray) -> Any:
    """An array in TensorFlow, where it lies if it can be read there: a copy takes as long as measuring it."""
    held = values.flags
    if values.dtype == np.float32 and held.c_contiguous and held.writeable and values.ctypes.data % ALIGNED == 0:
        return tf.experimental.dlpack.from_dlpack(values.__dlpack__())
    return tf.constant(values)
