"""Operations of ONNX that read neighbours, or move positions: channels come first in all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf

from fmreport.sources.blueprint import vocabulary
from fmreport.sources.blueprint.graph import Undrawn
from fmreport.sources.onnx.node import Node

Rule = Callable[[Node], Any]
"""Draws a node; its output, or a list of them."""
Shape = tuple[int, ...]


def convolution(node: Node) -> Any:
    """Conv."""
    kernel = node.input(1)
    window = node.window([int(side) for side in kernel.shape[2:]])
    kernel, groups = tf.transpose(kernel, (*range(2, node.rank), 1, 0)), int(node.attributes.get("group", 1))
    made = vocabulary.convolution(node.x, kernel, window, groups=groups, first=True)
    return vocabulary.with_bias(made, node.input(2), first=True)


def transposed_convolution(shape: Shape) -> Rule:
    """ConvTranspose, to a shape."""

    def rule(node: Node) -> Any:
        kernel = node.input(1)
        if node.rank != 4:
            raise Undrawn
        window = node.window([int(side) for side in kernel.shape[2:]])
        how = node.text("auto_pad", "NOTSET")
        if how not in ("NOTSET", "VALID") or "output_shape" in node.attributes:
            # What is cut off is as much as is too much, the odd one where the mode says.
            upper = how == "SAME_UPPER"
            cut = [_halves(total, first=not upper) for total in _beyond(node, window, shape)]
            window = replace(window, pads=cut)
        # A group's kernel holds its own channels alone, which is no matter for a graph that is not run.
        kernel = tf.transpose(kernel, (2, 3, 1, 0))
        made = vocabulary.transposed_convolution(node.x, kernel, window, shape=shape, first=True)
        return vocabulary.with_bias(made, node.input(2), first=True)

    return rule


def _beyond(node: Node, window: vocabulary.Window, shape: Shape) -> list[int]:
    """Along each axis how much more a transposed convolution makes than is returned."""
    extra = node.ints("output_padding", [0] * len(window.strides))
    sides = zip(node.x.shape[2:], shape[2:], window.sides, window.strides, window.dilations, extra, strict=True)
    return [
        max((int(small) - 1) * stride + more + (tap - 1) * dilation + 1 - large, 0)
        for small, large, tap, stride, dilation, more in sides
    ]


def _halves(total: int, *, first: bool) -> tuple[int, int]:
    """The odd one first, or last."""
    few, many = total // 2, total - total // 2
    return (many, few) if first else (few, many)


def pooling(kind: str) -> Callable[[Shape], Rule]:
    """MaxPool or AveragePool, to a shape; `kind` is TensorFlow's word."""

    def shaped(shape: Shape) -> Rule:
        def rule(node: Node) -> Any:
            window = node.window(node.ints("kernel_shape", ()))
            axes = zip(window.pads, node.x.shape[2:], shape[2:], window.sides, window.strides, strict=True)
            # So much behind that the last window is a whole one.
            pads = [
                (before, max(after, (large - 1) * stride + tap - int(side) - before) if large else after)
                for (before, after), side, large, tap, stride in axes
            ]
            return vocabulary.pooling(node.x, kind, replace(window, pads=pads), first=True)

        return rule

    return shaped


def padding(node: Node) -> Any:
    """Pad; what is less than nothing is cut off."""
    flat = np.ravel(node.said("pads", 1)).astype(int)
    axes, half = node.value(3), len(flat) // 2
    around = [[0, 0] for _ in range(node.rank)]
    for axis, before, after in zip(range(node.rank) if axes is None else axes, flat, flat[half:], strict=False):
        around[int(axis)] = [int(before), int(after)]
    added = [[max(side, 0) for side in pair] for pair in around]
    cut = [slice(-min(before, 0), min(after, 0) or None) for before, after in around]
    made = _padded(node, added) if any(map(any, added)) else node.x
    return made if cut == [slice(0, None)] * node.rank else made[tuple(cut)]


def _padded(node: Node, around: list[list[int]]) -> Any:
    mode = node.text("mode", "constant")
    if mode == "reflect":
        return tf.pad(node.x, around, mode="REFLECT")
    if mode == "edge":
        made = node.x
        for step in range(max(max(pair) for pair in around)):
            made = tf.pad(made, [[int(side > step) for side in pair] for pair in around], mode="SYMMETRIC")
        return made
    if mode != "constant":
        raise Undrawn
    held = node.said("value", 2)
    with_ = 0.0 if held is None else float(np.ravel(held)[0])
    return tf.pad(node.x, around, constant_values=with_) if with_ else tf.pad(node.x, around)


def resizing(shape: Shape) -> Rule:
    """Resize or Upsample, to a shape."""

    def rule(node: Node) -> Any:
        if node.rank != 4 or shape[:2] != tuple(node.x.shape[:2]) or node.attributes.get("antialias"):
            raise Undrawn
        mode, by = node.text("mode", "nearest"), node.text("coordinate_transformation_mode", "half_pixel")
        by = "asymmetric" if node.type == "Upsample" or node.opset < 11 else by
        sides = list(zip(map(int, node.x.shape[2:]), shape[2:], strict=True))
        if mode == "nearest":
            half, corners = _nearest(sides, by, node.text("nearest_mode", "floor" if node.opset < 11 else "round"))
            return vocabulary.resized(
                node.x, shape[2:], "NearestNeighbor", half_pixel=half, corners=corners, first=True
            )
        how = {"linear": "Bilinear", "cubic": "Bicubic"}.get(mode)
        if how is None or by not in ("half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners"):
            raise Undrawn
        half = "half_pixel" in by
        return vocabulary.resized(node.x, shape[2:], how, half_pixel=half, corners=by == "align_corners", first=True)

    return rule


def _nearest(sides: Sequence[tuple[int, int]], by: str, rounding: str) -> tuple[bool, bool]:
    """Which of TensorFlow's ways, half a pixel on or between corners, takes the very same positions."""
    wanted = [_taken(small, large, by, rounding) for small, large in sides]
    for half, corners in ((False, False), (True, False), (False, True)):
        ways = [_by_tensorflow(small, large, half=half, corners=corners) for small, large in sides]
        if all(np.array_equal(a, b) for a, b in zip(wanted, ways, strict=True)):
            return half, corners
    raise Undrawn


def _taken(small: int, large: int, by: str, rounding: str) -> np.ndarray:
    """The position that each of `large` takes of `small`, as ONNX says it."""
    at, scale = np.arange(large), small / large
    if by in ("half_pixel", "pytorch_half_pixel", "half_pixel_symmetric"):
        places = (at + 0.5) * scale - 0.5 if large > 1 or by != "pytorch_half_pixel" else np.zeros(1)
    elif by == "align_corners":
        places = at * ((small - 1) / (large - 1)) if large > 1 else np.zeros(1)
    elif by == "asymmetric":
        places = at * scale
    else:
        raise Undrawn
    rounded = {"floor": np.floor(places), "ceil": np.ceil(places), "round_prefer_ceil": np.floor(places + 0.5)}
    return np.asarray(np.clip(rounded.get(rounding, np.ceil(places - 0.5)), 0, small - 1).astype(int))


def _by_tensorflow(small: int, large: int, *, half: bool, corners: bool) -> np.ndarray:
    at = np.arange(large)
    if corners:
        places = np.floor(at * ((small - 1) / (large - 1)) + 0.5) if large > 1 else np.zeros(1)
    else:
        places = np.floor((at + 0.5 * half) * (small / large))
    return np.asarray(np.clip(places, 0, small - 1).astype(int))


def blocks(operation: Any) -> Rule:
    """DepthToSpace or SpaceToDepth; in which order channels come is no matter for what they see."""
    return lambda node: operation(input=node.x, block_size=int(node.attributes["blocksize"]), data_format="NCHW")


def neighbouring_channels(node: Node) -> Any:
    """LRN."""
    if node.rank != 4:
        raise Undrawn
    moved = vocabulary.moved(node.x, first=True)
    return vocabulary.moved_back(tf.nn.lrn(moved, (int(node.attributes["size"]) - 1) // 2), first=True)
