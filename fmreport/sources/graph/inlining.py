"""The one place that reaches into TensorFlow's private modules: a function's graph without calls of other functions.

TensorFlow inlines functions whenever it runs a graph, but offers that to nobody. Where the entry point is gone, the
public way to an inlined graph is taken, which copies the weights into it and cannot hold more than 2 GB.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tensorflow.python.eager import context
from tensorflow.python.framework import convert_to_constants


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


def held(call: Any) -> list[str]:
    """Types of the operations that a call holds which was not inlined; none where this TensorFlow does not tell."""
    look_up = getattr(call.graph, "_get_function", None)
    function = look_up(call.get_attr("f").name) if look_up else None
    definition = getattr(function, "cached_definition", None)
    return [node.op for node in definition.node_def] if definition else []
