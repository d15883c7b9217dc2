"""The BiT ResNet as layers: a functional model of Keras 3, and a subclassed one of tf_keras."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import keras
import tf_keras
from bit_exports import normalized, padded, standardized
from bit_reference import Unit, Weights, groups, units


class DottedConv2D(keras.layers.Conv2D):
    """Standardises its kernel."""

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        return super().convolution_op(inputs, standardized(kernel))


def functional(weights: Weights) -> Any:
    """A Keras 3 model; dots part the names of its layers, e.g. `block1.unit01.a.standardized_conv2d`."""
    k = keras.layers

    def conv(x: Any, name: str, stride: int = 1) -> Any:
        size, _, _, count = weights[f"{name.replace('.', '/')}/standardized_conv2d/kernel"].shape
        if size > 1:
            x = k.ZeroPadding2D(size // 2, name=f"{name}.padding")(x)
        return DottedConv2D(count, size, stride, use_bias=False, name=f"{name}.standardized_conv2d")(x)

    def relu(x: Any, name: str) -> Any:
        x = k.GroupNormalization(groups(x.shape[-1]), epsilon=1e-5, name=f"{name}group_norm")(x)
        return k.ReLU(name=f"{name}relu")(x)

    def bottleneck(x: Any, unit: Unit) -> Any:
        name = unit.name.replace("/", ".")
        y = relu(x, f"{name}.a.")
        shortcut = conv(y, f"{name}.a.proj", unit.stride) if unit.projects else x
        y = relu(conv(y, f"{name}.a"), f"{name}.b.")
        y = relu(conv(y, f"{name}.b", unit.stride), f"{name}.c.")
        return k.Add(name=f"{name}.add")([shortcut, conv(y, f"{name}.c")])

    x = image = keras.Input((None, None, 3), name="image")
    x = conv(x, "root_block", 2)
    x = k.ZeroPadding2D(1, name="root_block.pool_padding")(x)
    x = k.MaxPooling2D(3, 2, name="root_block.pool")(x)
    for unit in units(weights):
        x = bottleneck(x, unit)
    model = keras.Model(image, k.GlobalAveragePooling2D(name="features")(relu(x, "")), name="resnet")
    for layer in model.layers:
        _fill(layer, layer.name.replace(".", "/"), weights)
    return model


def _fill(layer: Any, path: str, weights: Weights) -> None:
    own = [weights[f"{path}/{name}"] for name in ("kernel", "gamma", "beta") if f"{path}/{name}" in weights]
    assert len(own) == len(layer.weights)
    layer.set_weights(own)


class StandardizedConv2D(tf_keras.layers.Conv2D):
    """Standardises its kernel; `path` leads to it in the weights."""

    def __init__(self, path: str, weights: Weights, stride: int = 1, **options: Any) -> None:
        size, _, _, count = weights[f"{path}/kernel"].shape
        super().__init__(count, size, stride, use_bias=False, **options)
        self.path = path

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        return super().convolution_op(inputs, standardized(kernel))


class GroupNormalization(tf_keras.layers.Layer):
    """Normalises groups of channels; `path` leads to its weights."""

    def __init__(self, path: str, **options: Any) -> None:
        super().__init__(**options)
        self.path = path

    def build(self, input_shape: Any) -> None:
        self.gamma = self.add_weight(name="gamma", shape=input_shape[-1:], initializer="ones")
        self.beta = self.add_weight(name="beta", shape=input_shape[-1:], initializer="zeros")
        super().build(input_shape)

    def call(self, x: Any) -> Any:
        return normalized(x, self.gamma, self.beta)


class Padding(tf_keras.layers.Layer):
    """Zeros around, half the width of the kernel that follows."""

    def __init__(self, size: int, **options: Any) -> None:
        super().__init__(**options)
        self.by = size // 2

    def call(self, x: Any) -> Any:
        return padded(x, self.by)


class BottleneckV2Unit(tf_keras.layers.Layer):
    """One unit: its parts are Sequentials, but for the two convolutions that one ReLU feeds."""

    def __init__(self, unit: Unit, weights: Weights, **options: Any) -> None:
        super().__init__(name=unit.parts[1], **options)
        k, path = tf_keras, unit.name

        def norm(part: str) -> list[Any]:
            return [GroupNormalization(f"{path}/{part}/group_norm", name="group_norm"), k.layers.ReLU()]

        def conv(part: str, stride: int = 1, **options: Any) -> Any:
            return StandardizedConv2D(f"{path}/{part}/standardized_conv2d", weights, stride, **options)

        self.unit_a = k.Sequential(norm("a"), name="a")
        self.unit_a_conv = conv("a", name="a/standardized_conv2d")
        self.proj = conv("a/proj", unit.stride, name="a/proj/standardized_conv2d") if unit.projects else None
        self.unit_b = k.Sequential(
            [*norm("b"), Padding(3), conv("b", unit.stride, name="standardized_conv2d")], name="b"
        )
        self.unit_c = k.Sequential([*norm("c"), conv("c", name="standardized_conv2d")], name="c")

    def call(self, x: Any) -> Any:
        shortcut, x = x, self.unit_a(x)
        if self.proj is not None:
            shortcut = self.proj(x)
        return self.unit_c(self.unit_b(self.unit_a_conv(x))) + shortcut


class ResNetV2(tf_keras.Model):
    """A root, blocks and an end, each a Sequential or a plain list of layers."""

    def __init__(self, weights: Weights, **options: Any) -> None:
        super().__init__(**options)
        k = tf_keras
        root = StandardizedConv2D("root_block/standardized_conv2d", weights, 2, name="standardized_conv2d")
        self.root = k.Sequential([Padding(7), root, Padding(3), k.layers.MaxPool2D(3, 2)], name="root_block")
        self.blocks = [
            k.Sequential([BottleneckV2Unit(unit, weights) for unit in members], name=block)
            for block, members in groupby(units(weights), key=lambda unit: unit.parts[0])
        ]
        norm = GroupNormalization("group_norm", name="group_norm")
        self.pre_head = [norm, k.layers.ReLU(), k.layers.GlobalAveragePooling2D()]

    def call(self, x: Any) -> Any:
        for layer in (self.root, *self.blocks, *self.pre_head):
            x = layer(x)
        return x


def subclassed(weights: Weights) -> Any:
    """A tf_keras model put together like the published TF2 code."""
    # So that `re_lu_3` is the same layer whatever was built before.
    tf_keras.backend.reset_uids()
    model = ResNetV2(weights, name="res_net_v2")
    model(tf_keras.Input((None, None, 3)))
    for layer in model.submodules:
        if hasattr(layer, "path"):
            _fill(layer, layer.path, weights)
    return model
