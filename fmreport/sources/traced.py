"""Any model that runs in a TensorFlow graph, as a `TappableModel`: whoever opens it says how it is called and named."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
import tensorflow as tf

from fmreport.errors import TOO_LARGE, OutOfMemoryError, SourceError
from fmreport.records import Layer, Tap
from fmreport.sources import Identity
from fmreport.sources.architecture import summary
from fmreport.sources.facts.graph_facts import GraphFacts
from fmreport.sources.folding import Kept, folded
from fmreport.sources.inputs import Inputs, Size
from fmreport.sources.layout import Layout
from fmreport.sources.listing import Listing, Output
from fmreport.sources.randomised import Weight, permuted

T = TypeVar("T")
PROBING_BATCH = 101
"""Images in the trace that lists layers: an unusual number, so that an axis that is no batch is not taken for one."""

TOO_MUCH = "try another preprocess.size; if memory ran out, a smaller batch or fewer layers"
UNREPEATABLE = "export the model without this operation: it would give other numbers each time"


class TracedModel(ABC):
    """Traces the model into a graph: once to list layers, once for each function that is asked for."""

    attributes: Mapping[str, bool] = MappingProxyType({})
    """What TensorFlow is told of the functions that are traced."""
    hosted = False

    def __init__(self, identity: Identity, inputs: Inputs, notes: tuple[str, ...]) -> None:
        self.identity, self.notes, self._inputs = identity, (*inputs.notes, *notes), inputs
        self.batch, self.image_input = inputs.batch, inputs.image
        self._kept = Kept()

    @abstractmethod
    def _call(self, inputs: list[Any], layout: Layout, batch: int) -> Listing:
        """Runs the model on graph tensors and lists what it left in the graph that is the default one."""

    @abstractmethod
    def _weights(self) -> Iterable[Weight]:
        """What holds the numbers of the model, each once."""

    def inventory(self, size: Size) -> tuple[tuple[Layer, ...], tuple[Tap, ...]]:
        """Every layer and every tap for images of `size` (H, W), in the order in which the model runs."""
        listed: list[tuple[tuple[Layer, ...], tuple[Tap, ...]]] = []

        def read(listing: Listing, images: Any) -> None:
            facts = GraphFacts(images, listing.owners())
            taps = listing.taps(facts)
            listed.append((listing.layers(facts, taps), taps))

        self._traced(read, size, self.batch or PROBING_BATCH)
        # A model that makes variables while it runs is traced again, when it has them all.
        return listed[-1]

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

        def pick(listing: Listing, _: Any, *others: Any) -> T:
            made = {output.name: output for output in listing.outputs}
            if lost := [tap.name for tap in taps if tap.name not in made]:
                raise SourceError(
                    f"{lost[0]} is not called for images of {size[0]} x {size[1]} in batches of {batch}",
                    fix="leave it out under exclude; a model that runs other layers each time cannot be tapped there",
                )
            for tap in taps:
                _check_shape(made[tap.name], tap, batch)
            return then({tap.name: made[tap.name].activations for tap in taps}, *others)

        function = self._traced(pick, size, batch, beside)
        parts = folded(function, self.attributes)

        def run(*arrays: Any) -> T:
            given = [tf.constant(array, tf.float32) for array in arrays]
            try:
                made = function(*given) if parts is None else parts.rest(*given, *self._kept.of(parts))
            except (tf.errors.ResourceExhaustedError, MemoryError) as error:
                raise OutOfMemoryError(
                    f"memory ran out for {batch} images of {size[0]} x {size[1]} at a time: {summary(error)}",
                    fix=TOO_LARGE,
                ) from error
            except tf.errors.OpError as error:
                told = summary(error)
                fix = UNREPEATABLE if "determinis" in told else TOO_MUCH
                raise SourceError(f"{self.identity.source} fails while it runs: {told}", fix=fix) from error
            found: T = tf.nest.map_structure(np.asarray, made)
            return found

        return run

    @contextmanager
    def randomised(self, seed: int) -> Iterator[None]:
        """Inside the context every weight holds its own entries in another order, which `seed` settles."""
        # Forgotten after it too, even where it fails half-way.
        with ExitStack() as after:
            after.callback(self._kept.forget)
            after.enter_context(permuted(self._weights(), seed, self.identity.source))
            self._kept.forget()
            yield

    def _traced(self, then: Callable[..., Any], size: Size, batch: int, beside: Sequence[tuple[int, ...]] = ()) -> Any:
        """The model's graph with `then`, as a function of images `(batch, H, W, C)` and of what stands beside them."""
        channels = self.image_input.channels or 3

        def call(images: Any, *others: Any) -> Any:
            fed = self._inputs.fed(images, batch)
            layout = Layout((tensor, self._inputs.channels_first(i)) for i, tensor in enumerate(fed))
            try:
                listing = self._call(fed, layout, batch)
            except SourceError:
                raise
            except Exception as error:
                raise SourceError(
                    f"the model does not take images of {size[0]} x {size[1]} x {channels}: {summary(error)}",
                    fix=_fix(error),
                ) from error
            return then(listing, images, *others)

        return tf.function(call, autograph=False, experimental_attributes=dict(self.attributes)).get_concrete_function(
            tf.TensorSpec((batch, *size, channels), tf.float32), *(tf.TensorSpec(shape, tf.float32) for shape in beside)
        )


def _check_shape(output: Output, tap: Tap, batch: int) -> None:
    """Raises where a tap does not have the listed shape for each image of a batch."""
    if output.tensor.shape[0] != batch or output.shape != tap.shape:
        raise SourceError(
            f"{tap.name} has the shape {tuple(output.tensor.shape)} for {batch} images, not that of its list entry, "
            f"{tap.shape}, for each",
            fix="leave it out under exclude: its first axis is not the batch",
        )


def _fix(error: Exception) -> str:
    if "scope name" in str(error):
        return "TensorFlow takes letters, digits and _ . - / in the name of a layer: rename it"
    return "set preprocess.size to a size that the model takes, and feed other inputs by model.inputs"
