"""Any saved graph as a `TappableModel`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import tensorflow as tf

from fmreport.config import GraphSection
from fmreport.errors import SourceError
from fmreport.sources import Identity
from fmreport.sources.architecture import mend, summary
from fmreport.sources.graph.flat import FlatGraph, draws
from fmreport.sources.graph.frames import LOOPS
from fmreport.sources.graph.inlining import capture
from fmreport.sources.graph.kinds import NORMS
from fmreport.sources.graph.listing import Reading, listing
from fmreport.sources.graph.live import live
from fmreport.sources.graph.places import Place
from fmreport.sources.inputs import settled
from fmreport.sources.layout import Layout
from fmreport.sources.listing import Listing
from fmreport.sources.randomised import Weight
from fmreport.sources.traced import TracedModel

FLAG = r"(^|[_/])(is_)?(training|train|learning_phase)($|[_/:])"
"""Names of inputs that say if the model is trained."""
BROKEN = (
    "not registered", "return output", "to a tensor name", "was not found in the graph", "cycle", "does not exist",
    "Unknown input node", "return_element", "invalid characters",
)  # fmt: skip
"""What TensorFlow says of a graph that cannot be built for any image."""
INSIDE = "model"
"""The scope into which a graph is imported."""
UNORDERED = MappingProxyType({"_disable_acd": True})
"""Tells TensorFlow not to let a function wait for all operations: it cannot wait for what is inside a loop of old."""


class GraphModel(TracedModel):
    """A flat graph that is imported wherever it is traced."""

    def __init__(self, graph: FlatGraph, identity: Identity, section: GraphSection, notes: tuple[str, ...]) -> None:
        """`identity` is completed by what the graph tells."""
        self._flags = {spec.name for spec in graph.inputs if _is_flag(spec) and spec.name not in section.inputs}
        fed = [spec for spec in graph.inputs if spec.name not in self._flags]
        parameters = sum(variable.size for variable in graph.variables.values())
        identity = replace(identity, framework=f"tensorflow {tf.__version__}", parameters=parameters)
        super().__init__(identity, settled([0] * len(fed), fed, section.inputs), (*notes, *_told(graph)))
        self._graph, self._each = graph, section.ops
        if any(node.op in LOOPS for node in graph.graph.node):
            self.attributes = UNORDERED

    def _call(self, inputs: list[Any], layout: Layout, batch: int) -> Listing:
        graph = self._graph
        fed = iter(inputs)
        given = {spec.name: tf.zeros((), tf.bool) if spec.name in self._flags else next(fed) for spec in graph.inputs}
        held = {name: capture(outside) for name, outside in graph.captures.items()}
        present = {node.name for node in graph.graph.node}
        replaced = {f"{name}:0": tensor for name, tensor in (given | held).items() if name in present}
        try:
            outputs = tf.graph_util.import_graph_def(
                graph.graph, input_map=replaced, return_elements=list(graph.outputs), name=INSIDE
            )
        except (ValueError, tf.errors.OpError) as error:
            if not _is_broken(error):
                raise
            raise SourceError(
                f"the graph cannot be built: {summary(error)}",
                fix=mend(error, "check model.outputs, and that the file is as it was written"),
            ) from error
        found = live(inputs, outputs, self._place)
        if not found.operations:
            raise SourceError(
                f"nothing lies between the image and what the model returns ({', '.join(graph.outputs)})",
                fix="name another function under model.signature, other model.outputs, or another input under "
                "model.inputs",
            )
        places = {op.name: place for op in (*found.operations, *found.idle) if (place := self._place(op))}
        variables = {
            held[name].op.name if name in held else f"{INSIDE}/{name}": variable
            for name, variable in graph.variables.items()
        }
        return listing(
            found,
            places,
            Reading((op.name for op in (*found.operations, *found.idle)), variables),
            layout,
            batch=batch,
            each=self._each,
        )

    def _weights(self) -> Iterable[Weight]:
        return self._graph.weights

    def _place(self, op: Any) -> Place | None:
        scope, _, name = op.name.partition("/")
        return self._graph.place(name) if scope == INSIDE else None


def _told(graph: FlatGraph) -> Iterator[str]:
    """A note where normalisations run as in training, and one where random numbers are drawn."""
    reached = _reached(graph)
    trained = sum(_is_trained(node, reached) for node in reached.values())
    if trained:
        yield f"batch normalisations by the statistics of the batch: {trained}; values depend on the images beside"
    drawing = sum(map(draws, reached.values()))
    if drawing:
        yield f"operations that draw random numbers: {drawing}; values depend on the images before and beside"


def _reached(graph: FlatGraph) -> dict[str, Any]:
    """The nodes that the outputs need, by name."""
    nodes = {node.name: node for node in graph.graph.node}
    reached: dict[str, Any] = {}
    waiting = [_operation(name) for name in graph.outputs]
    while waiting:
        name = waiting.pop()
        if name in nodes and name not in reached:
            reached[name] = nodes[name]
            waiting += _read(nodes[name])
    return reached


def _is_trained(node: Any, nodes: Mapping[str, Any]) -> bool:
    if node.op not in NORMS or not node.attr["is_training"].b:
        return False
    first = next(iter(_read(node)), "")
    # A group normalisation is written as one of a single image that was reshaped.
    return first not in nodes or nodes[first].op != "Reshape"


def _read(node: Any) -> list[str]:
    """The operations whose results a node takes."""
    return [_operation(each) for each in node.input if not each.startswith("^")]


def _operation(tensor: str) -> str:
    return tensor.partition(":")[0]


def _is_flag(spec: tf.TensorSpec) -> bool:
    """Whether an input says if the model is trained, which it is not."""
    return bool(spec.dtype == tf.bool and spec.shape.rank in (0, None) and re.search(FLAG, spec.name))


def _is_broken(error: Exception) -> bool:
    """Whether a graph cannot be built for any image."""
    return any(words in str(error) for words in BROKEN)
