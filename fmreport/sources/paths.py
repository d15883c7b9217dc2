"""A path for every layer of a Keras model, the same in every trace of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any


class Paths:
    """Names from below the model down, joined by `/`; a second layer of the same path is told apart by `~2`."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._own = {id(part) for part in _walk(model)}
        self._names: dict[tuple[str, int], str] = {}
        self._taken: set[str] = set()
        self._named: dict[int, tuple[str, Any]] = {}

    def of(self, holders: Sequence[Any], layer: Any) -> str:
        """The path of a layer that is called inside `holders`."""
        parent = self.of(holders[:-1], holders[-1]) if holders else ""
        return self._named_in(parent, layer)

    def others(self) -> Iterator[tuple[str, Any]]:
        """Every layer of the model that `of` was not asked for, with its path."""
        asked = set(self._named)
        for holder, layer in _pairs(self._model):
            parent = self._named[id(holder)][0] if holder is not self._model else ""
            known = id(layer) in self._named
            path = self._named[id(layer)][0] if known else self._named_in(parent, layer)
            if id(layer) not in asked:
                yield path, layer

    def _named_in(self, parent: str, layer: Any) -> str:
        key = (parent, id(layer))
        if key not in self._names:
            path = f"{parent}/{self._level(layer)}".removeprefix("/")
            free, number = path, 1
            while free in self._taken:
                number += 1
                free = f"{path}~{number}"
            self._taken.add(free)
            self._names[key] = free
            # The layer is kept too, so that no other one gets its id.
            self._named.setdefault(id(layer), (free, layer))
        return self._names[key]

    def _level(self, layer: Any) -> str:
        """A layer's name as levels of a path: a dot parts levels, as it does in names of PyTorch modules."""
        name = str(layer.name)
        if id(layer) not in self._own:
            # Made while the model runs, and named after its class by a counter that never goes back.
            counted = re.sub(r"_\d+$", "", name)
            name = counted if counted.replace("_", "") == type(layer).__name__.replace("_", "").lower() else name
        return name.replace(".", "/")


def children(layer: Any) -> list[Any]:
    """Layers directly below a layer, and for a functional model its operations that are no layers."""
    # Of a layer that is no model, neither Keras tells the layers inside by a public name.
    below = list(layer._flatten_layers(include_self=False, recursive=False))
    known = {id(each) for each in below}
    return below + [each for each in getattr(layer, "operations", ()) if id(each) not in known]


def _pairs(model: Any) -> Iterator[tuple[Any, Any]]:
    """(holder, layer) for every layer once, holders first; a layer may know the one that holds it."""
    seen = {id(model)}
    waiting = [model]
    while waiting:
        holder = waiting.pop(0)
        for layer in children(holder) if hasattr(holder, "_flatten_layers") else ():
            if id(layer) not in seen:
                seen.add(id(layer))
                waiting.append(layer)
                yield holder, layer


def _walk(model: Any) -> list[Any]:
    return [layer for _, layer in _pairs(model)]
