"""Multiplications and additions of the operations that the image goes through."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from typing import Any

from fmreport.records import Work
from fmreport.sources.facts.contractions import labels_of
from fmreport.sources.facts.operation import CALLS, Operation, type_of
from fmreport.sources.graph.inlining import body
from fmreport.sources.graph.kinds import OPAQUE

NOTHING = Work(0, 0)


def _convolution(op: Operation) -> int:
    return _positions(op) * math.prod(op.shape(1)[:-1])


def _depthwise(op: Operation) -> int:
    return _positions(op) * math.prod(op.shape(1)[:-2])


def _positions(op: Operation) -> int:
    return math.prod(_returned(op))


def _returned(op: Operation) -> tuple[int, ...]:
    """What a convolution returns; of one in blocks of pixels, what is left once they are put back."""
    after = [reader for reader in op.outputs[0].consumers() if reader.type == "BatchToSpaceND"]
    return Operation(after[0]).out_shape if after and op.inputs[0].op.type == "SpaceToBatchND" else op.out_shape


def _transposed(op: Operation) -> int:
    return math.prod(op.shape(2)) * math.prod(op.shape(1)[:-1])


def _product(op: Operation) -> int:
    operands, result = labels_of(op)
    if len(operands) < 2:
        return 0
    size = {label: side for i, labels in enumerate(operands) for label, side in zip(labels, op.shape(i), strict=True)}
    size |= dict(zip(result, op.out_shape, strict=True))
    return math.prod(size.values())


COUNTS: Mapping[str, Callable[[Operation], int]] = {
    "Conv2D": _convolution,
    "Conv3D": _convolution,
    "DepthwiseConv2dNative": _depthwise,
    "Conv2DBackpropInput": _transposed,
    "Conv3DBackpropInputV2": _transposed,
    "MatMul": _product,
    "BatchMatMul": _product,
    "BatchMatMulV2": _product,
    "BatchMatMulV3": _product,
    "Einsum": _product,
}
"""Multiply-adds of an operation, all images of the batch together."""
LOOPS = {"Enter", "RefEnter", "NextIteration", "RefNextIteration"}
"""Operations of a loop as TensorFlow 1 wrote it: what is between them runs nobody knows how often."""
UNCOUNTED = ("conv", "matmul", "rnn", "lstm", "gru", "fft", "attention")
"""In the name of an operation that is not in `COUNTS`: it multiplies, and nobody here knows how often."""


def work_of(op: Any, batch: int, made: Container[str]) -> Work | None:
    """What an operation does for each of `batch` images; None where that cannot be known.

    `made` names the tensors that are made of the images: a function does not work for one by what it makes of weights.
    """
    if op.type in COUNTS:
        return _each(Operation(op), batch)
    if op.type in CALLS and (called := body(op)) is not None:
        pairs = zip(called.inputs, op.inputs, strict=True)
        return together(_inside(called, {own.name for own, given in pairs if given.name in made}, batch))
    stands_for, kind = type_of(op) != op.type, op.type.lower()
    hidden = stands_for or op.type in OPAQUE or op.type in LOOPS
    return None if hidden or any(word in kind for word in UNCOUNTED) else NOTHING


def _inside(called: Any, made: set[str], batch: int) -> Iterator[Work | None]:
    """What each operation of a function does that reads tensors which are `made` of the images."""
    for op in called.operations:
        if any(tensor.name in made for tensor in op.inputs):
            made.update(tensor.name for tensor in op.outputs)
            yield work_of(op, batch, made)


def together(parts: Iterable[Work | None]) -> Work | None:
    """All parts; None where one is not known."""
    macs = products = 0
    for part in parts:
        if part is None:
            return None
        macs, products = macs + part.macs, products + part.products
    return Work(macs, products)


def _each(op: Operation, batch: int) -> Work | None:
    try:
        macs, returned = COUNTS[op.type](op), math.prod(_returned(op))
    except ValueError:
        return None
    if macs % batch or returned % batch:
        return None
    return Work(macs // batch, returned // batch)
