"""Loops and branches as TensorFlow 1 wrote them: operations between others, of which some run often, some not at all.

What enters a loop passes an `Enter` and leaves it by an `Exit`; what one side of a branch needs passes a `Switch`, and
what the sides give meets in a `Merge`. A loop has a `Switch` and a `Merge` of its own too, for what it does each time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

LOOPS = ("Enter", "RefEnter")
"""Operations that a graph with a loop has."""
OPENS = {"Enter": 1, "RefEnter": 1, "Switch": 1, "RefSwitch": 1, "Exit": -1, "RefExit": -1, "Merge": -1, "RefMerge": -1}
"""By how many loops and branches what an operation returns lies deeper than what it reads."""


def hidden(inputs: Iterable[Any], operations: Mapping[str, Any]) -> set[str]:
    """Names of those operations that lie inside a loop or a branch, where no value can be had from outside."""
    depths: dict[str, int] = {}
    waiting = [(op, 0) for tensor in inputs for op in tensor.consumers()]
    while waiting:
        op, depth = waiting.pop()
        if op.name in operations and op.name not in depths:
            depths[op.name] = depth + (0 if _turns(op) else OPENS.get(op.type, 0))
            waiting += [(reader, depths[op.name]) for tensor in op.outputs for reader in tensor.consumers()]
    return {name for name, depth in depths.items() if depth > 0}


def _turns(operation: Any) -> bool:
    """Whether a `Merge` or `Switch` is one of a loop's own."""
    return any(tensor.op.type in ("NextIteration", "RefNextIteration", "LoopCond") for tensor in operation.inputs)
