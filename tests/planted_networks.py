"""Networks whose every layer is known, for a config's `model: {kind: builder}`; this file alone is copied beside it."""

from __future__ import annotations

import itertools

import keras
import numpy as np
from keras import ops

LUMA = (0.299, 0.587, 0.114)
SHARES = {"edge1": 0, "edge2": 0, "edge3": 0, "between1": 0.2, "between2": 0.6, "between3": 0.85, "mask1": 1,
          "mask2": 1, "mask3": 1}  # fmt: skip
"""Maps of `edges_to_mask`, and the share of the mask in each: it is more than that of edges from `between2` on."""
SILENT, CONSTANT, REPEATED = (3, 9, 10, 30, 41, 50, 63), (7, 20), {12: 0, 13: 0, 25: 1, 40: 2, 62: 5}
"""Channels of the layer `idle`; which channel repeats which."""
BLURS = (1, 2, 4)
"""Of the maps of `pyramid`, in elements."""


@keras.saving.register_keras_serializable("planted")
class Magnitude(keras.layers.Layer):
    """`(B, H, W, C)` of gradients `(B, H, W, 2 C)`, those along x behind those along y."""

    def call(self, gradients):
        """Root mean square of both."""
        down, across = ops.split(gradients, 2, axis=-1)
        return ops.sqrt((down**2 + across**2) / 2)


@keras.saving.register_keras_serializable("planted")
class Mirrored(keras.layers.Layer):
    """One more row and column on each side, mirrored."""

    def call(self, maps):
        """`(B, H + 2, W + 2, C)`."""
        return ops.pad(maps, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="symmetric")


@keras.saving.register_keras_serializable("planted")
class Noise(keras.layers.Layer):
    """Independent values between 0 and 1, fixed for each image, position and channel, that tell nothing of the image.

    Each is a hash of the image's mean and of its own place.
    """

    def __init__(self, channels, **options):
        super().__init__(**options)
        self.channels = channels

    def call(self, image):
        """`(B, H, W, channels)`."""
        _, height, width, _ = image.shape
        places = np.arange(height * width * self.channels, dtype=np.float64).reshape(height, width, self.channels)
        number = ops.mean(ops.cast(image, "float64"), axis=(1, 2, 3), keepdims=True)
        hashed = ops.sin(places * 12.9898 + number * 78.233) * 43758.5453
        return ops.cast(hashed - ops.floor(hashed), "float32")


@keras.saving.register_keras_serializable("planted")
class Roots(keras.layers.Layer):
    """NaN of what is negative, infinite of 0."""

    def call(self, maps):
        """1 / sqrt."""
        return 1 / ops.sqrt(maps)


def edges_to_mask(permuted=0):
    """Edges (Sobel, exactly), then the mask (exactly) of images whose foreground alone is coloured, red or green.

    No sum of colours tells it: the layer `cut` takes red and green apart, and `coloured` puts them together. Most
    weights are 0, so that hardly a permutation does the same. With `permuted` weights all entries change places.
    """
    image = keras.Input((None, None, 3))
    seen = np.zeros((1, 1, 3, 8), np.float32)
    seen[0, 0, :, 0], seen[0, 0, :, 1] = LUMA, (1, -1, 0)
    row, slope = np.array([0.25, 0.5, 0.25]), np.array([0.5, 0, -0.5])
    sobel = np.zeros((3, 3, 8, 2), np.float32)
    sobel[:, :, 0, 0], sobel[:, :, 0, 1] = np.outer(slope, row), np.outer(row, slope)
    red_and_green, both = np.zeros((1, 1, 8, 2), np.float32), np.ones((1, 1, 3, 1), np.float32)
    red_and_green[0, 0, 1] = 1 / 32, -1 / 32
    both[0, 0, 2] = 0
    known = _conv(seen, name="seen")(image)
    edge = Magnitude(name="magnitude")(_conv(sobel, name="sobel")(Mirrored(name="mirrored")(known)))
    apart = keras.layers.ReLU(max_value=1.0, name="cut")(_conv(red_and_green, name="apart")(known))
    mask = _conv(both, name="coloured")(keras.layers.Concatenate(name="all")([apart, edge]))
    x = edge
    for name, share in SHARES.items():
        # The map before is read too, with a weight of 0, so that the layers run in this order.
        mix = np.array([(1 - share) / 4, share, 0], np.float32).reshape(1, 1, 3, 1)
        x = _conv(mix, name=name)(keras.layers.Concatenate(name=f"with_{name}")([edge, mask, x]))
    model = keras.Model(image, x)
    if permuted:
        rng = np.random.default_rng(permuted)
        model.set_weights([rng.permutation(w.ravel()).reshape(w.shape) for w in model.get_weights()])
    return model


def noise():
    """Nine maps of noise, the next of which is not made of the one before."""
    image = keras.Input((48, 48, 3))
    x = image
    for i in range(9):
        # What passes through changes the mean of the image, and so all of the noise.
        x = Noise(8, name=f"noise{i}")(keras.layers.Concatenate(name=f"with{i}")([image, x]))
    return keras.Model(image, x)


def pyramid():
    """White noise, blurred until the standard deviations are those of `BLURS`, at one size."""
    x = image = keras.Input((128, 128, 3))
    x = keras.layers.Rescaling(1, -0.5, name="centred")(Noise(8, name="white")(x))
    for i, (before, after) in enumerate(itertools.pairwise((0, *BLURS))):
        variance = after**2 - before**2
        reach = np.arange(-4 * after, 4 * after + 1)
        along = np.exp(-(reach**2) / (2 * variance))
        kernel = np.outer(along, along)[..., None, None] / along.sum() ** 2
        x = keras.layers.DepthwiseConv2D(
            kernel.shape[:2],
            padding="same",
            use_bias=False,
            depthwise_initializer=lambda shape, dtype=None, k=kernel: ops.broadcast_to(ops.cast(k, "float32"), shape),
            name=f"blur{i}",
        )(x)
    return keras.Model(image, x)


def broken():
    """Of all that can be wrong with a layer one each: idle channels, NaN, few dimensions, few positions."""
    rng = np.random.default_rng(0)
    image = keras.Input((48, 48, 3))
    many = Noise(16, name="many")(image)
    weights = rng.normal(size=(1, 1, 16, 64)).astype(np.float32)
    bias = rng.normal(size=64).astype(np.float32)
    weights[..., SILENT + CONSTANT] = bias[list(SILENT)] = 0
    for channel, original in REPEATED.items():
        weights[..., channel], bias[channel] = weights[..., original] * 1.5, bias[original] + channel
    x = _conv(weights, bias, name="idle")(many)
    # Eight combinations of two, none of which is like another.
    turns = np.pi * np.arange(8) / 8
    few = np.zeros((1, 1, 64, 8), np.float32)
    few[0, 0, 4], few[0, 0, 6] = np.cos(turns), np.sin(turns)
    centred = weights[0, 0][:, [4, 6]]
    few[0, 0, [4, 6]] = np.linalg.inv(np.linalg.cholesky(centred.T @ centred)).T @ few[0, 0, [4, 6]]
    x = _conv(few, name="few")(x)
    bad = Roots(name="roots")(x)
    coarse = keras.layers.AveragePooling2D(8, name="coarse")(x)
    whole = keras.layers.GlobalAveragePooling2D(name="whole")(coarse)
    return keras.Model(image, [bad, whole])


def _conv(weights, bias=None, **options):
    """Without padding."""
    *window, _, channels = weights.shape
    return keras.layers.Conv2D(
        channels,
        window,
        use_bias=bias is not None,
        kernel_initializer=lambda shape, dtype=None: ops.convert_to_tensor(weights),
        bias_initializer=lambda shape, dtype=None: ops.convert_to_tensor(bias),
        **options,
    )
