"""Which means over positions are the statistics of a normalisation, told by how the graph uses them.

A normalisation takes the mean and the variance of a tensor over positions and rescales the same tensor by them, so
strictly every output depends on the whole map. Receptive fields leave that dependence out and name it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

PASSES = {
    "Identity",
    "StopGradient",
    "PreventGradient",
    "Snapshot",
    "Reshape",
    "Squeeze",
    "ExpandDims",
    "Cast",
    "BroadcastTo",
}
ROOTS = {"Rsqrt", "Sqrt", "Pow"}
SCALES = {"Mul", "RealDiv", "Div", "DivNoNan"}
ARITHMETIC = {"AddV2", "Add", "Sub", "Maximum", "Neg", "Reciprocal", *SCALES}
MEANS = {"Mean", "Sum"}
USES = {"SquaredDifference", "Sub", "Mul", "Square", "Neg", "Shape", *PASSES}
"""What reads the mean of a normalisation; a mean that anything else reads is a result of its own."""
STEPS = 12
"""Operations between a variance and the product with what it normalises, at most."""


def is_statistic(mean: Any) -> bool:
    """Whether an operation of the types `MEANS` computes a mean or variance by which its own input is normalised."""
    tensor = _root(mean.inputs[0])
    if (normalised := _squared(tensor.op)) is not None and _rescales(mean.outputs[0], normalised):
        return True
    readers = list(_readers(mean.outputs[0]))
    if any(reader.type not in USES for reader in readers):
        return False
    return any(_rescales(variance, tensor.name) for variance in _variances(mean, tensor, readers))


def _root(tensor: Any) -> Any:
    """The tensor of which this one holds the same numbers."""
    while tensor.op.type in PASSES:
        tensor = tensor.op.inputs[0]
    return tensor


def _readers(tensor: Any) -> Iterator[Any]:
    """Operations that read the numbers of a tensor."""
    for reader in tensor.consumers():
        if reader.type in PASSES:
            yield from _readers(reader.outputs[0])
        else:
            yield reader


def _squared(op: Any) -> str | None:
    """The tensor whose squares, or squared distances from its mean, an operation computes; None for another one."""
    if op.type == "SquaredDifference":
        return str(_root(op.inputs[0]).name)
    if op.type == "Square" or (op.type == "Mul" and _root(op.inputs[0]).name == _root(op.inputs[1]).name):
        base = _root(op.inputs[0])
        return str(_root(base.op.inputs[0]).name if base.op.type == "Sub" else base.name)
    return None


def _variances(mean: Any, tensor: Any, readers: list[Any]) -> Iterator[Any]:
    """Tensors that hold the variance of a tensor, made with the help of its mean."""
    for reader in readers:
        squares = [reader] if reader.type == "SquaredDifference" else list(_readers(reader.outputs[0]))
        for square in squares:
            if _squared(square) == tensor.name:
                yield from (each.outputs[0] for each in _readers(square.outputs[0]) if each.type in MEANS)
            if square.type == "Sub" and _squared(reader) == mean.outputs[0].name:
                yield square.outputs[0]  # the mean of squares less the square of the mean


def _rescales(variance: Any, normalised: str) -> bool:
    """Whether the root of a variance leads to a product or quotient with the tensor of that name."""
    waiting, seen = [(variance, False, 0)], set()
    while waiting:
        tensor, rooted, steps = waiting.pop()
        for reader in _readers(tensor):
            if reader.name in seen or steps > STEPS:
                continue
            seen.add(reader.name)
            if rooted and reader.type in SCALES and normalised in _operands(reader):
                return True
            if reader.type in ROOTS | ARITHMETIC:
                waiting.append((reader.outputs[0], rooted or reader.type in ROOTS, steps + 1))
    return False


def _operands(op: Any) -> set[str]:
    """What an operation reads, and what it reads less something."""
    roots = [_root(each) for each in op.inputs]
    return {str(_root(root.op.inputs[0]).name if root.op.type == "Sub" else root.name) for root in roots}
