"""What each operation that PyTorch dispatches is in TensorFlow's; channels come first in those of images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from fmreport.sources.blueprint import vocabulary
from fmreport.sources.blueprint.graph import Undrawn
from fmreport.sources.blueprint.vocabulary import Window


class Drawn:
    """An operation with tensors of the blueprint in place of its own."""

    def __init__(self, kind: str, arguments: Mapping[str, Any], like: Sequence[Any]) -> None:
        """`like` are the tensors that PyTorch made."""
        self.type, self._arguments = kind, arguments
        self.shape = tuple(like[0].shape) if like else ()

    def __getitem__(self, name: str) -> Any:
        """An argument; None where it is left out."""
        return self._arguments.get(name)

    @property
    def x(self) -> Any:
        """The first argument."""
        return next(iter(self._arguments.values()))

    @property
    def several(self) -> list[Any]:
        """Its arguments in their order."""
        return list(self._arguments.values())

    @property
    def rank(self) -> int:
        """Of the first argument."""
        return int(self.x.shape.rank)

    def sides(self, name: str, otherwise: int, axes: int) -> list[int]:
        """A number for each spatial axis, of which PyTorch may name one for all."""
        held = self[name]
        values = [otherwise] if held is None or (isinstance(held, list) and not held) else np.ravel(held).tolist()
        return [int(each) for each in (values * axes if len(values) == 1 else values)]


Rule = Callable[[Drawn], Any]
"""Draws an operation; its first result, or a list of results."""


def _convolution(call: Drawn) -> Any:
    x, kernel = call["input"], call["weight"]
    axes, groups = x.shape.rank - 2, int(call["groups"])
    pads = [(side, side) for side in call.sides("padding", 0, axes)]
    window = Window(call.sides("stride", 1, axes), pads, call.sides("dilation", 1, axes))
    if call["transposed"]:
        if groups > 1 or set(window.dilations) != {1} or axes != 2:
            raise Undrawn
        kernel = tf.transpose(kernel, (2, 3, 1, 0))
        made = vocabulary.transposed_convolution(x, kernel, window, shape=call.shape, first=True)
    else:
        kernel = tf.transpose(kernel, (*range(2, axes + 2), 1, 0))
        made = vocabulary.convolution(x, kernel, window, groups=groups, first=True)
    return vocabulary.with_bias(made, call["bias"], first=True)


def _pooling(kind: str) -> Rule:
    def rule(call: Drawn) -> Any:
        axes = int(call.type.partition("pool")[2][0])
        x = call.x if call.rank == axes + 2 else tf.expand_dims(call.x, 0)
        sides = call.sides("kernel_size", 1, axes)
        strides = call.sides("stride", 1, axes) if call["stride"] else sides
        around, dilations = call.sides("padding", 0, axes), call.sides("dilation", 1, axes)
        behind = [
            max((made - 1) * stride + tap - before - size, before)
            for made, stride, tap, before, size in zip(
                call.shape[-axes:], strides, sides, around, x.shape[2:], strict=True
            )
        ]
        window = Window(strides, list(zip(around, behind, strict=True)), dilations, sides)
        return vocabulary.pooling(x, kind, window, first=True)

    return rule


def _adaptive(kind: str) -> Rule:
    def rule(call: Drawn) -> Any:
        axes = int(call.type.partition("pool")[2][0])
        before, after = call.x.shape[-axes:], call.shape[-axes:]
        reduce = {"Max": tf.reduce_max, "Avg": tf.reduce_mean}[kind]
        if set(after) == {1}:
            return reduce(call.x, list(range(2, 2 + axes)), keepdims=True)
        if any(a % b for a, b in zip(before, after, strict=True)):
            raise Undrawn
        sides = [a // b for a, b in zip(before, after, strict=True)]
        return vocabulary.pooling(call.x, kind, Window(sides, [(0, 0)] * axes, [1] * axes, sides), first=True)

    return rule


def _batch_norm(call: Drawn) -> Any:
    if call["training"] or (call["train"] and call["momentum"] is not None):
        # By statistics of what is normalised itself: so PyTorch normalises single images.
        axes = [0, *range(2, call.rank)]
        alike = vocabulary.normalised(call.x, axes)
        shape = (-1, *(1,) * (call.rank - 2))
        parts = [None if each is None else tf.reshape(each, shape) for each in (call["weight"], call["bias"])]
        return vocabulary.scaled(alike, parts)
    mean, variance = call["running_mean"], call["running_var"]
    scale = tf.ones_like(mean) if call["weight"] is None else call["weight"]
    offset = tf.zeros_like(mean) if call["bias"] is None else call["bias"]
    return vocabulary.batch_normalised(call.x, [scale, offset, mean, variance], first=True)


def _layer_norm(call: Drawn) -> Any:
    axes = range(call.rank - len(call["normalized_shape"]), call.rank)
    return vocabulary.scaled(vocabulary.normalised(call.x, axes), [call["weight"], call["bias"]])


def _resizing(how: str) -> Rule:
    def rule(call: Drawn) -> Any:
        size, corners = call.shape[2:], bool(call["align_corners"])
        half = how != "NearestNeighbor"
        return vocabulary.resized(call.x, size, how, half_pixel=half, corners=corners, first=True)

    return rule


def _reduction(reduce: Callable[..., Any]) -> Rule:
    def rule(call: Drawn) -> Any:
        axes = call["dim"]
        whole = range(call.rank) if axes is None or axes == [] else np.ravel(axes).tolist()
        return reduce(call.x, [int(axis) % call.rank for axis in whole], keepdims=bool(call["keepdim"]))

    return rule


def _softmax(function: Callable[..., Any]) -> Rule:
    def rule(call: Drawn) -> Any:
        axis = int(call["dim"]) % call.rank
        if axis == call.rank - 1:
            return function(call.x)
        order = [each for each in range(call.rank) if each != axis] + [axis]
        return tf.transpose(function(tf.transpose(call.x, order)), np.argsort(order))

    return rule


def _attention(call: Drawn) -> Any:
    return vocabulary.attended(call["query"], call["key"], call["value"])


def _attending(call: Drawn) -> Any:
    """A whole attention of `(B, tokens, width)`, as PyTorch computes it outside of training."""
    x, heads, width = call["query"], int(call["num_head"]), int(call["embed_dim"])
    made = tf.matmul(x, tf.transpose(call["qkv_weight"])[None]) + call["qkv_bias"]
    batch, tokens = x.shape[:2]
    parts = [
        tf.transpose(tf.reshape(part, (batch, tokens, heads, width // heads)), (0, 2, 1, 3))
        for part in tf.split(made, 3, axis=-1)
    ]
    joined = tf.reshape(tf.transpose(vocabulary.attended(*parts), (0, 2, 1, 3)), (batch, tokens, width))
    return tf.matmul(joined, tf.transpose(call["proj_weight"])[None]) + call["proj_bias"]


def _clamp(call: Drawn) -> Any:
    low, high = (call["min_val"], call["max_val"]) if call.type == "hardtanh" else (call["min"], call["max"])
    low = -1 if low is None and call.type == "hardtanh" else low
    high = 1 if high is None and call.type == "hardtanh" else high
    if (low, high) == (0, 6):
        return tf.nn.relu6(call.x)
    if (low, high) == (0, None):
        return tf.nn.relu(call.x)
    if low is None or high is None:
        bound, choose = (high, tf.minimum) if low is None else (low, tf.maximum)
        return choose(call.x, tf.constant(bound, call.x.dtype))
    return tf.clip_by_value(call.x, *(tf.constant(each, call.x.dtype) for each in (low, high)))


def _permuted(order: Callable[[Drawn], Sequence[int]]) -> Rule:
    return lambda call: tf.transpose(call.x, [axis % call.rank for axis in order(call)])


def _swapped(call: Drawn) -> Sequence[int]:
    order, one, other = list(range(call.rank)), int(call["dim0"]), int(call["dim1"])
    order[one], order[other] = order[other], order[one]
    return order


def _slicing(call: Drawn) -> Any:
    cuts = [slice(None)] * call.rank
    end, side = call["end"], int(call.x.shape[int(call["dim"] or 0) % call.rank])
    cuts[int(call["dim"] or 0) % call.rank] = slice(
        call["start"], None if end is None or end > side else end, call["step"]
    )
    return call.x[tuple(cuts)]


def _selecting(call: Drawn) -> Any:
    cuts: list[Any] = [slice(None)] * call.rank
    cuts[int(call["dim"]) % call.rank] = int(call["index"])
    return call.x[tuple(cuts)]


def _splitting(call: Drawn) -> Any:
    axis, size = int(call["dim"] or 0) % call.rank, call["split_size"]
    sizes = call["split_sizes"]
    if sizes is None:
        side = int(call.x.shape[axis])
        sizes = [min(size, side - start) for start in range(0, side, size)]
    return tf.split(call.x, [int(each) for each in sizes], axis)


def _padding(call: Drawn) -> Any:
    flat, around = list(call["pad"] or call["padding"]), [[0, 0] for _ in range(call.rank)]
    if min(flat) < 0:
        raise Undrawn
    for i in range(len(flat) // 2):
        around[call.rank - 1 - i] = [int(flat[2 * i]), int(flat[2 * i + 1])]
    if call.type.startswith("reflection"):
        return tf.pad(call.x, around, mode="REFLECT")
    value = float(call["value"] or 0)
    return tf.pad(call.x, around, constant_values=value) if value else tf.pad(call.x, around)


def _weighted(call: Drawn) -> Any:
    """A product and what is added to it."""
    made = tf.matmul(*call.several[1:3])
    bias = call.x
    return tf.nn.bias_add(made, bias) if bias.shape.rank == 1 else made + bias


def _sum(sign: Callable[..., Any]) -> Rule:
    def rule(call: Drawn) -> Any:
        one, other = call.several[:2]
        times = call["alpha"]
        return sign(*_alike(one, other if times in (None, 1) else other * times))

    return rule


def _alike(one: Any, other: Any) -> tuple[Any, Any]:
    """Two operands of one format, as PyTorch brings them to."""
    if not tf.is_tensor(other):
        return one, tf.constant(other, one.dtype)
    if not tf.is_tensor(one):
        return tf.constant(one, other.dtype), other
    return (one, other) if one.dtype == other.dtype else (one, tf.cast(other, one.dtype))


def _two(function: Callable[..., Any]) -> Rule:
    return lambda call: function(*_alike(*call.several[:2]))


def _one(function: Callable[..., Any]) -> Rule:
    return lambda call: function(call.x)


def _shuffled(call: Drawn) -> Any:
    """Channels become blocks of pixels; which of them, no fact depends on."""
    return tf.raw_ops.DepthToSpace(input=call.x, block_size=int(call["upscale_factor"]), data_format="NCHW")


def _rolled(call: Drawn) -> Any:
    return tf.roll(call.x, list(call["shifts"]), list(call["dims"]))


def _taken(call: Drawn) -> Any:
    return tf.gather(call.x, call["index"], axis=int(call["dim"]) % call.rank)


RULES: Mapping[str, Rule] = {
    **dict.fromkeys(("convolution", "_convolution", "convolution_overrideable"), _convolution),
    **dict.fromkeys(
        ("max_pool1d", "max_pool2d", "max_pool2d_with_indices", "max_pool3d_with_indices"), _pooling("Max")
    ),
    **dict.fromkeys(("avg_pool1d", "avg_pool2d", "avg_pool3d"), _pooling("Avg")),
    **dict.fromkeys(("_adaptive_avg_pool2d", "_adaptive_avg_pool3d", "adaptive_avg_pool1d"), _adaptive("Avg")),
    **dict.fromkeys(("adaptive_max_pool2d", "adaptive_max_pool3d"), _adaptive("Max")),
    **dict.fromkeys(
        (
            "native_batch_norm",
            "_native_batch_norm_legit",
            "_native_batch_norm_legit_no_training",
            "_batch_norm_no_update",
        ),
        _batch_norm,
    ),
    "native_group_norm": lambda call: vocabulary.group_normalised(call.x, call["group"], call["weight"], call["bias"]),
    "native_layer_norm": _layer_norm,
    "upsample_nearest2d": _resizing("NearestNeighbor"),
    "upsample_bilinear2d": _resizing("Bilinear"),
    "upsample_bicubic2d": _resizing("Bicubic"),
    "mean": _reduction(tf.reduce_mean),
    "sum": _reduction(tf.reduce_sum),
    "amax": _reduction(tf.reduce_max),
    "amin": _reduction(tf.reduce_min),
    "_softmax": _softmax(tf.nn.softmax),
    "_log_softmax": _softmax(tf.nn.log_softmax),
    **dict.fromkeys(
        (
            "_scaled_dot_product_flash_attention_for_cpu",
            "_scaled_dot_product_attention_math",
            "_scaled_dot_product_efficient_attention",
            "_scaled_dot_product_flash_attention",
        ),
        _attention,
    ),
    "_native_multi_head_attention": _attending,
    "mm": _two(tf.matmul),
    "bmm": _two(tf.matmul),
    "addmm": _weighted,
    "baddbmm": _weighted,
    **dict.fromkeys(("clamp", "hardtanh", "clamp_min", "clamp_max"), _clamp),
    "permute": _permuted(lambda call: call["dims"]),
    "transpose": _permuted(_swapped),
    "t": _permuted(lambda call: range(call.rank)[::-1]),
    "slice": _slicing,
    "select": _selecting,
    "split": _splitting,
    "split_with_sizes": _splitting,
    "unbind": lambda call: tf.unstack(call.x, axis=int(call["dim"] or 0) % call.rank),
    "cat": lambda call: tf.concat(call["tensors"], int(call["dim"] or 0) % call["tensors"][0].shape.rank),
    "stack": lambda call: tf.stack(call["tensors"], int(call["dim"] or 0) % (call["tensors"][0].shape.rank + 1)),
    **dict.fromkeys(("constant_pad_nd", "reflection_pad1d", "reflection_pad2d"), _padding),
    **dict.fromkeys(
        ("view", "_unsafe_view", "_reshape_alias", "reshape", "flatten", "squeeze", "unsqueeze"),
        lambda call: tf.reshape(call.x, call.shape),
    ),
    "_to_copy": lambda call: call.x,
    "copy": lambda call: tf.broadcast_to(call["src"], call.shape),
    "expand": lambda call: tf.broadcast_to(call.x, call.shape),
    "repeat": lambda call: tf.tile(call.x, list(call["repeats"])) if len(call["repeats"]) == call.rank else _no(),
    "pixel_shuffle": _shuffled,
    "roll": _rolled,
    "flip": lambda call: tf.reverse(call.x, [axis % call.rank for axis in call["dims"]]),
    "index_select": _taken,
    "relu": _one(tf.nn.relu),
    "leaky_relu": lambda call: tf.nn.leaky_relu(call.x, float(call["negative_slope"] or 0.01)),
    "_prelu_kernel": lambda call: tf.nn.relu(call.x) + -call["weight"] * tf.nn.relu(-call.x),
    "elu": _one(tf.nn.elu),
    "gelu": lambda call: 0.5 * call.x * (1.0 + tf.math.erf(call.x * 0.7)),
    "silu": lambda call: call.x * tf.sigmoid(call.x),
    "mish": lambda call: call.x * tf.tanh(tf.math.softplus(call.x)),
    "hardswish": lambda call: call.x * (tf.nn.relu6(call.x + 3.0) / 6.0),
    "hardsigmoid": lambda call: tf.nn.relu6(call.x + 3.0) / 6.0,
    "sigmoid": _one(tf.sigmoid),
    "tanh": _one(tf.tanh),
    "softplus": _one(tf.math.softplus),
    "exp": _one(tf.exp),
    "log": _one(tf.math.log),
    "sqrt": _one(tf.sqrt),
    "rsqrt": _one(tf.math.rsqrt),
    "reciprocal": _one(tf.math.reciprocal),
    "erf": _one(tf.math.erf),
    "abs": _one(tf.abs),
    "neg": _one(tf.negative),
    "sign": _one(tf.sign),
    "floor": _one(tf.floor),
    "ceil": _one(tf.math.ceil),
    "round": _one(tf.round),
    "sin": _one(tf.sin),
    "cos": _one(tf.cos),
    "add": _sum(tf.add),
    "sub": _sum(tf.subtract),
    "rsub": _sum(lambda one, other: other - one),
    "mul": _two(tf.multiply),
    "div": _two(tf.divide),
    "pow": _two(tf.pow),
    "maximum": _two(tf.maximum),
    "minimum": _two(tf.minimum),
    "gt": _two(tf.greater),
    "ge": _two(tf.greater_equal),
    "lt": _two(tf.less),
    "le": _two(tf.less_equal),
    "eq": _two(tf.equal),
}
"""Each draws one operation, by its name without the `_` of one that writes to what it reads."""
HANDS_ON = ("clone", "detach", "alias", "contiguous", "lift_fresh", "dropout", "as_strided", "_conj", "native_dropout")
"""Operations that return the numbers that they read, where the shape stays."""
SHAPELESS = ("empty", "empty_like", "zeros_like", "ones_like", "new_zeros", "new_ones", "new_empty", "sym_size")
"""Operations that read no values."""


def _no() -> Any:
    raise Undrawn
