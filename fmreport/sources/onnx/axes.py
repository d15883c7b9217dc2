"""Operations of ONNX that reduce, part or move axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from fmreport.sources.onnx.node import Node
from fmreport.sources.onnx.windows import Rule


def whole(reduce: Callable[..., Any]) -> Rule:
    """Over all positions."""
    return lambda node: reduce(node.x, list(range(2, node.rank)), keepdims=True)


def reduction(reduce: Callable[..., Any]) -> Rule:
    """Over the axes that the node names, or all."""

    def rule(node: Node) -> Any:
        said = node.said("axes", 1)
        axes = [] if said is None else [int(axis) for axis in np.ravel(said)]
        if not axes and node.attributes.get("noop_with_empty_axes"):
            return tf.identity(node.x)
        return reduce(node.x, axes or list(range(node.rank)), keepdims=bool(node.attributes.get("keepdims", 1)))

    return rule


def softmax(function: Callable[..., Any]) -> Rule:
    """Over the last axis, or another one."""

    def rule(node: Node) -> Any:
        axis = int(node.attributes.get("axis", -1 if node.opset >= FROM_LAST else 1)) % node.rank
        if axis == node.rank - 1:
            return function(node.x)
        if node.opset < FROM_LAST:
            # Once it was taken over all that follows too.
            sides = [int(side) for side in node.x.shape]
            flat = tf.reshape(node.x, (*sides[:axis], int(np.prod(sides[axis:]))))
            return tf.reshape(function(flat), sides)
        # TensorFlow's reads the last axis.
        order = [each for each in range(node.rank) if each != axis] + [axis]
        return tf.transpose(function(tf.transpose(node.x, order)), np.argsort(order))

    return rule


FROM_LAST = 13
"""The version since which a softmax is over one axis, and the last by default."""


def slicing(node: Node) -> Any:
    """Slice."""
    starts, ends = node.said("starts", 1), node.said("ends", 2)
    axes, steps = node.said("axes", 3), node.value(4)
    axes = range(len(starts)) if axes is None else [int(axis) % node.rank for axis in axes]
    cuts = [slice(None)] * node.rank
    for i, axis in enumerate(axes):
        step, side = 1 if steps is None else int(steps[i]), int(node.x.shape[axis])
        start, end = int(starts[i]), int(ends[i])
        behind_first = step < 0 and end < -side
        cuts[axis] = slice(start if start < side or step > 0 else None, None if behind_first else min(end, side), step)
    return node.x[tuple(cuts)]


def splitting(node: Node) -> Any:
    """Split."""
    axis, sizes = int(node.attributes.get("axis", 0)) % node.rank, node.said("split", 1)
    if sizes is None:
        side = int(node.x.shape[axis])
        each = -(-side // node.outputs)
        sizes = [min(each, side - each * i) for i in range(node.outputs)]
    return tf.split(node.x, [int(size) for size in sizes], axis)


def gathering(node: Node) -> Any:
    """Gather."""
    axis = int(node.attributes.get("axis", 0)) % node.rank
    indices = node.value(1)
    if indices.ndim == 0:
        cuts: list[Any] = [slice(None)] * node.rank
        cuts[axis] = int(indices)
        return node.x[tuple(cuts)]
    return tf.gather(node.x, tf.constant(indices % int(node.x.shape[axis])), axis=axis)


def squeezing(node: Node) -> Any:
    """Squeeze."""
    axes = node.said("axes", 1)
    return tf.squeeze(node.x, None if axes is None else [int(axis) for axis in axes])


def unsqueezing(node: Node) -> Any:
    """Unsqueeze."""
    made, axes = node.x, [int(axis) for axis in node.said("axes", 1)]
    rank = node.rank + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        made = tf.expand_dims(made, axis)
    return made
