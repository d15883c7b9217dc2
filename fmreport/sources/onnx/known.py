"""What is known of every tensor of an ONNX graph before it is drawn."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx

from fmreport.sources.onnx.file import File
from fmreport.sources.onnx.stored import dtype, reads

SHAPES = ("Shape", "Size")
"""Operations that read no values of an activation."""
AT_ONCE = 64
"""Tensors that are asked for at once."""
KEPT = 1 << 16
"""Values of a tensor that are kept."""

Run = Callable[[Sequence[str]], Mapping[Hashable, Any]]
"""From names to what the tensors hold."""


@dataclass(frozen=True, slots=True)
class Known:
    """One tensor for some inputs."""

    shape: tuple[int, ...] | None
    """None for what is no tensor."""
    dtype: Any = None
    value: np.ndarray | None = None
    """None where the image decides it, or where it is large."""


def live(graph: Any, fed: Iterable[str]) -> frozenset[str]:
    """Names of the tensors that are made of values of the inputs `fed`."""
    found = set(fed)
    for node in graph.node:
        if node.op_type not in SHAPES and found.intersection(reads(node)):
            found.update(filter(None, node.output))
    return frozenset(found)


def known(file: File, arrays: Mapping[str, np.ndarray], run: Run) -> dict[str, Known]:
    """Every tensor that is no weight, by name, for what the inputs hold in `arrays`.

    Shapes are inferred where they can be, so that activations need not be held; what the image does not decide is run.
    """
    found = _inferred(file, arrays)
    made_of_image = live(file.graph, arrays)
    made = [name for node in file.graph.node for name in node.output if name]
    asked = [name for name in made if _asked(found.get(name), name in made_of_image)]
    for names in _parts(asked):
        held = run(names)
        found |= {name: _seen(held[name], name in made_of_image) for name in names}
    return found | {name: Known(value.shape, value.dtype, value) for name, value in file.small.items()}


def _asked(inferred: Known | None, of_image: bool) -> bool:
    """Whether a tensor has to be computed."""
    if inferred is None or inferred.shape is None:
        return True
    return not of_image and int(np.prod(inferred.shape, dtype=np.int64)) <= KEPT


def _seen(value: Any, of_image: bool) -> Known:
    if not isinstance(value, np.ndarray | np.generic):
        return Known(None)
    held = np.asarray(value)
    return Known(held.shape, held.dtype, None if of_image or held.size > KEPT else held)


def _inferred(file: File, arrays: Mapping[str, np.ndarray]) -> dict[str, Known]:
    """What follows from the shapes of the inputs."""
    model = onnx.ModelProto()
    model.CopyFrom(file.model)
    for each in model.graph.input:
        if each.name in arrays:
            format_ = each.type.tensor_type.elem_type
            each.CopyFrom(onnx.helper.make_tensor_value_info(each.name, format_, arrays[each.name].shape))
    names = [each.name for each in model.graph.output]
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    try:
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    except onnx.shape_inference.InferenceError:
        return {}
    found = {}
    for each in (*inferred.value_info, *inferred.output):
        tensor = each.type.tensor_type
        sides = tensor.shape.dim
        if (
            tensor.elem_type
            and tensor.HasField("shape")
            and all(side.HasField("dim_value") and side.dim_value >= 0 for side in sides)
        ):
            found[each.name] = Known(tuple(side.dim_value for side in sides), dtype(tensor.elem_type, each.name))
    return found


def _parts(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(names), AT_ONCE):
        yield names[start : start + AT_ONCE]
