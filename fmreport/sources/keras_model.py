"""Any Keras model, of Keras 3 or tf_keras, as a `TappableModel`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from fmreport.sources import Identity
from fmreport.sources.inputs import Size, inputs_of
from fmreport.sources.keras_listing import listing, weights
from fmreport.sources.layout import Layout
from fmreport.sources.listing import Listing
from fmreport.sources.randomised import Weight
from fmreport.sources.recorder import recording
from fmreport.sources.traced import TracedModel


class KerasModel(TracedModel):
    """A model whose calls are recorded while it is traced."""

    def __init__(
        self, model: Any, identity: Identity, *, feeds: Mapping[str, str] | None = None, size: Size | None = None
    ) -> None:
        """`feeds` says what each input takes, where there are several; `size` is used where the model declares none."""
        super().__init__(identity, inputs_of(model, feeds or {}, size), _notes(model))
        self._model = model
        self._read: dict[int, Any] = {}

    def _call(self, inputs: list[Any], layout: Layout, batch: int) -> Listing:
        try:
            with recording() as calls:
                returned = self._model(self._inputs.packed(inputs), training=False)
        finally:
            # What layers noted of this call for training would keep its graph alive.
            self._model._clear_losses()
        tensors = [each for each in tf.nest.flatten(returned) if tf.is_symbolic_tensor(each)]
        return listing(self._model, calls, tensors, layout, batch)

    def _traced(self, then: Callable[..., Any], size: Size, batch: int, beside: Sequence[tuple[int, ...]] = ()) -> Any:
        function = super()._traced(then, size, batch, beside)
        self._read |= {id(each.handle): each for each in function.variables}
        return function

    def _weights(self) -> Iterable[Weight]:
        """Those that Keras knows of, and variables of plain TensorFlow that a traced function reads besides."""
        return (self._read | {id(getattr(each, "handle", each)): each for each in weights(self._model)}).values()


def _notes(model: Any) -> tuple[str, ...]:
    """Weights that are no numbers: an activation such as ReLU can make zeros of what they give, which hides them."""
    bad = [each.name for each in weights(model) if each.dtype != "string" and not np.isfinite(np.asarray(each)).all()]
    if not bad:
        return ()
    return (f"{len(bad)} of the model's weights hold NaN or Inf ({', '.join(bad[:3])}): no number here means anything",)
