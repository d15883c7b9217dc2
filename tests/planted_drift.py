"""A model and the same with weights in 8 bits, for a config's `model: {kind: builder}`; copied alone beside it.

From `whole` to `rounded` every layer has another name, and the convolutions behind the second are rounded.
"""

from __future__ import annotations

import keras
import numpy as np

BLOCKS, EXACT = 5, 2


def whole():
    """In float32."""
    return _model("block{}_{}", first=BLOCKS)


def rounded():
    """In 8 bits, but for the first convolutions."""
    return _model("layer{}_{}", first=EXACT)


def _model(names, first):
    image = x = keras.Input((32, 32, 3), name="image")
    for block in range(BLOCKS):
        conv = keras.layers.Conv2D(12, 3, padding="same", name=names.format(block, "conv"))
        x = keras.layers.ReLU(name=names.format(block, "relu"))(conv(x))
        rng = np.random.default_rng(block)
        shapes = [weight.shape for weight in conv.get_weights()]
        kernel, bias = (rng.normal(0, (2 / max(np.prod(s[:-1]), 8)) ** 0.5, s).astype("float32") for s in shapes)
        step = np.abs(kernel).max() / 127
        conv.set_weights([kernel if block < first else np.round(kernel / step) * step, bias])
    pooled = keras.layers.GlobalAveragePooling2D(name=names.format(BLOCKS, "mean"))(x)
    return keras.Model(image, pooled, name="net")
