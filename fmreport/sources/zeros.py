"""Whether a tensor of a TensorFlow graph holds exact zeros on purpose, read off the operations that made it."""

from __future__ import annotations

from typing import Any

from fmreport.sources.facts.operation import type_of

BY_DESIGN, BY_CHANCE, UNKNOWN = "by design", "by chance", "unknown"
Verdict = tuple[str, str]


def _by_name(reasons: dict[str, str]) -> dict[str, str]:
    """Each operation with its reason, from the operations of each reason."""
    return {operation: reason for reason, operations in reasons.items() for operation in operations.split()}


MAKES = _by_name(
    {
        "Relu sets what is below zero to zero": "Relu",
        "Relu6 sets what is below zero to zero": "Relu6",
        "zeros": "ZerosLike OneHot",
        "a sign can be zero": "Sign",
        "rounding": "Floor Ceil Round Rint FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVars "
        "FakeQuantWithMinMaxVarsPerChannel",
        "a comparison gives 0 or 1": "Greater GreaterEqual Less LessEqual Equal NotEqual LogicalNot LogicalAnd "
        "LogicalOr",
    }
)
"""Operations whose results are exactly zero over whole ranges of what they read."""
PASSES = {
    "Identity", "IdentityN", "StopGradient", "PreventGradient", "EnsureShape", "Snapshot", "Reshape", "Transpose",
    "Squeeze", "ExpandDims", "BroadcastTo", "Cast", "MaxPool", "MaxPoolV2", "MaxPool3D", "AvgPool", "AvgPool3D", "Mean",
    "Max", "Min", "Prod", "StridedSlice", "Slice", "GatherV2", "GatherNd", "ReverseV2", "Roll", "ResizeNearestNeighbor",
    "ResizeBilinear", "ResizeBicubic", "ResizeArea", "ScaleAndTranslate", "DepthToSpace", "SpaceToDepth",
    "SpaceToBatchND", "BatchToSpaceND", "SplitV", "Unpack", "Tile", "MirrorPad", "Abs", "Square", "Sqrt", "Neg",
}  # fmt: skip
"""Operations that hand on the zeros of what they read first."""
ENDS = _by_name(
    {
        "a weighted sum": "Conv2D Conv3D DepthwiseConv2dNative Conv2DBackpropInput Conv3DBackpropInputV2 MatMul "
        "BatchMatMul BatchMatMulV2 BatchMatMulV3 Einsum",
        "a weighted sum plus a bias": "BiasAdd",
        "a sum": "Sum Cumsum",
        "a normalisation": "FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 LRN",
        "a slope below zero": "LeakyRelu",
        "a curve through zero": "Elu Selu Tanh Softsign Expm1 Erf Atan Sinh Sin Cos Log Log1p LogSoftmax Pow "
        "SquaredDifference",
        "a curve above zero": "Softplus Sigmoid Softmax Exp Erfc Cosh Rsqrt Reciprocal",
        "a quotient": "RealDiv Div DivNoNan Xdivy",
        "the model's input": "Placeholder",
        "a constant": "Const Fill Range",
        "a variable": "ReadVariableOp VariableV2 Variable",
        "random numbers": "RandomUniform RandomStandardNormal StatelessRandomUniformV2 StatelessRandomNormalV2",
    }
)
"""Operations whose results are exactly zero only where numbers happen to cancel, or are too small to be held."""
ANY_OF = {"Mul", "MulNoNan", "ConcatV2", "Pack", "SelectV2", "Select", "Minimum", "Maximum"}
"""Zeros of one part make zeros of the result."""
CHOOSES = {"Maximum", "Minimum", "SelectV2", "Select"}
ALL_OF = {"AddV2", "Add", "AddN", "Sub"}
"""Only where all parts are zero is the result zero on purpose."""
NUMBERS = ("float", "bfloat")


def zeros_of(tensor: Any, known: dict[str, Verdict]) -> Verdict:
    """(`by design` | `by chance` | `unknown`, the operation that decides it) of a graph tensor.

    `known` holds the answers for tensors of the same graph by name, and receives the new ones.
    """
    # By name, the last one in need of nothing but what is known: a graph can be deeper than Python calls functions.
    waiting = {tensor.name: tensor} if tensor.name not in known else {}
    while waiting:
        name, current = next(reversed(waiting.items()))
        try:
            known[name] = _decide(current, known)
        except _Needed as needed:
            if needed.tensor.name in waiting:
                # A graph may hold a loop (`While` in TF1 form), which must not be walked for ever.
                known[needed.tensor.name] = (UNKNOWN, "a loop")
            else:
                waiting[needed.tensor.name] = needed.tensor
        else:
            del waiting[name]
    return known[tensor.name]


class _Needed(Exception):  # noqa: N818
    """The answer for another tensor is needed first."""

    def __init__(self, tensor: Any) -> None:
        self.tensor = tensor


def _answer(tensor: Any, known: dict[str, Verdict]) -> Verdict:
    if tensor.name not in known:
        raise _Needed(tensor)
    return known[tensor.name]


def _decide(tensor: Any, known: dict[str, Verdict]) -> Verdict:
    kind, inputs = tensor.op.type, list(tensor.op.inputs)
    if reason := _made_here(kind, inputs):
        return BY_DESIGN, reason
    if kind in ANY_OF:
        return _any_of(kind, inputs, known)
    if kind in ALL_OF:
        return _all_of(tensor, inputs, known)
    if kind in PASSES or kind in ("PadV2", "ClipByValue") or ENDS.get(kind) == "a quotient":
        verdict = _answer(inputs[0], known)
        return (BY_CHANCE, ENDS[kind]) if kind in ENDS and verdict[0] == BY_CHANCE else verdict
    if kind == "Split":
        return _answer(inputs[1], known)
    return (BY_CHANCE, ENDS[kind]) if kind in ENDS else (UNKNOWN, f"operation {type_of(tensor.op)}")


def _made_here(kind: str, inputs: list[Any]) -> str:
    """How an operation makes zeros of what is none; empty where it does not."""
    if kind in ("Pad", "PadV2") and (kind == "Pad" or _is_zero(inputs[2])):
        return "padding adds zeros"
    if kind == "ClipByValue" and any(_is_zero(bound) for bound in inputs[1:]):
        return "clipping at zero"
    if kind in CHOOSES and any(_is_zero(each) for each in inputs):
        return f"{kind} with zero"
    return MAKES.get(kind, "")


def _any_of(kind: str, inputs: list[Any], known: dict[str, Verdict]) -> Verdict:
    verdicts = [_answer(each, known) for each in inputs if each.dtype.name.startswith(NUMBERS)]
    for wanted in (BY_DESIGN, UNKNOWN):
        if found := next((verdict for verdict in verdicts if verdict[0] == wanted), None):
            return found
    return BY_CHANCE, "a product" if kind == "Mul" else "no part is zero by design"


def _all_of(tensor: Any, inputs: list[Any], known: dict[str, Verdict]) -> Verdict:
    parts = [each for each in inputs if not _is_zero(each)]
    if _opposed(parts):
        return BY_CHANCE, "a slope below zero that is learned"
    verdicts = [_answer(each, known) for each in parts]
    designed = parts and all(verdict[0] == BY_DESIGN for verdict in verdicts)
    # What is spread over the others, such as their mean, is hardly ever zero where they are.
    if designed and all(each.shape.as_list() == tensor.shape.as_list() and not _behind(each, "Mean") for each in parts):
        return verdicts[0]
    if not designed and not any(verdict[0] == BY_CHANCE for verdict in verdicts):
        return next((verdict for verdict in verdicts if verdict[0] == UNKNOWN), (BY_CHANCE, "a sum"))
    return BY_CHANCE, "a sum"


def _opposed(parts: list[Any]) -> bool:
    """Whether one part is the Relu of what another takes the Relu of, negated: a PReLU."""
    sides = [op.inputs[0] for part in parts if (op := _behind(part, "Relu")) is not None]
    names = {side.name for side in sides}
    return any(side.op.type == "Neg" and side.op.inputs[0].name in names for side in sides)


def _behind(tensor: Any, kind: str) -> Any:
    """The nearest operation of a kind that a tensor comes from through products alone; None where there is none."""
    waiting = [tensor.op]
    while waiting:
        op = waiting.pop(0)
        if op.type == kind:
            return op
        if op.type in ("Mul", "Neg"):
            waiting += [each.op for each in op.inputs]
    return None


def _is_zero(tensor: Any) -> bool:
    """Whether a tensor is a constant zero of a floating dtype."""
    import tensorflow as tf

    if tensor.op.type in ("ZerosLike", "Fill", "BroadcastTo", "Cast"):
        return tensor.op.type == "ZerosLike" or _is_zero(tensor.op.inputs[tensor.op.type == "Fill"])
    if tensor.op.type != "Const":
        return False
    value = tf.get_static_value(tensor)
    return value is not None and value.dtype.kind not in "bSO" and not value.any()
