"""Two models with known differences, for a config's `model: {kind: builder}`; this file alone is copied beside it.

From `before` to `after`: 3 layers are renamed, 1 is added and 2 are removed (one of them as like the added one in type
and shape as can be), 9 channels fall silent, and one activation is another. All weights that both have are the same.
"""

from __future__ import annotations

import keras
import numpy as np

RENAMED = {"b1_conv": "enter_conv", "b1_act": "enter_act", "b3_conv": "middle_conv"}
ADDED, REMOVED, ACTIVATION = "extra_conv", ("b2_drop", "b4_conv"), "b5_act"
SILENT = (0, 2, 3, 5, 7, 8, 11, 13, 14)
"""Channels of `b6_act` that fall silent."""


def before():
    """The earlier release."""
    return _weighted(_model(after=False), {})


def after():
    """The later one."""
    model = _weighted(_model(after=True), {new: old for old, new in RENAMED.items()})
    kernel, bias = model.get_layer("b6_conv").get_weights()
    bias[list(SILENT)] = -1e4
    model.get_layer("b6_conv").set_weights([kernel, bias])
    return model


def _model(*, after: bool):
    def conv(x, name, channels, size=3):
        name = RENAMED.get(name, name) if after else name
        return keras.layers.Conv2D(channels, size, padding="same", name=name)(x)

    def act(x, name, kind=keras.layers.ReLU):
        return kind(name=RENAMED.get(name, name) if after else name)(x)

    image = keras.Input((32, 32, 3), name="image")
    x = act(conv(image, "stem_conv", 8), "stem_act")
    x = act(conv(x, "b1_conv", 12), "b1_act")
    x = act(conv(x, "b2_conv", 12), "b2_act")
    if not after:
        x = keras.layers.Dropout(0.2, name="b2_drop")(x)
    x = act(conv(x, "b3_conv", 12), "b3_act")
    if after:
        x = keras.layers.Add(name="sum")([x, conv(x, "extra_conv", 12)])
    else:
        x = keras.layers.Add(name="sum")([x, conv(x, "b4_conv", 12)])
    gelu = (lambda name: keras.layers.Activation("gelu", name=name)) if after else keras.layers.ReLU
    x = act(conv(x, "b5_conv", 12), "b5_act", gelu)
    x = act(conv(x, "b6_conv", 16), "b6_act")
    x = keras.layers.GlobalAveragePooling2D(name="mean")(x)
    return keras.Model(image, keras.layers.Dense(3, name="head")(x), name="net")


def _weighted(model, old):
    """The model with weights that follow from the (old) names of its layers."""
    for layer in model.layers:
        seed = [ord(letter) for letter in old.get(layer.name, layer.name)]
        rng = np.random.default_rng(seed)
        shapes = [weight.shape for weight in layer.get_weights()]
        # What stands beside a path of its own adds little to it: 0.1 keeps what follows much as it was.
        gain = 0.1 if layer.name in (ADDED, *REMOVED) else 1
        scales = [gain * (2 / max(np.prod(s[:-1]), 8)) ** 0.5 for s in shapes]
        layer.set_weights([rng.normal(0, c, s).astype("float32") for c, s in zip(scales, shapes, strict=True)])
    kernel, bias = model.get_layer("b6_conv").get_weights()
    # So that no channel is silent by itself.
    model.get_layer("b6_conv").set_weights([kernel, np.abs(bias) + 1])
    return model
