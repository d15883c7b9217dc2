"""Which operations of a saved graph lead to which, through inputs and through functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from fmreport.sources.graph.written import Function, Node, base


def calls(node: Node, functions: Mapping[str, Function]) -> frozenset[str]:
    """The functions of the library that an operation may run; old graphs name one as if it were an operation."""
    return (node.calls | {node.op}) & functions.keys()


def callers(holding: Iterable[str], functions: Mapping[str, Function]) -> set[str]:
    """Names of functions that run one of these, and these themselves."""
    above: dict[str, set[str]] = {}
    for function in functions.values():
        for called in (name for node in function.nodes for name in calls(node, functions)):
            above.setdefault(called, set()).add(function.name)
    return _closure(holding, lambda name: above.get(name, ()))


def readers(nodes: Iterable[Node], first: Iterable[str]) -> set[str]:
    """Names of operations that read what these give, however late, and of these themselves."""
    after: dict[str, set[str]] = {}
    for node in nodes:
        for name in node.inputs:
            after.setdefault(base(name), set()).add(node.name)
    return _closure(first, lambda name: after.get(name, ()))


def sources(nodes: Iterable[Node], last: Iterable[str]) -> set[str]:
    """Names of operations that run before these, and of these themselves."""
    before = {node.name: [base(name) for name in node.inputs] for node in nodes}
    return _closure(last, lambda name: before.get(name, ()))


def _closure(first: Iterable[str], step: Callable[[str], Iterable[str]]) -> set[str]:
    waiting, found = list(first), set[str]()
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += step(name)
    return found
