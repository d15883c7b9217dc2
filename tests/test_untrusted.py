"""A model file that would do more than compute is refused before any framework reads it."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import pytest
import tensorflow as tf
import tf_keras

from fmreport import config, sources
from fmreport.errors import SourceError


def settings(folder: Path, path: str, **model: object) -> config.Config:
    data = {
        "name": "untrusted",
        "model": {"kind": "keras", "path": path, **model},
        "probes": [{"kind": "skimage", "names": ["cat"]}],
    }
    return config.from_dict(data, folder)


def saved_with(folder: Path, function: str) -> str:
    """An h5 file with a layer that calls a function of TensorFlow."""
    inputs = tf_keras.Input((8, 8, 3))
    tf_keras.Model(inputs, tf.nn.relu(tf_keras.layers.Conv2D(2, 1)(inputs))).save(folder / "model.h5")
    with h5py.File(folder / "model.h5", "r+") as file:
        text = json.dumps(json.loads(file.attrs["model_config"]))
        assert '"function": "nn.relu"' in text
        file.attrs["model_config"] = text.replace('"function": "nn.relu"', f'"function": "{function}"')
    return "model.h5"


@pytest.mark.parametrize(
    "function",
    ["io.write_file", "io.gfile.rmtree", "load_library", "keras.utils.get_file", "compat.v1.py_func", "nn.a.b"],
)
def test_a_layer_that_calls_more_than_arithmetic_is_refused(tmp_path: Path, function: str) -> None:
    with pytest.raises(SourceError, match=f"calls {function} of TensorFlow") as caught:
        sources.check(settings(tmp_path, saved_with(tmp_path, function)))
    assert "trusted: true" in caught.value.fix


def test_a_layer_that_does_arithmetic_is_opened(tmp_path: Path) -> None:
    model = sources.open_source(settings(tmp_path, saved_with(tmp_path, "nn.relu")))
    assert [tap.type for tap in model.inventory((8, 8))[1]] == ["Conv2D", "TFOpLambda"]


class Writes(tf_keras.Model):
    """Writes a file whenever it runs."""

    def __init__(self, target: str) -> None:
        super().__init__()
        self.target, self.conv = target, tf_keras.layers.Conv2D(2, 1)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        tf.io.write_file(self.target, "written")
        return self.conv(inputs)


def test_a_saved_graph_that_writes_files_is_refused(tmp_path: Path) -> None:
    model, target = Writes(str(tmp_path / "target")), tmp_path / "target"
    model(tf.zeros((1, 8, 8, 3)))
    model.save(tmp_path / "writes")
    target.unlink()
    with pytest.raises(SourceError, match="calls WriteFile of TensorFlow"):
        sources.open_source(settings(tmp_path, "writes"))
    assert not target.exists()


def test_a_saved_graph_that_computes_is_opened(tmp_path: Path) -> None:
    inputs = tf_keras.Input((8, 8, 3))
    tf_keras.Model(inputs, tf_keras.layers.Conv2D(2, 1)(inputs)).save(tmp_path / "computes")
    sources.check(settings(tmp_path, "computes"))
