"""Whether a tensor of a TensorFlow graph holds exact zeros on purpose, read off the operations that made it."""

from __future__ import annotations

from typing import Any

BY_DESIGN, BY_CHANCE, UNKNOWN = "by design", "by chance", "unknown"

CLIPS = {
    "Relu": "Relu sets what is below zero to zero",
    "Relu6": "Relu6 sets what is below zero to zero",
    "PadV2": "padding adds zeros",
    "Pad": "padding adds zeros",
    "OneHot": "one-hot coding",
    "Sign": "a sign can be zero",
    "Floor": "rounding down",
    "Round": "rounding",
    "Rint": "rounding",
    "Greater": "a comparison gives 0 or 1",
    "GreaterEqual": "a comparison gives 0 or 1",
    "Less": "a comparison gives 0 or 1",
    "LessEqual": "a comparison gives 0 or 1",
    "ClipByValue": "clipping",
}
PASSES = {
    "Identity", "IdentityN", "StopGradient", "Reshape", "Transpose", "Squeeze", "ExpandDims", "Cast", "MaxPool",
    "MaxPoolV2", "MaxPool3D", "AvgPool", "AvgPool3D", "Mean", "Max", "StridedSlice", "Slice", "GatherV2", "ResizeNearestNeighbor",
    "ResizeBilinear", "ResizeBicubic", "DepthToSpace", "SpaceToDepth", "SpaceToBatchND", "BatchToSpaceND", "Split",
    "SplitV", "Unpack", "Tile", "MirrorPad", "Abs", "Square", "Sqrt", "Neg", "PreventGradient", "EnsureShape",
}  # fmt: skip
ANY_OF = {"Mul", "ConcatV2", "Pack", "SelectV2", "Minimum", "Maximum"}
CHOOSES = {"Maximum", "Minimum", "SelectV2", "Select"}
ALL_OF = {"AddV2", "Add", "AddN", "Sub"}
DENSE = {
    "Conv2D": "a weighted sum", "Conv3D": "a weighted sum", "DepthwiseConv2dNative": "a weighted sum",
    "Conv2DBackpropInput": "a weighted sum", "Conv3DBackpropInputV2": "a weighted sum", "MatMul": "a weighted sum",
    "BatchMatMulV2": "a weighted sum", "BatchMatMulV3": "a weighted sum", "Einsum": "a weighted sum", "Sum": "a sum",
    "BiasAdd": "a weighted sum plus a bias", "FusedBatchNormV3": "a normalisation", "Rsqrt": "a normalisation",
    "LeakyRelu": "LeakyRelu keeps a slope below zero", "Elu": "Elu is smooth below zero", "Selu": "Selu is smooth below zero",
    "Softplus": "Softplus is above zero", "Sigmoid": "Sigmoid is above zero", "Softmax": "Softmax is above zero",
    "Tanh": "Tanh is zero only at zero", "Exp": "Exp is above zero", "Erf": "Erf is zero only at zero", "Erfc": "Erfc is above zero",
    "RealDiv": "a quotient", "Softsign": "Softsign is zero only at zero", "Log": "a logarithm", "Pow": "a power",
    "SquaredDifference": "a squared difference", "Placeholder": "the model's input", "Const": "a constant",
    "ReadVariableOp": "a variable", "Reciprocal": "a quotient", "Sin": "a sine", "Cos": "a cosine", "LogSoftmax": "a logarithm",
}  # fmt: skip


def zeros_of(tensor: Any, known: dict[str, tuple[str, str]]) -> tuple[str, str]:
    """(`by design` | `by chance` | `unknown`, the operation that decides it) of a graph tensor.

    `known` holds the answers for tensors of the same graph by name, and receives the new ones.
    """
    name = tensor.name
    if name not in known:
        # A graph may hold a loop (`While` in TF1 form), which must not be walked for ever.
        known[name] = (UNKNOWN, "a loop")
        known[name] = _decide(tensor.op, known)
    return known[name]


def _decide(op: Any, known: dict[str, tuple[str, str]]) -> tuple[str, str]:
    kind = op.type
    if kind in CLIPS:
        return BY_DESIGN, CLIPS[kind]
    if kind in DENSE:
        return BY_CHANCE, DENSE[kind]
    if kind in PASSES:
        return zeros_of(op.inputs[0], known)
    if kind in CHOOSES and any(_is_zero(t) for t in op.inputs):
        return BY_DESIGN, f"{kind} with zero"
    if kind in ANY_OF or kind in ALL_OF:
        parts = [zeros_of(t, known) for t in op.inputs if t.shape.rank != 0 and t.dtype.name not in ("bool", "int32")]
        designed = [part for part in parts if part[0] == BY_DESIGN]
        if designed and (kind in ANY_OF or len(designed) == len(parts)):
            return designed[0]
        if any(part[0] == UNKNOWN for part in parts):
            return next(part for part in parts if part[0] == UNKNOWN)
        return BY_CHANCE, "a product" if kind in ANY_OF else "a sum"
    return UNKNOWN, f"operation {kind}"


def _is_zero(tensor: Any) -> bool:
    import tensorflow as tf

    value = tf.get_static_value(tensor)
    return value is not None and value.dtype.kind == "f" and not value.any()
