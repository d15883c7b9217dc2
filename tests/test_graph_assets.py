"""A table is filled only from a file that the model brought along, an asset, however the model names it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import hostile_graphs as hostile
import pytest
import tensorflow as tf
from hostile_graphs import passes, refused

from fmreport.errors import SourceError
from fmreport.sources.graph.refused import refuse_operations


@pytest.mark.parametrize("save", [hostile.saved_table, hostile.saved_table_v1])
def test_a_table_from_a_file_of_the_model_is_opened(save: Callable[[Path], Path], tmp_path: Path) -> None:
    assert passes(save(tmp_path))


def test_a_table_that_was_saved_again_is_opened(tmp_path: Path) -> None:
    again = tf.saved_model.load(str(hostile.saved_table(tmp_path)))
    tf.saved_model.save(again, str(tmp_path / "again"))
    assert passes(tmp_path / "again")


@pytest.mark.parametrize("outside", ["../../secret", "/etc/hostname"])
def test_a_table_from_a_file_outside_of_the_model_is_refused(outside: str, tmp_path: Path) -> None:
    def point(meta: Any) -> None:
        meta.asset_file_def[0].filename = outside

    assert "InitializeTableFromTextFileV2" in refused(hostile.edited(hostile.saved_table(tmp_path), point))


@pytest.mark.parametrize("save", [hostile.saved_table, hostile.saved_table_v1])
def test_a_table_from_a_link_to_the_outside_is_refused(save: Callable[[Path], Path], tmp_path: Path) -> None:
    path = save(tmp_path)
    (path / "assets" / "vocabulary.txt").unlink()
    (path / "assets" / "vocabulary.txt").symlink_to(tmp_path / "vocabulary.txt")
    assert "InitializeTableFromTextFileV2" in refused(path)


def test_an_asset_that_tensorflow_would_not_take_is_none(tmp_path: Path) -> None:
    def replace(meta: Any) -> None:
        meta.asset_file_def.add(filename="vocabulary.txt").tensor_info.name = "other:0"

    assert "InitializeTableFromTextFileV2" in refused(hostile.edited(hostile.saved_table_v1(tmp_path), replace))


def test_a_table_from_a_constant_path_is_refused_in_a_model_of_tensorflow_1(tmp_path: Path) -> None:
    assert "InitializeTableFromTextFileV2" in refused(
        hostile.saved_v1(tmp_path, lambda: hostile.table_of(str(hostile.vocabulary(tmp_path))))
    )


def test_a_table_of_another_file_says_how_to_save_it(tmp_path: Path) -> None:
    path = hostile.saved(tmp_path, lambda _: hostile.table_of("/etc/hostname"))
    with pytest.raises(SourceError) as caught:
        refuse_operations(path / "saved_model.pb", "model", trusted=False)
    assert caught.value.fix.startswith("save the model with the file of its table as an asset; or, if you trust")


def test_a_table_that_a_signature_of_tensorflow_1_fills_is_refused(tmp_path: Path) -> None:
    # An asset has its place only while the model is initialised; a signature would read what the file says.
    def behind(meta: Any) -> None:
        table = next(node for node in meta.graph_def.node if node.op.startswith("InitializeTable"))
        out = next(iter(meta.signature_def.values())).outputs["out"].name.split(":")[0]
        next(node for node in meta.graph_def.node if node.name == out).input.append(f"^{table.name}")

    assert "InitializeTableFromTextFileV2" in refused(hostile.edited(hostile.saved_table_v1(tmp_path), behind))


def test_a_table_from_a_captured_constant_is_refused(tmp_path: Path) -> None:
    assert "InitializeTableFromTextFileV2 of TensorFlow in function fill" in refused(
        hostile.capturing(tmp_path, "/etc/hostname")
    )


def test_an_asset_that_has_parts_is_no_asset(tmp_path: Path) -> None:
    def give_parts(meta: Any) -> None:
        asset = next(node for node in meta.object_graph_def.nodes if node.WhichOneof("kind") == "asset")
        asset.children.add(node_id=0, local_name="_path")

    assert "InitializeTable" in refused(hostile.edited(hostile.saved_table(tmp_path), give_parts))
