"""Small ONNX models, written node by node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fmreport import config
from fmreport.sources import open_source

onnx = pytest.importorskip("onnx", reason="needs the extra fmreport[onnx]")
pytest.importorskip("onnxruntime", reason="needs the extra fmreport[onnx]")
helper, numpy_helper, FLOAT = onnx.helper, onnx.numpy_helper, onnx.TensorProto.FLOAT
IMAGE = "image"


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    """Numbers between 0.5 and 1.5."""
    return np.random.default_rng(seed).uniform(0.5, 1.5, shape).astype(np.float32)


def node(kind: str, inputs: Sequence[str], outputs: Sequence[str] | str, name: str = "", **attributes: Any) -> Any:
    """One operation."""
    made = [outputs] if isinstance(outputs, str) else list(outputs)
    return helper.make_node(kind, list(inputs), made, name=name, **attributes)


def graph(
    nodes: Sequence[Any],
    held: Mapping[str, Any] | None = None,
    *,
    image: Sequence[Any] = ("n", 3, 12, 17),
    opset: int = 20,
    dtype: int = FLOAT,
    returned: Sequence[str] = (),
) -> Any:
    """A model of an image, which returns what its last node makes; `held` are its numbers by name."""
    last = returned or [name for name in nodes[-1].output if name]
    stored = [numpy_helper.from_array(np.asarray(value), name) for name, value in (held or {}).items()]
    made = helper.make_graph(
        list(nodes),
        "test",
        [helper.make_tensor_value_info(IMAGE, dtype, list(image))],
        [onnx.ValueInfoProto(name=name) for name in last],
        stored,
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def plain() -> Any:
    """Two convolutions with what stands between them."""
    rng = np.random.default_rng(0)
    held = {
        "first/kernel": rng.normal(size=(4, 3, 3, 3)),
        "first/bias": rng.normal(size=4),
        "scale": rng.uniform(0.5, 2, 4),
        "offset": rng.normal(size=4),
        "mean": rng.normal(size=4),
        "variance": rng.uniform(0.5, 2, 4),
        "second/kernel": rng.normal(size=(6, 4, 3, 3)),
        "dense/kernel": rng.normal(size=(6, 5)),
        "dense/bias": rng.normal(size=5),
    }
    nodes = [
        node("Conv", [IMAGE, "first/kernel", "first/bias"], "a", "/first/Conv"),
        node("Relu", ["a"], "b", "/first/Relu"),
        node("MaxPool", ["b"], "c", "/pool/MaxPool", kernel_shape=[2, 2], strides=[2, 2]),
        node("BatchNormalization", ["c", "scale", "offset", "mean", "variance"], "d", "/norm/BatchNormalization"),
        node("Dropout", ["d"], "e", "/drop/Dropout"),
        node("Conv", ["e", "second/kernel"], "f", "/second/Conv", pads=[1, 1, 1, 1]),
        node("GlobalAveragePool", ["f"], "g", "/mean/GlobalAveragePool"),
        node("Flatten", ["g"], "h", "/mean/Flatten"),
        node("Gemm", ["h", "dense/kernel", "dense/bias"], "i", "/dense/Gemm"),
    ]
    floats = {name: value.astype(np.float32) for name, value in held.items()}
    return graph(nodes, floats, image=("n", 3, 16, 16))


def saved(model: Any, folder: Path, name: str = "model.onnx") -> Path:
    """Written to a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / name)
    return folder / name


def opened(path: Path, size: tuple[int, int] = (12, 17), **settings: Any) -> Any:
    """As a config opens it."""
    data = {
        "name": "test",
        "model": {"kind": "onnx", "path": path.name, **settings},
        "preprocess": {"size": list(size)},
        "probes": [{"kind": "skimage", "names": ["cat"]}],
    }
    return open_source(config.from_dict(data, path.parent))
