"""The one place that reaches into TensorFlow's private modules: a function's graph without calls of other functions.

TensorFlow inlines functions whenever it runs a graph, but offers that to nobody. Where the entry point is gone, the
public way to an inlined graph is taken, which copies the weights into it and cannot hold more than 2 GB.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from tensorflow.python.eager import context
from tensorflow.python.framework import convert_to_constants, function_def_to_graph
from tensorflow.python.ops import handle_data_util


def inlined(function: Any) -> tuple[Any, bool]:
    """The `GraphDef` of a `ConcreteFunction` in which calls are replaced by what they call, and whether it is frozen.

    Frozen is a graph whose variables became constants. Loops, branches and calls that are compiled stay calls.
    """
    # Tables were filled when the model was loaded; the operations that did it are in no function.
    function.graph.clear_collection(tf.compat.v1.GraphKeys.TABLE_INITIALIZERS)
    inline = inliner()
    if inline is not None:
        return inline(function, lower_control_flow=False, aggressive_inlining=True), False
    constant = convert_to_constants.convert_variables_to_constants_v2(
        function, lower_control_flow=False, aggressive_inlining=True
    )
    return constant.graph.as_graph_def(), True


def inliner() -> Any:
    """TensorFlow's own function for it; None where this TensorFlow has none."""
    return getattr(convert_to_constants, "_run_inline_graph_optimization", None)


def captures(function: Any) -> dict[str, Any]:
    """What a `ConcreteFunction` holds from outside, by the name of the operation that stands for it inside."""
    return {inside.op.name: outside for outside, inside in function.graph.captures}


def capture(tensor: Any) -> Any:
    """A tensor from outside, inside the graph that is being traced."""
    graph = tf.compat.v1.get_default_graph()
    return graph.capture(tensor)


def register(graph: Any) -> None:
    """Makes the functions of a `GraphDef` known to whatever runs it; those of a SavedModel are since it was loaded."""
    known = context.context()
    for function in graph.library.function if hasattr(known, "add_function_def") else ():
        known.add_function_def(function)


@dataclass(frozen=True, slots=True)
class Body:
    """What a call runs, as a graph of its own whose shapes are those of the call."""

    operations: Sequence[Any]
    """Those of the function; its arguments are not among them."""
    inputs: Sequence[Any]
    """What stands for each input of the call."""
    outputs: Sequence[Any]


def body(call: Any) -> Body | None:
    """The function that an operation calls; None where this TensorFlow does not hand it out."""
    look_up = getattr(call.graph, "_get_function", None)
    function = look_up(call.get_attr("f").name) if look_up else None
    definition = getattr(function, "cached_definition", None)
    if definition is None:
        return None
    arguments = [argument.name for argument in definition.signature.input_arg]
    with call.graph.as_default():
        graph_def, flat = function_def_to_graph.function_def_to_graph_def(definition, include_library_functions=True)
    given = dict(zip(arguments, call.inputs, strict=True))
    for node in graph_def.node:
        node.attr.pop("_output_shapes", None)  # of any batch; here there is one
        if node.name in given:
            node.attr["shape"].shape.CopyFrom(given[node.name].shape.as_proto())
    with tf.Graph().as_default() as graph:
        variables = {f"{name}:0": _variable(each) for name, each in given.items()}
        tf.graph_util.import_graph_def(graph_def, {k: v for k, v in variables.items() if v is not None}, name="")
    named = [graph.get_tensor_by_name(f"{name}:0") for name in arguments]
    stands = {tensor.op.name for tensor in (*named, *variables.values()) if tensor is not None}
    returned = [graph.get_tensor_by_name(flat[definition.ret[each.name]]) for each in definition.signature.output_arg]
    return Body([op for op in graph.get_operations() if op.name not in stands], named, returned)


def _variable(handle: Any) -> Any:
    """A handle of a variable of the same shape, in the graph that is the default one; None for what is no handle."""
    held = handle_data_util.get_handle_data(handle) if handle.dtype == tf.resource else None
    if held is None or not held.is_set or len(held.shape_and_type) != 1:
        return None
    return tf.raw_ops.VarHandleOp(dtype=held.shape_and_type[0].dtype, shape=held.shape_and_type[0].shape)
