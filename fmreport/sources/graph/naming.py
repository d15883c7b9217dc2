"""A path for every part of a graph, by which calls of one layer are known."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from fmreport.sources.graph.scopes import Key, Part

Weights = frozenset[str]
"""Operations that stand for variables."""


def paths(found: Sequence[Part], variables: Mapping[int, Iterable[str]]) -> list[str]:
    """A path for each part; `variables` are what each reads, by its position.

    Calls of one layer, which read the same variables, share a path; another one of the same name is told apart by `~2`.
    """
    weights = [frozenset(variables[i]) for i in range(len(found))]
    scopes = {part.within[-1]: own for part, own in zip(found, weights, strict=True) if _is_scope(part)}
    names = _names(found, weights)
    taken: dict[str, Weights] = {}
    known: dict[Key, str] = {}

    def free(outer: str, levels: tuple[str, ...], own: Weights) -> str:
        path = f"{outer}/{names.get(levels, levels[-1])}".removeprefix("/").replace(".", "/")
        name, number = path, 1
        while taken.setdefault(name, own) != own:
            number += 1
            name = f"{path}~{number}"
        return name

    made = []
    for part, own in zip(found, weights, strict=True):
        path = ""
        for scope in part.within:
            if scope not in known:
                known[scope] = free(path, scope[0], scopes.get(scope, frozenset()))
            path = known[scope]
        made.append(path if _is_scope(part) else free(path, part.levels, own))
    return made


def _is_scope(part: Part) -> bool:
    return bool(part.within) and part.within[-1][0] == part.levels


def _names(found: Sequence[Part], weights: Sequence[Weights]) -> dict[tuple[str, ...], str]:
    """Other names for the last of some levels: `conv_1` is called `conv` where both read the same weights.

    TensorFlow gives no name twice in one function, so that each call of a layer has a scope of its own.
    """
    read = {part.levels: own for part, own in zip(found, weights, strict=True)}
    names = {}
    for levels, own in read.items():
        first = (*levels[:-1], re.sub(r"_\d+$", "", levels[-1]))
        if own and first != levels and read.get(first) == own:
            names[levels] = first[-1]
    return names
