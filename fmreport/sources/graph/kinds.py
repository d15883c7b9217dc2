"""What kind of layer a group of TensorFlow operations is, by the names that Keras gives its classes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

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
OTHERS = {
    "ResizeBilinear": "UpSampling2D",
    "ResizeNearestNeighbor": "UpSampling2D",
    "ResizeBicubic": "UpSampling2D",
    "Tile": "UpSampling2D",
    "Softmax": "Softmax",
    "Relu": "ReLU",
    "Relu6": "ReLU",
    "LeakyRelu": "LeakyReLU",
    "Elu": "ELU",
    "Selu": "SELU",
    "Sigmoid": "Sigmoid",
    "Tanh": "Tanh",
    "Erf": "GELU",
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
    "Transpose": "Permute",
    "Reshape": "Reshape",
    "Squeeze": "Reshape",
    "ExpandDims": "Reshape",
    "Cast": "Cast",
}
"""Operations by the layer that each alone makes; of several the first in this order."""
POOLS = {"Mean": "GlobalAveragePooling", "Max": "GlobalMaxPooling"}
NORMS = {"FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"}


def heavy(operations: Iterable[Any]) -> list[str]:
    """Layers that the operations make for sure: more than one are more than one layer."""
    kinds = [LAYERS[op.type] for op in operations if op.type in LAYERS]
    # A depthwise and a pointwise convolution in one scope were one layer.
    return ["SeparableConv2D"] if kinds == ["DepthwiseConv2D", "Conv2D"] else kinds


def kind_of(operations: Sequence[Any], variables: int) -> str:
    """The class of layer that operations (in running order) are, which read so many variables; else the last's type."""
    types = [op.type for op in operations]
    if kinds := heavy(operations):
        return "Dense" if kinds == ["MatMul"] and variables else kinds[0]
    if norm := _norm(operations, variables):
        return norm
    if len(operations) == 1 and types[0] in POOLS:
        return _pool(operations[0])
    return next((OTHERS[each] for each in OTHERS if each in types), types[-1])


def _norm(operations: Sequence[Any], variables: int) -> str:
    """A normalisation by what it computes from the activations themselves; empty where it is none."""
    types = {op.type for op in operations}
    fused = next((op for op in operations if op.type in NORMS), None)
    if fused is not None:
        return "LayerNormalization" if fused.get_attr("is_training") else "BatchNormalization"
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
