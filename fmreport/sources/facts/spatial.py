"""What operations see that read neighbours: convolutions, pooling, padding, slices, resizing, blocks of pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fmreport.sources.facts import shapes
from fmreport.sources.facts.operation import Operation
from fmreport.sources.facts.state import (
    IMAGE,
    PARTS,
    PLAIN,
    TOKENS,
    State,
    States,
    Unread,
    along,
    block_of,
    made,
    on,
    only,
    reduced,
)
from fmreport.sources.facts.window import kernel, repeat, resized, shifted, transposed


def convolution(op: Operation, states: States) -> State:
    """Conv2D, Conv3D and depthwise ones: every spatial axis by its kernel."""
    state, weights = states[0], states[1]
    if state is None or weights is not None:
        raise Unread  # a kernel made of the image can bring anything anywhere
    state = _swept(op, state, op.shape(1)[: len(op.spatial)])
    if op.type == "DepthwiseConv2dNative" and op.shape(1)[-1] == 1:
        return made(state, op.out_shape)
    if _has(state, op.channel, *IMAGE, TOKENS):
        raise Unread
    if op.type == "DepthwiseConv2dNative":
        return made(state, op.out_shape)
    grouped = op.shape(1)[-2] < op.shape(0)[op.channel]
    return made(state, op.out_shape, {op.channel: PARTS if grouped and _has(state, op.channel, PARTS) else PLAIN})


def quantizing(op: Operation, states: States) -> State:
    """To steps of a range that is given, or else taken of the whole tensor."""
    state = shapes.pointwise(op, states)
    if op.attribute("range_given"):
        return state
    whole = reduced(state, range(len(state.axes)), op.name)
    return replace(state, everywhere=whole.everywhere)


def neighbouring_channels(_: Operation, states: States) -> State:
    """LRN, which reads neighbours along the last axis."""
    state = only(states)
    if _has(state, len(state.axes) - 1, *IMAGE, TOKENS):
        raise Unread
    return state


def _has(state: State, axis: int, *kinds: int | None) -> bool:
    return any(kind in kinds for kind, _ in state.axes[axis])


def _swept(op: Operation, state: State, taps: Sequence[int]) -> State:
    """The state after kernels of `taps` positions along each spatial axis."""
    padded = op.padding(taps, small=op.out_shape, large=op.shape(0))
    for axis, tap, stride, dilation, before in zip(op.spatial, taps, op.strides, op.dilations, padded, strict=True):
        if (tap, stride, before) == (1, 1, 0) and op.out_shape[axis] == op.shape(0)[axis]:
            continue
        block = block_of(state, axis)
        if block > 1 and (stride > 1 or before):
            raise Unread
        reads = kernel(tap, stride=stride, dilation=dilation * block, padding=before)
        state = along(state, axis, reads, op.name, size=op.out_shape[axis], block=block)
    return state


def pooling(op: Operation, states: States) -> State:
    """MaxPool, AvgPool and the like: a kernel of the attribute `ksize`."""
    state, window = only(states), op.attribute("ksize")
    if any(side != 1 for i, side in enumerate(window) if i not in op.spatial):
        raise Unread
    return made(_swept(op, state, [window[axis] for axis in op.spatial]), op.out_shape)


def transposed_convolution(op: Operation, states: States) -> State:
    """Conv2DBackpropInput: each index of the input spreads over the output."""
    state = states[2]
    if state is None or states[1] is not None or _has(state, op.channel, *IMAGE, TOKENS):
        raise Unread
    taps = op.shape(1)[: len(op.spatial)]
    padded = op.padding(taps, small=op.shape(2), large=op.out_shape)
    for axis, tap, stride, dilation, before in zip(op.spatial, taps, op.strides, op.dilations, padded, strict=True):
        reads = transposed(tap, stride=stride, dilation=dilation, padding=before)
        state = along(state, axis, reads, op.name, size=op.out_shape[axis])
        if tap < stride or (dilation > 1 and stride > 1):  # some indices read nothing
            state = replace(state, bound=state.bound or op.name)
    return made(state, op.out_shape, {op.channel: PLAIN})


def padding(op: Operation, states: States) -> State:
    """Pad, PadV2, MirrorPad; what a mirror repeats at a border is left out, as the border itself is."""
    state, amounts = only(states), op.value(1)
    if amounts is None:
        raise Unread
    for axis, (before, after) in enumerate(amounts.tolist()):
        if before or after:
            state = along(state, axis, shifted(-before), op.name, size=op.out_shape[axis])
    return made(state, op.out_shape)


TAPS = {"ResizeNearestNeighbor": 1, "ResizeBilinear": 2, "ResizeBicubic": 4}
"""Positions between which an operation interpolates along each axis."""


def resizing(op: Operation, states: States) -> State:
    """Nearest, bilinear and bicubic interpolation."""
    state = only(states)
    half, corners = op.attribute("half_pixel_centers"), op.attribute("align_corners")
    for axis in (1, 2):
        before, after = op.shape(0)[axis], op.out_shape[axis]
        if before != after:
            reads = resized(before, after, taps=TAPS[op.type], half_pixel=half, align_corners=corners)
            state = along(state, axis, reads, op.name, size=after)
    return made(state, op.out_shape)


def depth_to_space(op: Operation, states: States) -> State:
    """Blocks of channels become blocks of pixels, each of which sees what all saw."""
    state, times = only(states), int(op.attribute("block_size"))
    if _has(state, op.channel, *IMAGE, TOKENS):
        raise Unread
    if _has(state, op.channel, PARTS):
        state = replace(state, bound=state.bound or op.name)
    for axis in op.spatial:
        state = along(state, axis, repeat(times), op.name, size=op.out_shape[axis])
    return made(state, op.out_shape, {op.channel: PLAIN})


def space_to_depth(op: Operation, states: States) -> State:
    """Blocks of pixels become channels, each of which sees a part of the block."""
    state, size = only(states), int(op.attribute("block_size"))
    if _has(state, op.channel, *IMAGE, TOKENS):
        raise Unread
    for axis in op.spatial:
        state = along(state, axis, kernel(size, stride=size), op.name, size=op.out_shape[axis])
    return made(state, op.out_shape, {op.channel: PARTS})


def space_to_batch(op: Operation, states: States) -> State:
    """The beginning of a dilated convolution: neighbours are a block apart, until they are put back."""
    state, blocks, pads = only(states), op.value(1), op.value(2)
    if blocks is None or pads is None:
        raise Unread
    for axis, (block, (before, _)) in enumerate(zip(blocks.tolist(), pads.tolist(), strict=True), start=1):
        length = op.out_shape[axis] * block
        state = _in_blocks(along(state, axis, shifted(-before), op.name, size=length), axis, block)
    return made(state, op.out_shape, {0: PLAIN})


def batch_to_space(op: Operation, states: States) -> State:
    """The end of such a convolution."""
    state, blocks, crops = only(states), op.value(1), op.value(2)
    if blocks is None or crops is None:
        raise Unread
    for axis, (block, (before, _)) in enumerate(zip(blocks.tolist(), crops.tolist(), strict=True), start=1):
        if _has(state, axis, *IMAGE) and block_of(state, axis) != block:
            raise Unread
        state = along(_in_blocks(state, axis, 1), axis, shifted(before), op.name, size=op.out_shape[axis])
    return made(state, op.out_shape, {0: PLAIN})


def _in_blocks(state: State, axis: int, block: int) -> State:
    for kind, _ in state.axes[axis]:
        state = on(state, kind, lambda seen: replace(seen, block=block)) if kind in IMAGE else state
    return state
