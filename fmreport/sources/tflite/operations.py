"""What each operator of TensorFlow Lite is in TensorFlow's operations; channels come last in all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from fmreport.sources.blueprint import vocabulary
from fmreport.sources.blueprint.graph import Undrawn
from fmreport.sources.tflite.node import Node

Rule = Callable[[Node], Any]
"""Draws an operator without its activation; its output, or a list of them."""


def _with_bias(made: Any, node: Node, i: int) -> Any:
    """With a bias that is a weight: one of zeros is none."""
    bias = node.input(i)
    held = bias is not None and (node.known(i) is None or node.value(i).any())
    return vocabulary.with_bias(made, bias if held else None, first=False)


def _convolution(node: Node) -> Any:
    kernel = node.input(1)
    window = node.window([int(side) for side in kernel.shape[1:3]])
    groups = int(node.x.shape[3]) // int(kernel.shape[3])
    made = vocabulary.convolution(node.x, tf.transpose(kernel, (1, 2, 3, 0)), window, groups=groups, first=False)
    return _with_bias(made, node, 2)


def _depthwise(node: Node) -> Any:
    kernel = tf.transpose(node.input(1), (1, 2, 0, 3))
    window = node.window([int(side) for side in kernel.shape[:2]])
    made = vocabulary.convolution(node.x, kernel, window, groups=int(node.x.shape[3]), first=False)
    return _with_bias(made, node, 2)


def _cubic(node: Node) -> Any:
    kernel = node.input(1)
    window = node.window([int(side) for side in kernel.shape[:3]])
    made = vocabulary.convolution(node.x, kernel, window, groups=1, first=False)
    return _with_bias(made, node, 2)


def _transposed_convolution(node: Node) -> Any:
    kernel, x, shape = node.input(1), node.input(2), node.shapes[0]
    sides = [int(side) for side in kernel.shape[1:3]]
    window = node.window(sides, over=shape[1:3], into=tuple(x.shape[1:3]))
    kernel = tf.transpose(kernel, (1, 2, 0, 3))
    made = vocabulary.transposed_convolution(x, kernel, window, shape=shape, first=False)
    return _with_bias(made, node, 3)


def _dense(node: Node) -> Any:
    kernel, shape = node.input(1), node.shapes[0]
    flat = node.x if node.rank == 2 else tf.reshape(node.x, (-1, int(kernel.shape[1])))
    made = _with_bias(tf.matmul(flat, kernel, transpose_b=True), node, 2)
    return made if made.shape.as_list() == list(shape) else tf.reshape(made, shape)


def _product(node: Node) -> Any:
    one, other = node.inputs
    flips = {"adjoint_a": bool(node.options.get("adjX")), "adjoint_b": bool(node.options.get("adjY"))}
    return tf.matmul(one, other, **flips)


def _pooling(kind: str) -> Rule:
    def rule(node: Node) -> Any:
        window = node.window([int(node.options[f"filter{side}"]) for side in ("Height", "Width")])
        return vocabulary.pooling(node.x, kind, window, first=False)

    return rule


def _reduction(reduce: Callable[..., Any]) -> Rule:
    def rule(node: Node) -> Any:
        axes = [axis % node.rank for axis in node.ints(1)]
        return reduce(node.x, axes, keepdims=bool(node.options.get("keepDims")))

    return rule


def _padding(node: Node) -> Any:
    held = float(np.ravel(node.value(2))[0]) if node.type == "PADV2" else 0.0
    return tf.pad(node.x, node.value(1), constant_values=held) if held else tf.pad(node.x, node.value(1))


def _mirrored(node: Node) -> Any:
    return tf.pad(node.x, node.value(1), mode="SYMMETRIC" if node.options["mode"] else "REFLECT")


def _resizing(how: str) -> Rule:
    def rule(node: Node) -> Any:
        half, corners = bool(node.options.get("halfPixelCenters")), bool(node.options.get("alignCorners"))
        return vocabulary.resized(node.x, node.shapes[0][1:3], how, half_pixel=half, corners=corners, first=False)

    return rule


def _concatenation(node: Node) -> Any:
    return tf.concat(list(node.inputs), int(node.options["axis"]) % node.rank)


def _splitting(node: Node) -> Any:
    x = node.input(1)
    return tf.split(x, int(node.options["numSplits"]), node.ints(0)[0] % x.shape.rank)


def _splitting_by_sizes(node: Node) -> Any:
    axis = node.ints(2)[0] % node.rank
    return tf.split(node.x, [shape[axis] for shape in node.shapes], axis)


def _slicing(node: Node) -> Any:
    return tf.slice(node.x, tf.constant(node.ints(1)), tf.constant(list(node.shapes[0])))


def _striding(node: Node) -> Any:
    masks = {
        f"{name}_mask": int(node.options.get(f"{said}Mask") or 0)
        for name, said in (
            ("begin", "begin"),
            ("end", "end"),
            ("ellipsis", "ellipsis"),
            ("new_axis", "newAxis"),
            ("shrink_axis", "shrinkAxis"),
        )
    }
    if node.options.get("offset"):
        raise Undrawn
    return tf.strided_slice(node.x, *(tf.constant(node.ints(i)) for i in (1, 2, 3)), **masks)


def _gathering(node: Node) -> Any:
    axis, indices = int(node.options.get("axis") or 0) % node.rank, node.value(1)
    if node.options.get("batchDims"):
        raise Undrawn
    return tf.gather(node.x, tf.constant(indices), axis=axis)


def _slope(node: Node) -> Any:
    # As Keras writes it.
    return tf.nn.relu(node.x) - node.input(1) * tf.nn.relu(-node.x)


def _local(node: Node) -> Any:
    said = {name: float(node.options[name]) for name in ("bias", "alpha", "beta")}
    return tf.nn.local_response_normalization(node.x, depth_radius=int(node.options["radius"]), **said)


def _to_length_one(node: Node) -> Any:
    return node.x * tf.math.rsqrt(tf.reduce_sum(tf.square(node.x), -1, keepdims=True))


def _blocks(operation: Any) -> Rule:
    return lambda node: operation(input=node.x, block_size=int(node.options["blockSize"]))


def _batches(operation: Any) -> Rule:
    return lambda node: operation(node.x, tf.constant(node.ints(1)), tf.constant(node.value(2)))


def _gelu(node: Node) -> Any:
    return 0.5 * node.x * (1.0 + tf.math.erf(node.x / 1.414))


def _reshaping(node: Node) -> Any:
    return tf.reshape(node.x, node.shapes[0])


def _one(function: Callable[..., Any]) -> Rule:
    return lambda node: function(node.x)


def _all(function: Callable[..., Any]) -> Rule:
    return lambda node: function(*node.inputs)


RULES: Mapping[str, Rule] = {
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "CONV_3D": _cubic,
    "TRANSPOSE_CONV": _transposed_convolution,
    "FULLY_CONNECTED": _dense,
    "BATCH_MATMUL": _product,
    "MAX_POOL_2D": _pooling("Max"),
    "AVERAGE_POOL_2D": _pooling("Avg"),
    "MEAN": _reduction(tf.reduce_mean),
    "SUM": _reduction(tf.reduce_sum),
    "REDUCE_MAX": _reduction(tf.reduce_max),
    "REDUCE_MIN": _reduction(tf.reduce_min),
    "REDUCE_PROD": _reduction(tf.reduce_prod),
    "PAD": _padding,
    "PADV2": _padding,
    "MIRROR_PAD": _mirrored,
    "RESIZE_BILINEAR": _resizing("Bilinear"),
    "RESIZE_NEAREST_NEIGHBOR": _resizing("NearestNeighbor"),
    "CONCATENATION": _concatenation,
    "SPLIT": _splitting,
    "SPLIT_V": _splitting_by_sizes,
    "PACK": lambda node: tf.stack(list(node.inputs), int(node.options.get("axis") or 0)),
    "UNPACK": lambda node: tf.unstack(node.x, axis=int(node.options.get("axis") or 0)),
    "SLICE": _slicing,
    "STRIDED_SLICE": _striding,
    "GATHER": _gathering,
    "RESHAPE": _reshaping,
    "SQUEEZE": _reshaping,
    "EXPAND_DIMS": _reshaping,
    "BROADCAST_TO": lambda node: tf.broadcast_to(node.x, node.shapes[0]),
    "TRANSPOSE": lambda node: tf.transpose(node.x, node.ints(1)),
    "TILE": lambda node: tf.tile(node.x, tf.constant(node.ints(1))),
    "REVERSE_V2": lambda node: tf.reverse(node.x, node.ints(1)),
    "DEPTH_TO_SPACE": _blocks(tf.raw_ops.DepthToSpace),
    "SPACE_TO_DEPTH": _blocks(tf.raw_ops.SpaceToDepth),
    "SPACE_TO_BATCH_ND": _batches(tf.space_to_batch),
    "BATCH_TO_SPACE_ND": _batches(tf.batch_to_space),
    "PRELU": _slope,
    "LEAKY_RELU": lambda node: tf.nn.leaky_relu(node.x, float(node.options["alpha"])),
    "RELU": _one(tf.nn.relu),
    "RELU6": _one(tf.nn.relu6),
    "RELU_N1_TO_1": lambda node: tf.clip_by_value(node.x, -1.0, 1.0),
    "RELU_0_TO_1": lambda node: tf.clip_by_value(node.x, 0.0, 1.0),
    "ELU": _one(tf.nn.elu),
    "GELU": _gelu,
    "HARD_SWISH": lambda node: node.x * tf.nn.relu6(node.x + 3.0) / 6.0,
    "LOGISTIC": _one(tf.sigmoid),
    "TANH": _one(tf.tanh),
    "SOFTMAX": _one(tf.nn.softmax),
    "LOG_SOFTMAX": _one(tf.nn.log_softmax),
    "L2_NORMALIZATION": _to_length_one,
    "LOCAL_RESPONSE_NORMALIZATION": _local,
    "EXP": _one(tf.exp),
    "LOG": _one(tf.math.log),
    "SQRT": _one(tf.sqrt),
    "RSQRT": _one(tf.math.rsqrt),
    "SQUARE": _one(tf.square),
    "ABS": _one(tf.abs),
    "NEG": _one(tf.negative),
    "SIGN": _one(tf.sign),
    "FLOOR": _one(tf.floor),
    "CEIL": _one(tf.math.ceil),
    "ROUND": _one(tf.round),
    "SIN": _one(tf.sin),
    "COS": _one(tf.cos),
    "ADD": _all(tf.add),
    "SUB": _all(tf.subtract),
    "MUL": _all(tf.multiply),
    "DIV": _all(tf.divide),
    "POW": _all(tf.pow),
    "SQUARED_DIFFERENCE": _all(tf.math.squared_difference),
    "MAXIMUM": _all(tf.maximum),
    "MINIMUM": _all(tf.minimum),
    "EQUAL": _all(tf.equal),
    "NOT_EQUAL": _all(tf.not_equal),
    "GREATER": _all(tf.greater),
    "GREATER_EQUAL": _all(tf.greater_equal),
    "LESS": _all(tf.less),
    "LESS_EQUAL": _all(tf.less_equal),
    "LOGICAL_AND": _all(tf.logical_and),
    "LOGICAL_OR": _all(tf.logical_or),
    "LOGICAL_NOT": _one(tf.logical_not),
    "SELECT": _all(tf.where),
    "SELECT_V2": _all(tf.where),
    "ADD_N": lambda node: tf.add_n(list(node.inputs)),
    "QUANTIZE": _one(tf.identity),
}
"""Each draws one operator."""
HANDS_ON = ("DEQUANTIZE",)
"""Operators that return what they read: here numbers are real everywhere."""
ACTIVATIONS: Mapping[int, Callable[[Any], Any]] = {
    1: tf.nn.relu,
    2: lambda x: tf.clip_by_value(x, -1.0, 1.0),
    3: tf.nn.relu6,
    4: tf.tanh,
}
"""By the number that the file's format gives them: what an operator may do to its result."""
