"""Where exact zeros are said to be made on purpose there are some, and where by chance there are none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from eager_walk import shake
from models_to_tap import LIBRARIES

from fmreport.records import Tap
from fmreport.sources import Identity
from fmreport.sources.keras_model import KerasModel
from fmreport.sources.zeros import BY_CHANCE, BY_DESIGN, UNKNOWN, zeros_of

Head = Callable[[Any, Any], Any]
"""From a library and the map of a convolution to the tensor that is judged."""


def relu(k: Any, x: Any) -> Any:
    return k.layers.ReLU()(x)


def activation(name: str) -> Head:
    return lambda k, x: k.layers.Activation(name)(x)


DESIGNED: dict[str, Head] = {
    "relu": relu,
    "relu6": lambda k, x: k.layers.ReLU(max_value=6.0)(x),
    "relu inside the convolution": lambda k, x: k.layers.Conv2D(4, 3, activation="relu")(x),
    "hard sigmoid": activation("hard_sigmoid"),
    "thresholded": lambda k, x: k.layers.ReLU(threshold=0.5)(x),
    "max pooling of relu": lambda k, x: k.layers.MaxPooling2D(2)(relu(k, x)),
    "average pooling of relu": lambda k, x: k.layers.AveragePooling2D(2)(relu(k, x)),
    "relu plus relu": lambda k, x: k.layers.Add()([relu(k, x), k.layers.ReLU()(k.layers.Conv2D(12, 1)(x))]),
    "relu times map": lambda k, x: k.layers.Multiply()([relu(k, x), x]),
    "relu beside map": lambda k, x: k.layers.Concatenate()([relu(k, x), x]),
    "maximum of relu and map": lambda k, x: k.layers.Maximum()([relu(k, x), x]),
    "zero padding": lambda k, x: k.layers.ZeroPadding2D(1)(x),
    "dropout of relu": lambda k, x: k.layers.Dropout(0.5)(relu(k, x)),
    "relu, flat": lambda k, x: k.layers.Flatten()(relu(k, x)),
    "relu, larger": lambda k, x: k.layers.UpSampling2D(2, interpolation="bilinear")(relu(k, x)),
    "relu, cropped": lambda k, x: k.layers.Cropping2D(1)(relu(k, x)),
    "relu, by a number": lambda k, x: k.layers.Rescaling(0.5)(relu(k, x)),
    "relu, scaled": lambda k, x: k.layers.Normalization(mean=0.0, variance=4.0)(relu(k, x)),
}
CHANCE: dict[str, Head] = {
    "convolution": lambda k, x: x,
    "depthwise": lambda k, x: k.layers.DepthwiseConv2D(3)(x),
    "separable": lambda k, x: k.layers.SeparableConv2D(3, 3)(x),
    "transposed": lambda k, x: k.layers.Conv2DTranspose(3, 3)(relu(k, x)),
    "dense": lambda k, x: k.layers.Dense(3)(relu(k, x)),
    "convolution of relu": lambda k, x: k.layers.Conv2D(3, 3)(relu(k, x)),
    "batch norm of relu": lambda k, x: k.layers.BatchNormalization()(relu(k, x)),
    "group norm of relu": lambda k, x: k.layers.GroupNormalization(2)(relu(k, x)),
    "layer norm of relu": lambda k, x: k.layers.LayerNormalization(center=False)(relu(k, x)),
    "leaky relu": lambda k, x: k.layers.LeakyReLU()(x),
    "prelu": lambda k, x: k.layers.PReLU(alpha_initializer="ones")(x),
    **{name: activation(name) for name in ("elu", "selu", "gelu", "silu", "tanh", "sigmoid", "softplus", "mish")},
    "softmax": lambda k, x: k.layers.Softmax()(x),
    "max pooling": lambda k, x: k.layers.MaxPooling2D(2)(x),
    "dropout": lambda k, x: k.layers.Dropout(0.5)(x),
    "relu plus map": lambda k, x: k.layers.Add()([relu(k, x), x]),
    "relu plus a number": lambda k, x: k.layers.Rescaling(1.0, offset=1.0)(relu(k, x)),
    "maximum of maps": lambda k, x: k.layers.Maximum()([k.layers.Conv2D(12, 1)(x), x]),
    "mirror": lambda k, x: k.layers.UpSampling2D(2)(x),
    "map times map": lambda k, x: k.layers.Multiply()([x, x]),
}
KERAS_3_ONLY: dict[str, tuple[str, Head]] = {
    "hard swish": (BY_DESIGN, activation("hard_silu")),
    **{
        name: (BY_DESIGN, activation(name))
        for name in ("relu6", "hard_shrink", "soft_shrink", "sparse_plus", "sparsemax")
    },
    **{
        name: (BY_CHANCE, activation(name))
        for name in (
            "celu",
            "glu",
            "log_sigmoid",
            "log_softmax",
            "softsign",
            "squareplus",
            "exponential",
        )
    },
    "hard tanh": (BY_CHANCE, lambda k, x: k.layers.Activation("hard_tanh")(x)),
    "rms norm of relu": (BY_DESIGN, lambda k, x: k.layers.RMSNormalization()(relu(k, x))),
    "unit norm of relu": (BY_DESIGN, lambda k, x: k.layers.UnitNormalization()(relu(k, x))),
    "relu minus its mean": (BY_CHANCE, lambda k, x: _centred(relu(k, x))),
    "half of a split relu": (BY_DESIGN, lambda k, x: keras.ops.split(relu(k, x), 2, axis=-1)[1]),
    "where": (BY_DESIGN, lambda k, x: keras.ops.where(x > 0, x, keras.ops.zeros_like(x))),
    "clip above zero": (BY_DESIGN, lambda k, x: keras.ops.clip(x, 0.0, 3.0)),
    "clip around zero": (BY_CHANCE, lambda k, x: keras.ops.clip(x, -1.0, 1.0)),
    "padding with ones": (
        BY_CHANCE,
        lambda k, x: keras.ops.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)], constant_values=1.0),
    ),
    "rounded": (BY_DESIGN, lambda k, x: keras.ops.round(x)),
    "absolute relu": (BY_DESIGN, lambda k, x: keras.ops.sqrt(keras.ops.abs(relu(k, x)))),
    "minimum of relus": (BY_DESIGN, lambda k, x: keras.ops.minimum(relu(k, x), relu(k, -x))),
}


def _centred(x: Any) -> Any:
    return x - keras.ops.mean(x, axis=(1, 2), keepdims=True)


TABLE = [
    *((library, name, BY_DESIGN, head) for library in LIBRARIES for name, head in DESIGNED.items()),
    *((library, name, BY_CHANCE, head) for library in LIBRARIES for name, head in CHANCE.items()),
    *(("keras", name, verdict, head) for name, (verdict, head) in KERAS_3_ONLY.items()),
]


@pytest.mark.parametrize(("library", "name", "verdict", "head"), TABLE, ids=[f"{row[0]}-{row[1]}" for row in TABLE])
def test_the_verdict_agrees_with_what_is_measured(library: str, name: str, verdict: str, head: Head) -> None:
    k = LIBRARIES[library]
    image = k.Input((12, 12, 3))
    model = shake(k.Model(image, head(k, k.layers.Conv2D(12, 3, name="conv")(image))))
    # Far from zero, smooth activations are rounded to it, and only there do the hard ones reach it.
    tap, values = last_tap(model, scale=0.3 if verdict == BY_CHANCE else 3.0)
    assert tap.zeros == verdict, tap.zeros_reason
    assert tap.zeros_reason
    assert (np.count_nonzero(values == 0) > 0) == (verdict == BY_DESIGN)


def last_tap(model: Any, *, scale: float) -> tuple[Tap, np.ndarray]:
    """The tap that runs last, and its values on noise."""
    size, opened = (12, 12), KerasModel(model, Identity("", "", "", "", 0))
    tap = opened.inventory(size)[1][-1]
    images = np.random.default_rng(0).normal(0.0, scale, (2, *size, 3)).astype(np.float32)
    return tap, opened.tapped([tap], lambda tensors: tensors[tap.name], size=size, batch=2)(images)


def test_an_operation_without_an_entry_is_unknown_and_named() -> None:
    with tf.Graph().as_default():
        x = tf.compat.v1.placeholder(tf.float32, (2, 3))
        assert zeros_of(tf.math.bessel_i0(x), {}) == (UNKNOWN, "operation BesselI0")


def test_a_chain_longer_than_python_calls_functions_is_read() -> None:
    with tf.Graph().as_default():
        x = tf.nn.relu(tf.compat.v1.placeholder(tf.float32, (2, 3)))
        for _ in range(2000):
            x = tf.abs(x)
        assert zeros_of(x, {})[0] == BY_DESIGN


def test_a_loop_ends() -> None:
    with tf.Graph().as_default():
        tf.compat.v1.disable_control_flow_v2()
        try:
            x = tf.compat.v1.placeholder(tf.float32, ())
            made = tf.while_loop(lambda y: y < 5.0, lambda y: y + 1.0, [x])
        finally:
            tf.compat.v1.enable_control_flow_v2()
        assert zeros_of(tf.nest.flatten(made)[0], {})[0] == UNKNOWN
