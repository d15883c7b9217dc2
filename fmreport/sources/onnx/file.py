"""An ONNX file: its graph without weights, and its weights one by one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import external_data_helper, numpy_helper

EXACT = ("DequantizeLinear", "QuantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger")
"""Operations whose whole numbers are weights, and whose numbers beside them are none."""


@dataclass(frozen=True, slots=True)
class Initializer:
    """A tensor that is stored with a model."""

    name: str
    proto: Any
    folder: Path
    """Where numbers lie that the file itself does not hold."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Its sizes."""
        return tuple(self.proto.dims)

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of its numbers."""
        return np.dtype(onnx.helper.tensor_dtype_to_np_dtype(self.proto.data_type))

    def numpy(self) -> np.ndarray:
        """Its numbers."""
        return np.asarray(numpy_helper.to_array(self.proto, str(self.folder)))


@dataclass(frozen=True, slots=True)
class File:
    """A model as it was stored."""

    model: Any
    """A `ModelProto` in which every constant is an initializer."""
    weights: dict[str, Initializer]
    """What training may have settled: more than one number each."""
    folder: Path

    @property
    def graph(self) -> Any:
        """Its graph."""
        return self.model.graph

    @property
    def inputs(self) -> list[Any]:
        """What the model is fed."""
        stored = {each.name for each in self.graph.initializer}
        return [each for each in self.graph.input if each.name not in stored]


def read(path: Path) -> File:
    """The model of a file; raises what `onnx` does where it is none."""
    model = onnx.load(str(path), load_external_data=False)
    graph = model.graph
    kept = []
    for node in graph.node:
        value = next((a.t for a in node.attribute if a.name == "value"), None) if node.op_type == "Constant" else None
        if value is None:
            kept.append(node)
            continue
        stored = graph.initializer.add()
        stored.CopyFrom(value)
        stored.name = node.output[0]
    del graph.node[:]
    graph.node.extend(kept)
    return File(model, _weights(graph, path.parent), path.parent)


def external(file: File) -> bool:
    """Whether numbers lie in files beside it."""
    return any(external_data_helper.uses_external_data(each) for each in file.graph.initializer)


def _weights(graph: Any, folder: Path) -> dict[str, Initializer]:
    stored = {each.name: Initializer(each.name, each, folder) for each in graph.initializer}
    whole = {name for node in graph.node if node.op_type in EXACT for name in node.input}
    return {
        name: each
        for name, each in stored.items()
        if each.size > 1 and (each.dtype.kind in "iu" if name in whole else each.dtype.kind in "fV")
    }
