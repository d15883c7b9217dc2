"""The operations of a graph that carry an image to the model's outputs, in the order in which the model runs."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fmreport.sources.graph.frames import hidden
from fmreport.sources.graph.kinds import ASKS_SHAPE, PASSES_ON
from fmreport.sources.graph.places import Place

Named = Callable[[Any], Place | None]


@dataclass(frozen=True, slots=True)
class Live:
    """Operations between input and outputs; what prepares weights or asks for a shape is not among them."""

    operations: tuple[Any, ...]
    """Without those that only pass on what they read."""
    idle: tuple[Any, ...]
    """Those that do."""
    reads: Mapping[str, tuple[Any, ...]]
    """What each operation reads of the others, by its name: tensors as they were made."""
    readers: Mapping[str, set[str]]
    """Names of the operations that read a tensor, by its name."""
    followers: Mapping[str, set[str]]
    """Names of the operations that read something of an operation, by its name."""
    inputs: frozenset[str]
    """Names of the tensors that the model is fed."""
    outputs: frozenset[str]
    """Names of the tensors that the model returns."""

    def incoming(self, operations: Sequence[Any]) -> set[str]:
        """Names of the activations that operations read of others; weights are none."""
        own = {op.name for op in operations}
        read = (tensor for op in operations for tensor in self.reads[op.name] if tensor.op.name not in own)
        return {tensor.name for tensor in read if tensor.op.name in self.reads or tensor.name in self.inputs}


def live(inputs: Sequence[Any], outputs: Sequence[Any], place: Named) -> Live:
    """What lies between tensors that the model is fed and those that it returns; `place` says where an op stood."""
    reached = _reached(inputs)
    kept = {op.name: op for op in _behind(outputs) if op.name in reached}
    inside = hidden(inputs, kept)
    passing = {name for name, op in kept.items() if op.type in PASSES_ON or place(op) is None} - inside
    working = {name: op for name, op in kept.items() if name not in passing and name not in inside}
    reads: dict[str, tuple[Any, ...]] = {}
    readers: dict[str, set[str]] = {}
    followers: dict[str, set[str]] = {}
    for name, op in working.items():
        reads[name] = tuple(_made(op.inputs, passing, inside))
        for tensor in reads[name]:
            readers.setdefault(tensor.name, set()).add(name)
            followers.setdefault(tensor.op.name, set()).add(name)
    ordered = _ordered(list(working.values()), reads, place)
    idle = tuple(op for name, op in kept.items() if name in passing and place(op) is not None)
    fed, returned = (frozenset(t.name for t in _made(tensors, passing, inside)) for tensors in (inputs, outputs))
    return Live(tuple(ordered), idle, reads, readers, followers, fed, returned)


def _made(tensors: Iterable[Any], passing: set[str], inside: set[str]) -> Iterator[Any]:
    """Tensors as they were made: what operations only pass on, and what went into loops and branches."""
    seen: set[str] = set()
    waiting = list(tensors)[::-1]
    while waiting:
        tensor = waiting.pop()
        if tensor.op.name in passing:
            waiting.append(tensor.op.inputs[0])
        elif tensor.op.name not in inside:
            yield tensor
        elif tensor.op.name not in seen:
            seen.add(tensor.op.name)
            waiting += reversed(tensor.op.inputs)


def _reached(inputs: Iterable[Any]) -> set[str]:
    """Names of operations to which values of the inputs lead."""
    reached: set[str] = set()
    waiting = [op for tensor in inputs for op in tensor.consumers()]
    while waiting:
        op = waiting.pop()
        if op.name not in reached and op.type not in ASKS_SHAPE:
            reached.add(op.name)
            waiting += [reader for tensor in op.outputs for reader in tensor.consumers()]
    return reached


def _behind(outputs: Iterable[Any]) -> list[Any]:
    """Operations that lead to the outputs."""
    found: dict[str, Any] = {}
    waiting = [tensor.op for tensor in outputs]
    while waiting:
        op = waiting.pop()
        if op.name not in found:
            found[op.name] = op
            waiting += [tensor.op for tensor in op.inputs]
    return list(found.values())


def _ordered(operations: Sequence[Any], reads: Mapping[str, Sequence[Any]], place: Named) -> list[Any]:
    """By their places, but none before what it reads."""
    by_name = {op.name: op for op in operations}
    needs = {op.name: {t.op.name for t in reads[op.name]} & by_name.keys() for op in operations}
    feeds: dict[str, list[str]] = {}
    for name, needed in needs.items():
        for each in needed:
            feeds.setdefault(each, []).append(name)
    ready = [(_order(place(by_name[name])), name) for name, needed in needs.items() if not needed]
    heapq.heapify(ready)
    ordered = []
    while ready:
        _, name = heapq.heappop(ready)
        ordered.append(by_name[name])
        for reader in feeds.get(name, ()):
            needs[reader].discard(name)
            if not needs[reader]:
                heapq.heappush(ready, (_order(place(by_name[reader])), reader))
    # Nothing vanishes, whatever reads itself in a circle.
    return ordered + [op for op in operations if needs[op.name]]


def _order(place: Place | None) -> tuple[int, ...]:
    return place.order if place is not None else ()
