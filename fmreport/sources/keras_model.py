"""Any Keras model, of Keras 3 or tf_keras, as a `TappableModel`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import keras
import tensorflow as tf

from fmreport.errors import SourceError
from fmreport.records import Layer, Tap
from fmreport.sources import Identity, InputSpec
from fmreport.sources.recorder import Call, Recorder, level
from fmreport.sources.zeros import zeros_of

T = TypeVar("T")
RANKS = range(2, 6)
PROBING_BATCH = 3
"""Images in the trace that lists layers: an unusual number, so that an axis that is no batch is not taken for one."""


@dataclass(frozen=True, slots=True)
class Found:
    """One output of one call, with its tensor where it can be tapped, or the reason why not."""

    call: Call
    number: int
    """Which call of the layer, from 1."""
    output: int
    """Which output of the call, from 1."""
    tensor: Any
    reason: str


class KerasModel:
    """Traces the model with the recorder on; one trace for listing, one for each function that is asked for."""

    def __init__(self, model: Any, identity: Identity, *, feeds: Mapping[str, str] | None = None) -> None:
        self.identity, self._model, self._feeds = identity, model, dict(feeds or {})
        self._specs = input_specs(model)
        self.batch = next((s.shape[0] for s in self._specs if s.shape.rank and s.shape[0]), None)
        self._images = self._image_inputs()
        first = self._specs[self._images[0]]
        self._channels_first = _channels_first(first)
        height, width, channels = _hwc(first, self._channels_first)
        self.image_input = InputSpec(_name(first, 0), (height, width), channels)

    def inventory(self, size: tuple[int, int]) -> tuple[tuple[Layer, ...], tuple[Tap, ...]]:
        """Every layer and every tap for images of `size` (H, W), in the order in which the model runs."""
        taps: list[Tap] = []
        layers: list[Layer] = []

        def list_all(found: list[Found]) -> None:
            taps.extend(_taps(found))
            layers.extend(_layers(self._model, found, taps))

        self._trace(list_all, size, self.batch or PROBING_BATCH)
        return tuple(layers), tuple(taps)

    def tapped(
        self, taps: Sequence[Tap], then: Callable[[Mapping[str, Any]], T], *, size: tuple[int, int], batch: int
    ) -> Callable[[Any], T]:
        """A function from images `(batch, H, W, C)` float32 to `then` of the taps' activations, as NumPy arrays."""
        wanted = {tap.order: tap.name for tap in taps}

        def pick(found: list[Found]) -> T:
            captured = [f for f in found if not f.reason]
            return then({name: _channels_last(captured[order - 1]) for order, name in wanted.items()})

        function = self._trace(pick, size, batch)
        return lambda images: tf.nest.map_structure(lambda tensor: tensor.numpy(), function(tf.constant(images)))

    def _trace(self, then: Callable[[list[Found]], Any], size: tuple[int, int], batch: int) -> Any:
        channels = self.image_input.channels or 3
        spec = tf.TensorSpec((batch, *size, channels), tf.float32)

        def call(images: Any) -> Any:
            inputs = [self._input(i, images, batch) for i in range(len(self._specs))]
            recorder = Recorder()
            with recorder.recording(inputs, channels_first=self._channels_first):
                self._model(inputs[0] if len(inputs) == 1 else inputs, training=False)
            return then(_found(recorder.calls, batch))

        try:
            return tf.function(call, autograph=False).get_concrete_function(spec)
        except (ValueError, TypeError, tf.errors.OpError) as error:
            raise SourceError(
                f"the model does not take images of {size[0]} x {size[1]} x {channels}: {_first_line(error)}",
                fix="set preprocess.size to a size that the model takes; for a model that needs other inputs set model.inputs",
            ) from error

    def _input(self, i: int, images: Any, batch: int) -> Any:
        spec = self._specs[i]
        if i in self._images:
            images = tf.transpose(images, (0, 3, 1, 2)) if self._channels_first else images
            return tf.cast(images, spec.dtype)
        shape = [batch, *(1 if side is None else side for side in spec.shape[1:])]
        filled = tf.ones if self._feeds[_name(spec, i)] == "ones" else tf.zeros
        return filled(shape, spec.dtype)

    def _image_inputs(self) -> tuple[int, ...]:
        names = [_name(spec, i) for i, spec in enumerate(self._specs)]
        unknown = sorted(set(self._feeds) - set(names))
        if unknown:
            raise SourceError(
                f"model.inputs: the model has no input named {', '.join(unknown)}",
                fix=f"its inputs are {', '.join(names)}",
            )
        if len(names) == 1:
            images = [0]
        elif missing := [name for name in names if name not in self._feeds]:
            shapes = ", ".join(f"{n} {tuple(s.shape[1:])}" for n, s in zip(names, self._specs, strict=True))
            raise SourceError(
                f"the model has {len(names)} inputs ({shapes}) and model.inputs does not say what {missing[0]} is fed",
                fix="write model.inputs: {" + ", ".join(f"{n}: image | zeros | ones" for n in names) + "}",
            )
        else:
            images = [i for i, name in enumerate(names) if self._feeds[name] == "image"]
        if not images:
            raise SourceError(
                "model.inputs: no input is fed the image", fix=f"give `image` to one of {', '.join(names)}"
            )
        for i in images:
            if self._specs[i].shape.rank != 4:
                raise SourceError(
                    f"the input {names[i]} has shape {tuple(self._specs[i].shape[1:])}, which is no image",
                    fix="an image input has three axes: height, width and channels",
                )
        return tuple(images)


def input_specs(model: Any) -> list[tf.TensorSpec]:
    """What the model takes, as `(B, ...)` specs; a model that was never built is taken to read RGB images."""
    inputs = getattr(model, "inputs", None)
    if not inputs:
        shape = (getattr(model, "_build_shapes_dict", None) or {}).get("input_shape")
        return [tf.TensorSpec(shape if shape else (None, None, None, 3), tf.float32, "image")]
    return [
        tf.TensorSpec(x.shape, tf.as_dtype(keras.backend.standardize_dtype(x.dtype)), x.name.split(":")[0])
        for x in inputs
    ]


def _name(spec: tf.TensorSpec, i: int) -> str:
    return spec.name or f"input_{i + 1}"


def _channels_first(spec: tf.TensorSpec) -> bool:
    """Whether an image input is `(C, H, W)`: its first axis looks like channels and its last does not."""
    first, last = spec.shape[1], spec.shape[3]
    return last not in (1, 3, 4) and (first in (1, 3, 4) or keras.config.image_data_format() == "channels_first")


def _hwc(spec: tf.TensorSpec, channels_first: bool) -> tuple[int | None, int | None, int | None]:
    a, b, c = spec.shape[1:]
    return (b, c, a) if channels_first else (a, b, c)


def _found(calls: list[Call], batch: int) -> list[Found]:
    """Every output of every call, numbered; a layer's call that returned no tensor of the graph appears once."""
    numbers: dict[str, int] = {}
    found = []
    for call in calls:
        numbers[call.path] = number = numbers.get(call.path, 0) + 1
        if not call.outputs:
            found.append(Found(call, number, 1, None, "it returns no tensor of the graph"))
        for output, tensor in enumerate(call.outputs, start=1):
            found.append(Found(call, number, output, tensor, _why_not(tensor, batch)))
    return found


def _why_not(tensor: Any, batch: int) -> str:
    if not tensor.dtype.is_floating:
        return f"its values are {tensor.dtype.name}, not floating point"
    if tensor.shape.rank is None or tensor.shape.rank not in RANKS:
        return f"its output has {tensor.shape.rank} axes; {RANKS[0]} to {RANKS[-1]} are measured"
    if tensor.shape[0] != batch:
        return "the first axis of its output is not the batch"
    if None in tensor.shape[1:]:
        return f"its output {tuple(tensor.shape[1:])} has no fixed size"
    if 0 in tensor.shape[1:]:
        return f"its output {tuple(tensor.shape[1:])} is empty"
    return ""


def _channels_last(found: Found) -> Any:
    tensor, rank = found.tensor, found.tensor.shape.rank
    if found.call.channels_first and rank > 2:
        return tf.transpose(tensor, (0, *range(2, rank), 1))
    return tensor


def _taps(found: list[Found]) -> list[Tap]:
    calls: dict[str, int] = {}
    outputs: dict[tuple[str, int], int] = {}
    for f in found:
        calls[f.call.path] = max(calls.get(f.call.path, 0), f.number)
        outputs[f.call.path, f.number] = f.output
    readers: dict[int, list[Call]] = {}
    for call in {id(f.call): f.call for f in found}.values():
        for tensor in call.inputs:
            readers.setdefault(id(tensor), []).append(call)

    taps: list[Tap] = []
    of_type: dict[str, int] = {}
    known: dict[str, tuple[str, str]] = {}
    made: set[int] = set()
    for f in (f for f in found if not f.reason):
        path, kind = f.call.path, type(f.call.layer).__name__
        of_type[kind] = of_type.get(kind, 0) + 1
        name = (
            path + (f":{f.number}" if calls[path] > 1 else "") + (f"@{f.output}" if outputs[path, f.number] > 1 else "")
        )
        shape = tuple(int(side) for side in f.tensor.shape[1:])
        if f.call.channels_first and len(shape) > 1:
            shape = (*shape[1:], shape[0])
        zeros, reason = zeros_of(f.tensor, known)
        # A model inside a model returns the tensor of its last layer: what reads it is said of the layer that made it.
        feeds = (
            ()
            if id(f.tensor) in made
            else tuple(sorted({type(c.layer).__name__ for c in readers.get(id(f.tensor), [])}))
        )
        made.add(id(f.tensor))
        parameters = int(f.call.layer.count_params()) if _has_variables(f.call.layer) else 0
        taps.append(
            Tap(
                name,
                path,
                kind,
                len(taps) + 1,
                of_type[kind],
                shape,
                f.tensor.dtype.name,
                parameters,
                zeros,
                reason,
                feeds,
            )
        )
    return taps


def _has_variables(layer: Any) -> bool:
    return bool(getattr(layer, "weights", ()))


def _layers(model: Any, found: list[Found], taps: list[Tap]) -> list[Layer]:
    """Called layers in the order in which they run, then the others."""
    by_path: dict[str, list[Found]] = {}
    for f in found:
        by_path.setdefault(f.call.path, []).append(f)
    rows = []
    for path, group in by_path.items():
        names = tuple(tap.name for tap in taps if tap.layer == path)
        rows.append(_layer(path, group[0].call.layer, names, "" if names else group[0].reason))
    called = {id(f.call.layer) for f in found}
    for path, layer in _walk(model, ""):
        if id(layer) not in called:
            is_input = type(layer).__name__ == "InputLayer"
            rows.append(
                _layer(
                    path, layer, (), "an input: it holds the image itself" if is_input else "not called in inference"
                )
            )
    return rows


def _layer(path: str, layer: Any, taps: tuple[str, ...], reason: str) -> Layer:
    variables = list(getattr(layer, "weights", ()))
    trainable = {id(v) for v in getattr(layer, "trainable_weights", ())}
    sizes = [(int(tf.TensorShape(v.shape).num_elements() or 0), id(v) in trainable) for v in variables]
    return Layer(path, type(layer).__name__, sum(n for n, _ in sizes), sum(n for n, t in sizes if t), taps, reason)


def _walk(layer: Any, prefix: str) -> list[tuple[str, Any]]:
    """Every layer below a layer, with its path."""
    rows = []
    for child in layer._flatten_layers(include_self=False, recursive=False):
        path = f"{prefix}{level(child)}"
        rows += [(path, child), *_walk(child, f"{path}/")]
    return rows


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
