"""Where each operation of an inlined graph came from: its place in the order of the model, and a name a person reads.

Inlining puts a function's operations behind the name of the call, and sorts all operations anew. Both are taken back
here, with the help of the functions as they were before.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from fmreport.sources.graph.reopened import asked

UNNAMED = ("Const", "Identity", "NoOp", "Placeholder")
"""Operations that a function makes around what was written, outside of all scopes."""
Callee = tuple[str, tuple[str, ...]]
"""A function without the number of its trace, and the variables that it is given."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call that an operation was inside."""

    name: str
    depth: int
    """Number of levels outside of it."""
    callee: Callee


@dataclass(frozen=True, slots=True)
class Place:
    """One operation."""

    order: tuple[int, ...]
    """Positions of the calls that it was inside, outermost first, and its own in the innermost function."""
    levels: tuple[str, ...]
    """Scopes from the outermost in, then the operation; calls are left out, and scopes that a call repeats."""
    calls: tuple[Call, ...]
    """The calls that it was inside, outermost first."""


class Places:
    """Places of the operations that inlining made of a graph with calls."""

    def __init__(self, graph: Any, *, reopened: bool = False) -> None:
        """`graph` is the `GraphDef` before inlining; `reopened`: its scopes are those of layers of Keras 3."""
        takes = {f.signature.name: [arg.type for arg in f.signature.input_arg] for f in graph.library.function}
        self._top = _Body(graph.node, takes, reopened=reopened)
        self._functions = {
            f.signature.name: _Body(f.node_def, takes, reopened=reopened) for f in graph.library.function
        }

    def of(self, name: str) -> Place | None:
        """The place of an operation; None for what inlining added."""
        order: list[int] = []
        levels: tuple[str, ...] = ()
        calls: list[Call] = []
        body, left = self._top, name
        while left not in body.positions:
            call = body.call_of(left)
            if call is None or body.functions[call] not in self._functions:
                return None
            order.append(body.positions[call])
            levels = body.below(levels, call, calls)[:-1]
            calls.append(Call(call, len(levels), body.callee(call)))
            body, left = self._functions[body.functions[call]], left[len(call) + 1 :]
        levels = body.below(levels, left, calls)
        return Place((*order, body.positions[left]), levels, tuple(calls))


class _Body:
    """Operations of one function."""

    def __init__(self, nodes: Sequence[Any], takes: Mapping[str, Sequence[int]], *, reopened: bool) -> None:
        """`takes` are the types of what each function is given."""
        self.positions = {node.name: i for i, node in enumerate(nodes)}
        self.functions = {node.name: node.attr["f"].func.name for node in nodes if "f" in node.attr}
        self._given = {node.name: _resources(node, takes) for node in nodes if node.name in self.functions}
        self._asked = asked(self.positions) if reopened else {}
        scopes = [node.name.split("/")[:-1] for node in nodes if "/" in node.name or node.op not in UNNAMED]
        self._start = start(scopes)

    def call_of(self, name: str) -> str | None:
        """The call whose function holds an operation: the longest that its name begins with."""
        levels = name.split("/")
        heads = ("/".join(levels[:end]) for end in range(len(levels) - 1, 0, -1))
        return next((head for head in heads if head in self.functions), None)

    def callee(self, call: str) -> Callee:
        """What a call calls."""
        return re.sub(r"_\d+$", "", self.functions[call]), self._given[call]

    def below(self, outer: tuple[str, ...], name: str, calls: list[Call]) -> tuple[str, ...]:
        """Levels of an operation, of which `outer` are outside; each scope of a layer of Keras 3 is added to `calls`.

        Scopes that the whole function repeats are left out.
        """
        own = name.split("/")
        repeated = _repeated(outer, self._start)
        levels = list(outer)
        for end in range(repeated + 1, len(own) + 1):
            scope = "/".join(own[:end])
            if scope in self._asked and end < len(own):
                calls.append(Call(scope, len(levels), (scope, ())))
                levels.append(self._asked[scope])
            else:
                levels.append(own[end - 1])
        return tuple(levels)


def start(many: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """The levels with which all begin."""
    return tuple(levels[0] for levels in takewhile(lambda levels: len(set(levels)) == 1, zip(*many, strict=False)))


def _repeated(outer: Sequence[str], inner: Sequence[str]) -> int:
    """With how many of its last levels `inner` begins."""
    lengths = range(min(len(outer), len(inner)), 0, -1)
    return next((length for length in lengths if tuple(outer[-length:]) == tuple(inner[:length])), 0)


def _resources(node: Any, takes: Mapping[str, Sequence[int]]) -> tuple[str, ...]:
    """What a call is given that is no tensor: the variables of the function."""
    from tensorflow.core.framework.types_pb2 import DT_RESOURCE

    given = zip(node.input, takes.get(node.attr["f"].func.name, ()), strict=False)
    return tuple(name for name, kind in given if kind == DT_RESOURCE)
