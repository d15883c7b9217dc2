"""What operations see that sum over whole axes: matrix products, means, softmax."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from fmreport.sources.facts.operation import Operation, axes_of
from fmreport.sources.facts.shapes import reshaped
from fmreport.sources.facts.state import (
    PLAIN,
    Axes,
    State,
    States,
    Unread,
    one,
    only,
    reduced,
    size_of,
    together,
    twice,
)


def product(op: Operation, states: States) -> State:
    """MatMul, BatchMatMul and Einsum."""
    return _contracted(op, states, *labels_of(op))


def labels_of(op: Operation) -> tuple[list[str], str]:
    """A letter for each axis of the operands and of the result of a product, as Einsum writes them."""
    if op.type == "Einsum":
        operands, result = op.attribute("equation").decode().replace(" ", "").split("->")
        return _written_out(operands.split(","), result, [len(op.shape(i)) for i in range(len(op.inputs))])
    lead = "".join(chr(ord("A") + i) for i in range(len(op.out_shape) - 2))
    labels = []
    for i, (letters, side, short) in enumerate((("mk", "a", "x"), ("kn", "b", "y"))):
        turned = op.attribute(f"transpose_{side}") or op.attribute(f"adj_{short}")
        labels.append(lead[len(lead) - len(op.shape(i)) + 2 :] + (letters[::-1] if turned else letters))
    return labels, f"{lead}mn"


def _written_out(operands: Sequence[str], result: str, ranks: Sequence[int]) -> tuple[list[str], str]:
    """The labels with digits in place of `...`."""
    held = [rank - len(labels) + 3 if "..." in labels else 0 for labels, rank in zip(operands, ranks, strict=True)]
    dots = "".join(chr(ord("0") + i) for i in range(max(held)))
    full = [labels.replace("...", dots[len(dots) - own :]) for labels, own in zip(operands, held, strict=True)]
    return full, result.replace("...", dots)


def _contracted(op: Operation, states: States, operands: Sequence[str], result: str) -> State:
    left = []
    for labels, state in zip(operands, states, strict=True):
        if state is not None:
            if len(set(labels)) < len(labels):
                raise Unread  # a diagonal
            gone = [i for i, label in enumerate(labels) if label not in result]
            left.append((labels, reduced(state, gone, op.name)))
    axes = []
    for label, size in zip(result, op.out_shape, strict=True):
        axes.append(_axis([state.axes[labels.index(label)] for labels, state in left if label in labels], size))
    return together(_apart([state for _, state in left], axes, op.name), _once(axes), op.name)


def _axis(own: Sequence[tuple[Any, ...]], size: int) -> tuple[Any, ...]:
    """What an axis of the result runs over, of which operands may have size 1."""
    placed = [atoms for atoms in own if size_of(atoms) == size and any(kind is not PLAIN for kind, _ in atoms)]
    if any(atoms != placed[0] for atoms in placed):
        raise Unread
    return next(iter(placed), one(PLAIN, size))


def _apart(states: Sequence[State], axes: Sequence[Any], operation: str) -> list[State]:
    """Where two axes run over the same positions, as of queries and keys, every index belongs to many of them."""
    doubled = twice(axes)
    if not doubled:
        return list(states)
    return [
        reduced(
            state,
            [i for i, atoms in enumerate(state.axes) if any(kind in doubled for kind, _ in atoms)],
            operation,
        )
        for state in states
    ]


def _once(axes: Sequence[Any]) -> Axes:
    doubled = twice(axes)
    return tuple(tuple((PLAIN if kind in doubled else kind, size) for kind, size in atoms) for atoms in axes)


def reduction(op: Operation, states: States) -> State:
    """Mean, Sum, Max and the like over the axes that they name."""
    state, axes = states[0], op.value(1)
    if state is None or axes is None:
        raise Unread
    return reshaped(reduced(state, axes_of(axes, len(op.shape(0))), op.name), op.out_shape)


def softmax(op: Operation, states: States) -> State:
    """Softmax and LogSoftmax over the last axis: every index reads all of it."""
    state = only(states)
    whole = reduced(state, [len(state.axes) - 1], op.name)
    return replace(state, seen=whole.seen, everywhere=whole.everywhere)
