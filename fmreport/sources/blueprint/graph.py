"""The graph of a blueprint while it is drawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import tensorflow as tf

from fmreport.sources.facts.operation import STANDS_FOR
from fmreport.sources.listing import Variable

SCALAR = 1
"""Weights of so many numbers are constants: they are thresholds and scales, by which layers are told."""
WEIGHTS = "weights"
"""What stands for everything that is made of weights alone."""
HELD = ("Placeholder", "Const")
"""Operations that hold numbers, and do nothing."""


class Undrawn(Exception):  # noqa: N818
    """There is no way here to draw an operation as it is used."""


class Blueprint:
    """Draws into the TensorFlow graph that is the default one."""

    def __init__(self) -> None:
        self.variables: dict[str, Variable] = {}
        """The model's own weights by the operation that stands for each."""

    def weight(self, name: str, shape: Sequence[int], dtype: Any, *, trainable: bool = True) -> Any:
        """A tensor for one of the model's weights, asked for once."""
        tensor = tf.compat.v1.placeholder(dtype, shape, name="weight")
        self.variables[tensor.op.name] = Variable(name, int(np.prod(shape, dtype=np.int64)), trainable)
        return tensor

    def constant(self, value: Any) -> Any:
        """A tensor of numbers that are no weights: known where they are few, or whole."""
        array = np.asarray(value)
        few = array.size <= SCALAR or array.dtype.kind not in "fV"
        return tf.constant(array) if few else self.held(array.shape, array.dtype)

    def derived(self, weights: Sequence[Any], shape: Sequence[int] | None, dtype: Any) -> Any:
        """A tensor that is made of weights alone, whatever is done to them; a shape of None is that of no tensor."""
        if shape is None:
            return self.opaque(WEIGHTS, weights, [(shape, dtype)])[0]
        total = tf.add_n([tf.reduce_sum(tf.cast(each, tf.float32)) for each in weights])
        made = tf.broadcast_to(tf.cast(total, dtype), list(shape))
        made.op._set_attr(STANDS_FOR, tf.compat.v1.AttrValue(s=WEIGHTS.encode()))
        return made

    def held(self, shape: Sequence[int] | None, dtype: Any) -> Any:
        """A tensor of many numbers that are no weights."""
        return tf.compat.v1.placeholder(dtype or tf.variant, shape, name="constant")

    def opaque(self, kind: str, inputs: Sequence[Any], like: Sequence[tuple[Sequence[int] | None, Any]]) -> list[Any]:
        """Tensors of shapes and dtypes `like` that an operation of the framework makes, of which no more is known.

        Both are None for what is no tensor, such as a list of them.
        """
        dtypes = [tf.variant if dtype is None else tf.as_dtype(dtype) for _, dtype in like]
        made = tf.numpy_function(_never, list(inputs), dtypes, stateful=False, name="opaque")
        outputs = [made] if not isinstance(made, list | tuple) else list(made)
        for tensor, (shape, _) in zip(outputs, like, strict=True):
            tensor.set_shape(shape)
            tensor.op._set_attr(STANDS_FOR, tf.compat.v1.AttrValue(s=kind.encode()))
        return outputs

    @contextmanager
    def step(self) -> Iterator[list[Any]]:
        """Inside the context operations are drawn, which the list that it gives holds afterwards."""
        graph, found = tf.compat.v1.get_default_graph(), list[Any]()
        before = len(graph.get_operations())
        yield found
        found += graph.get_operations()[before:]


def _never(*_: Any) -> Any:
    raise AssertionError("a blueprint is not run")
