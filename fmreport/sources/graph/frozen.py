"""Frozen graphs: a `.pb` file in which the weights are constants."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from fmreport.errors import SourceError, nearest
from fmreport.sources.architecture import COPY_AGAIN, summary
from fmreport.sources.graph.flat import FlatGraph, of_frozen
from fmreport.sources.graph.weights import STATE

ENDLESS = ("Const", "NoOp", "Assert")
"""Operations that nobody reads though they are no result."""


def frozen(path: Path, outputs: Sequence[str], setting: str) -> FlatGraph:
    """The graph of a file, which ends in the operations `outputs`, or in all that nobody reads.

    `setting` names the file in messages, with where it is written.
    """
    graph = tf.compat.v1.GraphDef()
    try:
        graph.ParseFromString(path.read_bytes())
    except Exception as error:
        raise SourceError(
            f"{setting} is no frozen graph: {summary(error)}", fix="copy it again from its origin"
        ) from error
    if not graph.node:
        raise SourceError(f"{setting} is no frozen graph: it holds no operation", fix=COPY_AGAIN)
    if stateful := sorted({node.op for node in graph.node if node.op in (*STATE, "VarHandleOp")}):
        raise SourceError(
            f"{setting} is not frozen: it holds {', '.join(stateful)}, whose values are not in it",
            fix="freeze it, or give the SavedModel folder",
        )
    if formless := [node.name for node in graph.node if node.op == "Placeholder" and not node.attr["dtype"].type]:
        raise SourceError(f"{setting} is damaged: its input {formless[0]} has no number format", fix=COPY_AGAIN)
    inputs = tuple(_spec(node) for node in graph.node if node.op == "Placeholder")
    if not inputs:
        raise SourceError(
            f"{setting} has no input: no operation is a Placeholder", fix="freeze it again with its inputs"
        )
    return of_frozen(graph, inputs, _ends(graph, outputs, setting))


def _ends(graph: Any, wanted: Sequence[str], setting: str) -> tuple[str, ...]:
    """Names of the tensors in which a frozen graph ends."""
    names = {node.name for node in graph.node}
    read = {name.lstrip("^").split(":")[0] for node in graph.node for name in node.input}
    ends = [node.name for node in graph.node if node.name not in read and node.op not in ENDLESS]
    chosen = [name.split(":")[0] for name in wanted] or ends
    if unknown := [name for name in chosen if name not in names]:
        raise SourceError(
            f"{setting}: model.outputs: the graph has no operation {unknown[0]}", fix=nearest(unknown[0], ends)
        )
    return tuple(name if ":" in name else f"{name}:0" for name in (wanted or ends))


def _spec(node: Any) -> tf.TensorSpec:
    shape = tf.TensorShape(node.attr["shape"].shape) if "shape" in node.attr else tf.TensorShape(None)
    return tf.TensorSpec(shape, tf.as_dtype(node.attr["dtype"].type), node.name)
