"""Layers of a graph by the scopes in its operations' names: which scope is a layer, and which one holds layers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile
from typing import Any

from fmreport.sources.graph.kinds import heavy
from fmreport.sources.graph.places import Place

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
"""A scope: its levels, and which call it was, from 1."""


@dataclass(frozen=True, slots=True)
class Part:
    """A layer, or a scope that holds layers."""

    levels: tuple[str, ...]
    call: int
    operations: tuple[Any, ...]
    """In running order."""
    is_layer: bool


def parts(operations: Sequence[Any], places: Mapping[str, Place], *, each: bool = False) -> list[Part]:
    """Every layer and every scope that holds some; with `each`, every operation too."""
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
    waiting: list[Key] = [((), 1)]
    while waiting:
        scope = waiting.pop()
        inside = children.get(scope, {})
        if scope[0] and _is_layer(scope, children, named) and len(heavy(below[scope])) <= 1:
            found.append(Part(*scope, tuple(below[scope]), is_layer=True))
            continue
        if scope[0]:
            found.append(Part(*scope, tuple(below[scope]), is_layer=False))
        waiting += inside
        found += [_alone(op, scope, places) for op in below[scope] if keys[op.name][-1] == scope]
    if each:
        alone = {part.operations[0].name for part in found if len(part.operations) == 1 and part.is_layer}
        found += [_alone(op, keys[op.name][-1], places) for op in operations if op.name not in alone]
    return found


def _alone(op: Any, scope: Key, places: Mapping[str, Place]) -> Part:
    return Part((*scope[0], places[op.name].levels[-1]), scope[1], (op,), is_layer=True)


def _is_layer(scope: Key, children: Mapping[Key, Iterable[Key]], named: set[tuple[str, ...]]) -> bool:
    """Whether all scopes below are details of one; `named` are the levels of all operations."""
    return all(_is_detail(inner, named) and _is_layer(inner, children, named) for inner in children.get(scope, ()))


def _is_detail(scope: Key, named: set[tuple[str, ...]]) -> bool:
    # TensorFlow's functions give the scope of their details the name of the operation itself.
    return scope[0] in named or re.sub(r"_\d+$", "", scope[0][-1]) in HELPERS


def _keys(operations: Sequence[Any], places: Mapping[str, Place]) -> dict[str, list[Key]]:
    """For each operation the scopes that it stands in, outermost first, the whole model's own left out."""
    common = root(operations, places)
    first: dict[tuple[str, ...], list[Place]] = {}
    keys = {}
    for op in operations:
        place = places[op.name]
        same = first.setdefault(place.levels, [])
        same.append(place)
        levels = place.levels[common:-1]
        shared = _shared(same[0], place) - common if len(same) > 1 else len(levels)
        keys[op.name] = [(levels[:depth], len(same) if depth > shared else 1) for depth in range(len(levels) + 1)]
    return keys


def root(operations: Iterable[Any], places: Mapping[str, Place]) -> int:
    """How many outer levels all operations share: the model's own name."""
    scopes = [places[op.name].levels[:-1] for op in operations]
    common = len(_start(scopes))
    return max(common - 1, 0) if scopes and all(len(scope) == common for scope in scopes) else common


def _start(many: Iterable[Sequence[str]]) -> list[str]:
    """The levels with which all begin."""
    return [levels[0] for levels in takewhile(lambda levels: len(set(levels)) == 1, zip(*many, strict=False))]


def _shared(one: Place, other: Place) -> int:
    """Number of outer levels that stand outside of the calls in which two operations of one name differ."""
    for (call, depth), (another, _) in zip(one.calls, other.calls, strict=False):
        if call != another:
            return depth
    return 0


def renamed(found: Sequence[Part], weights: Mapping[int, Sequence[str]]) -> Iterator[tuple[str, ...]]:
    """Levels of each part as its weights are called (`weights` by the part's position), where these say more.

    A second trace of the same layers numbers their scopes: `conv2d_1` reads the weights of `conv2d`.
    """
    names: dict[tuple[str, ...], str] = {}
    endings, told = set(), 0
    layers = [(i, part) for i, part in enumerate(found) if part.is_layer and weights.get(i)]
    for i, part in layers:
        owners = {tuple(name.split("/")[:-1]) for name in weights[i]}
        owner = _start(owners)
        ended = ""
        for depth in range(1, min(len(owner), len(part.levels)) + 1):
            level, own = part.levels[-depth], owner[-depth]
            numbered = re.fullmatch(f"{re.escape(own)}(_\\d+)", level)
            if numbered:
                names[part.levels[: len(part.levels) - depth + 1]] = own
                ended = numbered[1] if depth == 1 else ended
            elif level != own:
                break
        endings.add(ended)
        told += 1
    # Layers without weights were numbered with the others, if all others were numbered alike.
    ending = endings.pop() if told and len(endings) == 1 else ""
    taken = {part.levels for part in found}
    for part in found:
        last = part.levels[-1]
        if part.is_layer and ending and last.endswith(ending) and part.levels not in names:
            shorter = (*part.levels[:-1], last.removesuffix(ending))
            if shorter not in taken:
                names[part.levels] = shorter[-1]
        yield tuple(names.get(part.levels[: depth + 1], level) for depth, level in enumerate(part.levels))
