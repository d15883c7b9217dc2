"""Where each operation of an inlined graph came from: its place in the order of the model, and a name a person reads.

Inlining puts a function's operations behind the name of the call, and sorts all operations anew. Both are taken back
here, with the help of the functions as they were before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

GLUE = "Func/"
"""Under this name inlining puts operations of its own, which pass on what a function reads and returns."""


@dataclass(frozen=True, slots=True)
class Place:
    """One operation."""

    order: tuple[int, ...]
    """Positions of the calls that it was inside, outermost first, and its own in the innermost function."""
    levels: tuple[str, ...]
    """Scopes from the outermost in, then the operation; calls are left out, and scopes that a call repeats."""
    calls: tuple[tuple[str, int], ...]
    """The calls that it was inside, each with the number of levels outside of it."""


class Places:
    """Places of the operations that inlining made of a graph with calls."""

    def __init__(self, graph: Any) -> None:
        """`graph` is the `GraphDef` before inlining."""
        self._top = _body(graph.node)
        self._functions = {f.signature.name: _body(f.node_def) for f in graph.library.function}

    def of(self, name: str) -> Place | None:
        """The place of an operation; None for what inlining added."""
        if name.startswith(GLUE):
            return None
        order: list[int] = []
        levels: tuple[str, ...] = ()
        calls: list[tuple[str, int]] = []
        body, left = self._top, name
        while left not in body:
            call = _call_in(left, body)
            if call is None or body[call][1] not in self._functions:
                return None
            position, function = body[call]
            order.append(position)
            levels = merged(levels, tuple(call.split("/")))[:-1]
            calls.append((call, len(levels)))
            body, left = self._functions[function], left[len(call) + 1 :]
        return Place((*order, body[left][0]), merged(levels, tuple(left.split("/"))), tuple(calls))


def merged(outer: Sequence[str], inner: Sequence[str]) -> tuple[str, ...]:
    """Both one after the other, the end of `outer` left out where `inner` begins with it."""
    for length in range(min(len(outer), len(inner) - 1), 0, -1):
        if tuple(outer[-length:]) == tuple(inner[:length]):
            return (*outer, *inner[length:])
    return (*outer, *inner)


def _body(nodes: Sequence[Any]) -> Mapping[str, tuple[int, str]]:
    """Each operation's position, and the function that it calls; the latter is empty for what is no call."""
    return {node.name: (i, node.attr["f"].func.name if "f" in node.attr else "") for i, node in enumerate(nodes)}


def _call_in(name: str, body: Mapping[str, tuple[int, str]]) -> str | None:
    """The call whose function holds an operation: the longest that its name begins with."""
    levels = name.split("/")
    heads = ("/".join(levels[:end]) for end in range(len(levels) - 1, 0, -1))
    return next((head for head in heads if head in body and body[head][1]), None)
