"""An ONNX file as it lies on disk, and the files beside it that hold numbers of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import numpy_helper
from onnx.external_data_helper import ExternalDataInfo, uses_external_data

from fmreport.errors import SourceError
from fmreport.sources.architecture import summary


def parsed(path: Path, shown: str) -> Any:
    """The `ModelProto` of a file, whose numbers may lie beside it; `shown` is how messages call it."""
    try:
        model = onnx.load(str(path), format="protobuf", load_external_data=False)
    except (DecodeError, OSError, ValueError) as error:
        raise SourceError(
            f"{shown} cannot be read as ONNX: {summary(error)}", fix="export the model again, or give its other file"
        ) from error
    if broken := next((name for name in _names(model.graph) if not isinstance(name, str)), None):
        raise SourceError(
            f"{shown} cannot be read as ONNX: {broken!r} in it is no text",
            fix="export the model again, or give its other file",
        )
    if not model.graph.node:
        raise SourceError(f"{shown} holds no ONNX graph", fix="give the file that the model was exported to")
    return model


def beside(path: Path, shown: str) -> tuple[Path, ...]:
    """The files that hold numbers of a model, in order; raises `SourceError` where one is missing or lies elsewhere."""
    found = set()
    for tensor in filter(uses_external_data, tensors(parsed(path, shown).graph)):
        location = ExternalDataInfo(tensor).location
        if not (path.parent / location).resolve().is_relative_to(path.parent.resolve()):
            raise SourceError(
                f"{shown} reads numbers from {location}, which does not lie beside it",
                fix="save the model again with onnx.save(..., save_as_external_data=True, location=NAME)",
            )
        if not (path.parent / location).is_file():
            raise SourceError(
                f"{shown} reads numbers from {location}, which is missing",
                fix="copy the file from where the model was exported to; both belong in one folder",
            )
        found.add(path.parent / location)
    return tuple(sorted(found))


def numbers(tensor: Any, folder: Path) -> np.ndarray:
    """What a tensor holds; from a file it is read when it is used."""
    dtype = dtype_of(tensor)
    if not uses_external_data(tensor) or dtype.kind not in "fiu":
        return np.asarray(numpy_helper.to_array(tensor, str(folder)))
    told = ExternalDataInfo(tensor)
    path, start, shape = folder / told.location, int(getattr(told, "offset", None) or 0), tuple(tensor.dims)
    if path.stat().st_size < start + int(np.prod(shape, dtype=np.int64)) * dtype.itemsize:
        raise ValueError(f"{told.location} ends before what {tensor.name} reads of it")
    if 0 in shape:
        return np.empty(shape, dtype)
    return np.memmap(path, dtype.newbyteorder("<"), "r", start, shape)


def dtype_of(tensor: Any) -> np.dtype[Any]:
    """Of a tensor's numbers."""
    return dtype(tensor.data_type, tensor.name)


def dtype(format_: int, name: str) -> np.dtype[Any]:
    """NumPy's for a format as ONNX numbers them; raises `ValueError` where there is none."""
    try:
        return np.dtype(onnx.helper.tensor_dtype_to_np_dtype(format_))
    except KeyError as error:
        raise ValueError(f"{name} has the unknown format {format_}") from error


def _names(graph: Any) -> Iterator[Any]:
    """What is called somehow; no text where its bytes are none."""
    for each in (*graph.input, *graph.output, *graph.initializer):
        yield each.name
    for node in graph.node:
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        yield from (attribute.name for attribute in node.attribute)
    for _, inner in branches(graph.node):
        yield from _names(inner)


def tensors(graph: Any) -> Iterator[Any]:
    """All that are stored with a graph, those of its branches and loops included."""
    yield from graph.initializer
    for attribute in (each for node in graph.node for each in node.attribute):
        yield from (attribute.t, *attribute.tensors) if attribute.HasField("t") else attribute.tensors
    for _, inner in branches(graph.node):
        yield from tensors(inner)


def branches(nodes: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    """Nodes with the graphs that they hold: what If, Loop and Scan run."""
    for node in nodes:
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs) if attribute.HasField("g") else attribute.graphs:
                yield node, inner


def reads(node: Any) -> tuple[str, ...]:
    """Names of the tensors that a node reads, those included that the graphs in it take from outside; "" for none."""
    found = list(node.input)
    for _, inner in branches([node]):
        own = {each.name for each in (*inner.input, *inner.initializer)}
        for step in inner.node:
            found += [name for name in reads(step) if name and name not in own]
            own.update(step.output)
        found += [each.name for each in inner.output if each.name not in own]
    return tuple(found)
