"""A saved graph that may do more than compute is refused before TensorFlow sees it, and no other is."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hostile_graphs as hostile
import pytest
import tensorflow as tf
from bit_exports import EXPORTS
from bit_reference import SMALL, weights
from hostile_graphs import raw, refused, v1
from tensorflow.core.framework import op_def_pb2, variable_pb2
from tensorflow.python.client import pywrap_tf_session

from fmreport.sources.graph.allowed import ALLOWED, FAMILIES
from fmreport.sources.graph.refused import refuse_operations, uses

REACHES_OUTSIDE = """
    Abort BatchFunction CSVDataset CSVDatasetV2 CalibrationStatisticsSaver CollectiveReduceV2 Copy CopyHost
    CreateSummaryDbWriter CreateSummaryFileWriter DTensorRestoreV2 DataServiceDataset DataServiceDatasetV4
    DatasetFromGraph DatasetToTFRecord DebugIdentity DebugIdentityV3 DebugNanCount DebugNumericSummary DecodeProtoV2
    DistributedSave DumpTensor EagerPyFunc EncodeProto ExperimentalCSVDataset ExperimentalDatasetToTFRecord
    ExperimentalLMDBDataset ExperimentalMatchingFilesDataset ExperimentalSqlDataset FileSystemSetConfiguration
    FixedLengthRecordDatasetV2 FixedUnigramCandidateSampler GenerateVocabRemapping ImmutableConst
    InitializeTableFromTextFile InitializeTableFromTextFileV2 LMDBDataset LMDBReader LoadAndRemapMatrix LoadDataset
    MatchingFiles MatchingFilesDataset MergeV2Checkpoints PrintV2 PyFunc PyFuncStateless ReadFile RecordInput
    RemoteCall Restore RestoreSlice RestoreV2 RpcCall RpcClient RpcServer Save SaveDatasetV2 SaveSlices SaveV2 Send
    Skipgram SnapshotDatasetV2 SqlDataset TFRecordDataset TextLineDataset TextLineReaderV2 WholeFileReaderV2
    WriteFile XlaCustomCallV2 XlaHostCompute XlaLaunch
"""
DANGEROUS = tuple(REACHES_OUTSIDE.split())


def registered() -> set[str]:
    """The names of all operations of TensorFlow."""
    operations = op_def_pb2.OpList()
    operations.ParseFromString(pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList()))
    return {operation.name for operation in operations.op}


def test_what_is_allowed_is_registered_once_and_is_none_of_what_reaches_outside() -> None:
    names = [name for family in FAMILIES.values() for name in family.split()]
    assert len(names) == len(set(names)) == len(ALLOWED)
    assert set(DANGEROUS) <= registered()
    assert registered() >= ALLOWED
    assert not ALLOWED & set(DANGEROUS)


def test_the_list_is_read_without_tensorflow() -> None:
    code = "import fmreport.sources.graph.refused, sys; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", DANGEROUS)
def test_what_reaches_outside_is_refused_by_name_in_a_frozen_graph(name: str, tmp_path: Path) -> None:
    graph = v1.GraphDef()
    graph.node.add(name="image", op="Placeholder")
    graph.node.add(name="evil", op=name)
    (tmp_path / "graph.pb").write_bytes(graph.SerializeToString())
    assert f"graph.pb calls {name} of TensorFlow, which may do more than compute" in refused(tmp_path / "graph.pb")


CALLED: dict[str, Callable[[Path], Any]] = {
    "SaveV2": hostile.saves,
    "MergeV2Checkpoints": lambda target: raw.MergeV2Checkpoints(
        checkpoint_prefixes=[str(target)], destination_prefix=str(target)
    ),
    "RestoreV2": lambda target: raw.RestoreV2(
        prefix=str(target), tensor_names=["a"], shape_and_slices=[""], dtypes=[tf.float32]
    ),
    "DatasetToTFRecord": hostile.records,
    "DebugNanCount": lambda target: raw.DebugNanCount(input=tf.ones(2), debug_urls=[f"file://{target}"]),
    "InitializeTableFromTextFileV2": lambda target: hostile.table_of(str(target)),
    "MatchingFilesDataset": lambda target: raw.MatchingFilesDataset(patterns=f"{target}*"),
    "DatasetFromGraph": lambda target: raw.DatasetFromGraph(graph_def="hidden"),
}


@pytest.mark.parametrize("name", CALLED)
def test_what_the_model_calls_is_refused_with_the_function_that_holds_it(name: str, tmp_path: Path) -> None:
    message = refused(hostile.saved(tmp_path, lambda _: CALLED[name](tmp_path / "target")))
    assert f"{name} of TensorFlow in function forward" in message


@pytest.mark.parametrize("name", ["SaveV2", "DatasetToTFRecord"])
def test_what_a_model_of_tensorflow_1_runs_when_it_is_loaded_is_refused(name: str, tmp_path: Path) -> None:
    path = hostile.saved_v1(tmp_path, lambda: CALLED[name](tmp_path / "target"))
    assert f"{name} of TensorFlow" in refused(path)


def test_what_a_signature_of_tensorflow_1_runs_is_refused(tmp_path: Path) -> None:
    assert "SaveV2" in refused(hostile.saved_v1(tmp_path, build=lambda _: hostile.saves(tmp_path / "target")))


def test_what_no_opened_function_calls_is_refused_with_its_function(tmp_path: Path) -> None:
    model = hostile.module()

    @tf.function(input_signature=[])
    def aside() -> None:
        tf.io.write_file(str(tmp_path / "target"), "written")

    model.aside = aside
    tf.saved_model.save(model, str(tmp_path / "model"))
    assert "calls WriteFile of TensorFlow in function aside, which" in refused(tmp_path / "model")


BRANCHES: dict[str, Callable[[Any, Any, Any], Any]] = {
    "cond": lambda image, one, other: tf.cond(tf.reduce_sum(image) > 0, one, other),
    "switch_case": lambda image, one, other: tf.switch_case(tf.cast(image[0, 0, 0, 0], tf.int32), [one, other]),
}


@pytest.mark.parametrize("kind", BRANCHES)
def test_a_function_deep_below_is_found(kind: str, tmp_path: Path) -> None:
    @tf.function
    def below() -> Any:
        hostile.saves(tmp_path / "target")
        return tf.constant(1)

    path = hostile.saved(tmp_path, lambda image: BRANCHES[kind](image, below, lambda: tf.constant(0)))
    assert "SaveV2 of TensorFlow in function below" in refused(path)


@pytest.mark.parametrize("kind", EXPORTS)
def test_the_saver_of_an_export_is_no_reason_to_refuse_it(kind: str, tmp_path: Path) -> None:
    path = EXPORTS[kind](tmp_path, weights(**SMALL))
    assert not list(uses(path / "saved_model.pb" if path.is_dir() else path))


@pytest.mark.parametrize("save", [hostile.saved, hostile.saved_v1])
def test_a_saver_that_runs_on_loading_is_refused(save: Callable[[Path], Path], tmp_path: Path) -> None:
    def run_it(meta: Any) -> None:
        meta.collection_def["saved_model_main_op"].node_list.value[:] = [meta.saver_def.save_tensor_name]

    assert "SaveV2" in refused(hostile.edited(save(tmp_path), run_it))


@pytest.mark.parametrize("save", [hostile.saved, hostile.saved_v1])
def test_a_saver_that_a_signature_runs_is_refused(save: Callable[[Path], Path], tmp_path: Path) -> None:
    def name_it(meta: Any) -> None:
        meta.signature_def["other"].outputs["out"].name = meta.saver_def.save_tensor_name

    assert "SaveV2" in refused(hostile.edited(save(tmp_path), name_it))


def test_a_saver_that_a_variable_of_a_collection_runs_is_refused(tmp_path: Path) -> None:
    def initialize(meta: Any) -> None:
        variable = variable_pb2.VariableDef(initializer_name=meta.saver_def.save_tensor_name)
        meta.collection_def["local_variables"].bytes_list.value.append(variable.SerializeToString())

    assert "SaveV2" in refused(hostile.edited(hostile.saved_v1(tmp_path), initialize))


def test_a_saver_that_an_object_runs_is_refused(tmp_path: Path) -> None:
    def take(meta: Any) -> None:
        saver = next(f.signature.name for f in meta.graph_def.library.function if "save" in f.signature.name)
        objects = meta.object_graph_def
        objects.concrete_functions[saver].SetInParent()
        objects.nodes.add().function.concrete_functions.append(saver)

    message = refused(hostile.edited(hostile.saved(tmp_path), take))
    assert "SaveV2, MergeV2Checkpoints of TensorFlow in function _traced_save, which" in message


def test_a_saver_that_tensorflow_may_run_for_another_function_is_refused(tmp_path: Path) -> None:
    def swap(meta: Any) -> None:
        for function in meta.graph_def.library.function:
            function.attr["api_implements"].s = b"same"

    assert "SaveV2" in refused(hostile.edited(hostile.saved(tmp_path), swap))


def test_a_saver_in_functions_is_refused_where_tensorflow_1_loads_the_model(tmp_path: Path) -> None:
    path = hostile.edited(hostile.saved(tmp_path), lambda meta: meta.ClearField("object_graph_def"))
    assert "SaveV2" in refused(path)


def test_restoring_that_writes_is_refused_even_the_file_of_variables(tmp_path: Path) -> None:
    def restore(meta: Any) -> None:
        writes = next(node for node in meta.graph_def.node if node.op == "SaveV2")
        writes.input[0] = meta.saver_def.filename_tensor_name
        meta.saver_def.restore_op_name = writes.name

    assert "SaveV2" in refused(hostile.edited(hostile.saved_v1(tmp_path), restore))


def test_restoring_from_another_file_is_refused(tmp_path: Path) -> None:
    def elsewhere(meta: Any) -> None:
        other = meta.graph_def.node.add(name="elsewhere", op="Const")
        for node in meta.graph_def.node:
            if node.op == "RestoreV2":
                node.input[0] = other.name

    assert refused(hostile.edited(hostile.saved_v1(tmp_path), elsewhere)).count("RestoreV2") == 1


def test_operations_of_one_function_are_told_together(tmp_path: Path) -> None:
    path = hostile.saved(tmp_path, lambda _: hostile.records(tmp_path / "target"))
    assert "TensorSliceDataset, DatasetToTFRecord of TensorFlow in function forward, which" in refused(path)


def test_an_operation_that_is_a_function_by_its_name_is_one_only_where_no_operation_could_be(tmp_path: Path) -> None:
    graph = v1.GraphDef()
    for name in ("WriteFile", "swish"):
        graph.library.function.add().signature.name = name
        graph.node.add(name=name, op=name)
    (tmp_path / "graph.pb").write_bytes(graph.SerializeToString())
    assert list(uses(tmp_path / "graph.pb")) == [("WriteFile", "")]


def test_many_operations_are_counted_and_a_trusted_file_notes_them_all(tmp_path: Path) -> None:
    graph = v1.GraphDef()
    for name in DANGEROUS:
        graph.node.add(name=name, op=name)
    (tmp_path / "graph.pb").write_bytes(graph.SerializeToString())
    assert f"and {len(DANGEROUS) - 5} more, which may" in refused(tmp_path / "graph.pb")
    (note,) = refuse_operations(tmp_path / "graph.pb", "graph.pb", trusted=True)
    assert all(name in note for name in DANGEROUS)
    assert note.endswith("which may do more than compute; the config trusts it")
