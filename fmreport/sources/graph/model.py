"""Any saved graph as a `TappableModel`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import tensorflow as tf

from fmreport.config import GraphSection
from fmreport.errors import SourceError
from fmreport.sources import Identity
from fmreport.sources.architecture import mend, summary
from fmreport.sources.graph.flat import FlatGraph
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
        super().__init__(identity, settled([0] * len(fed), fed, section.inputs), (*notes, *_of_batches(graph)))
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
        return listing(found, places, Reading(found, variables), layout, batch=batch, each=self._each)

    def _weights(self) -> Iterable[Weight]:
        return self._graph.weights

    def _place(self, op: Any) -> Place | None:
        scope, _, name = op.name.partition("/")
        return self._graph.place(name) if scope == INSIDE else None


def _of_batches(graph: FlatGraph) -> tuple[str, ...]:
    """A note where normalisations run as in training."""
    nodes = {node.name: node for node in graph.graph.node}
    found, seen = 0, set[str]()
    waiting = [name.split(":")[0] for name in graph.outputs]
    while waiting:
        name = waiting.pop()
        if name in seen or name not in nodes:
            continue
        seen.add(name)
        node = nodes[name]
        read = [each.split(":")[0] for each in node.input if not each.startswith("^")]
        reshaped = bool(read) and read[0] in nodes and nodes[read[0]].op == "Reshape"
        found += node.op in NORMS and node.attr["is_training"].b and not reshaped
        waiting += read
    if not found:
        return ()
    return (f"batch normalisations by the statistics of the batch: {found}; values depend on the images beside",)


def _is_flag(spec: tf.TensorSpec) -> bool:
    """Whether an input says if the model is trained, which it is not."""
    return bool(spec.dtype == tf.bool and spec.shape.rank in (0, None) and re.search(FLAG, spec.name))


def _is_broken(error: Exception) -> bool:
    """Whether a graph cannot be built for any image."""
    return any(words in str(error) for words in BROKEN)
