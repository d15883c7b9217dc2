"""Layers of a graph by the scopes in its operations' names: which scope is a layer, and which one holds layers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from fmreport.sources.graph.live import Live
from fmreport.sources.graph.places import Call, Place, start
from fmreport.sources.graph.whole import is_one

HELPERS = {
    "moments", "weighted_moments", "normalize_moments", "sufficient_statistics", "batchnorm", "l2_normalize",
    "normalize", "dropout", "Tensordot", "einsum", "Repeat", "reduce_std", "reduce_variance", "separable_conv2d",
    "convolution", "depthwise", "resize", "clip_by_value", "zeros_like", "ones_like", "Gelu", "gelu", "swish", "silu",
    "logistic_loss", "split", "stack", "unstack", "concat", "pad", "image",
}  # fmt: skip
"""Scopes that TensorFlow's own functions make inside a layer."""
SCOPE = "Scope"
"""The type of what holds layers."""
Key = tuple[tuple[str, ...], int]
"""A scope: its levels, and which of the scopes of these levels it is, from 1: each call of a function has its own."""
OUTSIDE: Key = ((), 1)
"""What is outside of all scopes."""


@dataclass(frozen=True, slots=True)
class Part:
    """A layer, or a scope that holds layers."""

    levels: tuple[str, ...]
    within: tuple[Key, ...]
    """The scopes that it stands in, outermost first, and itself, if it is one."""
    operations: tuple[Any, ...]
    """In running order."""
    is_layer: bool


def parts(live: Live, places: Mapping[str, Place], *, each: bool = False) -> list[Part]:
    """Every layer and every scope that holds some; with `each`, every operation too."""
    operations = live.operations
    position = {op.name: i for i, op in enumerate(operations)}
    keys = _keys(operations, places)
    below: dict[Key, list[Any]] = {}
    children: dict[Key, dict[Key, None]] = {}
    for op in operations:
        scopes = keys[op.name]
        for outer, inner in pairwise(scopes):
            children.setdefault(outer, {})[inner] = None
        for scope in scopes:
            below.setdefault(scope, []).append(op)
    named = {(*scopes[-1][0], places[name].levels[-1]) for name, scopes in keys.items()}
    found: list[Part] = []
    waiting: list[Key] = [OUTSIDE]
    while waiting:
        scope = waiting.pop()
        inside = children.get(scope, {})
        if scope != OUTSIDE:
            whole = _is_layer(scope, children, named) and is_one(below[scope], live, position)
            scopes = keys[below[scope][0].name]
            found.append(Part(scope[0], _until(scope, scopes), tuple(below[scope]), whole))
            if whole:
                continue
        waiting += inside
        found += [_alone(op, keys, places) for op in below[scope] if keys[op.name][-1] == scope]
    if each:
        alone = {part.operations[0].name for part in found if len(part.operations) == 1 and part.is_layer}
        found += [_alone(op, keys, places) for op in operations if op.name not in alone]
    return found


def _alone(op: Any, keys: Mapping[str, Sequence[Key]], places: Mapping[str, Place]) -> Part:
    scopes = keys[op.name]
    return Part((*scopes[-1][0], places[op.name].levels[-1]), tuple(scopes[1:]), (op,), is_layer=True)


def _until(scope: Key, scopes: Sequence[Key]) -> tuple[Key, ...]:
    return tuple(scopes[1 : scopes.index(scope) + 1])


def _is_layer(scope: Key, children: Mapping[Key, Iterable[Key]], named: set[tuple[str, ...]]) -> bool:
    """Whether all scopes below are details of one; `named` are the levels of all operations."""
    return all(_is_detail(inner, named) and _is_layer(inner, children, named) for inner in children.get(scope, ()))


def _is_detail(scope: Key, named: set[tuple[str, ...]]) -> bool:
    # TensorFlow's functions give the scope of their details the name of the operation itself.
    return scope[0] in named or re.sub(r"_\d+$", "", scope[0][-1]) in HELPERS


def _keys(operations: Sequence[Any], places: Mapping[str, Place]) -> dict[str, list[Key]]:
    """For each operation the scopes that it stands in, outermost first, the whole model's own left out."""
    common = root(operations, places)
    keys: dict[str, list[Key]] = {op.name: [OUTSIDE] for op in operations}
    numbers = Counter[tuple[str, ...]]()
    waiting = [(common + 1, list(keys))]
    while waiting:
        depth, names = waiting.pop()
        inside: dict[tuple[str, ...], list[str]] = {}
        for name in names:
            levels = places[name].levels
            if len(levels) > depth:
                inside.setdefault(levels[:depth], []).append(name)
        for levels, members in inside.items():
            for call in _calls(members, depth, places):
                numbers[levels] += 1
                for name in call:
                    keys[name].append((levels[common:], numbers[levels]))
                waiting.append((depth + 1, call))
    return keys


def _calls(names: Sequence[str], depth: int, places: Mapping[str, Place]) -> list[list[str]]:
    """Operations of one scope, which has `depth` levels, call by call: where a second call begins, names come again."""
    whole = _only_called(names, depth, places)
    chains: dict[tuple[Call, ...], list[str]] = {}
    for name in names:
        chain = tuple(call for call in places[name].calls if call.depth < depth or (whole and call.depth == depth))
        chains.setdefault(chain, []).append(name)
    found: list[list[str]] = []
    seen: set[tuple[str, ...]] = set()
    for members in chains.values():
        own = {places[name].levels for name in members}
        if found and not own & seen:
            found[-1] += members
            seen |= own
        else:
            found.append(members)
            seen = own
    return found


def _only_called(names: Sequence[str], depth: int, places: Mapping[str, Place]) -> bool:
    """Whether a scope holds nothing but calls of one function: such a scope is what is called."""
    callees = {next((call.callee for call in places[name].calls if call.depth == depth), None) for name in names}
    return len(callees) == 1 and None not in callees


def root(operations: Iterable[Any], places: Mapping[str, Place]) -> int:
    """How many outer levels all operations share: the model's own name."""
    scopes = [places[op.name].levels[:-1] for op in operations]
    common = len(start(scopes))
    return max(common - 1, 0) if scopes and all(len(scope) == common for scope in scopes) else common
