"""A part of an ONNX graph, made ready by ONNX Runtime on the processor."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as state

from fmreport.environment import cores
from fmreport.errors import TOO_LARGE, OutOfMemoryError, SourceError
from fmreport.sources.architecture import summary
from fmreport.sources.onnx.file import Stored
from fmreport.sources.onnx.stored import reads

FAILURES: tuple[type[Exception], ...] = (
    *(each for each in vars(state).values() if isinstance(each, type) and issubclass(each, Exception)),
    RuntimeError,
    ValueError,
)
"""What ONNX Runtime raises."""
NATIVE = {"", "ai.onnx", "ai.onnx.ml", "com.microsoft"}
"""Domains of operations that ONNX Runtime has."""
NEXT_STEP = "export the model again in another version of ONNX's operations (opset), or install a newer onnxruntime"


class Session:
    """Returns some of the tensors that a graph makes, and runs what they are made of alone."""

    def __init__(self, model: Any, names: Sequence[str], source: str) -> None:
        """`source` is how messages call the model. Raises `SourceError` where ONNX Runtime cannot run it."""
        self._names, self._source = list(names), source
        part = _part(model, names)
        self._read = {each.name for each in part.graph.input}
        try:
            self._session = onnxruntime.InferenceSession(
                part.SerializeToString(), _options(), providers=["CPUExecutionProvider"], enable_fallback=0
            )
        except FAILURES as error:
            raise SourceError(
                f"{source} cannot be run by ONNX Runtime {onnxruntime.__version__}: {_said(error)}", fix=NEXT_STEP
            ) from error

    def run(self, fed: Mapping[str, np.ndarray], held: Mapping[str, Any]) -> list[Any]:
        """What the tensors hold, for what the model is fed, and weights as ONNX Runtime holds them."""
        given = {name: value for each in (fed, held) for name, value in each.items() if name in self._read}
        try:
            found: list[Any] = self._session.run(self._names, given)
        except FAILURES as error:
            if "Failed to allocate memory" in str(error):
                raise OutOfMemoryError(f"memory ran out in ONNX Runtime: {_said(error)}", fix=TOO_LARGE) from error
            raise SourceError(
                f"{self._source} fails while it runs: {_said(error)}",
                fix="try another preprocess.size, and feed other inputs by model.inputs",
            ) from error
        return found


def held(weight: Stored, value: np.ndarray) -> Any:
    """Numbers as ONNX Runtime takes them, which lie where they are."""
    value = np.ascontiguousarray(value)
    if value.dtype.kind == "f":
        return onnxruntime.OrtValue.ortvalue_from_numpy(value)
    bits = value.view(f"u{value.dtype.itemsize}")
    return onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type(bits, weight.format)


def check_operations(model: Any, source: str) -> None:
    """Raises `SourceError` for an operation of somebody's own."""
    for node in model.graph.node:
        if node.domain not in NATIVE:
            raise SourceError(
                f"{source}: {node.name or node.output[0]} is a {node.op_type} of {node.domain}, which is no part of "
                "ONNX",
                fix="export the model with ONNX's own operations; code of others is not loaded",
            )


def _said(error: Exception) -> str:
    """What ONNX Runtime says, without its codes and the places in its own source."""
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", str(error))
    return summary(RuntimeError(re.sub(r"/onnxruntime_src/\S+:\d+ .*?\) ", "", text)))


def _options() -> Any:
    options = onnxruntime.SessionOptions()
    # Operation by operation, as the file says: else numbers would depend on which tensors are asked for.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.use_deterministic_compute = True
    # What a run took is given back, and threads that wait leave the processor to the measures.
    options.enable_cpu_mem_arena = options.enable_mem_pattern = False
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.intra_op_num_threads = cores()
    options.log_severity_level = 4
    return options


def _part(model: Any, names: Sequence[str]) -> Any:
    """The nodes that tensors are made by, as a model."""
    wanted, kept = set(names), []
    for node in reversed(model.graph.node):
        if wanted.intersection(node.output):
            kept.append(node)
            wanted.update(filter(None, reads(node)))
    part = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import)
    part.graph.name = model.graph.name or "graph"
    part.graph.node.extend(reversed(kept))
    part.graph.input.extend(each for each in model.graph.input if each.name in wanted)
    part.graph.initializer.extend(each for each in model.graph.initializer if each.name in wanted)
    part.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    return part
