"""What holds the weights of a saved graph, so that they can be read and changed between two runs of it.

Variables of TensorFlow 2 are objects. Those of TensorFlow 1 are operations, whose values are found by a name. Weights
that are constants become variables here, which costs no accuracy: TensorFlow merely cannot compute in advance any more
what follows from them alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

import tensorflow as tf

from fmreport.sources.graph.frames import LOOPS
from fmreport.sources.listing import Variable
from fmreport.sources.randomised import Weight, alike

STATE = ("VariableV2", "Variable")
"""Variables of TensorFlow 1 that are operations of the graph; their values are found by name."""


class RefVariable:
    """A variable of TensorFlow 1."""

    def __init__(self, node: Any) -> None:
        """`node` is its operation, which says the name."""
        self.dtype = tf.as_dtype(node.attr["dtype"].type)
        self._attributes = {
            "dtype": self.dtype,
            "shape": tf.TensorShape(node.attr["shape"].shape),
            "container": node.attr["container"].s,
            "shared_name": node.attr["shared_name"].s,
        }

    def numpy(self) -> Any:
        """A copy of the numbers."""
        return self._read().numpy()

    def assign(self, value: Any) -> None:
        """Puts others in their place."""
        self._write(tf.constant(value, self.dtype))

    @cached_property
    def _read(self) -> Any:
        return tf.compat.v1.wrap_function(lambda: tf.identity(self._variable()), ())

    @cached_property
    def _write(self) -> Any:
        def write(value: Any) -> Any:
            return tf.identity(tf.raw_ops.Assign(ref=self._variable(), value=value))

        return tf.compat.v1.wrap_function(write, (tf.TensorSpec(self._attributes["shape"], self.dtype),))

    def _variable(self) -> Any:
        return tf.raw_ops.VariableV2(**self._attributes)


def of_state(graph: Any) -> dict[str, Variable]:
    """Variables of TensorFlow 1, by their operations."""
    return {
        node.name: Variable(node.name, _size(node.attr["shape"].shape), trainable=True)
        for node in graph.node
        if node.op in STATE
    }


def of_constants(graph: Any, held: Mapping[str, Any]) -> dict[str, Variable]:
    """Constants of more than one floating-point number, which is what weights become when a graph is frozen.

    `held` are tensors from outside, by the operation that stands for each; a constant may be one of them.
    """
    sizes = {}
    for node in graph.node:
        tensor = node.attr["value"].tensor if node.op == "Const" else None
        if tensor is not None and tf.as_dtype(tensor.dtype).is_floating:
            sizes[node.name] = _size(tensor.tensor_shape)
        elif node.name in held and held[node.name].dtype.is_floating:
            sizes[node.name] = int(held[node.name].shape.num_elements())
    return {name: Variable(name, size, trainable=False) for name, size in sizes.items() if size > 1}


def thawed(graph: Any, names: Iterable[str], held: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[Weight, ...]]:
    """Makes variables of the constants of these names in the graph: `held` as it is then, and the variables.

    The operation that was a constant reads the variable from then on. One whose entries are all equal stays, because
    layers are told by constants such as zero; and so does one inside a loop of old, into which no variable leads.
    """
    nodes, loops = {node.name: node for node in graph.node}, any(node.op in LOOPS for node in graph.node)
    outside, weights = dict(held), list[Weight]()
    for name in names:
        node = nodes[name]
        if loops and node.input:
            continue
        values = outside[name].numpy() if name in outside else tf.make_ndarray(node.attr["value"].tensor)
        if alike(values):
            continue
        weight = tf.Variable(values, trainable=False)
        handle = f"{name}/variable"
        while handle in nodes:
            handle += "_"
        stands = graph.node.add(name=handle, op="Placeholder")
        stands.attr["dtype"].type = tf.resource.as_datatype_enum
        node.op = "ReadVariableOp"
        node.input.insert(0, handle)
        node.attr.clear()
        node.attr["dtype"].type = weight.dtype.as_datatype_enum
        outside.pop(name, None)
        outside[handle] = weight.handle
        weights.append(weight)
    return outside, tuple(weights)


def _size(shape: Any) -> int:
    return math.prod(side.size for side in shape.dim)
