"""A TensorFlow Lite model as a `TappableModel`: an interpreter keeps every tensor that it computes."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from fmreport.environment import cores
from fmreport.errors import SourceError
from fmreport.sources import Identity
from fmreport.sources.architecture import summary
from fmreport.sources.blueprint.graph import Blueprint
from fmreport.sources.blueprint.listing import Drawing
from fmreport.sources.hosted import Arrays, HostedModel
from fmreport.sources.inputs import settled
from fmreport.sources.randomised import Weight
from fmreport.sources.tflite.drawing import Drawer
from fmreport.sources.tflite.file import File, Tensor
from fmreport.sources.tflite.notes import notes

FAILURES = (RuntimeError, ValueError)
"""What LiteRT raises."""
SEVERAL = 2
"""Images at once, by which it is found out whether a model takes any number of them."""


class TfliteModel(HostedModel):
    """Run by LiteRT on the processor, without delegates: whole numbers are rounded as its reference does."""

    def __init__(self, file: File, interpreter: Interpreter, identity: Identity, feeds: Mapping[str, str]) -> None:
        """`interpreter` is that of the file as it is; `feeds` as in a config."""
        self._file = file
        self._fed_to = [file.tensors[index] for index in file.inputs]
        self._given: dict[int, np.ndarray] = {}
        """Weights that hold other numbers than in the file, by index."""
        self._interpreter: Interpreter | None = interpreter
        self._identity = identity
        specs = [_spec(tensor, name) for tensor, name in zip(self._fed_to, file.inputs.values(), strict=True)]
        if not self._takes_several():
            specs = [_of_own_batch(spec, tensor) for spec, tensor in zip(specs, self._fed_to, strict=True)]
        super().__init__(identity, settled([0] * len(specs), specs, feeds), notes(file))

    def _draw(self, blueprint: Blueprint, fed: Sequence[Any], arrays: Sequence[np.ndarray]) -> Drawing:
        interpreter = self._run(arrays)

        def known(index: int) -> np.ndarray:
            return self._value(interpreter, index)

        return Drawer(self._file, known, blueprint).draw(dict(zip(self._file.inputs, fed, strict=True)))

    def _running(self, wanted: Sequence[Hashable]) -> Callable[[Sequence[np.ndarray]], Arrays]:
        indices = [index for index in wanted if isinstance(index, int)]

        def run(arrays: Sequence[np.ndarray]) -> Arrays:
            interpreter = self._run(arrays)
            # Copies: the next run writes where these lie.
            return {index: self._value(interpreter, index) for index in indices}

        return run

    def _weights(self) -> Iterable[Weight]:
        return [_Overridden(each, self) for each in self._file.weights.values() if each.dtype is not None]

    def _run(self, arrays: Sequence[np.ndarray]) -> Interpreter:
        """An interpreter that has just computed everything for these inputs."""
        try:
            interpreter = self._ready([array.shape for array in arrays])
            for tensor, array in zip(self._fed_to, arrays, strict=True):
                interpreter.set_tensor(tensor.index, tensor.stored_as(array))
            interpreter.invoke()
        except FAILURES as error:
            self._interpreter = None
            raise SourceError(
                f"{self._identity.source} fails while it runs: {summary(error)}",
                fix="try another preprocess.size, and feed other inputs by model.inputs",
            ) from error
        return interpreter

    def _value(self, interpreter: Interpreter, index: int) -> np.ndarray:
        """A copy of a tensor, as real numbers."""
        tensor = self._file.tensors[index]
        try:
            return tensor.real(interpreter.get_tensor(index))
        except FAILURES as error:
            raise SourceError(
                f"{self._identity.source} fails while it runs: {tensor.name} cannot be read: {summary(error)}",
                fix="try another preprocess.size, or convert the model again",
            ) from error

    def _ready(self, shapes: Sequence[tuple[int, ...]]) -> Interpreter:
        """An interpreter for inputs of such shapes."""
        if self._interpreter is None:
            self._interpreter = interpreter_of(self._file.with_numbers(self._given))
        details = {each["index"]: tuple(map(int, each["shape"])) for each in self._interpreter.get_input_details()}
        for tensor, shape in zip(self._fed_to, shapes, strict=True):
            if details[tensor.index] != tuple(shape):
                self._interpreter.resize_tensor_input(tensor.index, shape, strict=True)
        self._interpreter.allocate_tensors()
        return self._interpreter

    def _takes_several(self) -> bool:
        """Whether several images can be fed at once; of a model whose sizes are free this shows when it runs."""
        sides = [tensor.signature[1:] for tensor in self._fed_to]
        if any(None in each for each in sides):
            return True
        try:
            self._ready([(SEVERAL, *tensor.shape[1:]) for tensor in self._fed_to])
        except FAILURES:
            self._interpreter = None
            return False
        return True

    def _give(self, index: int, value: np.ndarray) -> None:
        self._given[index] = value
        self._interpreter = None


def interpreter_of(content: bytes) -> Interpreter:
    """Of a model that keeps every tensor; raises `ValueError` where LiteRT finds that it is none."""
    return Interpreter(
        model_content=content,
        num_threads=cores(),
        # A delegate rounds whole numbers otherwise than the reference does, and by the processor that it runs on.
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=True,
    )


class _Overridden:
    """A weight whose numbers may be replaced; whole numbers that stand for others are moved as they are stored."""

    def __init__(self, tensor: Tensor, model: TfliteModel) -> None:
        self._tensor, self._model = tensor, model
        assert tensor.dtype is not None
        # As float64, which holds them all: they are weights.
        self.dtype = tensor.dtype if tensor.dtype.kind == "f" else np.dtype(np.float64)

    def numpy(self) -> np.ndarray:
        """A copy of its numbers."""
        given = self._model._given.get(self._tensor.index)
        return np.array(self._model._file.numbers(self._tensor) if given is None else given, self.dtype)

    def assign(self, value: Any) -> None:
        """Puts others in their place."""
        self._model._give(self._tensor.index, np.array(value, self._tensor.dtype))


def _spec(tensor: Tensor, name: str) -> tf.TensorSpec:
    if tensor.dtype is None:
        raise SourceError(
            f"the input {name} takes {tensor.format.lower()}, which no picture is fed as",
            fix="convert the model with an input of numbers: a batch of images",
        )
    dtype = tensor.dtype if tensor.quantisation is None else np.float32
    return tf.TensorSpec(tensor.signature, tf.as_dtype(dtype), name)


def _of_own_batch(spec: tf.TensorSpec, tensor: Tensor) -> tf.TensorSpec:
    return tf.TensorSpec((*tensor.shape[:1], *spec.shape[1:]), spec.dtype, spec.name)
