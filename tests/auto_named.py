"""Keras models of every build whose layers are named by Keras itself, as most are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tf_keras
from eager_walk import shake


def sequential(k: Any) -> Any:
    x = k.layers
    return k.Sequential(
        [k.Input((16, 16, 3))]
        + [layer for _ in range(3) for layer in (x.Conv2D(4, 3, padding="same", activation="relu"), x.MaxPooling2D())]
        + [x.Flatten(), x.Dense(5, activation="relu"), x.Dense(3)]
    )


def residual(k: Any) -> Any:
    x = image = k.Input((16, 16, 3))
    x = k.layers.Conv2D(4, 3, padding="same")(x)
    for _ in range(3):
        y = k.layers.ReLU()(k.layers.BatchNormalization()(x))
        y = k.layers.Conv2D(4, 3, padding="same")(y)
        x = k.layers.Add()([x, k.layers.ReLU()(k.layers.BatchNormalization()(y))])
    return k.Model(image, k.layers.GlobalAveragePooling2D()(k.layers.MaxPooling2D()(x)))


def transfer(k: Any) -> Any:
    """A backbone inside, whose layers are numbered with those around it."""
    inside = [k.layers.Conv2D(4, 3), k.layers.ReLU(), k.layers.Conv2D(4, 3), k.layers.ReLU(), k.layers.MaxPooling2D()]
    backbone = k.Sequential([k.Input((16, 16, 3)), *inside], name="backbone")
    x = image = k.Input((16, 16, 3))
    x = k.layers.ReLU()(k.layers.Conv2D(4, 3)(backbone(x)))
    return k.Model(image, k.layers.Dense(3)(k.layers.GlobalAveragePooling2D()(x)))


def subclassed(k: Any) -> Any:
    class Block(k.layers.Layer):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = k.layers.Conv2D(3, 3, padding="same"), k.layers.BatchNormalization()
            self.relu = k.layers.ReLU()

        def call(self, x: Any) -> Any:
            return x + self.relu(self.norm(self.conv(x)))

    class Net(k.Model):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.blocks, self.pool = [Block() for _ in range(3)], k.layers.GlobalAveragePooling2D()

        def call(self, x: Any) -> Any:
            for block in self.blocks:
                x = block(x)
            return self.pool(x)

    model = Net()
    model(np.zeros((1, 16, 16, 3), "float32"))
    return model


def called_twice(k: Any) -> Any:
    """A layer and a model that are called twice, beside others of the same names with a number."""

    def block(name: str) -> Any:
        x = image = k.Input((16, 16, 3))
        x = k.layers.Conv2D(3, 3, padding="same", name="conv")(x)
        x = k.layers.ReLU(name="relu")(k.layers.BatchNormalization(name="norm")(x))
        return k.Model(image, x, name=name)

    shared, pool = k.layers.Conv2D(3, 3, padding="same", activation="relu", name="shared"), k.layers.MaxPooling2D()
    one, other, third = block("block"), block("block_1"), block("conv")
    x = image = k.Input((16, 16, 3))
    x = k.layers.Add()([shared(x), shared(shared(x))])
    x = pool(third(other(one(one(x)))))
    x = k.layers.Conv2D(4, 3, padding="same", name="conv_1")(pool(x))
    return k.Model(image, k.layers.GlobalMaxPooling2D()(x))


MODELS: dict[str, Callable[[Any], Any]] = {
    f.__name__: f for f in (sequential, residual, transfer, subclassed, called_twice)
}


def built(name: str, k: Any) -> Any:
    """A model with random weights, in Keras 3 or tf_keras; the first layer of each class has no number."""
    (keras.utils if k is keras else tf_keras.backend).clear_session()
    return shake(MODELS[name](k))
