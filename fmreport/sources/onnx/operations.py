"""What each operation of ONNX is in TensorFlow's (onnx.ai/onnx/operators)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from fmreport.sources.blueprint import vocabulary
from fmreport.sources.blueprint.graph import WEIGHTS, Undrawn
from fmreport.sources.facts.operation import type_of
from fmreport.sources.onnx import axes, windows
from fmreport.sources.onnx.node import Node
from fmreport.sources.onnx.windows import Rule, Shape


def _batch_normalisation(node: Node) -> Any:
    if node.attributes.get("training_mode"):
        raise Undrawn
    return vocabulary.batch_normalised(node.x, [node.input(i) for i in (1, 2, 3, 4)], first=True)


def _group_normalisation(node: Node) -> Any:
    groups = int(node.attributes["num_groups"]) if node.type == "GroupNormalization" else int(node.x.shape[1])
    channels = int(node.x.shape[1])
    # Version 18 has one number for each group.
    scale, offset = (tf.repeat(each, channels // int(each.shape[0])) for each in (node.input(1), node.input(2)))
    return vocabulary.group_normalised(node.x, groups, scale, offset)


def _layer_normalisation(node: Node) -> Any:
    if node.outputs > 1:
        raise Undrawn
    axes = range(int(node.attributes.get("axis", -1)) % node.rank, node.rank)
    return vocabulary.scaled(vocabulary.normalised(node.x, axes), [node.input(1), node.input(2)])


def _rms_normalisation(node: Node) -> Any:
    over = list(range(int(node.attributes.get("axis", -1)) % node.rank, node.rank))
    square = tf.reduce_mean(tf.square(node.x), over, keepdims=True)
    return node.x * tf.math.rsqrt(square + tf.constant(1e-5, node.x.dtype)) * node.input(1)


def _product(node: Node) -> Any:
    one, other = node.inputs
    if other.shape.rank == 2 and one.shape.rank > 2 and _is_weight(other):
        # As a layer of Keras does it: one product of all positions.
        flat = tf.matmul(tf.reshape(one, (-1, one.shape[-1])), other)
        return tf.reshape(flat, (*one.shape[:-1], other.shape[-1]))
    return tf.matmul(one, other)


def _is_weight(tensor: Any) -> bool:
    return type_of(tensor.op) in ("Placeholder", WEIGHTS)


def _summed_product(node: Node) -> Any:
    return tf.einsum(node.text("equation", "").replace(" ", ""), *node.inputs)


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


def _slope(node: Node) -> Any:
    # As Keras writes it.
    return tf.nn.relu(node.x) + -node.input(1) * tf.nn.relu(-node.x)


def _quantising(node: Node) -> Any:
    # By which scale is no matter for a graph that is not run.
    return tf.cast(tf.round(node.x), tf.int32)


def _reshaping(shape: Shape) -> Rule:
    return lambda node: tf.reshape(node.x, shape)


def _expanding(shape: Shape) -> Rule:
    return lambda node: tf.broadcast_to(node.x, shape)


def _one(function: Callable[..., Any]) -> Rule:
    return lambda node: function(node.x)


def _two(function: Callable[..., Any]) -> Rule:
    return lambda node: function(*node.inputs)


def _multiplying(node: Node) -> Any:
    one, other = node.inputs
    # A square, as by which deviations are told.
    return tf.square(one) if one is other else one * other


def _several(function: Callable[..., Any]) -> Rule:
    def rule(node: Node) -> Any:
        made = node.x
        for other in node.inputs[1:]:
            made = function(made, other)
        return made

    return rule


RULES: Mapping[str, Rule] = {
    "Conv": windows.convolution,
    "GlobalAveragePool": axes.whole(tf.reduce_mean),
    "GlobalMaxPool": axes.whole(tf.reduce_max),
    "ReduceMean": axes.reduction(tf.reduce_mean),
    "ReduceSum": axes.reduction(tf.reduce_sum),
    "ReduceMax": axes.reduction(tf.reduce_max),
    "ReduceMin": axes.reduction(tf.reduce_min),
    "ReduceProd": axes.reduction(tf.reduce_prod),
    "ReduceL1": axes.reduction(lambda x, *over, **options: tf.reduce_sum(tf.abs(x), *over, **options)),
    "ReduceL2": axes.reduction(tf.math.reduce_euclidean_norm),
    "ReduceSumSquare": axes.reduction(lambda x, *over, **options: tf.reduce_sum(tf.square(x), *over, **options)),
    "BatchNormalization": _batch_normalisation,
    "GroupNormalization": _group_normalisation,
    "InstanceNormalization": _group_normalisation,
    "LayerNormalization": _layer_normalisation,
    "RMSNormalization": _rms_normalisation,
    "LRN": windows.neighbouring_channels,
    "MatMul": _product,
    "Gemm": _general_product,
    "Einsum": _summed_product,
    "Clip": _clip,
    "Pad": windows.padding,
    "Softmax": axes.softmax(tf.nn.softmax),
    "LogSoftmax": axes.softmax(tf.nn.log_softmax),
    "Concat": lambda node: tf.concat(list(node.inputs), int(node.attributes["axis"]) % node.rank),
    "Slice": axes.slicing,
    "Split": axes.splitting,
    "Gather": axes.gathering,
    "Squeeze": axes.squeezing,
    "Unsqueeze": axes.unsqueezing,
    "Transpose": lambda node: tf.transpose(node.x, node.ints("perm", range(node.rank)[::-1])),
    "Tile": lambda node: tf.tile(node.x, tf.constant(np.asarray(node.value(1), np.int32))),
    "DepthToSpace": windows.blocks(tf.raw_ops.DepthToSpace),
    "SpaceToDepth": windows.blocks(tf.raw_ops.SpaceToDepth),
    "PRelu": _slope,
    "Relu": _one(tf.nn.relu),
    "LeakyRelu": lambda node: tf.nn.leaky_relu(node.x, float(node.attributes.get("alpha", 0.01))),
    "ThresholdedRelu": lambda node: tf.where(node.x > 1, node.x, tf.zeros_like(node.x)),
    "Elu": _one(tf.nn.elu),
    "Selu": _one(tf.nn.selu),
    "Sigmoid": _one(tf.sigmoid),
    "HardSigmoid": lambda node: tf.clip_by_value(node.x * 0.2 + 0.5, 0.0, 1.0),
    "HardSwish": lambda node: node.x * tf.nn.relu6(node.x + 3.0) / 6.0,
    "Softplus": _one(tf.math.softplus),
    "Softsign": _one(tf.math.softsign),
    "Tanh": _one(tf.tanh),
    "Gelu": lambda node: node.x * 0.5 * (tf.math.erf(node.x / 1.414) + 1.0),
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
    "Sinh": _one(tf.sinh),
    "Cosh": _one(tf.cosh),
    "Atan": _one(tf.atan),
    "IsNaN": _one(tf.math.is_nan),
    "IsInf": _one(tf.math.is_inf),
    "Not": _one(tf.logical_not),
    "Add": _two(tf.add),
    "Sub": _two(tf.subtract),
    "Mul": _multiplying,
    "Div": _two(tf.divide),
    "Pow": _two(tf.pow),
    "Mod": _two(tf.math.floormod),
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
    "Mean": lambda node: _several(tf.add)(node) / tf.constant(len(node.inputs), node.x.dtype),
    "QuantizeLinear": _quantising,
    "DequantizeLinear": lambda node: tf.cast(node.x, tf.float32),
}
"""Each draws one operation."""
SHAPED: Mapping[str, Callable[[Shape], Rule]] = {
    "Reshape": _reshaping,
    "Flatten": _reshaping,
    "Expand": _expanding,
    "MaxPool": windows.pooling("Max"),
    "AveragePool": windows.pooling("Avg"),
    "Resize": windows.resizing,
    "Upsample": windows.resizing,
    "ConvTranspose": windows.transposed_convolution,
}
"""Those that are drawn by the shape of what they return."""
HANDS_ON = ("Identity", "Dropout", "Cast")
"""Operations that return what they read, where its format stays."""
