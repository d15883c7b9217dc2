"""A TensorFlow Lite file: its operators, its tensors, and where their numbers lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from fmreport.records import Quantisation

NUMPY = {
    "FLOAT32": "float32",
    "FLOAT16": "float16",
    "FLOAT64": "float64",
    "INT8": "int8",
    "INT16": "int16",
    "INT32": "int32",
    "INT64": "int64",
    "UINT8": "uint8",
    "UINT16": "uint16",
    "UINT32": "uint32",
    "UINT64": "uint64",
    "BOOL": "bool",
}
"""Formats of numbers that NumPy reads as they lie in a file."""
ROUNDED = ("int8", "uint8", "int16")
"""Formats in which activations are quantised."""
BIASED = {
    "CONV_2D": 2,
    "DEPTHWISE_CONV_2D": 2,
    "TRANSPOSE_CONV": 3,
    "CONV_3D": 2,
    "CONV_3D_TRANSPOSE": 3,
    "FULLY_CONNECTED": 2,
}
"""Operators whose constants are weights, even those of a single number, and which of their inputs is the bias."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor of the model's graph."""

    index: int
    name: str
    shape: tuple[int, ...]
    """As stored: 1 where it is free."""
    signature: tuple[int | None, ...]
    """None where it is free."""
    format: str
    """As the file's format calls it, e.g. `INT4`."""
    buffer: int
    stored: bool
    """Whether the file holds its numbers."""
    scales: tuple[float, ...]
    """Of whole numbers that stand for others: one, or one for each channel."""
    quantisation: Quantisation | None
    """Of whole numbers with one scale, as those of activations are."""

    @property
    def dtype(self) -> np.dtype[Any] | None:
        """Of its numbers; None where NumPy has none."""
        return np.dtype(NUMPY[self.format]) if self.format in NUMPY else None

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return int(np.prod(self.shape, dtype=np.int64))

    def real(self, values: np.ndarray) -> np.ndarray:
        """What its numbers stand for."""
        return values if self.quantisation is None else self.quantisation.real(values)

    def stored_as(self, values: np.ndarray) -> np.ndarray:
        """The numbers that stand for values, which are clipped where the format has none."""
        return values if self.quantisation is None else self.quantisation.whole(values).astype(self.dtype)


@dataclass(frozen=True, slots=True, eq=False)
class Operator:
    """One step of the model's graph."""

    type: str
    """As the file's format calls it, e.g. `CONV_2D`; of one that it does not define, the name that the file gives."""
    custom: bool
    inputs: tuple[int, ...]
    """-1 where one is left out."""
    outputs: tuple[int, ...]
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class File:
    """The first graph of a file, which is the model's; others are the insides of loops and branches."""

    content: bytes
    tensors: Sequence[Tensor]
    operators: Sequence[Operator]
    inputs: Mapping[int, str]
    """What the model is fed, by the name that its signature gives it."""
    outputs: Sequence[int]
    weights: Mapping[int, Tensor]
    """What training may have settled, by index."""

    def numbers(self, tensor: Tensor) -> np.ndarray:
        """A copy of what is stored for a tensor."""
        assert tensor.dtype is not None
        return _bytes(self.content, tensor.buffer).view(tensor.dtype).reshape(tensor.shape).copy()

    def with_numbers(self, given: Mapping[int, np.ndarray]) -> bytes:
        """The content with other numbers for some of the tensors, by index."""
        if not given:
            return self.content
        content = bytearray(self.content)
        for index, value in given.items():
            _bytes(content, self.tensors[index].buffer)[:] = np.ascontiguousarray(value).reshape(-1).view(np.uint8)
        return bytes(content)


def read(content: bytes) -> File:
    """The model that bytes hold, which LiteRT has found to be whole."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    graph = model.subgraphs[0]
    sizes = [0 if buffer.data is None else len(buffer.data) for buffer in model.buffers]
    far = [bool(buffer.offset > 1) for buffer in model.buffers]
    tensors = [_tensor(i, each, sizes, far) for i, each in enumerate(graph.tensors)]
    operators = [_operator(each, model.operatorCodes) for each in _list(graph.operators)]
    names = {
        int(each.tensorIndex): _text(each.name)
        for signature in model.signatureDefs or []
        if signature.subgraphIndex == 0
        for each in signature.inputs or []
    }
    inputs = {int(i): names.get(int(i)) or tensors[i].name.partition(":")[0] for i in _list(graph.inputs)}
    outputs = [int(i) for i in _list(graph.outputs)]
    return _without_empty_biases(File(content, tensors, operators, inputs, outputs, _weights(tensors, operators)))


def _tensor(index: int, tensor: Any, sizes: Sequence[int], far: Sequence[bool]) -> Tensor:
    shape = tuple(int(side) for side in _list(tensor.shape))
    signature = _list(tensor.shapeSignature)
    free = tuple(None if side < 0 else int(side) for side in signature) if len(signature) == len(shape) else shape
    kind = _NAMES_OF_TYPES[tensor.type]
    about = tensor.quantization
    scales = tuple(float(each) for each in _list(about.scale)) if about is not None else ()
    stored = not tensor.isVariable and (sizes[tensor.buffer] > 0 or far[tensor.buffer])
    # Numbers of a sparse tensor lie otherwise than its shape says.
    kind = kind if tensor.sparsity is None else f"sparse {kind}"
    return Tensor(
        index,
        _text(tensor.name),
        shape,
        free,
        kind,
        int(tensor.buffer),
        stored,
        scales,
        _quantisation(NUMPY.get(kind, ""), scales, about),
    )


def _quantisation(dtype: str, scales: tuple[float, ...], about: Any) -> Quantisation | None:
    if dtype not in ROUNDED or len(scales) != 1 or not scales[0] > 0:
        return None
    zero, limits = _list(about.zeroPoint), np.iinfo(dtype)
    return Quantisation(scales[0], int(zero[0]) if len(zero) else 0, int(limits.min), int(limits.max))


def _operator(operator: Any, codes: Sequence[Any]) -> Operator:
    code = codes[operator.opcodeIndex]
    # Files of before 2020 hold the code in one byte alone.
    kind = _NAMES_OF_OPERATORS.get(max(code.builtinCode, code.deprecatedBuiltinCode), "CUSTOM")
    held = operator.builtinOptions2 if operator.builtinOptions is None else operator.builtinOptions
    return Operator(
        _text(code.customCode) if kind == "CUSTOM" else kind,
        kind == "CUSTOM",
        tuple(int(i) for i in _list(operator.inputs)),
        tuple(int(i) for i in _list(operator.outputs)),
        {} if held is None else vars(held),
    )


def _weights(tensors: Sequence[Tensor], operators: Sequence[Operator]) -> dict[int, Tensor]:
    read = {i for operator in operators for i in operator.inputs if i >= 0}
    learnt = {i for each in operators if each.type in BIASED for i in each.inputs[1:] if i >= 0}
    found = {}
    for i in sorted(read):
        tensor = tensors[i]
        numbers = "FLOAT" in tensor.format or bool(tensor.scales)
        if tensor.stored and numbers and (tensor.size > 1 or i in learnt):
            found[i] = tensor
    return found


def _without_empty_biases(file: File) -> File:
    """A bias of zeros is what a converter gives to a layer without one: it is no weight."""
    empty = {
        operator.inputs[place]
        for operator in file.operators
        if (place := BIASED.get(operator.type, 0)) and len(operator.inputs) > place
        if (tensor := file.weights.get(operator.inputs[place])) is not None and tensor.dtype is not None
        if not file.numbers(tensor).any()
    }
    return replace(file, weights={index: each for index, each in file.weights.items() if index not in empty})


def _bytes(content: bytes | bytearray, buffer: int) -> np.ndarray:
    """The bytes of a buffer where they lie."""
    held = schema.Model.GetRootAs(content, 0).Buffers(buffer)
    if held.Offset() > 1:
        # Of more than two gigabytes, numbers lie behind the rest.
        return np.frombuffer(content, np.uint8, held.Size(), held.Offset())
    return np.asarray(held.DataAsNumpy())


def _list(values: Any) -> Any:
    """A vector of the file; an empty one where it is left out."""
    return [] if values is None else values


def _text(name: Any) -> str:
    return "" if name is None else bytes(name).decode("utf-8", "replace")


def _names(numbers: Any) -> dict[int, str]:
    return {value: name for name, value in vars(numbers).items() if isinstance(value, int)}


_NAMES_OF_TYPES = _names(schema.TensorType)
_NAMES_OF_OPERATORS = _names(schema.BuiltinOperator)
