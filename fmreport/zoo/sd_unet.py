"""SD-UNet: a U-Net of squeeze-and-attention blocks around a dense atrous pyramid.

Source: Electronics 2022, 11(1), 130. At width 32 and three classes it has 51 Conv2D, 213 layers and
21,507,171 parameters.
"""

from __future__ import annotations

from typing import Any

STAGES = 4
DILATIONS = (6, 12, 18)


def sd_unet(width: int = 32, *, size: tuple[int, int] = (160, 160), channels: int = 3, classes: int = 3) -> Any:
    """An untrained SD-UNet as a functional Keras model, `(B, H, W, channels)` in, class probabilities out.

    `width` is the number of filters of the first stage; every later stage follows from it. `size` is
    H x W in pixels, each a multiple of 16. A dot in a layer's name is a level of its path.
    """
    if any(side % 2**STAGES for side in size):
        raise ValueError(f"size {size}: each side must be a multiple of {2**STAGES}")
    import keras

    inputs = keras.Input((*size, channels), name="image")
    skips = []
    x = _squeeze_attention(inputs, width, "encoder.sa1")
    for stage in range(1, STAGES + 1):
        skips.append(x)
        x = _down(x, width * 2 ** (stage - 1), f"encoder.down{stage}")
        x = _squeeze_attention(x, width * 2**stage, f"encoder.sa{stage + 1}")
    x = _atrous_pyramid(x, width * 2 ** (STAGES - 1), "daspp")
    for stage in range(1, STAGES + 1):
        filters = width * 2 ** (STAGES - stage)
        x = _up(x, skips.pop(), filters, f"decoder.up{stage}")
        x = _squeeze_attention(x, filters, f"decoder.sa{stage}")
    outputs = keras.layers.Conv2D(classes, 3, padding="same", activation="softmax", name="head.conv")(x)
    return keras.Model(inputs, outputs, name=f"sd_unet_w{width}")


def _conv_block(x: Any, filters: int, name: str, *, kernel: int = 3, dilation: int = 1) -> Any:
    """Convolution, group normalisation, leaky ReLU."""
    from keras import layers

    x = layers.Conv2D(filters, kernel, padding="same", dilation_rate=dilation, name=f"{name}.conv")(x)
    x = layers.GroupNormalization(min(32, filters), name=f"{name}.norm")(x)
    return layers.LeakyReLU(name=f"{name}.act")(x)


def _squeeze_attention(x: Any, filters: int, name: str) -> Any:
    """`a * r + a`: full-resolution features `r` weighted by half-resolution attention `a`."""
    from keras import layers

    r = _conv_block(x, filters, f"{name}.main1")
    r = _conv_block(r, filters, f"{name}.main2")
    a = layers.AveragePooling2D(2, name=f"{name}.pool")(x)
    a = _conv_block(a, filters, f"{name}.attention1")
    a = _conv_block(a, filters, f"{name}.attention2")
    a = layers.UpSampling2D(2, interpolation="nearest", name=f"{name}.resize")(a)
    weighted = layers.Multiply(name=f"{name}.weigh")([a, r])
    return layers.Add(name=f"{name}.add")([weighted, a])


def _down(x: Any, filters: int, name: str) -> Any:
    """Half the resolution, by max and average pooling side by side."""
    from keras import layers

    largest = layers.MaxPooling2D(2, name=f"{name}.max_pool")(x)
    mean = layers.AveragePooling2D(2, name=f"{name}.mean_pool")(x)
    both = layers.Concatenate(name=f"{name}.concat")([largest, mean])
    return _conv_block(both, filters, name, kernel=1)


def _atrous_pyramid(x: Any, filters: int, name: str) -> Any:
    """Dense atrous spatial pyramid pooling: each dilation reads what the smaller ones made."""
    from keras import layers

    pooled = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}.pool")(x)
    pooled = _conv_block(pooled, filters, f"{name}.pooled", kernel=1)
    pooled = layers.UpSampling2D(x.shape[1:3], interpolation="bilinear", name=f"{name}.resize")(pooled)
    local = _conv_block(x, filters, f"{name}.local", kernel=1)
    near, middle, far = DILATIONS
    o_near = _conv_block(x, filters, f"{name}.rate{near}", dilation=near)
    x_middle = layers.Concatenate(name=f"{name}.concat{middle}")([x, o_near])
    o_middle = _conv_block(x_middle, filters, f"{name}.rate{middle}", dilation=middle)
    # The published layout repeats x here (1536 channels at width 32); kept so that weights fit.
    x_far = layers.Concatenate(name=f"{name}.concat{far}")([x, x_middle, o_middle])
    o_far = _conv_block(x_far, filters, f"{name}.rate{far}", dilation=far)
    joined = layers.Concatenate(name=f"{name}.concat")([pooled, local, o_near, o_middle, o_far])
    return _conv_block(joined, filters, f"{name}.out", kernel=1)


def _up(x: Any, skip: Any, filters: int, name: str) -> Any:
    """Twice the resolution, joined by the encoder's map of the same size."""
    from keras import layers

    x = layers.UpSampling2D(2, interpolation="bilinear", name=f"{name}.resize")(x)
    x = _conv_block(x, filters, name, kernel=1)
    return layers.Concatenate(name=f"{name}.concat")([x, skip])
