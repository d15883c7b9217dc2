"""Small models of every structure, in Keras 3 and tf_keras, and what their layers return when they are run by hand.

`STRUCTURES` holds a function for each: from a library to `(model, by_hand)`, where `by_hand(*inputs)` runs the model
eagerly, layer by layer, and returns `(path, outputs)` for each call of a layer, in the order in which they end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
import tf_keras
from eager_walk import Rows, eager_walk, walk

LIBRARIES = {"keras": keras, "tf_keras": tf_keras}
ByHand = Callable[..., Rows]
Made = tuple[Any, ByHand]


def functional(k: Any) -> Made:
    x = image = k.Input((16, 16, 3), name="image")
    x = k.layers.Conv2D(4, 3, padding="same", name="stem.conv")(x)
    x = k.layers.BatchNormalization(name="stem.norm")(x)
    skip = x = k.layers.ReLU(name="stem.act")(x)
    x = k.layers.Dropout(0.5, name="drop")(x)
    x = k.layers.SeparableConv2D(4, 3, padding="same", name="separable")(x)
    x = k.layers.Add(name="add")([x, skip])
    x = k.layers.MaxPooling2D(2, name="pool")(x)
    x = k.layers.GlobalAveragePooling2D(name="mean")(x)
    model = k.Model(image, k.layers.Dense(5, activation="softmax", name="head")(x))
    return model, lambda *inputs: eager_walk(model, inputs)


def sequential(k: Any) -> Made:
    layers = [k.layers.Conv2D(4, 3, name="conv"), k.layers.LeakyReLU(name="act"), k.layers.Flatten(name="flat")]
    model = k.Sequential([k.Input((8, 8, 3)), *layers, k.layers.Dense(3, name="head")])

    def by_hand(x: Any) -> Rows:
        return [(layer.name, x := layer(x)) for layer in model.layers]

    return model, by_hand


def _block(k: Any) -> Any:
    class Block(k.layers.Layer):
        def __init__(self, filters: int) -> None:
            super().__init__(name="block")
            self.conv = k.layers.Conv2D(filters, 3, padding="same", name="conv")
            self.norm = k.layers.BatchNormalization(name="norm")
            self.stages = [k.layers.ReLU(name="act"), k.layers.MaxPooling2D(2, name="pool")]

        def call(self, x: Any, training: bool = False) -> Any:
            x = self.norm(self.conv(x), training=training) * 2.0
            for stage in self.stages:
                x = stage(x)
            return x

    return Block


def _by_hand_block(block: Any, x: Any, path: str) -> tuple[Rows, Any]:
    conv = block.conv(x)
    norm = block.norm(conv)
    act = block.stages[0](norm * 2.0)
    pool = block.stages[1](act)
    parts = {"conv": conv, "norm": norm, "act": act, "pool": pool}
    return [*((f"{path}/{name}", value) for name, value in parts.items()), (path, pool)], pool


def subclassed(k: Any) -> Made:
    block = _block(k)

    class Net(k.Model):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.unused = block(4), block(6), k.layers.Dense(9, name="unused")
            self.head = k.layers.Dense(2, name="head")

        def call(self, x: Any) -> Any:
            return self.head(self.second(self.first(x)))

    model = Net()
    model(tf.zeros((1, 16, 16, 3)))

    def by_hand(x: Any) -> Rows:
        rows, x = _by_hand_block(model.first, x, "block")
        more, x = _by_hand_block(model.second, x, "block~2")
        return [*rows, *more, ("head", model.head(x))]

    return model, by_hand


def _small(k: Any, name: str) -> Any:
    x = k.Input((8, 8, 4))
    y = k.layers.ReLU(name="act")(k.layers.Conv2D(4, 3, padding="same", name="conv")(x))
    return k.Model(x, k.layers.Add(name="add")([x, y]), name=name)


def nested(k: Any) -> Made:
    x = image = k.Input((8, 8, 3), name="image")
    x = k.layers.Conv2D(4, 1, name="conv")(x)
    inner = _small(k, "inner")
    outer_in = k.Input((8, 8, 4))
    outer = k.Model(outer_in, k.layers.AveragePooling2D(2, name="pool")(inner(outer_in)), name="outer")
    model = k.Model(image, [outer(x), inner(x)])
    return model, lambda *inputs: eager_walk(model, inputs)


def model_in_subclassed(k: Any) -> Made:
    class Net(k.Model):
        def __init__(self) -> None:
            super().__init__()
            self.body = _small(k, "body")
            self.stem = k.Sequential([k.layers.Conv2D(4, 1, name="conv"), k.layers.ReLU(name="act")], name="stem")

        def call(self, x: Any) -> Any:
            return self.body(self.stem(x))

    model = Net()
    model(tf.zeros((1, 8, 8, 3)))

    def by_hand(x: Any) -> Rows:
        conv = model.stem.layers[0](x)
        act = model.stem.layers[1](conv)
        rows, (out,) = walk(model.body, [act], "body/")
        return [("stem/conv", conv), ("stem/act", act), ("stem", act), *rows, ("body", out)]

    return model, by_hand


def shared(k: Any) -> Made:
    x = image = k.Input((8, 8, 3), name="image")
    conv, act = k.layers.Conv2D(3, 3, padding="same", name="conv"), k.layers.ReLU(name="act")
    model = k.Model(image, act(conv(act(conv(x)))))
    return model, lambda *inputs: eager_walk(model, inputs)


def several_inputs(k: Any) -> Made:
    left, right, vector = (
        k.Input((8, 8, 3), name="left"),
        k.Input((8, 8, 3), name="right"),
        k.Input((2,), name="vector"),
    )
    x = k.layers.Concatenate(name="join")([left, k.layers.Conv2D(2, 1, name="conv")(right)])
    y = k.layers.Dense(4, name="dense")(vector)
    model = k.Model([left, right, vector], [k.layers.ReLU(name="act")(x), y])
    return model, lambda *inputs: eager_walk(model, inputs)


def dict_of_inputs(k: Any) -> Made:
    b, a = k.Input((8, 8, 3), name="b"), k.Input((4,), name="a")
    model = k.Model({"b": b, "a": a}, [k.layers.Conv2D(2, 3, name="conv")(b), k.layers.Dense(2, name="dense")(a)])
    return model, lambda *inputs: eager_walk(model, inputs)


def several_outputs_of_a_layer(k: Any) -> Made:
    class Halves(k.layers.Layer):
        def call(self, x: Any) -> Any:
            return {"low": x[..., :2], "high": x[..., 2:] * 1.0, "where": tf.argmax(x, axis=-1)}

        def compute_output_spec(self, x: Any) -> Any:
            low, high = (keras.KerasTensor((*x.shape[:-1], 2)) for _ in range(2))
            return {"low": low, "high": high, "where": keras.KerasTensor(x.shape[:-1], dtype="int64")}

    image = k.Input((8, 8, 3), name="image")
    made = Halves(name="halves")(k.layers.Conv2D(4, 1, name="conv")(image))
    model = k.Model(image, [k.layers.ReLU(name="low")(made["low"]), k.layers.ReLU(name="high")(made["high"])])
    return model, lambda *inputs: eager_walk(model, inputs)


def channels_first(k: Any) -> Made:
    first: dict[str, Any] = {"data_format": "channels_first"}
    x = image = k.Input((3, 16, 12), name="image")
    x = k.layers.BatchNormalization(axis=1, name="norm0")(x)
    x = k.layers.Conv2D(6, 3, padding="same", name="conv", **first)(x)
    x = k.layers.BatchNormalization(axis=1, name="norm")(x)
    x = k.layers.Activation("relu", name="act")(x)
    x = k.layers.GroupNormalization(2, axis=1, name="groups")(x)
    x = skip = k.layers.MaxPooling2D(2, name="pool", **first)(x)
    x = k.layers.DepthwiseConv2D(3, padding="same", name="depthwise", **first)(x)
    x = k.layers.Concatenate(axis=1, name="join")([x, skip])
    x = k.layers.Permute((2, 3, 1), name="last")(x)
    x = k.layers.Activation("tanh", name="last_act")(x)
    x = k.layers.Permute((3, 1, 2), name="first")(x)
    x = k.layers.Activation("tanh", name="first_act")(x)
    model = k.Model(image, k.layers.GlobalAveragePooling2D(name="mean", **first)(x))

    def by_hand(x: Any) -> Rows:
        rows = eager_walk(model, [x])
        last = ("last", "last_act")
        moved = {path: len(y.shape) == 4 and path not in last for path, (y,) in rows}
        return [(path, tf.transpose(y, (0, 2, 3, 1)) if moved[path] else y) for path, (y,) in rows]

    return model, by_hand


def every_rank(k: Any) -> Made:
    x = image = k.Input((8, 8, 4), name="image")
    line = k.layers.Conv1D(3, 3, name="conv1")(k.layers.Reshape((64, 4), name="line")(x))
    cube = k.layers.Conv3D(3, 3, name="conv3")(k.layers.Reshape((8, 4, 4, 2), name="cube")(x))
    six = k.layers.Reshape((2, 2, 2, 2, 16), name="six")(x)
    model = k.Model(image, [line, cube, six, k.layers.Dense(3, name="dense")(k.layers.Flatten(name="flat")(x))])
    return model, lambda *inputs: eager_walk(model, inputs)


def any_size(k: Any) -> Made:
    image = k.Input((None, None, 3), name="image")
    x = k.layers.UpSampling2D(2, name="up")(k.layers.Conv2D(4, 3, strides=2, name="conv")(image))
    model = k.Model(image, k.layers.GlobalMaxPooling2D(name="max")(x))
    return model, lambda *inputs: eager_walk(model, inputs)


def made_inside_call(k: Any) -> Made:
    class Net(k.Model):
        def __init__(self) -> None:
            super().__init__()
            # Keras 3 takes no new variables once a model is built.
            self.late = k.layers.Conv2D(4, 3) if k is keras else None

        def call(self, x: Any) -> Any:
            if self.late is None:
                self.late = k.layers.Conv2D(4, 3)
            x = k.layers.MaxPooling2D(2)(k.layers.ReLU()(self.late(x)))
            return k.layers.Concatenate(name="join")([k.layers.ReLU()(x), x])

    model = Net()
    model(tf.zeros((1, 12, 12, 3)))

    def by_hand(x: Any) -> Rows:
        conv = model.late(x)
        act = tf.nn.relu(conv)
        pool = tf.nn.max_pool2d(act, 2, 2, "VALID")
        again = tf.nn.relu(pool)
        joined = tf.concat([again, pool], axis=-1)
        made = {"re_lu": act, "max_pooling2d": pool, "re_lu~2": again, "join": joined}
        return [(model.late.name, conv), *made.items()]

    return model, by_hand


def symbolic_operations(k: Any) -> Made:
    image, relu = k.Input((8, 8, 3), name="image"), keras.ops.relu if k is keras else tf.nn.relu
    y = k.layers.Conv2D(3, 3, padding="same", name="conv")(image)
    model = k.Model(image, relu(y - 0.5) * 2.0 + image)
    return model, lambda *inputs: eager_walk(model, inputs)


def merged_time(k: Any) -> Made:
    x = image = k.Input((8, 8, 4), name="image")
    x = k.layers.Reshape((4, 4, 4, 4), name="clips")(x)
    x = k.layers.TimeDistributed(k.layers.Conv2D(2, 3, name="conv"), name="each")(x)
    model = k.Model(image, k.layers.Flatten(name="flat")(x))
    return model, lambda *inputs: eager_walk(model, inputs)


def one_part_in_two(k: Any) -> Made:
    """One layer inside two others."""

    class Holder(k.layers.Layer):
        def __init__(self, part: Any, name: str) -> None:
            super().__init__(name=name)
            self.part = part

        def call(self, x: Any) -> Any:
            return self.part(x) + 1.0

    class Net(k.Model):
        def __init__(self) -> None:
            super().__init__()
            self.part = k.layers.Dense(3, name="part")
            self.left, self.right = Holder(self.part, "left"), Holder(self.part, "right")

        def call(self, x: Any) -> Any:
            return self.right(self.left(x))

    model = Net()
    model(tf.zeros((1, 8, 8, 3)))

    def by_hand(x: Any) -> Rows:
        one = model.part(x)
        two = model.part(one + 1.0)
        return [("left/part", one), ("left", one + 1.0), ("right/part", two), ("right", two + 1.0)]

    return model, by_hand


STRUCTURES: dict[str, Callable[[Any], Made]] = {
    f.__name__: f
    for f in (
        functional, sequential, subclassed, nested, model_in_subclassed, shared, several_inputs, dict_of_inputs,
        several_outputs_of_a_layer, channels_first, every_rank, any_size, made_inside_call, symbolic_operations,
        merged_time, one_part_in_two,
    )
}  # fmt: skip
FEEDS = {
    "several_inputs": {"left": "image", "right": "image", "vector": "ones"},
    "dict_of_inputs": {"a": "ones", "b": "image"},
}
