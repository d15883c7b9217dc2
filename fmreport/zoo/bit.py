"""BiT (Big Transfer): pre-activation ResNets with group normalisation and weight-standardised convolutions.

Source: arXiv 1912.11370 and google-research/big_transfer. R50x1 has 53 convolutions and 23,500,352 parameters.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import keras

VARIANTS: dict[str, tuple[tuple[int, ...], int]] = {
    "R50x1": ((3, 4, 6, 3), 1),
    "R50x3": ((3, 4, 6, 3), 3),
    "R101x1": ((3, 4, 23, 3), 1),
    "R101x3": ((3, 4, 23, 3), 3),
    "R152x2": ((3, 8, 36, 3), 2),
    "R152x4": ((3, 8, 36, 3), 4),
}
"""Units of each block, and the factor by which all widths are multiplied."""
WIDTH = 64
"""Channels of the root at factor 1."""
GROUPS = 32


@keras.saving.register_keras_serializable(package="fmreport")
class StandardizedConv2D(keras.layers.Conv2D):  # type: ignore[misc]  # keras has no types
    """A convolution whose kernel is brought, filter by filter, to mean 0 and variance 1 over (H, W, input channels)."""

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """The convolution with the standardised kernel."""
        mean, variance = keras.ops.moments(kernel, axes=(0, 1, 2), keepdims=True)
        return super().convolution_op(inputs, (kernel - mean) / keras.ops.sqrt(variance + 1e-10))


def bit(
    variant: str, *, classes: int | None = None, size: tuple[int | None, int | None] = (None, None), seed: int = 0
) -> Any:
    """An untrained BiT as a functional Keras model, `(B, H, W, 3)` in; raises `KeyError` for an unknown variant.

    Gives the logits of `classes`, or without them the pooled features `(B, 2048 * factor)`. `size` is H x W in pixels,
    None where any will do. `seed` settles all weights. A dot in a layer's name is a level of its path.
    """
    counts, factor = VARIANTS[variant]
    build = _Builder(seed)
    image = keras.Input((*size, 3), name="image")
    x = build.root(image, WIDTH * factor)
    for block, count in enumerate(counts, start=1):
        for number in range(1, count + 1):
            middle, stride = WIDTH * factor * 2 ** (block - 1), 2 if block > 1 and number == 1 else 1
            x = build.unit(x, middle, f"block{block}.unit{number:02d}", stride)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(build.activated(x, ""))
    if classes is not None:
        # As published, this is a 1x1 convolution of the 1x1 map; what it computes is the same.
        x = keras.layers.Dense(classes, kernel_initializer=build.initializer("head"), name="head")(x)
    return keras.Model(image, x, name=f"bit_{variant.lower()}")


@dataclass(frozen=True, slots=True)
class _Builder:
    """Adds layers to a functional model."""

    seed: int

    def root(self, x: Any, filters: int) -> Any:
        """A quarter of the resolution."""
        x = keras.layers.ZeroPadding2D(3, name="root_block.pad")(x)
        x = self.conv(x, filters, 7, "root_block", stride=2)
        # Padded with zeros, where the padding of a pooling layer would be -inf.
        x = keras.layers.ZeroPadding2D(1, name="root_block.pool_pad")(x)
        return keras.layers.MaxPooling2D(3, 2, name="root_block.pool")(x)

    def unit(self, x: Any, middle: int, name: str, stride: int) -> Any:
        """A bottleneck: 1x1 to `middle` channels, 3x3, 1x1 to four times as many, added to the shortcut."""
        shortcut, filters = x, 4 * middle
        x = self.activated(x, f"{name}.a.")
        if stride > 1 or shortcut.shape[-1] != filters:
            shortcut = self.conv(x, filters, 1, f"{name}.a.proj", stride=stride)
        x = self.conv(x, middle, 1, f"{name}.a")
        x = keras.layers.ZeroPadding2D(1, name=f"{name}.b.pad")(self.activated(x, f"{name}.b."))
        x = self.conv(x, middle, 3, f"{name}.b", stride=stride)
        x = self.conv(self.activated(x, f"{name}.c."), filters, 1, f"{name}.c")
        return keras.layers.Add(name=name)([shortcut, x])

    def activated(self, x: Any, under: str) -> Any:
        """Group normalisation and ReLU; `under` ends in a dot or is empty."""
        x = keras.layers.GroupNormalization(GROUPS, epsilon=1e-5, name=f"{under}group_norm")(x)
        return keras.layers.ReLU(name=f"{under}relu")(x)

    def conv(self, x: Any, filters: int, kernel: int, under: str, *, stride: int = 1) -> Any:
        """A weight-standardised convolution without padding and bias."""
        name = f"{under}.standardized_conv2d"
        initializer = self.initializer(name)
        return StandardizedConv2D(
            filters, kernel, strides=stride, use_bias=False, kernel_initializer=initializer, name=name
        )(x)

    def initializer(self, name: str) -> Any:
        """Draws what only the seed and the layer's name settle."""
        return keras.initializers.GlorotUniform(seed=zlib.crc32(f"{self.seed} {name}".encode()))
