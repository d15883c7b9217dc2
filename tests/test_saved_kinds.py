"""Layers of a saved graph have the type that their operations make them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from bit_parts import images, values
from test_saved_names import IMAGE, SIDE, opened, saved

ACTIVATIONS = {
    "relu": "ReLU",
    "relu6": "ReLU",
    "leaky_relu": "LeakyReLU",
    "elu": "ELU",
    "selu": "SELU",
    "celu": "CELU",
    "gelu": "GELU",
    "silu": "SiLU",
    "swish": "SiLU",
    "mish": "Mish",
    "sigmoid": "Sigmoid",
    "hard_sigmoid": "HardSigmoid",
    "hard_silu": "HardSiLU",
    "hard_swish": "HardSiLU",
    "log_sigmoid": "LogSigmoid",
    "softplus": "Softplus",
    "softsign": "Softsign",
    "squareplus": "Squareplus",
    "soft_shrink": "SoftShrink",
    "hard_shrink": "HardShrink",
    "tanh": "Tanh",
    "tanh_shrink": "TanhShrink",
    "hard_tanh": "Clip",
    "exponential": "Exponential",
    "softmax": "Softmax",
    "log_softmax": "LogSoftmax",
}


def layers(k: Any) -> dict[str, tuple[Any, str]]:
    """Layers by name, each with the type that it should be found as."""
    known = {name: kind for name, kind in ACTIVATIONS.items() if hasattr(k.activations, name)}
    made = {name: (k.layers.Activation(name, name=f"act_{name}"), kind) for name, kind in known.items()}
    approximate = k.layers.Activation(lambda x: k.activations.gelu(x, approximate=True), name="act_gelu_by_tanh")
    same = {
        layer.name: (layer, type(layer).__name__)
        for layer in (
            k.layers.PReLU(shared_axes=[1, 2], name="prelu"),
            k.layers.LeakyReLU(name="leaky"),
            k.layers.ReLU(max_value=6.0, name="six"),
            k.layers.ELU(alpha=0.5, name="half"),
            k.layers.Rescaling(2.0, 1.0, name="rescaled"),
            k.layers.UpSampling2D(2, name="nearest"),
            k.layers.BatchNormalization(name="batch"),
            k.layers.LayerNormalization(name="layer"),
            k.layers.Conv2D(6, 3, groups=3, name="grouped"),
        )
    }
    return made | {"gelu_by_tanh": (approximate, "GELU")} | same


@pytest.mark.parametrize("k", [keras, tf_keras], ids=["keras", "tf_keras"])
def test_activations_and_layers_are_known_by_what_they_do(k: Any, tmp_path: Path) -> None:
    image = k.Input((SIDE, SIDE, 3))
    several = layers(k)
    model = k.Model(image, [layer(image) for layer, _ in several.values()])
    taps = opened(saved(model, tmp_path)).inventory((SIDE, SIDE))[1]
    assert {tap.name: tap.type for tap in taps} == {layer.name: kind for layer, kind in several.values()}


class Trained(tf.Module):
    """A batch normalisation as in training, a gate and a residual."""

    @tf.function(input_signature=[IMAGE])
    def __call__(self, image: Any) -> Any:
        ones = tf.ones(3)
        with tf.name_scope("norm"):
            x = tf.compat.v1.nn.fused_batch_norm(image, ones, ones, is_training=True)[0]
        with tf.name_scope("gate"):
            x = x * tf.sigmoid(image)
        with tf.name_scope("residual"):
            return tf.nn.relu(x) + image


def test_what_is_tapped_names_what_meets_something_else(tmp_path: Path) -> None:
    model = opened(saved(Trained(), tmp_path))
    taps = model.inventory((SIDE, SIDE))[1]
    assert {tap.name: tap.type for tap in taps} == {"norm": "BatchNormalization", "gate": "Multiply", "residual": "Add"}


def test_a_normalisation_by_the_batch_is_told_to_the_reader(tmp_path: Path) -> None:
    (note,) = opened(saved(Trained(), tmp_path)).notes
    assert note == "batch normalisations by the statistics of the batch: 1; values depend on the images beside"


def old_graph(folder: Path, *, branch: bool) -> Path:
    """A frozen graph with a loop or a branch as TensorFlow 1 wrote them, between two layers."""
    v1 = tf.compat.v1
    kernel = np.random.default_rng(0).normal(size=(3, 3, 3, 3)).astype("float32")
    v1.disable_control_flow_v2()
    try:
        with tf.Graph().as_default() as graph:
            x = v1.placeholder(tf.float32, IMAGE.shape, "image")
            with v1.name_scope("before"):
                x = tf.nn.conv2d(x, kernel, 1, "SAME")
            if branch:
                x = v1.cond(tf.reduce_mean(x) > 1e9, lambda: tf.tanh(x), lambda: x * 3.0, name="between")
            else:
                _, x = v1.while_loop(lambda i, _: i < 2, lambda i, y: (i + 1, y * 0.5), (0, x), name="between")
            with v1.name_scope("after"):
                tf.nn.conv2d(tf.ensure_shape(x, IMAGE.shape), kernel, 1, "SAME")
    finally:
        v1.enable_control_flow_v2()
    (folder / "old.pb").write_bytes(graph.as_graph_def().SerializeToString())
    return folder / "old.pb"


def test_a_loop_of_old_hides_nothing_but_what_it_holds(tmp_path: Path) -> None:
    path = old_graph(tmp_path, branch=False)
    model = opened(path)
    rows, (tap,) = model.inventory((SIDE, SIDE))
    assert [(row.path, row.type, row.reason) for row in rows if row.path] == [
        ("before", "Conv2D", ""),
        ("between", "While", "its output has None axes; 2 to 5 are measured"),
        ("after", "Conv2D", "its batch is not known before it runs"),
        ("between/*", "Exit", "opaque: what a loop holds cannot be tapped"),
    ]
    batch = images(2, SIDE, SIDE)
    graph = tf.compat.v1.GraphDef.FromString(path.read_bytes())
    weights = next(node for node in graph.node if node.name == "before/Conv2D/filter")
    kernel = tf.make_ndarray(weights.attr["value"].tensor)
    expected = tf.nn.conv2d(batch, kernel, 1, "SAME")
    np.testing.assert_allclose(values(model, [tap], batch)["before"], expected, rtol=1e-4, atol=1e-5)


def test_both_sides_of_a_branch_of_old_are_one_thing(tmp_path: Path) -> None:
    model = opened(old_graph(tmp_path, branch=True))
    taps = list(model.inventory((SIDE, SIDE))[1])
    assert [(tap.name, tap.type) for tap in taps][:2] == [("before", "Conv2D"), ("between", "If")]
    found = values(model, taps, images(2, SIDE, SIDE))
    np.testing.assert_allclose(found["between"], 3 * found["before"], rtol=1e-4, atol=1e-5)
