"""What each operation of ONNX is in TensorFlow's (onnx.ai/onnx/operators); channels come first in all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf

from fmreport.sources.onnx.node import Node
from fmreport.sources.sketch import vocabulary
from fmreport.sources.sketch.graph import Unsketched
from fmreport.sources.sketch.vocabulary import Window

Rule = Callable[[Node], Any]
"""Draws a node; its output, or a list of them."""


def _convolution(node: Node) -> Any:
    kernel = node.input(1)
    window = node.window([int(side) for side in kernel.shape[2:]])
    kernel, groups = tf.transpose(kernel, (*range(2, node.rank), 1, 0)), int(node.attributes.get("group", 1))
    made = vocabulary.convolution(node.x, kernel, window, groups=groups, first=True)
    return vocabulary.with_bias(made, node.input(2), first=True)


def _transposed_convolution(shape: tuple[int, ...]) -> Rule:
    def rule(node: Node) -> Any:
        kernel = node.input(1)
        window = node.window([int(side) for side in kernel.shape[2:]])
        automatic = node.text("auto_pad", "NOTSET") != "NOTSET" or "output_shape" in node.attributes
        if int(node.attributes.get("group", 1)) > 1 or set(window.dilations) != {1} or node.rank != 4 or automatic:
            raise Unsketched
        kernel = tf.transpose(kernel, (2, 3, 1, 0))
        made = vocabulary.transposed_convolution(node.x, kernel, window, shape=shape, first=True)
        return vocabulary.with_bias(made, node.input(2), first=True)

    return rule


def _pooling(kind: str) -> Rule:
    def rule(node: Node) -> Any:
        window = node.window(node.ints("kernel_shape", ()))
        if node.outputs > 1:
            raise Unsketched
        if node.attributes.get("ceil_mode"):
            window = replace(window, pads=[_filled(*axis) for axis in _axes(node, window)])
        return vocabulary.pooling(node.x, kind, window, first=True)

    return rule


def _axes(node: Node, window: Window) -> Iterator[tuple[tuple[int, int], int, int, int]]:
    """Of each spatial axis what is around it, its size, the kernel's and the stride."""
    yield from zip(window.pads, node.x.shape[2:], window.sides, window.strides, strict=True)


def _filled(pads: tuple[int, int], side: int, tap: int, stride: int) -> tuple[int, int]:
    """With so much behind that the last stride is a whole one."""
    before, after = pads
    return before, after + -(side + before + after - tap) % stride


def _whole(reduce: Callable[..., Any]) -> Rule:
    """Over all positions."""
    return lambda node: reduce(node.x, list(range(2, node.rank)), keepdims=True)


def _reduction(reduce: Callable[..., Any]) -> Rule:
    def rule(node: Node) -> Any:
        axes = node.said("axes", 1)
        if axes is None and node.attributes.get("noop_with_empty_axes"):
            return tf.identity(node.x)
        whole = range(node.rank) if axes is None else np.ravel(axes).tolist()
        return reduce(node.x, [int(axis) for axis in whole], keepdims=bool(node.attributes.get("keepdims", 1)))

    return rule


def _batch_normalisation(node: Node) -> Any:
    if node.attributes.get("training_mode"):
        raise Unsketched
    return vocabulary.batch_normalised(node.x, [node.input(i) for i in (1, 2, 3, 4)], first=True)


def _group_normalisation(node: Node) -> Any:
    groups = int(node.attributes["num_groups"]) if node.type == "GroupNormalization" else int(node.x.shape[1])
    scale, offset = node.input(1), node.input(2)
    if int(scale.shape[0]) != int(node.x.shape[1]):
        raise Unsketched  # of version 18: one number for each group
    return vocabulary.group_normalised(node.x, groups, scale, offset)


def _layer_normalisation(node: Node) -> Any:
    if node.outputs > 1:
        raise Unsketched
    axes = range(int(node.attributes.get("axis", -1)) % node.rank, node.rank)
    return vocabulary.scaled(vocabulary.normalised(node.x, axes), [node.input(1), node.input(2)])


def _product(node: Node) -> Any:
    one, other = node.inputs
    if other.shape.rank == 2 and one.shape.rank > 2 and _is_weight(other):
        # As a layer of Keras does it: one product of all positions.
        flat = tf.matmul(tf.reshape(one, (-1, one.shape[-1])), other)
        return tf.reshape(flat, (*one.shape[:-1], other.shape[-1]))
    return tf.matmul(one, other)


def _is_weight(tensor: Any) -> bool:
    return bool(tensor.op.type == "Placeholder")


def _general_product(node: Node) -> Any:
    made = tf.matmul(
        node.x,
        node.input(1),
        transpose_a=bool(node.attributes.get("transA")),
        transpose_b=bool(node.attributes.get("transB")),
    )
    bias = node.input(2)
    if bias is None:
        return made
    return tf.nn.bias_add(made, bias) if bias.shape.rank == 1 else made + bias


def _clip(node: Node) -> Any:
    low, high = node.said("min", 1), node.said("max", 2)
    x, found = node.x, [None if each is None else float(np.ravel(each)[0]) for each in (low, high)]
    if found == [0.0, 6.0]:
        return tf.nn.relu6(x)
    if found == [0.0, None]:
        return tf.nn.relu(x)
    if None not in found:
        return tf.clip_by_value(x, *(tf.constant(each, x.dtype) for each in found))
    bound = next((each for each in found if each is not None), None)
    if bound is None:
        return tf.identity(x)
    return (tf.minimum if found[0] is None else tf.maximum)(x, tf.constant(bound, x.dtype))


def _padding(node: Node) -> Any:
    flat = np.ravel(node.said("pads", 1)).astype(int)
    axes, half = node.value(3), len(flat) // 2
    around = [[0, 0] for _ in range(node.rank)]
    for axis, before, after in zip(range(node.rank) if axes is None else axes, flat, flat[half:], strict=False):
        around[int(axis)] = [int(before), int(after)]
    if (flat < 0).any():
        raise Unsketched
    mode = {"constant": "CONSTANT", "reflect": "REFLECT"}.get(node.text("mode", "constant"))
    if mode is None:
        raise Unsketched
    held = node.said("value", 2) if mode == "CONSTANT" else None
    with_ = 0.0 if held is None else float(np.ravel(held)[0])
    return tf.pad(node.x, around, mode=mode, constant_values=with_) if with_ else tf.pad(node.x, around, mode=mode)


def _resizing(shape: tuple[int, ...]) -> Rule:
    def rule(node: Node) -> Any:
        how = {"nearest": "NearestNeighbor", "linear": "Bilinear", "cubic": "Bicubic"}[node.text("mode", "nearest")]
        by = node.text("coordinate_transformation_mode", "asymmetric" if node.type == "Upsample" else "half_pixel")
        if by not in ("half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners") or node.rank != 4:
            raise Unsketched
        if tuple(shape[:2]) != tuple(node.x.shape[:2]):
            raise Unsketched
        # Whole multiples repeat each position, whichever way half of one is rounded.
        repeats = how == "NearestNeighbor" and all(b % a == 0 for a, b in zip(node.x.shape[2:], shape[2:], strict=True))
        half = "half_pixel" in by and not repeats
        return vocabulary.resized(node.x, shape[2:], how, half_pixel=half, corners=by == "align_corners", first=True)

    return rule


def _softmax(function: Callable[..., Any]) -> Rule:
    def rule(node: Node) -> Any:
        axis = int(node.attributes.get("axis", -1)) % node.rank
        if axis == node.rank - 1:
            return function(node.x)
        # TensorFlow's reads the last axis.
        order = [each for each in range(node.rank) if each != axis] + [axis]
        return tf.transpose(function(tf.transpose(node.x, order)), np.argsort(order))

    return rule


def _slicing(node: Node) -> Any:
    starts, ends = node.said("starts", 1), node.said("ends", 2)
    axes, steps = node.said("axes", 3), node.value(4)
    axes = range(len(starts)) if axes is None else [int(axis) % node.rank for axis in axes]
    cuts = [slice(None)] * node.rank
    for i, axis in enumerate(axes):
        step, side = 1 if steps is None else int(steps[i]), int(node.x.shape[axis])
        start, end = int(starts[i]), int(ends[i])
        behind_first = step < 0 and (end < -side or end == np.iinfo(np.int64).min)
        cuts[axis] = slice(start if start < side or step > 0 else None, None if behind_first else min(end, side), step)
    return node.x[tuple(cuts)]


def _splitting(node: Node) -> Any:
    axis, sizes = int(node.attributes.get("axis", 0)) % node.rank, node.said("split", 1)
    if sizes is None:
        side = int(node.x.shape[axis])
        each = -(-side // node.outputs)
        sizes = [min(each, side - each * i) for i in range(node.outputs)]
    return tf.split(node.x, [int(size) for size in sizes], axis)


def _gathering(node: Node) -> Any:
    axis = int(node.attributes.get("axis", 0)) % node.rank
    indices = node.value(1)
    if indices.ndim == 0:
        cuts: list[Any] = [slice(None)] * node.rank
        cuts[axis] = int(indices)
        return node.x[tuple(cuts)]
    return tf.gather(node.x, tf.constant(indices % int(node.x.shape[axis])), axis=axis)


def _squeezing(node: Node) -> Any:
    axes = node.said("axes", 1)
    return tf.squeeze(node.x, None if axes is None else [int(axis) for axis in axes])


def _unsqueezing(node: Node) -> Any:
    made, axes = node.x, [int(axis) for axis in node.said("axes", 1)]
    rank = node.rank + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        made = tf.expand_dims(made, axis)
    return made


def _slope(node: Node) -> Any:
    # As Keras writes it.
    return tf.nn.relu(node.x) + -node.input(1) * tf.nn.relu(-node.x)


def _quantising(node: Node) -> Any:
    return tf.cast(tf.round(node.x / node.input(1)), tf.int32)


def _dequantising(node: Node) -> Any:
    return tf.cast(node.x, tf.float32) * node.input(1)


def _blocks(operation: Any, node: Node) -> Any:
    if node.text("mode", "DCR") != "DCR":
        raise Unsketched
    return operation(input=node.x, block_size=int(node.attributes["blocksize"]), data_format="NCHW")


def _reshaping(shape: tuple[int, ...]) -> Rule:
    return lambda node: tf.reshape(node.x, shape)


def _expanding(shape: tuple[int, ...]) -> Rule:
    return lambda node: tf.broadcast_to(node.x, shape)


def _one(function: Callable[..., Any]) -> Rule:
    return lambda node: function(node.x)


def _two(function: Callable[..., Any]) -> Rule:
    return lambda node: function(*node.inputs)


def _several(function: Callable[..., Any]) -> Rule:
    def rule(node: Node) -> Any:
        made = node.x
        for other in node.inputs[1:]:
            made = function(made, other)
        return made

    return rule


RULES: Mapping[str, Rule] = {
    "Conv": _convolution,
    "MaxPool": _pooling("Max"),
    "AveragePool": _pooling("Avg"),
    "GlobalAveragePool": _whole(tf.reduce_mean),
    "GlobalMaxPool": _whole(tf.reduce_max),
    "ReduceMean": _reduction(tf.reduce_mean),
    "ReduceSum": _reduction(tf.reduce_sum),
    "ReduceMax": _reduction(tf.reduce_max),
    "ReduceMin": _reduction(tf.reduce_min),
    "ReduceL2": _reduction(tf.math.reduce_euclidean_norm),
    "BatchNormalization": _batch_normalisation,
    "GroupNormalization": _group_normalisation,
    "InstanceNormalization": _group_normalisation,
    "LayerNormalization": _layer_normalisation,
    "MatMul": _product,
    "Gemm": _general_product,
    "Clip": _clip,
    "Pad": _padding,
    "Softmax": _softmax(tf.nn.softmax),
    "LogSoftmax": _softmax(tf.nn.log_softmax),
    "Concat": lambda node: tf.concat(list(node.inputs), int(node.attributes["axis"]) % node.rank),
    "Slice": _slicing,
    "Split": _splitting,
    "Gather": _gathering,
    "Squeeze": _squeezing,
    "Unsqueeze": _unsqueezing,
    "Transpose": lambda node: tf.transpose(node.x, node.ints("perm", range(node.rank)[::-1])),
    "Tile": lambda node: tf.tile(node.x, tf.constant(np.asarray(node.value(1), np.int32))),
    "DepthToSpace": lambda node: _blocks(tf.raw_ops.DepthToSpace, node),
    "SpaceToDepth": lambda node: _blocks(tf.raw_ops.SpaceToDepth, node),
    "PRelu": _slope,
    "Relu": _one(tf.nn.relu),
    "LeakyRelu": lambda node: tf.nn.leaky_relu(node.x, float(node.attributes.get("alpha", 0.01))),
    "Elu": _one(tf.nn.elu),
    "Selu": _one(tf.nn.selu),
    "Sigmoid": _one(tf.sigmoid),
    "HardSigmoid": lambda node: tf.clip_by_value(node.x * 0.2 + 0.5, 0.0, 1.0),
    "HardSwish": lambda node: node.x * tf.nn.relu6(node.x + 3.0) / 6.0,
    "Softplus": _one(tf.math.softplus),
    "Softsign": _one(tf.math.softsign),
    "Tanh": _one(tf.tanh),
    "Gelu": lambda node: 0.5 * node.x * (1.0 + tf.math.erf(node.x / 1.414)),
    "Mish": lambda node: node.x * tf.tanh(tf.math.softplus(node.x)),
    "Swish": lambda node: node.x * tf.sigmoid(node.x),
    "Exp": _one(tf.exp),
    "Log": _one(tf.math.log),
    "Sqrt": _one(tf.sqrt),
    "Reciprocal": _one(tf.math.reciprocal),
    "Erf": _one(tf.math.erf),
    "Abs": _one(tf.abs),
    "Neg": _one(tf.negative),
    "Sign": _one(tf.sign),
    "Floor": _one(tf.floor),
    "Ceil": _one(tf.math.ceil),
    "Round": _one(tf.round),
    "Sin": _one(tf.sin),
    "Cos": _one(tf.cos),
    "Not": _one(tf.logical_not),
    "Add": _two(tf.add),
    "Sub": _two(tf.subtract),
    "Mul": _two(tf.multiply),
    "Div": _two(tf.divide),
    "Pow": _two(tf.pow),
    "Equal": _two(tf.equal),
    "Greater": _two(tf.greater),
    "GreaterOrEqual": _two(tf.greater_equal),
    "Less": _two(tf.less),
    "LessOrEqual": _two(tf.less_equal),
    "And": _two(tf.logical_and),
    "Or": _two(tf.logical_or),
    "Where": _two(tf.where),
    "Sum": _several(tf.add),
    "Max": _several(tf.maximum),
    "Min": _several(tf.minimum),
    "QuantizeLinear": _quantising,
    "DequantizeLinear": _dequantising,
}
"""Each draws one operation."""
SHAPED: Mapping[str, Callable[[tuple[int, ...]], Rule]] = {
    "Reshape": _reshaping,
    "Flatten": _reshaping,
    "Expand": _expanding,
    "Resize": _resizing,
    "Upsample": _resizing,
    "ConvTranspose": _transposed_convolution,
}
"""Those that are drawn by the shape of what they return."""
HANDS_ON = ("Identity", "Dropout", "Cast")
"""Operations that return what they read, where its format stays."""
