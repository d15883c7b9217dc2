"""The same weights in Keras, PyTorch, ONNX and TensorFlow Lite: one report each, and what a comparison says of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import skimage.data
import tensorflow as tf

from fmreport import config, open_run, run
from fmreport.compare.comparison import Comparison
from fmreport.pipeline.comparing import differences
from fmreport.zoo.sd_unet import sd_unet

torch = pytest.importorskip("torch", reason="PyTorch is an extra")
tf2onnx = pytest.importorskip("tf2onnx", reason="is installed with fmreport[test]")
pytest.importorskip("onnxruntime", reason="ONNX is an extra")
pytest.importorskip("ai_edge_litert", reason="TensorFlow Lite is an extra")
from tflite_files import converted, whole  # noqa: E402
from torch_twins import SDUNet  # noqa: E402

SIZE = (64, 64)
PROBES = ("cat", "astronaut", "coffee", "rocket")
KINDS = {
    "keras": {"path": "model.keras"},
    "torch": {"path": "model.pt2"},
    "onnx": {"path": "model.onnx"},
    "tflite": {"path": "model.tflite"},
    "int8": {"kind": "tflite", "path": "whole.tflite"},
}
FLOAT = ("torch", "onnx", "tflite")


def unet() -> keras.Model:
    """With biases, as converters leave out those of zeros, and a last convolution that ends in no activation."""
    keras.utils.set_random_seed(0)
    model = sd_unet(8, size=SIZE)
    last = model.get_layer("head.conv")
    bare = keras.layers.Conv2D(3, 3, padding="same", name="head.conv")
    made = keras.Model(model.input, bare(last.input))
    bare.set_weights(last.get_weights())
    random = np.random.default_rng(0)
    for variable in made.trainable_variables:
        if variable.name in ("bias", "beta"):
            variable.assign(random.normal(size=variable.shape))
    return made


def stored(folder: Path) -> None:
    model = unet()
    model.save(folder / "model.keras")
    program = torch.export.export(SDUNet(model).eval(), (torch.zeros(4, 3, *SIZE),))
    torch.export.save(program, folder / "model.pt2")
    spec = [tf.TensorSpec((None, *SIZE, 3), tf.float32, name="image")]
    tf2onnx.convert.from_keras(model, input_signature=spec, output_path=str(folder / "model.onnx"), opset=18)
    (folder / "model.tflite").write_bytes(converted(model))
    pictures = [tf.image.resize(getattr(skimage.data, name)()[None, ..., :3], SIZE) for name in PROBES]
    images = [each.numpy() / 127.5 - 1 for each in pictures]
    (folder / "whole.tflite").write_bytes(converted(model, whole(images)))


@pytest.fixture(name="runs", scope="module")
def _runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("everywhere")
    stored(folder)
    made = {}
    for name, model in KINDS.items():
        data = {
            "name": name,
            "release": "v1",
            "model": {"kind": name, **model},
            "preprocess": {"size": list(SIZE), "range": [-1, 1]},
            "probes": [{"kind": "skimage", "names": list(PROBES)}],
            "layers": [{"type": "Conv2D"}],
            "report": {"formats": ["html"]},
        }
        made[name] = run(config.from_dict(data, folder), out=folder / "out").folder
    return made


def rows(folder: Path) -> list[tuple[Any, ...]]:
    """What the table says of each convolution, in an order of its own: frameworks run branches in orders of theirs."""
    table = open_run(folder).layers
    columns = ["shape", "parameters", "macs", "products", "zeros", *(name for name in table if name.startswith("rf_"))]
    # Of one position a frame has no padding worth a word, and reasons name layers.
    told = table[columns].drop(columns=["rf_reason", "rf_normalised"])
    return sorted(told.astype(str).itertuples(index=False, name=None))


def compared(runs: dict[str, Path], other: str) -> Comparison:
    return differences(runs["keras"], runs[other])


@pytest.mark.slow
@pytest.mark.parametrize("framework", FLOAT)
def test_the_table_of_layers_is_the_same(framework: str, runs: dict[str, Path]) -> None:
    expected, found = rows(runs["keras"]), rows(runs[framework])
    assert len(expected) == 51
    assert found == expected


@pytest.mark.slow
@pytest.mark.parametrize("framework", FLOAT)
def test_all_convolutions_are_paired_and_drift_is_rounding(framework: str, runs: dict[str, Path]) -> None:
    found = compared(runs, framework)
    drifts = [each.drift.relative for each in found.taps if each.drift is not None]
    assert len(drifts) == 51
    assert not [each for each in (*found.added, *found.removed) if each.tapped]
    assert all(drift is not None and drift < 1e-4 for drift in drifts)


@pytest.mark.slow
def test_whole_numbers_show_where_they_depart(runs: dict[str, Path]) -> None:
    found = compared(runs, "int8")
    assert len(found.taps) == 51
    assert found.onset is not None
    drifts = [each.drift.relative for each in found.taps if each.drift is not None]
    assert all(drift is not None and drift > 1e-3 for drift in drifts)


@pytest.mark.slow
@pytest.mark.parametrize("framework", [*FLOAT, "int8"])
def test_where_all_is_renamed_drift_is_told_first(framework: str, runs: dict[str, Path]) -> None:
    found = compared(runs, framework)
    assert found.verdict[0].startswith("Numbers agree to" if framework in FLOAT else "Drift starts at")
    assert not any("another activation" in sentence for sentence in found.verdict)
