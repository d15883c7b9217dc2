"""A saved model as one graph without calls: what goes in, what comes out, and which variables it reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from fmreport.sources.graph.inlining import captures, inlined, register
from fmreport.sources.graph.places import Place, Places
from fmreport.sources.graph.weights import STATE, RefVariable, of_constants, of_state, thawed
from fmreport.sources.listing import Variable
from fmreport.sources.randomised import Weight


@dataclass(frozen=True, slots=True)
class FlatGraph:
    """One graph; operations are named as in `graph`."""

    graph: Any
    """`GraphDef` without static shapes and devices, so that it fits any size of input on any machine."""
    inputs: tuple[tf.TensorSpec, ...]
    """Each named after its operation."""
    outputs: tuple[str, ...]
    """Names of tensors."""
    captures: Mapping[str, Any]
    """Tensors from outside, by the operation that stands for each."""
    variables: Mapping[str, Variable]
    """By the operation that stands for each."""
    weights: Sequence[Weight]
    """What holds the numbers of the variables."""
    place: Callable[[str], Place | None]
    """Where an operation comes from, by its name."""
    keep: Any = None
    """What must live as long as this: what was loaded takes its variables with it."""


def of_function(function: Any, owner: Any) -> FlatGraph:
    """The graph of a `ConcreteFunction`, and what holds its variables."""
    graph, frozen = inlined(function)
    held = {} if frozen else captures(function)
    objects = {} if frozen else _objects(function, held)
    variables = {} if frozen else _variables(objects) | of_state(graph)
    own = [tensor for tensor in function.inputs if tensor.op.name not in captures(function)]
    specs = tuple(tf.TensorSpec(tensor.shape, tensor.dtype, tensor.op.name) for tensor in own)
    outputs = tuple(tensor.name for tensor in function.outputs)
    place = _places(function.graph.as_graph_def(), graph, variables).of
    bare = _bare(graph)
    weights = (*objects.values(), *(RefVariable(node) for node in bare.node if node.op in STATE))
    # Whoever saves a model without variables saves its weights as constants.
    if not variables:
        variables = of_constants(graph, held)
        held, weights = thawed(bare, variables, held)
    return FlatGraph(bare, specs, outputs, held, variables, weights, place, (owner, function))


def of_frozen(graph: Any, inputs: tuple[tf.TensorSpec, ...], outputs: tuple[str, ...]) -> FlatGraph:
    """A graph whose weights are constants."""
    register(graph)
    bare, variables = _bare(graph), of_constants(graph, {})
    held, weights = thawed(bare, variables, {})
    return FlatGraph(bare, inputs, outputs, held, variables, weights, Places(graph).of)


def draws(node: Any) -> bool:
    """Whether an operation draws random numbers from a generator of its own."""
    return {"seed", "seed2"} <= set(node.attr)


def _places(before: Any, graph: Any, variables: Mapping[str, Variable]) -> Places:
    """Places in `graph`, which was `before` it was inlined; whether Keras 3 named the scopes, the variables tell."""
    scopes, layers = Places(before), Places(before, reopened=True)
    of_layers = of_scopes = 0
    for reader, variable in _readers(graph, variables):
        scope, layer = scopes.of(reader), layers.of(reader)
        owner = variable.name.split("/")[-2:-1]
        if scope and layer and owner and (owner[0] in scope.levels) != (owner[0] in layer.levels):
            of_layers += owner[0] in layer.levels
            of_scopes += owner[0] in scope.levels
    return layers if of_layers > of_scopes else scopes


def _readers(graph: Any, variables: Mapping[str, Variable]) -> Iterator[tuple[str, Variable]]:
    """Operations that read variables, in a graph in which others hand these on."""
    handed = {node.name: node.input[0].split(":")[0] for node in graph.node if node.op == "Identity"}
    for node in graph.node:
        for name in () if node.op == "Identity" else node.input:
            origin = name.split(":")[0]
            while origin in handed:
                origin = handed[origin]
            if origin in variables:
                yield node.name, variables[origin]


def _objects(function: Any, held: Mapping[str, Any]) -> dict[str, Any]:
    """Variables of TensorFlow 2, by the operation that stands for each."""
    by_handle = {id(variable.handle): variable for variable in function.variables if hasattr(variable, "handle")}
    return {name: by_handle[id(outside)] for name, outside in held.items() if id(outside) in by_handle}


def _variables(objects: Mapping[str, Any]) -> dict[str, Variable]:
    return {
        name: Variable(v.name.split(":")[0], int(v.shape.num_elements() or 0), bool(v.trainable))
        for name, v in objects.items()
    }


def _bare(graph: Any) -> Any:
    bare = type(graph)()
    bare.CopyFrom(graph)
    for place, node in enumerate(bare.node):
        # What draws without a seed of its own gets the config's, and its place: deterministic kernels ask for one.
        if draws(node) and not (node.attr["seed"].i or node.attr["seed2"].i):
            node.attr["seed"].i, node.attr["seed2"].i = tf.compat.v1.get_seed(place)
        node.device = ""
        node.attr.pop("_output_shapes", None)
        # Gradients that functions brought along belong to graphs that are gone; what is computed has its own.
        node.attr.pop("_gradient_op_type", None)
        if node.op in STATE and not node.attr["shared_name"].s:
            node.attr["shared_name"].s = node.name.encode()
    return bare
