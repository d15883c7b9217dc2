"""What every tensor of a graph sees of the image: one pass over the operations, by one rule for each type."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from fmreport.sources.facts import contractions, norms, shapes, slices, spatial
from fmreport.sources.facts.operation import CALLS, Operation, sizes
from fmreport.sources.facts.state import (
    IMAGE,
    PARTS,
    TOKENS,
    State,
    States,
    Unread,
    folded,
    image,
    only,
    size_of,
    twice,
    unknown,
)
from fmreport.sources.graph.inlining import body

Rule = Callable[[Operation, States], State | Sequence[State | None]]


def _each(rule: Rule, operations: str) -> dict[str, Rule]:
    return dict.fromkeys(operations.split(), rule)


def _normalising(op: Operation, states: States) -> list[State | None]:
    """FusedBatchNorm: index by index, but for the statistics of a batch, which it returns too."""
    state = only(states)
    if states[0] is None:
        raise Unread
    if op.attribute("is_training"):
        state = _named(state, [i for i in range(len(op.out_shape)) if i != op.channel], op)
    return [state, *(unknown(_shape(tensor), op.name) for tensor in op.outputs[1:])]


def _passing(_: Operation, read: States) -> list[State | None]:
    """IdentityN."""
    return list(read)


def _named(state: State, axes: Sequence[int], op: Operation) -> State:
    over = any(kind in (*IMAGE, TOKENS) for axis in axes for kind, _ in state.axes[axis])
    return replace(state, normalised=state.normalised or op.name) if over else state


RULES: Mapping[str, Rule] = {
    **_each(
        shapes.pointwise,
        "Identity StopGradient PreventGradient Snapshot CheckNumerics EnsureShape Cast Bitcast BiasAdd "
        "Add AddV2 AddN Sub Mul MulNoNan RealDiv Div DivNoNan Xdivy FloorDiv FloorMod Maximum Minimum Pow "
        "SquaredDifference Select SelectV2 ClipByValue BroadcastTo Neg Abs Sign Square Sqrt Rsqrt Reciprocal Inv Exp "
        "Expm1 Log Log1p Erf Erfc Sin Cos Tanh Sinh Cosh Atan Asinh Acosh Atanh Sigmoid Softplus Softsign Relu Relu6 "
        "LeakyRelu Elu Selu Floor Ceil Round Rint IsNan IsInf IsFinite Greater GreaterEqual Less LessEqual Equal "
        "NotEqual LogicalAnd LogicalOr LogicalNot FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVars "
        "FakeQuantWithMinMaxVarsPerChannel",
    ),
    **_each(spatial.quantizing, "QuantizeAndDequantizeV2 QuantizeAndDequantizeV3 QuantizeAndDequantizeV4"),
    "LRN": spatial.neighbouring_channels,
    **_each(spatial.convolution, "Conv2D Conv3D DepthwiseConv2dNative"),
    **_each(spatial.transposed_convolution, "Conv2DBackpropInput Conv3DBackpropInputV2"),
    **_each(spatial.pooling, "MaxPool AvgPool MaxPool3D AvgPool3D"),
    **_each(spatial.padding, "Pad PadV2 MirrorPad"),
    **_each(spatial.resizing, "ResizeNearestNeighbor ResizeBilinear ResizeBicubic"),
    "DepthToSpace": spatial.depth_to_space,
    "SpaceToDepth": spatial.space_to_depth,
    "SpaceToBatchND": spatial.space_to_batch,
    "BatchToSpaceND": spatial.batch_to_space,
    **_each(slices.slicing, "Slice StridedSlice"),
    **_each(shapes.reshaping, "Reshape Squeeze ExpandDims"),
    "IdentityN": _passing,
    "Transpose": shapes.transposing,
    "ConcatV2": shapes.joining,
    **_each(slices.parting, "Split SplitV Unpack"),
    "Pack": shapes.stacking,
    "Tile": shapes.tiling,
    "GatherV2": slices.gathering,
    **_each(contractions.product, "MatMul BatchMatMul BatchMatMulV2 BatchMatMulV3 Einsum"),
    **_each(contractions.reduction, "Mean Sum Max Min Prod Any All EuclideanNorm ArgMax ArgMin"),
    **_each(contractions.softmax, "Softmax LogSoftmax"),
    **_each(_normalising, "FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3"),
}
"""How an operation of each type passes on what it reads; what is not here is not known."""
IN_BLOCKS = {shapes.pointwise, spatial.convolution, spatial.pooling, spatial.batch_to_space, _normalising, _passing}
"""Rules that hold where neighbours are a block apart, between `SpaceToBatchND` and `BatchToSpaceND`."""
NOTHING = {"Shape", "ShapeN", "Size", "Rank", "ZerosLike", "OnesLike", "NoOp", "Assert"}
"""Operations whose results hold no values of what they read."""


def follow(images: Any) -> dict[str, State]:
    """What each tensor that is made of `images` `(B, H, W, C)` sees of them, by its name."""
    states = {images.name: image(sizes(images))}
    _through(images.graph.get_operations(), states)
    return states


def seen_at(states: Mapping[str, State], tensor: Any) -> State | None:
    """What a tensor sees, index by index of its own axes; None where it is not made of the image."""
    state = states.get(tensor.name)
    if state is not None:
        for axis in range(len(state.axes)):
            state = folded(state, axis, tensor.op.name)
        if any(kind == PARTS for atoms in state.axes[2:-1] for kind, _ in atoms):  # an index inside of a block
            state = replace(state, bound=state.bound or tensor.op.name)
    return state


def _through(operations: Sequence[Any], states: dict[str, State], call: str = "") -> None:
    """Adds what operations make of tensors whose states are known, in the order in which they were made.

    Inside a function, every operation goes by the name of the `call`, which is what the model's graph holds.
    """
    for op in operations:
        read = [states.get(tensor.name) for tensor in op.inputs]
        if op.type in NOTHING or not any(read):
            continue
        made = _called(op, read, call or op.name) if op.type in CALLS else _outputs(Operation(op, call), read)
        for tensor, state in zip(op.outputs, made, strict=True):
            if state is not None:
                states[tensor.name] = state


def _called(op: Any, read: States, name: str) -> States:
    """What each output of a call sees: what is seen inside its function."""
    called = body(op)
    if called is None:
        return [unknown(_shape(tensor), name) for tensor in op.outputs]
    inside = {tensor.name: state for tensor, state in zip(called.inputs, read, strict=True) if state is not None}
    _through(called.operations, inside, name)
    return [inside.get(tensor.name) for tensor in called.outputs]


def _outputs(op: Operation, read: States) -> States:
    """What each output of an operation sees."""
    stopped = next((state.unknown for state in read if state is not None and state.unknown), "")
    rule = RULES.get(op.type)
    if rule is not None and not stopped:
        try:
            if rule not in IN_BLOCKS and any(_in_blocks(state) for state in read):
                raise Unread
            made = rule(op, read)
            if isinstance(made, State):
                made = [norms.claimed(op, read, cast(norms.Rule, rule), made)]
            elif op.type != "IdentityN":
                made = [state and replace(state, source=object(), claim=None) for state in made]
            _agree(made, op)
            return made
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001, S110 what each output sees is then not known, and says so; facts stop nothing
            pass
    return [unknown(_shape(tensor), stopped or op.name) for tensor in op.outputs]


def _in_blocks(state: State | None) -> bool:
    return state is not None and any(seen is not None and seen.block > 1 for seen in state.seen)


def _shape(tensor: Any) -> Sequence[int]:
    return sizes(tensor) if tensor.shape.is_fully_defined() else ()


def _agree(states: Sequence[State | None], op: Operation) -> None:
    """A rule that finds other sizes than TensorFlow, or two axes of the same positions, has not understood."""
    for state, tensor in zip(states, op.outputs, strict=True):
        if state is not None and twice(state.axes):
            raise Unread
        if state is not None and not state.unknown and tuple(map(size_of, state.axes)) != sizes(tensor):
            raise Unread
