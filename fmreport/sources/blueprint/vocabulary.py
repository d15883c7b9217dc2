"""What layers of every framework are in TensorFlow's operations; images `(B, C, *spatial)` where `first`, else last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from fmreport.sources.blueprint.graph import Undrawn

Pads = Sequence[tuple[int, int]]
"""Positions before and behind each spatial axis."""


@dataclass(frozen=True, slots=True)
class Window:
    """How neighbours are read, along each spatial axis."""

    strides: Sequence[int]
    pads: Pads
    dilations: Sequence[int]
    sides: Sequence[int] = ()
    """Of a pooling; a convolution's are its kernel's."""

    def wide(self) -> Window:
        """With an axis in front along which there is but one position."""
        sides = (1, *self.sides) if self.sides else ()
        return Window((1, *self.strides), ((0, 0), *self.pads), (1, *self.dilations), sides)


LETTERS = {3: "W", 4: "HW", 5: "DHW"}


def data_format(rank: int, *, first: bool) -> str:
    """E.g. `NCHW`."""
    return f"NC{LETTERS[rank]}" if first else f"N{LETTERS[rank]}C"


def spatial(rank: int, *, first: bool) -> range:
    """The axes of positions."""
    return range(2, rank) if first else range(1, rank - 1)


def moved(tensor: Any, *, first: bool) -> Any:
    """With channels behind, where they come first."""
    rank = tensor.shape.rank
    return tf.transpose(tensor, (0, *range(2, rank), 1)) if first else tensor


def moved_back(tensor: Any, *, first: bool) -> Any:
    """With channels first again, where they were."""
    rank = tensor.shape.rank
    return tf.transpose(tensor, (0, rank - 1, *range(1, rank - 1))) if first else tensor


def convolution(x: Any, kernel: Any, window: Window, *, groups: int, first: bool) -> Any:
    """`kernel` is `(*spatial, C / groups, filters)`."""
    rank = x.shape.rank
    if rank == 3:
        axis = 2 if first else 1
        kernel, x = tf.expand_dims(kernel, 0), tf.expand_dims(x, axis)
        return tf.squeeze(convolution(x, kernel, window.wide(), groups=groups, first=first), axis)
    named = data_format(rank, first=first)
    said = {"strides": _each(named, window.strides), "dilations": _each(named, window.dilations)}
    if rank == 5:
        x = padded(x, window.pads, first=first)
        return tf.raw_ops.Conv3D(input=x, filter=kernel, **said, padding="VALID", data_format=named)
    said |= _explicit(named, window.pads)
    channels = int(x.shape[named.index("C")])
    # TensorFlow's has one stride.
    if groups == channels and groups > 1 and len(set(window.strides)) == 1:
        kernel = tf.reshape(kernel, (*kernel.shape[:2], channels, int(kernel.shape[3]) // groups))
        return tf.raw_ops.DepthwiseConv2dNative(input=x, filter=kernel, **said)
    return tf.raw_ops.Conv2D(input=x, filter=kernel, **said)


def transposed_convolution(x: Any, kernel: Any, window: Window, *, shape: Sequence[int], first: bool) -> Any:
    """To `shape`; `kernel` is `(*spatial, filters, C)`."""
    if x.shape.rank != 4:
        raise Undrawn
    named = data_format(4, first=first)
    said = {"strides": _each(named, window.strides), "dilations": _each(named, window.dilations)}
    said |= _explicit(named, window.pads)
    sizes = tf.constant(list(shape))
    return tf.raw_ops.Conv2DBackpropInput(input_sizes=sizes, filter=kernel, out_backprop=x, **said)


def pooling(x: Any, kind: str, window: Window, *, first: bool) -> Any:
    """`kind` is `Max` or `Avg`."""
    rank = x.shape.rank
    if rank == 3:
        axis = 2 if first else 1
        return tf.squeeze(pooling(tf.expand_dims(x, axis), kind, window.wide(), first=first), axis)
    if set(window.dilations) != {1}:
        raise Undrawn
    named = data_format(rank, first=first)
    said = {"ksize": _each(named, window.sides), "strides": _each(named, window.strides)}
    if kind == "Max" and rank == 4:
        return tf.raw_ops.MaxPool(input=x, **said, **_explicit(named, window.pads))
    # What lies outside has no part in a mean or a maximum: it is no zero.
    x = padded(x, window.pads, first=first, mirrored=True)
    operation = getattr(tf.raw_ops, f"{kind}Pool{'3D' if rank == 5 else ''}")
    return operation(**{"input" if rank == 5 else "value": x}, **said, padding="VALID", data_format=named)


def padded(x: Any, pads: Pads, *, first: bool, mirrored: bool = False) -> Any:
    """With zeros around it, or with what lies inside."""
    if not any(side for pair in pads for side in pair):
        return x
    around = [(0, 0), (0, 0), *pads] if first else [(0, 0), *pads, (0, 0)]
    return tf.pad(x, around, mode="SYMMETRIC" if mirrored else "CONSTANT")


def resized(x: Any, size: Sequence[int], how: str, *, half_pixel: bool, corners: bool, first: bool) -> Any:
    """To (H, W); `how` is `NearestNeighbor`, `Bilinear` or `Bicubic`."""
    if x.shape.rank != 4:
        raise Undrawn
    half = half_pixel and not corners
    made = getattr(tf.raw_ops, f"Resize{how}")(
        images=moved(x, first=first), size=tf.constant(list(size)), align_corners=corners, half_pixel_centers=half
    )
    return moved_back(tf.cast(made, x.dtype), first=first)


def batch_normalised(x: Any, parts: Sequence[Any], *, first: bool) -> Any:
    """By scale, offset, mean and variance, each `(C,)`."""
    scale, offset, mean, variance = parts
    if x.shape.rank != 4:
        shape = (-1, *(1,) * (x.shape.rank - 2)) if first else (-1,)
        scale, offset, mean, variance = (tf.reshape(each, shape) for each in parts)
        return (x - mean) * (scale * tf.math.rsqrt(variance)) + offset
    half = x.dtype == tf.float16
    parts = [tf.cast(each, tf.float32) for each in parts] if half else parts
    scale, offset, mean, variance = parts
    return tf.raw_ops.FusedBatchNormV3(
        x=x, scale=scale, offset=offset, mean=mean, variance=variance, is_training=False,
        data_format=data_format(4, first=first),
    )[0]  # fmt: skip


def group_normalised(x: Any, groups: int, scale: Any, offset: Any) -> Any:
    """Of `(B, C, *spatial)`, each group of channels of an image by its own mean and deviation."""
    batch, channels, *sides = x.shape
    apart = tf.reshape(x, (batch, groups, channels // groups, *sides))
    alike = tf.reshape(normalised(apart, range(2, apart.shape.rank)), x.shape)
    return scaled(alike, [None if each is None else _along(each, x.shape.rank) for each in (scale, offset)])


def _along(values: Any, rank: int) -> Any:
    """`(C,)` beside channels that come first."""
    return tf.reshape(values, (-1, *(1,) * (rank - 2)))


def normalised(x: Any, axes: Sequence[int]) -> Any:
    """By mean and deviation over axes."""
    about = x - tf.reduce_mean(x, list(axes), keepdims=True)
    variance = tf.reduce_mean(tf.square(about), list(axes), keepdims=True)
    return about * tf.math.rsqrt(variance + tf.constant(1e-5, x.dtype))


def scaled(x: Any, parts: Sequence[Any]) -> Any:
    """By a factor and an offset, each None where there is none."""
    factor, offset = parts
    x = x if factor is None else x * factor
    return x if offset is None else x + offset


def attended(query: Any, key: Any, value: Any) -> Any:
    """Scaled dot-product attention of `(..., tokens, width)`."""
    return tf.matmul(tf.nn.softmax(tf.matmul(query, key, transpose_b=True)), value)


def with_bias(x: Any, bias: Any, *, first: bool) -> Any:
    """With a bias `(C,)`, where there is one."""
    if bias is None:
        return x
    rank = x.shape.rank
    if rank == 5:
        return x + (tf.reshape(bias, (-1, 1, 1, 1)) if first else bias)
    if rank == 3 and first:
        return x + tf.reshape(bias, (-1, 1))
    return tf.nn.bias_add(x, bias, data_format=f"NC{LETTERS[4]}" if first and rank == 4 else None)


def _explicit(named: str, pads: Pads) -> dict[str, Any]:
    """Padding as operations take it."""
    if not any(side for pair in pads for side in pair):
        return {"data_format": named, "padding": "VALID"}
    around = iter(pads)
    flat = [side for letter in named for side in (next(around) if letter not in "NC" else (0, 0))]
    return {"data_format": named, "padding": "EXPLICIT", "explicit_paddings": flat}


def _each(named: str, values: Sequence[int]) -> list[int]:
    """1 for the batch and the channels, values for positions."""
    of_positions = iter(values)
    return [1 if letter in "NC" else int(next(of_positions)) for letter in named]
