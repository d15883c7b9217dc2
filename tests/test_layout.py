"""Channels are found on the axis on which they are, and what is only guessed of a tensor is no knowledge of others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from bit_parts import images, values

from fmreport import config
from fmreport.sources import TappableModel, open_source
from fmreport.sources.layout import Layout
from fmreport.sources.recorder import Call

SIDE = 16
DRAW = np.random.default_rng(0)
KERNEL = DRAW.normal(size=(4, 4, 3, 6)).astype("float32")
DENSE = DRAW.normal(size=(6, 6)).astype("float32")
Note = Callable[[str, Any, Any], Any]
"""Notes, under a name, activations with their channels last; returns the tensor as the model has it."""


def convolved(image: Any, note: Note) -> Any:
    """As a converter writes it for a framework that holds channels first."""
    with tf.name_scope("conv"):
        y = tf.nn.conv2d(tf.transpose(image, (0, 2, 3, 1)), KERNEL, 4, "SAME")
        return note("conv", y, tf.transpose(y, (0, 3, 1, 2)))


def tokens(image: Any, note: Note) -> Any:
    """A vision transformer: positions become tokens."""
    y = convolved(image, note)
    with tf.name_scope("flat"):
        flat = tf.reshape(y, (-1, 6, 16))
        note("flat", tf.transpose(flat, (0, 2, 1)), flat)
    with tf.name_scope("tokens"):
        t = tf.transpose(flat, (0, 2, 1))
        note("tokens", t, t)
    with tf.name_scope("dense"):
        t = tf.matmul(t, DENSE)
        return note("dense", t, t)


def guessed(image: Any, note: Note) -> Any:
    """Behind a reshape that mixes axes nobody knows; a transposition does not change that."""
    y = convolved(image, note)
    with tf.name_scope("mixed"):
        y = tf.reshape(y, (-1, 12, 8))
        note("mixed", y, y)
    with tf.name_scope("turned"):
        y = tf.transpose(y, (0, 2, 1))
        return note("turned", y, y)


def shuffled(image: Any, note: Note) -> Any:
    """Groups of channels change places, behind which all is as it was."""
    y = convolved(image, note)
    with tf.name_scope("shuffle"):
        y = tf.reshape(tf.transpose(tf.reshape(y, (-1, 2, 3, 4, 4)), (0, 2, 1, 3, 4)), (-1, 6, 4, 4))
        note("shuffle", tf.transpose(y, (0, 2, 3, 1)), y)
    with tf.name_scope("scaled"):
        y = y * tf.reshape(tf.reduce_mean(y, (2, 3)), (-1, 6, 1, 1))
        return note("scaled", tf.transpose(y, (0, 2, 3, 1)), y)


def opened(run: Callable[[Any, Note], Any], folder: Path) -> TappableModel:
    model = tf.Module()
    signature = [tf.TensorSpec((None, 3, SIDE, SIDE), tf.float32, "image")]
    model.__call__ = tf.function(lambda image: run(image, lambda _name, _last, value: value), input_signature=signature)
    tf.saved_model.save(model, str(folder / "model"), signatures=model.__call__.get_concrete_function())
    data = {
        "name": "test",
        "model": {"kind": "savedmodel", "path": "model"},
        "preprocess": {"size": [SIDE, SIDE]},
        "probes": [{"kind": "skimage", "names": ["cat"]}],
    }
    return open_source(config.from_dict(data, folder))


@pytest.mark.parametrize("run", [tokens, guessed, shuffled])
def test_channels_are_last_wherever_the_model_has_them(run: Callable[[Any, Note], Any], tmp_path: Path) -> None:
    batch, expected = images(2, SIDE, SIDE), {}

    def note(name: str, last: Any, value: Any) -> Any:
        expected[name] = last.numpy()
        return value

    run(tf.constant(batch.transpose(0, 3, 1, 2)), note)
    model = opened(run, tmp_path)
    taps = model.inventory((SIDE, SIDE))[1]
    found = values(model, [tap for tap in taps if tap.type != "Scope"], batch)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-4, atol=1e-5, err_msg=name)


def test_tensors_of_unknown_rank_follow_each_other() -> None:
    def several_ranks(image: Any, axes: Any) -> Any:
        return tf.nn.relu(tf.reduce_mean(image, axes) * 2.0)

    specs = [tf.TensorSpec((2, 3, 8, 8)), tf.TensorSpec((None,), tf.int32)]
    graph = tf.function(several_ranks).get_concrete_function(*specs).graph
    layout = Layout([(graph.inputs[0], True)])
    made = [op for op in graph.get_operations() if op.type in ("Mean", "Mul", "Relu")]
    assert [op.outputs[0].shape.rank for op in made] == [None] * 3
    for op in made:
        layout.add(Call(None, (), list(op.inputs), list(op.outputs)))
        assert not layout.channels_first(op.outputs[0])
