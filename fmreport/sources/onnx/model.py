"""An ONNX model as a `TappableModel`: tensors inside it are asked for as outputs."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from fmreport.errors import SourceError
from fmreport.sources import Identity
from fmreport.sources.blueprint.graph import Blueprint
from fmreport.sources.blueprint.listing import Drawing
from fmreport.sources.hosted import Arrays, HostedModel
from fmreport.sources.inputs import settled
from fmreport.sources.onnx.drawing import Drawer
from fmreport.sources.onnx.file import File, Stored
from fmreport.sources.onnx.known import known
from fmreport.sources.onnx.session import Session, check_operations, held
from fmreport.sources.onnx.stored import dtype
from fmreport.sources.randomised import Weight


class OnnxModel(HostedModel):
    """Run by ONNX Runtime on the processor."""

    def __init__(self, file: File, identity: Identity, feeds: Mapping[str, str]) -> None:
        check_operations(file.model, identity.source)
        specs = [_spec(each) for each in file.inputs]
        super().__init__(identity, settled([0] * len(specs), specs, feeds), _notes(file))
        self._file = file
        self._names = [each.name for each in file.inputs]
        self._held = {each.name: _Held(each) for each in file.weights.values() if each.fed}
        # So that a model which cannot be run is refused when it is opened.
        Session(file.model, [each.name for each in file.graph.output], identity.source)

    def _draw(self, blueprint: Blueprint, fed: Sequence[Any], arrays: Sequence[np.ndarray]) -> Drawing:
        given = dict(zip(self._names, arrays, strict=True))

        def run(names: Sequence[str]) -> Arrays:
            return self._running(names)(arrays)

        drawer = Drawer(self._file, known(self._file, given, run), blueprint)
        return drawer.draw(dict(zip(self._names, fed, strict=True)))

    def _running(self, wanted: Sequence[Hashable]) -> Callable[[Sequence[np.ndarray]], Arrays]:
        names = [str(name) for name in wanted]
        session = Session(self._file.model, names, self.identity.source)

        def run(arrays: Sequence[np.ndarray]) -> Arrays:
            weights = {name: each.value for name, each in self._held.items()}
            return dict(zip(names, session.run(dict(zip(self._names, arrays, strict=True)), weights), strict=True))

        return run

    def _weights(self) -> Iterable[Weight]:
        return self._held.values()


class _Held:
    """A weight, whose numbers may be replaced; sessions are handed it whenever they run."""

    def __init__(self, stored: Stored) -> None:
        self._stored, self.dtype = stored, stored.value.dtype
        self._array = stored.value
        self.value = held(stored, stored.value)

    def numpy(self) -> np.ndarray:
        """A copy of its numbers."""
        return np.array(self._array)

    def assign(self, value: Any) -> None:
        """Puts others in their place."""
        self._array = np.array(value, self.dtype)
        self.value = held(self._stored, self._array)


def _spec(value: Any) -> tf.TensorSpec:
    kind = value.type.tensor_type
    if not kind.elem_type:
        raise SourceError(
            f"the input {value.name} takes no tensor",
            fix="export the model with an input of numbers: a batch of images",
        )
    held = tf.as_dtype(dtype(kind.elem_type, value.name))
    if not kind.HasField("shape"):
        return tf.TensorSpec(None, held, value.name)
    return tf.TensorSpec([side.dim_value or None for side in kind.shape.dim], held, value.name)


def _notes(file: File) -> tuple[str, ...]:
    found = []
    if whole := [each for each in file.weights.values() if each.value.dtype.kind in "iu"]:
        found.append(f"The model is quantised: {len(whole)} of its weights are whole numbers")
    if file.inside:
        found.append(
            f"Branches and loops of the model hold {file.inside:,} numbers, which are neither counted as parameters "
            "nor permuted"
        )
    if broken := [each.name for each in file.weights.values() if each.fed and not _is_finite(each.value)]:
        found.append(f"{len(broken)} weights hold NaN or Inf, {broken[0]} among them")
    return tuple(found)


def _is_finite(values: np.ndarray) -> bool:
    return bool(np.isfinite(values if values.dtype.kind == "f" else values.astype(np.float32)).all())
