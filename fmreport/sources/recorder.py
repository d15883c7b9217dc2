"""Records what every layer returns while a Keras model is traced into a graph.

`Layer.__call__` of Keras 3 and of tf_keras is wrapped for the time of one call of the model. That works for functional,
sequential, nested and subclassed models and for layers called several times, because nothing is asked of the model
but to run.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

_PATCHING = threading.Lock()


@dataclass(slots=True)
class Call:
    """One call of one layer: what it read and what it returned, as tensors of the traced graph."""

    layer: Any
    path: str
    inputs: list[Any]
    outputs: list[Any]
    """Every tensor found in the return value; those of another graph are left out."""
    channels_first: bool


@dataclass(slots=True)
class Recorder:
    """Collects calls in the order in which they end, nested calls before the one that holds them."""

    calls: list[Call] = field(default_factory=list)
    _stack: list[Any] = field(default_factory=list)
    _paths: dict[tuple[str, int], str] = field(default_factory=dict)
    _taken: set[str] = field(default_factory=set)
    _channels_first: dict[int, bool] = field(default_factory=dict)
    _graph: Any = None

    @contextmanager
    def recording(self, inputs: list[Any], *, channels_first: bool) -> Iterator[None]:
        """Records calls into the current graph; `inputs` are the tensors that the model is called with."""
        import tensorflow as tf

        self._graph = tf.compat.v1.get_default_graph()
        self._channels_first = {id(tensor): channels_first for tensor in inputs}
        owners = _callables()
        with _PATCHING:
            originals = [(owner, owner.__call__) for owner in owners]
            for owner, original in originals:
                owner.__call__ = self._wrapped(original)
            try:
                yield
            finally:
                for owner, original in originals:
                    owner.__call__ = original

    def _wrapped(self, original: Callable[..., Any]) -> Callable[..., Any]:
        recorder, thread = self, threading.get_ident()

        def __call__(layer: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N807
            # A layer's call runs through that of its base class too, which is the same call.
            inside = recorder._stack and recorder._stack[-1] is layer
            if inside or threading.get_ident() != thread:
                return original(layer, *args, **kwargs)
            recorder._stack.append(layer)
            try:
                result = original(layer, *args, **kwargs)
            finally:
                recorder._stack.pop()
            if recorder._stack:
                recorder._record(layer, recorder._tensors((args, kwargs)), recorder._tensors(result))
            return result

        return __call__

    def _record(self, layer: Any, inputs: list[Any], outputs: list[Any]) -> None:
        channels_first = _own_layout(layer)
        if channels_first is None:
            channels_first = any(self._channels_first.get(id(tensor), False) for tensor in inputs)
        for tensor in outputs:
            self._channels_first.setdefault(id(tensor), channels_first)
        self.calls.append(Call(layer, self._path(layer), inputs, outputs, channels_first))

    def _path(self, layer: Any) -> str:
        """Names from below the model down; a second layer of the same path is told apart by `~2`."""
        # The stack holds the model itself first, which is left out.
        path = "/".join(level(part) for part in [*self._stack[1:], layer])
        key = (path, id(layer))
        if key not in self._paths:
            free, number = path, 1
            while free in self._taken:
                number += 1
                free = f"{path}~{number}"
            self._taken.add(free)
            self._paths[key] = free
        return self._paths[key]

    def _tensors(self, value: Any) -> list[Any]:
        """The graph's own tensors in a nested value; Keras builds scratch graphs on the way, whose tensors are no use."""
        import tensorflow as tf

        flat = tf.nest.flatten(value, expand_composites=False)
        return [t for t in flat if isinstance(t, tf.Tensor) and getattr(t, "graph", None) is self._graph]


def level(layer: Any) -> str:
    """A layer's name as levels of a path: a dot parts levels, as it does in names of PyTorch modules."""
    return str(layer.name).replace(".", "/")


def _own_layout(layer: Any) -> bool | None:
    """Whether a layer says that channels come first; None where it says nothing."""
    layout = getattr(layer, "data_format", None)
    if layout in ("channels_first", "channels_last"):
        return bool(layout == "channels_first")
    return False if type(layer).__name__ in ("Reshape", "Permute", "Flatten") else None


def _callables() -> list[Any]:
    """The classes whose `__call__` every layer's call passes: of Keras 3, and of tf_keras where it is loaded."""
    import sys

    import keras

    owners = [keras.Operation, keras.layers.Layer]
    if "tf_keras" in sys.modules:
        owners.append(sys.modules["tf_keras"].layers.Layer)
    return owners
