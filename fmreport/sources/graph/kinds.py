"""What kind of layer a group of TensorFlow operations is, by the names that Keras gives its classes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fmreport.sources.facts.operation import type_of

PASSES_ON = {"Identity", "StopGradient", "PreventGradient", "Snapshot"}
"""Operations that return what they read."""
ASKS_SHAPE = {"Shape", "ShapeN", "Size", "Rank"}
"""Operations that read no values of an activation."""
OPAQUE = {
    "If": "a branch",
    "StatelessIf": "a branch",
    "Case": "a branch",
    "StatelessCase": "a branch",
    "While": "a loop",
    "Exit": "a loop",
    "RefExit": "a loop",
    "Merge": "a branch",
    "RefMerge": "a branch",
    "StatelessWhile": "a loop",
    "PartitionedCall": "a call that is compiled",
    "StatefulPartitionedCall": "a call that is compiled",
    "XlaCallModule": "a program for XLA",
    "XlaLaunch": "a call that is compiled",
    "RemoteCall": "a call on another device",
    "TPUPartitionedCall": "a call on another device",
}
"""Operations whose inside no tap reaches."""
LAYERS = {
    "Conv1D": "Conv1D",
    "Conv2D": "Conv2D",
    "_FusedConv2D": "Conv2D",
    "Conv3D": "Conv3D",
    "DepthwiseConv2dNative": "DepthwiseConv2D",
    "Conv2DBackpropInput": "Conv2DTranspose",
    "Conv3DBackpropInputV2": "Conv3DTranspose",
    "MaxPool": "MaxPooling2D",
    "MaxPoolV2": "MaxPooling2D",
    "MaxPool3D": "MaxPooling3D",
    "AvgPool": "AveragePooling2D",
    "AvgPool3D": "AveragePooling3D",
    "MatMul": "Dense",
    "_FusedMatMul": "Dense",
    "BatchMatMul": "MatMul",
    "BatchMatMulV2": "MatMul",
    "Einsum": "Einsum",
}
"""Operations of which a layer has one, which names it."""
CALLS = ("PartitionedCall", "StatefulPartitionedCall")
ALONE = {
    "Exit": "While",
    "RefExit": "While",
    "Merge": "If",
    "RefMerge": "If",
    "Softmax": "Softmax",
    "LogSoftmax": "LogSoftmax",
    "Relu": "ReLU",
    "Relu6": "ReLU",
    "LeakyRelu": "LeakyReLU",
    "Elu": "ELU",
    "Selu": "SELU",
    "Sigmoid": "Sigmoid",
    "Softplus": "Softplus",
    "Softsign": "Softsign",
    "Tanh": "Tanh",
    "Exp": "Exponential",
    "ClipByValue": "Clip",
    "ResizeBilinear": "UpSampling2D",
    "ResizeNearestNeighbor": "UpSampling2D",
    "ResizeBicubic": "UpSampling2D",
    "Tile": "UpSampling2D",
    "LRN": "LocalResponseNormalization",
    "ConcatV2": "Concatenate",
    "Pad": "ZeroPadding2D",
    "PadV2": "Padding",
    "MirrorPad": "Padding",
    "DepthToSpace": "DepthToSpace",
    "SpaceToDepth": "SpaceToDepth",
    "AddV2": "Add",
    "AddN": "Add",
    "BiasAdd": "Add",
    "Mul": "Multiply",
    "Sub": "Subtract",
    "Maximum": "Maximum",
    "Minimum": "Minimum",
}
"""Operations by the layer that each alone makes; of several the last one says what they give."""
MOVES = {
    "Transpose": "Permute",
    "Reshape": "Reshape",
    "Squeeze": "Reshape",
    "ExpandDims": "Reshape",
    "Cast": "Cast",
    "StridedSlice": "StridedSlice",
}
"""Operations that are a layer only where nothing else happens."""
ASIDE = ("IdentityN", "ZerosLike")
"""Operations that add nothing to what a layer does."""


def _together(kinds: Mapping[str, Sequence[str]]) -> dict[tuple[str, ...], str]:
    return {tuple(sorted(types.split())): kind for kind, several in kinds.items() for types in several}


TOGETHER = _together(
    {
        "SiLU": ["Mul Sigmoid", "Mul Mul Sigmoid"],
        "GELU": [
            "Mul Mul Mul Neg Erfc",
            "Mul Mul Mul Erf AddV2",
            "Mul Mul RealDiv Erf AddV2",
            "Mul Pow Mul AddV2 Mul Tanh AddV2 Mul",
        ],
        "Mish": ["Softplus Tanh Mul"],
        "PReLU": ["Relu Neg Relu Mul AddV2", "Relu Neg Neg Relu Mul AddV2", "Relu Abs Sub Mul Mul AddV2"],
        "LeakyReLU": ["Maximum Mul", "Neg AddV2 Relu Greater SelectV2 Minimum Maximum Mul Sub"],
        "ReLU": ["Relu Minimum", "Relu Minimum Maximum", "Relu ClipByValue"],
        "ThresholdedReLU": ["Greater SelectV2", "Greater Cast Mul"],
        "ELU": ["Elu Greater Mul SelectV2"],
        "CELU": ["Maximum Minimum RealDiv Expm1 Mul AddV2"],
        "HardSigmoid": [
            "AddV2 Relu6 RealDiv",
            "AddV2 Relu6 Mul",
            "Mul AddV2 Minimum Maximum",
            "Mul AddV2 ClipByValue",
        ],
        "HardSiLU": ["AddV2 Relu6 RealDiv Mul", "AddV2 Relu6 Mul Mul"],
        "LogSigmoid": ["Neg Softplus Neg"],
        "Squareplus": ["Square AddV2 Sqrt AddV2 RealDiv"],
        "SoftShrink": ["Greater Sub Less AddV2 SelectV2 SelectV2"],
        "HardShrink": ["Abs Greater SelectV2"],
        "TanhShrink": ["Tanh Sub"],
        "Clip": ["Minimum Maximum"],
        "Softmax": ["Max Sub Exp Sum RealDiv", "Sub Exp Sum RealDiv"],
        "Rescaling": ["Mul AddV2", "Mul Sub", "Sub Mul", "Sub RealDiv", "RealDiv AddV2"],
    }
)
"""What operations make together of one tensor, in any order."""
POOLS = {"Mean": "GlobalAveragePooling", "Max": "GlobalMaxPooling"}
NORMS = {"FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"}


def heavy(operations: Iterable[Any]) -> list[str]:
    """Layers that the operations make for sure: more than one are more than one layer."""
    kinds = [LAYERS[kind] for op in operations for kind in _types(op) if kind in LAYERS]
    # A depthwise and a pointwise convolution in one scope were one layer.
    return ["SeparableConv2D"] if kinds == ["DepthwiseConv2D", "Conv2D"] else kinds


def _types(operation: Any) -> list[str]:
    """The operation's type; of a compiled call those that it holds."""
    if operation.type not in CALLS:
        return [operation.type]
    from fmreport.sources.graph.inlining import body

    called = body(operation)
    return [inside.type for inside in called.operations] if called is not None else []


def kind_of(operations: Sequence[Any], variables: int, *, incoming: int) -> str:
    """The class of layer that operations (in running order) are; else the last one's type.

    They read so many variables, and so many tensors of others.
    """
    types = [type_of(op) for op in operations]
    if kinds := heavy(operations):
        return "Dense" if kinds == ["MatMul"] and variables else kinds[0]
    if norm := _norm(operations, variables):
        return norm
    if len(operations) == 1 and types[0] in POOLS:
        return _pool(operations[0])
    does = [each for each in types if each not in MOVES and each not in ASIDE] or types
    together = TOGETHER.get(tuple(sorted(does))) if incoming == 1 else None
    return together or (ALONE | MOVES).get(does[-1], does[-1])


def _norm(operations: Sequence[Any], variables: int) -> str:
    """A normalisation by what it computes from the activations themselves; empty where it is none."""
    types = {op.type for op in operations}
    fused = next((op for op in operations if op.type in NORMS), None)
    if fused is not None:
        # Statistics of what was reshaped before are those of one image; else they are those of the whole batch.
        reshaped = fused.inputs[0].op.type == "Reshape"
        return "LayerNormalization" if fused.get_attr("is_training") and reshaped else "BatchNormalization"
    if types & {"Rsqrt", "Sqrt"} and types & {"Mean", "Sum"}:
        split = any(op.type == "Reshape" and _rank(op.outputs[0]) > _rank(op.inputs[0]) for op in operations)
        return "GroupNormalization" if split else "LayerNormalization"
    scaled = types <= {"Mul", "AddV2", "Add", "Sub", "BiasAdd"} and "Mul" in types and len(types) > 1
    return "BatchNormalization" if scaled and variables > 1 else ""


def _pool(operation: Any) -> str:
    """The mean or maximum over positions; over other axes the operation's own name."""
    import tensorflow as tf

    axes, rank = tf.get_static_value(operation.inputs[1]), _rank(operation.inputs[0])
    if axes is None or rank < 3:
        return str(operation.type)
    reduced = sorted(int(axis) % rank for axis in axes.ravel())
    whole = reduced in (list(range(1, rank - 1)), list(range(2, rank)))
    return f"{POOLS[operation.type]}{rank - 2}D" if whole else str(operation.type)


def _rank(tensor: Any) -> int:
    return int(tensor.shape.rank or 0)
