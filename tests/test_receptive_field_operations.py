"""What single operations see of an image, against the gradient of every element."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from gradient_support import checked

from fmreport.records import EXACT, GLOBAL, UNKNOWN, UPPER_BOUND, ReceptiveField
from fmreport.sources.facts.graph_facts import GraphFacts

Call = Callable[[Any], Any]
DRAW = np.random.default_rng(0)
SIZE = (12, 17)


def kernel(*shape: int) -> Any:
    return tf.constant(DRAW.uniform(0.5, 1.5, shape))


def conv(x: Any, size: int | tuple[int, int] = 3, *, channels: int = 4, **options: Any) -> Any:
    height, width = (size, size) if isinstance(size, int) else size
    options = {"strides": 1, "padding": "SAME", **options}
    return tf.nn.conv2d(x, kernel(height, width, x.shape[-1], channels), **options)


def depthwise(x: Any, dilation: int) -> Any:
    return tf.nn.depthwise_conv2d(x, kernel(3, 3, x.shape[-1], 2), (1, 1, 1, 1), "SAME", dilations=(dilation, dilation))


def dilated_in_blocks(x: Any, rate: int) -> Any:
    """As TensorFlow writes a dilated convolution where it has no kernel for it."""
    pads, crops = tf.constant([[rate, rate + 3], [rate, rate + 4]]), tf.constant([[0, 3], [0, 4]])
    # The padded sizes must be multiples of the rate.
    height, width = x.shape[1] + 2 * rate, x.shape[2] + 2 * rate
    pads = [[rate, rate + -height % rate], [rate, rate + -width % rate]]
    crops = [[0, -height % rate], [0, -width % rate]]
    y = tf.space_to_batch(x, (rate, rate), pads)
    y = tf.nn.conv2d(y, kernel(3, 3, x.shape[-1], 4), 1, "VALID")
    return tf.batch_to_space(y, (rate, rate), crops)


def transposed(x: Any, size: int, stride: int, padding: str) -> Any:
    height, width = (int(side) * stride + (max(size - stride, 0) if padding == "VALID" else 0) for side in x.shape[1:3])
    return tf.nn.conv2d_transpose(
        x, kernel(size, size, 4, x.shape[-1]), (x.shape[0], height, width, 4), stride, padding
    )


def resized(x: Any, height: int, width: int, kind: str, **options: Any) -> Any:
    return getattr(tf.raw_ops, f"Resize{kind}")(images=tf.cast(x, tf.float32), size=(height, width), **options)


def repeated(x: Any, times: int) -> Any:
    return tf.repeat(tf.repeat(x, times, axis=1), times, axis=2)


def attended_in_windows(x: Any, side: int) -> Any:
    """Every pixel of a window is a sum over all of it."""
    _, height, width, channels = x.shape
    y = tf.reshape(x, (-1, height // side, side, width // side, side, channels))
    y = tf.reshape(tf.transpose(y, (0, 1, 3, 2, 4, 5)), (-1, side * side, channels))
    y = tf.linalg.matmul(tf.linalg.matmul(y, y, transpose_b=True), y)
    y = tf.reshape(y, (-1, height // side, width // side, side, side, channels))
    return tf.reshape(tf.transpose(y, (0, 1, 3, 2, 4, 5)), (-1, height, width, channels))


def _split_anywhere(x: Any) -> Any:
    width = tf.cast(x[0, 0, 0, 0], tf.int32)
    return tf.ensure_shape(tf.split(x, [width, tf.shape(x)[2] - width], axis=2)[0], (1, 12, 8, 3))


EXACTLY: dict[str, Call] = {
    "a pointwise function": lambda x: tf.nn.relu(x) * 2.0 + 1.0,
    "a convolution": conv,
    "an even kernel": lambda x: conv(x, 4),
    "a kernel wider than high": lambda x: conv(x, (1, 5)),
    "a stride": lambda x: conv(x, strides=2),
    "a stride without padding": lambda x: conv(x, strides=3, padding="VALID"),
    "a stride over a single pixel": lambda x: conv(x, 1, strides=2),
    "explicit padding": lambda x: conv(x, padding=[[0, 0], [2, 0], [1, 3], [0, 0]]),
    "a depthwise convolution": lambda x: depthwise(x, 1),
    "a dilated depthwise convolution": lambda x: depthwise(x, 2),
    "a dilation in blocks": lambda x: dilated_in_blocks(x, 3),
    "two dilations in blocks": lambda x: dilated_in_blocks(dilated_in_blocks(x, 2), 5),
    "channels first": lambda x: tf.transpose(
        tf.pad(tf.transpose(conv(x), (0, 3, 1, 2)), [[0, 0]] * 2 + [[1, 2]] * 2), (0, 2, 3, 1)
    ),
    "pooling": lambda x: tf.nn.max_pool2d(conv(x), 2, 2, "VALID"),
    "pooling with padding": lambda x: tf.nn.max_pool2d(x, 3, 2, "SAME"),
    "a mean over neighbours": lambda x: tf.nn.avg_pool2d(x, 3, 2, "SAME"),
    "padding, then cutting": lambda x: tf.pad(conv(x), [[0, 0], [3, 1], [0, 2], [0, 0]])[:, 1:, 2:-1],
    "a slice with a stride": lambda x: conv(x)[:, 1::2, ::3],
    "a slice by size": lambda x: tf.slice(conv(x), (0, 2, 1, 0), (-1, 5, 6, 4)),
    "a slice of channels that all see the same": lambda x: conv(x)[..., 1:3],
    "a transposed convolution": lambda x: transposed(conv(x), 3, 2, "SAME"),
    "a transposed convolution of an even kernel": lambda x: transposed(x, 4, 2, "SAME"),
    "a transposed convolution without padding": lambda x: transposed(x, 5, 3, "VALID"),
    "a transposed convolution, then a convolution": lambda x: conv(transposed(x, 3, 2, "SAME"), 3, strides=3),
    "nearest upsampling": lambda x: resized(x, 24, 34, "NearestNeighbor", half_pixel_centers=True),
    "nearest upsampling by a fraction": lambda x: resized(x, 18, 20, "NearestNeighbor"),
    "nearest upsampling between corners": lambda x: resized(x, 23, 40, "NearestNeighbor", align_corners=True),
    "bilinear upsampling": lambda x: resized(x, 24, 34, "Bilinear", half_pixel_centers=True),
    "bilinear upsampling by a fraction": lambda x: resized(x, 18, 20, "Bilinear", half_pixel_centers=True),
    "bilinear upsampling between corners": lambda x: resized(x, 23, 33, "Bilinear", align_corners=True),
    "bilinear upsampling from the corner": lambda x: resized(x, 24, 34, "Bilinear"),
    "bilinear downsampling": lambda x: resized(x, 5, 7, "Bilinear", half_pixel_centers=True),
    "bicubic upsampling": lambda x: resized(x, 24, 34, "Bicubic", half_pixel_centers=True),
    "upsampling, then a convolution with a stride": lambda x: conv(
        tf.cast(resized(x, 24, 34, "Bilinear", half_pixel_centers=True), tf.float64), strides=3
    ),
    "repeated pixels": lambda x: repeated(conv(x), 2),
    "channels to pixels": lambda x: tf.nn.depth_to_space(conv(x), 2),
    "pixels to channels, mixed": lambda x: conv(tf.nn.space_to_depth(conv(x)[:, :, :16], 2), 1),
    "patches": lambda x: tf.reshape(conv(tf.reshape(x[:, :, :16], (-1, 12, 4, 12)), 1), (-1, 12, 4, 4)),
    "a skip": lambda x: conv(conv(x)) + conv(x, 1),
    "a skip over a stride": lambda x: conv(x[:, :11], 3, strides=2) + conv(x[:, :11], 1, strides=2),
    "branches, joined": lambda x: conv(tf.concat([conv(x, 1), conv(x, 3), conv(x, 5)], -1), 1),
    "a skip around pooling and upsampling": lambda x: (
        x[:, :, :16] * repeated(tf.nn.max_pool2d(x[:, :, :16], 2, 2, "VALID"), 2)
    ),
    "zeros joined as padding": lambda x: tf.concat(
        [tf.zeros((1, 2, 17, 4), x.dtype), conv(x), tf.zeros((1, 1, 17, 4), x.dtype)], 1
    ),
    "a scale for each pixel": lambda x: conv(x) * kernel(1, 12, 17, 1),
    "a normalisation over channels": lambda x: tf.nn.l2_normalize(conv(x), axis=-1) + x[..., :1],
    "a softmax over channels": lambda x: tf.nn.softmax(conv(x)),
    "a dense layer at each pixel": lambda x: tf.tensordot(conv(x), kernel(4, 5), 1),
    "a sum over channels by Einsum": lambda x: tf.einsum("bhwc,cd->bhwd", conv(x), kernel(4, 5)),
    "halves of channels, added": lambda x: tf.add_n(tf.split(conv(x), 2, axis=-1)),
    "a single pixel with padding behind, of repeated ones": lambda x: tf.nn.conv2d(
        repeated(x, 2), kernel(1, 1, 3, 3), 1, [[0, 0], [0, 2], [0, 2], [0, 0]]
    )[:, :24, :34],
    "rows, one after the other": lambda x: conv(
        tf.stack([tf.tensordot(row, kernel(4, 4), 1) for row in tf.unstack(conv(x, strides=2), axis=1)], 1)
    ),
    "columns, one after the other": lambda x: tf.stack(tf.unstack(conv(x), axis=2), 2),
    "rows stacked as channels": lambda x: tf.reduce_sum(
        tf.stack([conv(x), x[..., :1] + tf.zeros((4,), x.dtype)], axis=-2), -2
    ),
}
"""What is said to be exact; every element is looked at."""
BOUNDED: dict[str, Call] = {
    "the part of branches that sees less": lambda x: tf.concat([conv(x, 1), conv(x, 5)], -1)[..., :4],
    "a kernel smaller than its stride, transposed": lambda x: transposed(x, 1, 2, "SAME"),
    "rows of frames": lambda x: tf.reshape(x, (1, 3, 4, 17, 3)),
    "pixels of windows": lambda x: tf.transpose(tf.reshape(x, (1, 3, 4, 17, 3)), (0, 1, 3, 2, 4)),
    "some of a stack": lambda x: tf.nn.conv3d(
        tf.stack([conv(x, 1), conv(x, 3), conv(x, 5)], 3), kernel(1, 1, 2, 4, 4), (1, 1, 1, 2, 1), "VALID"
    )[:, :, :, 0],
    "windows": lambda x: attended_in_windows(x[:, :, :16], 4),
}
EVERYWHERE: dict[str, tuple[Call, str]] = {
    "squeeze and excite": (lambda x: x * tf.sigmoid(tf.reduce_mean(x, (1, 2), keepdims=True)), "Mean"),
    "attention": (lambda x: _attention(conv(x)), "BatchMatMulV2"),
    "a mean and a deviation as features": (lambda x: conv(x) + _deviation(conv(x)), "Mean"),
    "the mean subtracted": (lambda x: x - tf.reduce_mean(x, (1, 2), keepdims=True), "Mean"),
    "a dense layer on all pixels": (
        lambda x: tf.reshape(tf.reshape(x, (1, 612)) @ kernel(612, 612), x.shape),
        "MatMul",
    ),
    "one pixel spread over all": (lambda x: x + conv(x, (12, 17), padding="VALID", channels=3), "AddV2"),
    "pooling over all, then upsampling": (
        lambda x: x + tf.cast(resized(tf.reduce_mean(x, (1, 2), keepdims=True), 12, 17, "Bilinear"), x.dtype),
        "Mean",
    ),
}
"""What sees everything, and by which operation."""
NOT_KNOWN: dict[str, tuple[Call, str]] = {
    "a size that is computed": (_split_anywhere, "SplitV"),
    "tokens, shifted by one": (lambda x: _tokens(x)[:, 1:] + _tokens(x)[:, :-1], "AddV2"),
    "halves of tokens": (lambda x: _tokens(x)[:, :6] + _tokens(x)[:, 6:], "AddV2"),
    "one token for all": (lambda x: _with_class(_tokens(x)) * _with_class(_tokens(x))[:, 3:4], "Mul"),
    "tokens behind a class token, shifted": (
        lambda x: _with_class(_tokens(x)) + _with_class(_with_class(_tokens(x))[:, :-1]),
        "AddV2",
    ),
    "rows, in another order": (lambda x: tf.stack(tf.unstack(x, axis=1)[::-1], 1), "Pack"),
    "numbers of another size": (
        lambda x: tf.bitcast(tf.transpose(x, (0, 1, 3, 2)), tf.float32)[..., 0],
        "Bitcast",
    ),
    "pairs of positions": (lambda x: x[:, :, 0][:, :, None] - x[:, :, 0][:, None], "Sub"),
    "rows times columns": (lambda x: tf.einsum("bijc,bjic->bijc", x[:, :, :12], x[:, :, :12]), "Einsum"),
    "a diagonal": (lambda x: tf.einsum("bhhc->bhc", x[:, :, :12]), "Einsum"),
    "rows as channels, transposed convolution": (
        lambda x: tf.nn.conv2d_transpose(_rows_last(x), kernel(1, 1, 5, 12), (1, 3, 17, 5), 1, "SAME"),
        "Conv2DBackpropInput",
    ),
    "rows as channels, multiplied": (lambda x: depthwise(_rows_last(x), 1), "DepthwiseConv2dNative"),
    "rows as channels, to pixels": (lambda x: tf.nn.depth_to_space(_rows_last(x), 2), "DepthToSpace"),
    "rows as channels, and pixels": (lambda x: tf.nn.space_to_depth(_rows_last(x)[:, :2, :16], 2), "SpaceToDepth"),
    "rows as channels, normalised by neighbours": (lambda x: tf.nn.lrn(tf.cast(_rows_last(x), tf.float32)), "LRN"),
    "a mean between blocks": (
        lambda x: tf.reduce_mean(tf.space_to_batch(x[:, :, :16], (2, 2), [[0, 0], [0, 0]]), 0),
        "Mean",
    ),
    "a turned image": (lambda x: x + tf.reverse(x, [2]), "ReverseV2"),
    "a rolled image": (lambda x: tf.concat([x[:, 3:], x[:, :3]], 1), "ConcatV2"),
    "a loop": (
        lambda x: tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, conv(y, channels=3)), (0, x))[1],
        "StatelessWhile",
    ),
    "a padding with a number that is made of the image": (
        lambda x: tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], constant_values=tf.reduce_max(x)),
        "PadV2",
    ),
    "a normalisation with a scale that is made of the image": (
        lambda x: tf.compat.v1.nn.fused_batch_norm(
            tf.cast(x, tf.float32),
            tf.cast(tf.reduce_max(x, (0, 1, 2)), tf.float32),
            *(tf.zeros(3), tf.zeros(3), tf.ones(3)),
            is_training=False,
        )[0],
        "FusedBatchNormV3",
    ),
    "a kernel that is made of the image": (
        lambda x: tf.nn.conv2d(x, tf.reshape(x[0, :2, :2, :], (2, 2, 3, 1)), 1, "SAME"),
        "Conv2D",
    ),
}


def _tokens(x: Any) -> Any:
    return tf.reshape(conv(x, 4, strides=4, padding="VALID"), (1, -1, 4))


def _with_class(tokens: Any) -> Any:
    return tf.concat([tf.zeros((1, 1, tokens.shape[-1]), tokens.dtype), tokens], 1)


def _rows_last(x: Any) -> Any:
    return tf.transpose(x, (0, 3, 2, 1))


def _attention(x: Any) -> Any:
    flat = tf.reshape(x, (1, -1, x.shape[-1]))
    return tf.reshape(tf.nn.softmax(flat @ tf.transpose(flat, (0, 2, 1))) @ flat, x.shape)


def _deviation(x: Any) -> Any:
    return tf.sqrt(tf.math.reduce_variance(x, (1, 2), keepdims=True))


def field(call: Call, channels: int = 3) -> ReceptiveField:
    """Of what the call returns."""
    found: list[ReceptiveField] = []

    def trace(images: Any) -> None:
        made = call(images)
        found.append(GraphFacts(images, {}).receptive_field(made))

    tf.function(trace, autograph=False).get_concrete_function(tf.TensorSpec((1, *SIZE, channels), tf.float64))
    return found[0]


def wrong(call: Call) -> list[str]:
    made: list[Any] = []

    def pick(_: Any, states: Any) -> Sequence[tuple[Any, tuple[int, int]]]:
        height, width = made[0].shape[1:3]
        return [(made[0], (i, j)) for i in range(0, height, 2) for j in (0, 1, width // 2, width // 2 + 1, width - 1)]

    found = checked(lambda x: made.append(call(x)), SIZE, pick)
    return [each for element in found for each in element.wrong(SIZE)]


@pytest.mark.parametrize("name", EXACTLY)
def test_what_is_exact_is_what_the_gradient_says(name: str) -> None:
    assert field(EXACTLY[name]).status == EXACT
    assert wrong(EXACTLY[name]) == []


def test_what_has_no_gradient_on_a_cpu_is_what_the_formula_says() -> None:
    dilated = field(lambda x: conv(x, dilations=3))
    grouped = field(lambda x: tf.nn.conv2d(conv(x), kernel(3, 3, 2, 4), 1, "SAME"))
    assert (dilated.status, dilated.size, dilated.padding) == (EXACT, (7, 7), (3, 3))
    assert (grouped.status, grouped.size, grouped.padding) == (EXACT, (5, 5), (2, 2))


@pytest.mark.parametrize("name", BOUNDED)
def test_an_upper_bound_is_said_to_be_one(name: str) -> None:
    assert field(BOUNDED[name]).status == UPPER_BOUND


@pytest.mark.parametrize("name", EVERYWHERE)
def test_what_sees_everything_is_said_to_and_by_what(name: str) -> None:
    call, operation = EVERYWHERE[name]
    found = field(call)
    assert (found.status, found.reason) == (GLOBAL, f"{operation} reads all positions")


@pytest.mark.parametrize("name", NOT_KNOWN)
def test_what_is_not_known_names_the_operation(name: str) -> None:
    call, operation = NOT_KNOWN[name]
    found = field(call)
    assert (found.status, found.size, found.reason) == (UNKNOWN, None, f"what {operation} reads is not known")


def _instance(x: Any) -> Any:
    mean, variance = tf.nn.moments(x, (1, 2), keepdims=True)
    return (x - mean) * tf.math.rsqrt(variance + 1e-5)


def _by_squares(x: Any) -> Any:
    mean = tf.reduce_mean(x, (1, 2), keepdims=True)
    variance = tf.reduce_mean(tf.square(x), (1, 2), keepdims=True) - tf.square(mean)
    return x * tf.math.rsqrt(variance + 1e-5) - mean * tf.math.rsqrt(variance + 1e-5)


def _groups(x: Any) -> Any:
    y = tf.reshape(x, (1, 12, 17, 2, 2))
    mean, variance = tf.nn.moments(y, (1, 2, 4), keepdims=True)
    return tf.reshape(tf.nn.batch_normalization(y, mean, variance, None, kernel(1, 1, 1, 2, 2), 1e-5), x.shape)


def _batch(x: Any) -> Any:
    scale = tf.ones(x.shape[-1])
    return tf.compat.v1.nn.fused_batch_norm(tf.cast(x, tf.float32), scale, scale, is_training=True)[0]


NORMALISED: dict[str, Call] = {
    "instances": lambda x: conv(_instance(conv(x))),
    "instances, by the mean of squares": lambda x: conv(_by_squares(conv(x))),
    "instances, by a power": lambda x: conv(_power(conv(x))),
    "groups of channels": lambda x: conv(_groups(conv(x))),
    "a batch": lambda x: _batch(conv(conv(x))),
    "channels": lambda x: conv(conv(x) / tf.sqrt(tf.reduce_mean(conv(x) ** 2, -1, keepdims=True))),
}
"""What is normalised; only by statistics over positions is something left out."""


@pytest.mark.parametrize("name", NORMALISED)
def test_the_statistics_of_a_normalisation_are_left_out_and_named(name: str) -> None:
    found = field(NORMALISED[name])
    assert (found.status, found.size) == (EXACT, (5, 5))
    assert bool(found.normalised) is (name != "channels")


def _power(x: Any) -> Any:
    mean = tf.reduce_mean(x, (1, 2), keepdims=True)
    return (x - mean) / (tf.reduce_mean((x - mean) ** 2, (1, 2), keepdims=True) + 1e-5) ** 0.5


def _moments(x: Any) -> tuple[Any, Any, Any]:
    mean, variance = tf.nn.moments(x, (1, 2), keepdims=True)
    return (x - mean) * tf.math.rsqrt(variance + 1e-5), mean, variance


def _gated_by_variance(x: Any) -> Any:
    y, _, variance = _moments(x)
    return conv(x, channels=3) * tf.sigmoid(tf.tensordot(variance, kernel(3, 3), 1)) + 0 * y


def _joined_with_variance(x: Any) -> Any:
    y, _, variance = _moments(x)
    return tf.concat([y, tf.broadcast_to(variance, x.shape)], -1)


def _global_response(x: Any) -> Any:
    """ConvNeXt V2."""
    norm = tf.sqrt(tf.reduce_sum(tf.square(x), (1, 2), keepdims=True))
    return x * (norm / (tf.reduce_mean(norm, -1, keepdims=True) + 1e-6)) + x


USED_ELSEWHERE: dict[str, Call] = {
    "a gate made of the variance": _gated_by_variance,
    "the variance as channels": _joined_with_variance,
    "a mean that multiplies": lambda x: _moments(x)[0] + x * _moments(x)[1],
    "the mean taken off something else": lambda x: tf.concat(
        [_instance(x), conv(x, 1, channels=3) - _moments(x)[1]], -1
    ),
    "a deviation that amplifies": lambda x: x * tf.sqrt(tf.reduce_mean(tf.square(x), (1, 2), keepdims=True)),
    "global response": _global_response,
    "global response of what is normalised": lambda x: _global_response(_instance(x)),
    "a softmax over positions": lambda x: tf.exp(x) / tf.reduce_sum(tf.exp(x), (1, 2), keepdims=True),
    "the variance itself": lambda x: _moments(x)[2] + 0 * _instance(x)[:, :1, :1],
    "a range that is taken of the image": lambda x: tf.quantization.quantize_and_dequantize_v2(
        x, 0.0, 0.0, range_given=False
    ),
}


@pytest.mark.parametrize("name", USED_ELSEWHERE)
def test_a_statistic_that_does_not_normalise_is_global(name: str) -> None:
    assert field(USED_ELSEWHERE[name]).status == GLOBAL


def test_tokens_that_are_ordered_alike_stay_what_they_are() -> None:
    tokens = field(lambda x: _with_class(_tokens(x)) * 2.0 + tf.nn.relu(_with_class(_tokens(x))))
    behind = field(lambda x: _with_class(_tokens(x))[:, 1:] * _with_class(_tokens(x))[:, 1:])
    assert (tokens.status, tokens.size, tokens.stride) == (EXACT, (4, 4), (4, 4))
    assert (behind.status, behind.size) == (EXACT, (4, 4))


def test_a_statistic_that_is_a_result_too_is_global() -> None:
    found = field(lambda x: _instance(x) + tf.reduce_mean(x, (1, 2), keepdims=True))
    assert found.status == GLOBAL
