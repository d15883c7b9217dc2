"""What a Keras model takes, and which of it is fed the image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from fmreport.errors import SourceError, nearest
from fmreport.sources import InputSpec

Size = tuple[int, int]
CHANNELS = (1, 3, 4)
"""Numbers of channels that pictures have."""
SMALLEST = 16
"""Rows or columns below which nothing is to be seen on a picture."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """Every input of a model, and what each is fed."""

    structure: Any
    """How the model takes its inputs: one tensor, or a list or dict of them."""
    specs: tuple[tf.TensorSpec, ...]
    feeds: tuple[str, ...]
    """For each input `image`, `zeros` or `ones`."""

    @property
    def batch(self) -> int | None:
        """The only batch size that the model takes; None where it takes any."""
        taken = (spec.shape[0] for spec, feed in zip(self.specs, self.feeds, strict=True) if feed == "image")
        return next((int(size) for size in taken if size), None)

    @property
    def image(self) -> InputSpec:
        """The input that images are fed to."""
        spec = self.specs[self.feeds.index("image")]
        return InputSpec(spec.name, *_as_image(spec), bounds=_bounds(spec.dtype))

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know of an input that does not look like a picture's."""
        (height, width), channels = _as_image(self.specs[self.feeds.index("image")])
        if not height or not width or (min(height, width) >= SMALLEST and max(height, width) < 3 * min(height, width)):
            return ()
        note = (
            f"The input is {height} x {width} x {channels}, hardly a picture: if it holds something else, such as a "
            "spectrogram (time x frequency), the rows and columns of every map are its axes, and photographs are "
            "foreign to the model: read the numbers as those of any input, not of what it was made for"
        )
        return (note,)

    def channels_first(self, i: int) -> bool:
        """Whether an input takes images as `(C, H, W)`."""
        return self.feeds[i] == "image" and _channels_first(self.specs[i])

    def fed(self, images: Any, batch: int) -> list[Any]:
        """What the inputs take for images `(batch, H, W, C)`, in order."""
        tensors = []
        for i, (spec, feed) in enumerate(zip(self.specs, self.feeds, strict=True)):
            if feed == "image":
                whole = tf.round(images) if spec.dtype.is_integer else images
                tensors.append(
                    tf.cast(tf.transpose(whole, (0, 3, 1, 2)) if self.channels_first(i) else whole, spec.dtype)
                )
            else:
                sides = spec.shape.as_list() if spec.shape.rank is not None else []
                shape = [side if side is not None else 1 if axis else batch for axis, side in enumerate(sides)]
                tensors.append(tf.ones(shape, spec.dtype) if feed == "ones" else tf.zeros(shape, spec.dtype))
        return tensors

    def packed(self, tensors: list[Any]) -> Any:
        """The tensors as the model takes them."""
        return tf.nest.pack_sequence_as(self.structure, tensors)


def inputs_of(model: Any, feeds: Mapping[str, str], size: Size | None) -> Inputs:
    """What a Keras model takes. `size` is (H, W) of the images for a model that declares no input.

    Raises `SourceError` where `feeds` names an input that is not there, or where it is not clear what takes the image.
    """
    return settled(*(_declared(model) or _built_for(model, size)), feeds)


def settled(structure: Any, specs: Sequence[tf.TensorSpec], feeds: Mapping[str, str]) -> Inputs:
    """Inputs with what each is fed; raises `SourceError` as `inputs_of` does."""
    names = [spec.name for spec in specs]
    if not names:
        raise SourceError("the model takes no input", fix="name another of its functions under model.signature")
    if unknown := [name for name in feeds if name not in names]:
        raise SourceError(f"model.inputs: the model has no input named {unknown[0]}", fix=nearest(unknown[0], names))
    if len(names) == 1:
        feeds = {names[0]: "image"}
    if missing := [name for name in names if name not in feeds]:
        guess = {spec.name: feeds.get(spec.name) or ("image" if _is_picture(spec) else "zeros") for spec in specs}
        raise SourceError(
            f"model.inputs: the model has {len(names)} inputs, and nothing says what {', '.join(missing)} "
            f"takes: {'; '.join(f'{spec.name} {_shown(spec)}' for spec in specs)}",
            fix="write under model, with image, zeros or ones for each: "
            f"inputs: {{{', '.join(f'{name}: {feed}' for name, feed in guess.items())}}}",
        )
    inputs = Inputs(structure, tuple(_open(spec, feeds[spec.name]) for spec in specs), tuple(feeds[n] for n in names))
    _check_images(inputs)
    return inputs


def _declared(model: Any) -> tuple[Any, list[tf.TensorSpec]] | None:
    """The inputs of a functional or sequential model."""
    tensors = getattr(model, "inputs", None)
    if not tensors:
        return None
    # In Keras 3 the tensor of an input without a name is numbered by another counter than its layer.
    layers = [layer for layer in model.layers if type(layer).__name__ == "InputLayer"]
    names = {id(layer.output): layer.name for layer in layers}
    specs = [tf.TensorSpec(x.shape, tf.as_dtype(x.dtype), names.get(id(x), x.name.split(":")[0])) for x in tensors]
    # Keras 3 has none for a sequential model.
    structure = getattr(model, "input", None)
    return structure if len(tf.nest.flatten(structure)) == len(specs) else list(tensors), specs


def _built_for(model: Any, size: Size | None) -> tuple[Any, list[tf.TensorSpec]]:
    """The inputs of a subclassed model by what it was built with, which binds neither batch nor size."""
    shape = (model.get_build_config() or {}).get("input_shape") or (None, None, None, 3)
    if isinstance(shape, Mapping):
        # As TensorFlow flattens a dict.
        names = sorted(shape)
        return dict.fromkeys(names, 0), [_spec(shape[name], str(name), size) for name in names]
    if any(isinstance(part, list | tuple) for part in shape):
        return [0] * len(shape), [_spec(part, f"input_{i}", size) for i, part in enumerate(shape, start=1)]
    return None, [_spec(shape, "image", size)]


def _spec(shape: Sequence[int | None], name: str, size: Size | None) -> tf.TensorSpec:
    sides = size if size is not None and len(shape) == 4 else shape[1:-1]
    return tf.TensorSpec((None, *sides, *shape[-1:]), tf.float32, name)


def _open(spec: tf.TensorSpec, feed: str) -> tf.TensorSpec:
    """An input of unknown rank takes images of any size, if it is fed them."""
    free = spec.shape.rank is None and feed == "image"
    return tf.TensorSpec((None, None, None, None), spec.dtype, spec.name) if free else spec


def _bounds(dtype: tf.DType) -> tuple[float, float] | None:
    """The smallest and largest number of an integer format."""
    return (float(dtype.min), float(dtype.max)) if dtype.is_integer else None


def _check_images(inputs: Inputs) -> None:
    """Every input that is fed the image must be able to hold one, and all of them the same."""
    images = [spec for spec, feed in zip(inputs.specs, inputs.feeds, strict=True) if feed == "image"]
    for spec in images:
        if spec.shape.rank != 4:
            raise SourceError(
                f"the input {spec.name} takes {_whole(spec)}, and a batch of images has four axes",
                fix="feed what is no image zeros or ones in model.inputs; else save the model with an input "
                "(batch, height, width, channels)",
            )
        if not (spec.dtype.is_floating or spec.dtype.is_integer):
            raise SourceError(
                f"the input {spec.name} takes {spec.dtype.name}, which no picture is fed as",
                fix="save the model with an input of numbers: the part behind the decoding of files",
            )
    taken = {_as_image(spec) for spec in images}
    if len(taken) > 1:
        raise SourceError(
            f"the inputs {', '.join(f'{spec.name} {_shown(spec)}' for spec in images)} cannot take the same image",
            fix="feed one of them zeros or ones in model.inputs",
        )


def _shown(spec: tf.TensorSpec) -> str:
    if spec.shape.rank is None:
        return "any shape"
    return " x ".join("any" if side is None else str(side) for side in spec.shape[1:]) or "one number"


def _whole(spec: tf.TensorSpec) -> str:
    """Format and shape, the batch included."""
    sides = ", ".join("any" if side is None else str(side) for side in spec.shape)
    return f"{spec.dtype.name} of shape ({sides})"


def _is_picture(spec: tf.TensorSpec) -> bool:
    return spec.shape.rank == 4 and bool({spec.shape[1], spec.shape[3]} & set(CHANNELS))


def _channels_first(spec: tf.TensorSpec) -> bool:
    """Whether an image input is `(C, H, W)`: its first axis looks like channels and its last does not."""
    first, last = spec.shape[1], spec.shape[3]
    return last not in CHANNELS and (first in CHANNELS or keras.config.image_data_format() == "channels_first")


def _as_image(spec: tf.TensorSpec) -> tuple[tuple[int | None, int | None], int | None]:
    """((height, width), channels), None for what is free."""
    a, b, c = spec.shape[1:]
    return ((b, c), a) if _channels_first(spec) else ((a, b), c)
