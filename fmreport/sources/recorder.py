"""Records what every layer returns while a Keras model is traced into a graph.

`Layer.__call__` of Keras 3 and of tf_keras is wrapped for the time of one call of the model. That works for functional,
sequential, nested and subclassed models and for layers called several times, because nothing is asked of the model
but to run.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

_PATCHING = threading.Lock()


@dataclass(frozen=True, slots=True)
class Call:
    """One call of one layer: what it read and what it returned, as tensors of the traced graph."""

    layer: Any
    holders: tuple[Any, ...]
    """The layers whose call this one is a part of, outermost first, without the model itself."""
    inputs: list[Any]
    outputs: list[Any]
    """Every tensor in the return value; at least one."""
    operations: tuple[str, ...] = ()
    """Names of the operations that the call added to the graph."""


@contextmanager
def recording() -> Iterator[list[Call]]:
    """Fills the list with the calls that end meanwhile, in that order: calls inside a call come before it.

    The first layer called is the model itself, which is left out. So is a call that returns no tensor of the graph that
    is the default one at the start: Keras tries layers in scratch graphs on the way.
    """
    calls: list[Call] = []
    stack: list[Any] = []
    graph, thread = tf.compat.v1.get_default_graph(), threading.get_ident()

    def tensors(value: Any) -> list[Any]:
        flat = tf.nest.flatten(value)
        return [each for each in flat if isinstance(each, tf.Tensor) and getattr(each, "graph", None) is graph]

    def wrapped(original: Callable[..., Any]) -> Callable[..., Any]:
        def __call__(layer: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N807
            # A layer's call runs through that of its base class too, which is the same call.
            if threading.get_ident() != thread or (stack and stack[-1] is layer):
                return original(layer, *args, **kwargs)
            stack.append(layer)
            before = len(graph.get_operations())
            try:
                result = original(layer, *args, **kwargs)
            finally:
                stack.pop()
            if stack and _is_named(layer, holder=stack[-1]) and (outputs := tensors(result)):
                added = tuple(op.name for op in graph.get_operations()[before:])
                calls.append(Call(layer, tuple(stack[1:]), tensors((args, kwargs)), outputs, added))
            return result

        return __call__

    with _PATCHING:
        originals = [(owner, owner.__call__) for owner in _callables()]
        for owner, original in originals:
            owner.__call__ = wrapped(original)
        try:
            yield calls
        finally:
            for owner, original in originals:
                owner.__call__ = original


def _is_named(called: Any, *, holder: Any) -> bool:
    """Whether a call is one that whoever made the model knows of.

    In a functional model an operation such as `keras.ops.add` is a node of its own; inside a layer it is a detail.
    """
    return (
        not isinstance(called, keras.Operation)
        or isinstance(called, keras.layers.Layer)
        or isinstance(holder, keras.Function)
    )


def _callables() -> list[Any]:
    """The classes whose `__call__` every layer's call passes: of Keras 3, and of tf_keras where it is loaded."""
    owners = [keras.Operation, keras.layers.Layer]
    if "tf_keras" in sys.modules:
        owners.append(sys.modules["tf_keras"].layers.Layer)
    return owners
