"""Models as people save them hold nothing that is refused: layers of every kind, preprocessing, tables, detection."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import hostile_graphs
import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from hostile_graphs import v1

from fmreport.sources.graph.refused import uses

Outputs = Callable[[Any, Any], tuple[list[Any], list[Any]]]
"""From keras or tf_keras and a file of words to the inputs and outputs of a model."""


def recurrent(k: Any, _: str) -> tuple[list[Any], list[Any]]:
    series, film = k.Input((8, 4)), k.Input((3, 8, 8, 3))
    lstm = k.layers.Bidirectional(k.layers.LSTM(3))(series)
    return [series, film], [lstm, k.layers.GRU(4)(series), k.layers.ConvLSTM2D(4, 3)(film)]


def words(k: Any, vocabulary: str) -> tuple[list[Any], list[Any]]:
    text, number = k.Input((1,), dtype="string"), k.Input((1,), dtype="int64")
    adapted = k.layers.TextVectorization(max_tokens=10, output_mode="tf_idf")
    adapted.adapt(["a b", "c d"])
    looked_up = [k.layers.StringLookup(vocabulary=given)(text) for given in (["a", "b"], vocabulary)]
    return [text, number], [adapted(text), *looked_up, k.layers.IntegerLookup(vocabulary=[1, 2])(number)]


def pictures(k: Any, _: str) -> tuple[list[Any], list[Any]]:
    one = k.layers
    image = x = k.Input((32, 32, 3))
    normalized = one.Normalization()
    normalized.adapt(np.zeros((2, 32, 32, 3), "float32"))
    for layer in (normalized, one.Rescaling(2.0), one.Resizing(24, 24), one.RandomFlip(), one.RandomRotation(0.1)):
        x = layer(x)
    for layer in (one.RandomZoom(0.1), one.RandomContrast(0.1), one.RandomCrop(16, 16), one.Dropout(0.1)):
        x = layer(x)
    attended = one.MultiHeadAttention(1, 2)(flat := one.Reshape((256, 3))(x), flat)
    return [image], [attended, one.SeparableConv2D(2, 3)(x), one.Conv2DTranspose(2, 3)(x), one.UpSampling2D()(x)]


@pytest.mark.parametrize("framework", [keras, tf_keras], ids=["keras", "tf_keras"])
@pytest.mark.parametrize("outputs", [recurrent, words, pictures])
def test_a_model_of_keras_is_opened(outputs: Outputs, framework: Any, tmp_path: Path) -> None:
    model = framework.Model(*outputs(framework, str(hostile_graphs.vocabulary(tmp_path))))
    if framework is keras:
        model.export(tmp_path / "model", verbose=False)
    else:
        model.save(tmp_path / "model", save_format="tf")
    assert not list(uses(tmp_path / "model" / "saved_model.pb"))


@pytest.mark.parametrize("name", ["MobileNetV2", "EfficientNetB0", "ConvNeXtTiny"])
@pytest.mark.slow
def test_an_architecture_of_keras_is_opened(name: str, tmp_path: Path) -> None:
    getattr(keras.applications, name)(weights=None).export(tmp_path / "model", verbose=False)
    assert not list(uses(tmp_path / "model" / "saved_model.pb"))


def from_jpeg(texts: Any) -> Any:
    def decoded(text: Any) -> Any:
        return tf.image.resize(tf.image.convert_image_dtype(tf.image.decode_jpeg(text, 3), tf.float32), (8, 8))

    return tf.map_fn(decoded, texts, fn_output_signature=tf.TensorSpec((8, 8, 3)))


def detected(boxes: Any) -> Any:
    scores = tf.reduce_sum(boxes, -1)
    cropped = tf.image.crop_and_resize(tf.zeros((1, 8, 8, 3)), boxes[0, :, 0], tf.zeros((9,), tf.int32), (2, 2))
    return [*tf.image.combined_non_max_suppression(boxes, scores, 5, 5), cropped]


def heard(sound: Any) -> Any:
    return tf.signal.mfccs_from_log_mel_spectrograms(tf.abs(tf.signal.stft(sound, 64, 32)))


def parsed(texts: Any) -> Any:
    return tf.io.parse_example(texts, {"a": tf.io.VarLenFeature(tf.string)})["a"].values


FUNCTIONS = {
    from_jpeg: tf.TensorSpec((None,), tf.string),
    detected: tf.TensorSpec((None, 9, 1, 4)),
    heard: tf.TensorSpec((None, 512)),
    parsed: tf.TensorSpec((None,), tf.string),
}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_what_a_model_does_before_and_behind_its_layers_is_opened(function: Any, tmp_path: Path) -> None:
    model = tf.Module()
    model.__call__ = tf.function(function, input_signature=[FUNCTIONS[function]])
    tf.saved_model.save(model, str(tmp_path / "model"))
    assert not list(uses(tmp_path / "model" / "saved_model.pb"))


def test_a_model_of_tensorflow_1_that_was_trained_is_opened(tmp_path: Path) -> None:
    def train(image: Any) -> Any:
        loss = tf.reduce_sum(image * v1.get_variable("scale", (3,)))
        v1.summary.scalar("loss", loss)
        v1.train.AdamOptimizer().minimize(loss)
        return v1.summary.merge_all()

    path = hostile_graphs.saved_v1(tmp_path, build=train)
    assert not list(uses(path / "saved_model.pb"))
