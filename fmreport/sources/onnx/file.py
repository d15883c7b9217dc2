"""An ONNX model in two parts: its graph, and its weights, which the graph takes as inputs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper
from onnx.inliner import inline_local_functions

from fmreport.sources.onnx.stored import branches, dtype_of, numbers

FLOATS = {
    getattr(TensorProto, name)
    for name in (
        "FLOAT", "DOUBLE", "FLOAT16", "BFLOAT16", "FLOAT8E4M3FN", "FLOAT8E4M3FNUZ", "FLOAT8E5M2", "FLOAT8E5M2FNUZ",
    )
}  # fmt: skip
"""Formats of weights that are handed to the graph; all others stay in it."""
WEIGHED = (
    "Conv", "ConvTranspose", "Gemm", "MatMul", "BatchNormalization", "InstanceNormalization", "GroupNormalization",
    "LayerNormalization", "PRelu",
)  # fmt: skip
"""Operations of which a single number is a weight too; elsewhere it is a threshold or a scale."""
QUANTISED = {
    "DequantizeLinear": (0,),
    "QuantizeLinear": (0,),
    "QLinearConv": (3, 8),
    "QLinearMatMul": (0, 3),
    "ConvInteger": (1,),
    "MatMulInteger": (0, 1),
}
"""Operations that work on whole numbers, with the inputs that may be weights; what stands beside is no weight."""
SETTINGS = {"Resize": (1, 2), "Upsample": (1,), "OneHot": (2,), "Pad": (2,), "NonMaxSuppression": (3, 4)}
"""Inputs of several numbers that tell an operation what to do."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A weight as it is stored."""

    name: str
    format: int
    """As ONNX numbers them."""
    value: np.ndarray

    @property
    def fed(self) -> bool:
        """Whether the graph takes it as an input."""
        return self.format in FLOATS


@dataclass(frozen=True, slots=True)
class File:
    """A model as it was stored."""

    model: Any
    """A `ModelProto` in which every constant is an initializer, and every weight of `FLOATS` an input."""
    weights: dict[str, Stored]
    """What training may have settled, by name."""
    small: dict[str, np.ndarray]
    """All other initializers."""
    inside: int
    """Floating-point numbers that branches and loops hold, which are none of the weights."""

    @property
    def opset(self) -> int:
        """The version of ONNX's operations."""
        return next((int(each.version) for each in self.model.opset_import if each.domain in ("", "ai.onnx")), 1)

    @property
    def graph(self) -> Any:
        """Its graph."""
        return self.model.graph

    @property
    def inputs(self) -> list[Any]:
        """What the model itself is fed."""
        return [each for each in self.graph.input if each.name not in self.weights]


def separated(model: Any, folder: Path) -> File:
    """A model whose numbers lie in it or in a folder, in two parts; takes the proto apart.

    Raises `OSError` or `ValueError` where numbers cannot be read.
    """
    if model.functions:
        model = inline_local_functions(model)
    graph = model.graph
    _tell_apart(graph.node)
    _hoist(graph)
    _dense(graph)
    stored = {each.name: each for each in graph.initializer}
    held = {name: numbers(each, folder) for name, each in stored.items()}
    # Before version 4 of the format, initializers were inputs too.
    taken = [each for each in graph.input if each.name not in stored]
    weights = {name: Stored(name, stored[name].data_type, held[name]) for name in _weights(graph, stored)}
    taken += [
        onnx.helper.make_tensor_value_info(each.name, each.format, each.value.shape)
        for each in weights.values()
        if each.fed
    ]
    kept = [_whole(each, held[name]) for name, each in stored.items() if name not in weights or not weights[name].fed]
    del graph.input[:], graph.initializer[:], graph.value_info[:]
    graph.input.extend(taken)
    graph.initializer.extend(kept)
    small = {name: value for name, value in held.items() if name not in weights}
    return File(model, weights, small, _inside(graph))


def _tell_apart(nodes: Any) -> None:
    """Nodes of one name get others: the runtime would refuse them."""
    taken: set[str] = set()
    for node in nodes:
        node.name = another(node.name, taken) if node.name else ""


def another(name: str, taken: set[str]) -> str:
    """A name that is not taken yet, and is now."""
    free, number = name, 1
    while free in taken:
        number += 1
        free = f"{name}~{number}"
    taken.add(free)
    return free


def _hoist(graph: Any) -> None:
    """Constants become initializers."""
    kept = []
    for node in graph.node:
        value = _constant(node) if node.op_type == "Constant" and node.domain in ("", "ai.onnx") else None
        if value is None:
            kept.append(node)
            continue
        stored = graph.initializer.add()
        stored.CopyFrom(value)
        stored.name = node.output[0]
    del graph.node[:]
    graph.node.extend(kept)


def _constant(node: Any) -> Any:
    """The tensor that a Constant returns; None where it is a rarer kind of it, which the runtime knows."""
    (attribute,) = node.attribute or (None,)
    if attribute is None or attribute.ref_attr_name:
        return None
    if attribute.name == "value":
        return attribute.t
    dtype = {"value_float": "f4", "value_floats": "f4", "value_int": "i8", "value_ints": "i8"}.get(attribute.name)
    held = onnx.helper.get_attribute_value(attribute)
    return None if dtype is None else numpy_helper.from_array(np.array(held, dtype))


def _dense(graph: Any) -> None:
    """Sparse initializers become whole ones."""
    for sparse in graph.sparse_initializer:
        values, at = numpy_helper.to_array(sparse.values), numpy_helper.to_array(sparse.indices)
        whole = np.zeros(tuple(sparse.dims), values.dtype)
        whole[np.unravel_index(at, whole.shape) if at.ndim == 1 else tuple(at.T)] = values
        graph.initializer.append(numpy_helper.from_array(whole, sparse.values.name))
    del graph.sparse_initializer[:]


def _whole(tensor: Any, value: np.ndarray) -> Any:
    """With its numbers inside."""
    return numpy_helper.from_array(np.asarray(value), tensor.name) if tensor.external_data else tensor


def _weights(graph: Any, stored: dict[str, Any]) -> Iterator[str]:
    """Names of initializers that training may have settled."""
    weighed, whole, settings = set[str](), set[str](), set[str]()
    for node in graph.node:
        if node.op_type in WEIGHED:
            weighed.update(node.input)
        if node.op_type in QUANTISED:
            own = {name for i, name in enumerate(node.input) if i in QUANTISED[node.op_type]}
            whole |= own
            settings.update(set(node.input) - own)
        settings.update(node.input[i] for i in SETTINGS.get(node.op_type, ()) if i < len(node.input))
    for name, each in stored.items():
        size = int(np.prod(tuple(each.dims), dtype=np.int64))
        counted = name in whole if dtype_of(each).kind in "iu" else dtype_of(each).kind in "fV"
        if counted and name not in settings and (size > 1 or (size and name in weighed)):
            yield name


def _inside(graph: Any) -> int:
    held = [each for _, inner in branches(graph.node) for each in inner.initializer]
    own = sum(int(np.prod(tuple(each.dims), dtype=np.int64)) for each in held if each.data_type in FLOATS)
    return own + sum(_inside(inner) for _, inner in branches(graph.node))
