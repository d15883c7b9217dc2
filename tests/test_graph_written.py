"""What is read of a saved graph is what TensorFlow reads, in whatever way it is written."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from bit_exports import EXPORTS
from bit_reference import SMALL, weights
from hostile_graphs import v1
from tensorflow.core.protobuf import saved_model_pb2

from fmreport.sources.graph.written import graph_of, meta_graphs


def hidden(name: bytes) -> list[bytes]:
    """A graph of one operation, written in ways that TensorFlow reads all the same."""
    node = b"\x0a\x01n\x12" + bytes([len(name)]) + name
    longer = b"\x0a\x01n\x12" + bytes([len(name) | 0x80, 0x80, 0]) + name
    twice = b"\x0a\x01n\x12\x04NoOp\x12" + bytes([len(name)]) + name
    unknown = b"\x2a\x00\x9a\x06\x00" + node
    return [b"\x0a" + bytes([len(each)]) + each for each in (node, longer, twice, unknown)]


@pytest.mark.parametrize("data", hidden(b"ReadFile"))
def test_no_way_of_writing_hides_an_operation(data: bytes) -> None:
    assert [node.op for node in v1.GraphDef.FromString(data).node] == ["ReadFile"]
    assert [node.op for node in graph_of(data, [(0, len(data))]).nodes] == ["ReadFile"]


def test_a_key_of_which_tensorflow_drops_a_part_is_no_way_either() -> None:
    data = b"\x8a\x80\x80\x80\x10\x0c\x0a\x01n\x12\x08ReadFile"
    with pytest.raises(ValueError, match="is no graph"):
        graph_of(data, [(0, len(data))])


def test_all_operations_are_found_as_tensorflow_reads_them(tmp_path: Path) -> None:
    data = (EXPORTS["tf_keras"](tmp_path, weights(**SMALL)) / "saved_model.pb").read_bytes()
    expected, found = Counter[str](), Counter[str]()
    for meta in saved_model_pb2.SavedModel.FromString(data).meta_graphs:
        expected.update(node.op for node in meta.graph_def.node)
        expected.update(node.op for function in meta.graph_def.library.function for node in function.node_def)
    for read in meta_graphs(data):
        found.update(node.op for node in read.graph.nodes)
        found.update(node.op for function in read.graph.functions for node in function.nodes)
    assert found == expected
