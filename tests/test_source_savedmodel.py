"""SavedModels of every age and frozen graphs: their layers are found under their names, and hold what they should."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from bit_exports import EXPORTS
from bit_parts import SIZE, check_parts, images, values
from bit_reference import FULL, SMALL, weights
from saved_models import plain

from fmreport import config, layers
from fmreport.errors import FmreportError, SourceError
from fmreport.records import Layer
from fmreport.sources import TappableModel, open_source
from fmreport.sources.graph import inlining


def settings(path: Path, size: tuple[int, int] = SIZE, **model: Any) -> config.Config:
    """A config beside the model."""
    data = {
        "name": "test",
        "model": {"kind": "savedmodel", "path": path.name, **model},
        "preprocess": {"size": list(size)},
        "probes": [{"kind": "skimage", "names": ["cat"]}],
    }
    return config.from_dict(data, path.parent)


def opened(path: Path, size: tuple[int, int] = SIZE, **model: Any) -> TappableModel:
    return open_source(settings(path, size, **model))


def check_export(kind: str, folder: Path, network: dict[str, Any], parameters: int) -> None:
    drawn = weights(**network)
    check_parts(opened(EXPORTS[kind](folder, drawn)), kind, drawn, parameters)


@pytest.mark.parametrize("kind", EXPORTS)
def test_all_parts_of_a_network_are_found_and_hold_what_they_should(kind: str, tmp_path: Path) -> None:
    check_export(kind, tmp_path, SMALL, 509_008)


@pytest.mark.slow
@pytest.mark.parametrize("kind", EXPORTS)
def test_all_parts_of_r50x1_are_found_and_hold_what_they_should(kind: str, tmp_path: Path) -> None:
    check_export(kind, tmp_path, FULL, 23_500_352)


@pytest.mark.parametrize("kind", EXPORTS)
def test_layers_are_what_their_operations_do(kind: str, tmp_path: Path) -> None:
    model = opened(EXPORTS[kind](tmp_path, weights(**SMALL)))
    taps = model.inventory(SIZE)[1]
    kinds = [tap.type for tap in taps if tap.type != "Scope"]
    assert {name: kinds.count(name) for name in dict.fromkeys(kinds)} == {
        "ZeroPadding2D": 7,
        "Conv2D": 20,
        "MaxPooling2D": 1,
        "GroupNormalization": 16,
        "ReLU": 16,
        "Add": 5,
        "GlobalAveragePooling2D": 1,
    }
    by_name = {tap.name: tap for tap in taps}
    conv = by_name["block1/unit01/a/standardized_conv2d"]
    assert (conv.parameters, conv.zeros, conv.feeds) == (256, "by chance", ("GroupNormalization",))
    assert by_name["block1/unit01/a/group_norm"].parameters == 32
    assert all(tap.zeros == "by design" for tap in taps if tap.type == "ReLU")


def test_the_tree_holds_units_and_their_parts(tmp_path: Path) -> None:
    model = opened(EXPORTS["functions"](tmp_path, weights(**SMALL)))
    rows = {layer.path: layer for layer in model.inventory(SIZE)[0]}
    assert [path for path in rows if path.startswith("block2")] == [
        "block2/unit01/a/group_norm",
        "block2/unit01/a/relu",
        "block2/unit01/a/proj/standardized_conv2d",
        "block2/unit01/a/proj",
        "block2/unit01/a/standardized_conv2d",
        "block2/unit01/a",
        "block2/unit01/b/group_norm",
        "block2/unit01/b/relu",
        "block2/unit01/b/Pad",
        "block2/unit01/b/standardized_conv2d",
        "block2/unit01/b",
        "block2/unit01/c/group_norm",
        "block2/unit01/c/relu",
        "block2/unit01/c/standardized_conv2d",
        "block2/unit01/c",
        "block2/unit01/add",
        "block2/unit01",
        "block2",
    ]
    inside = [layer for path, layer in rows.items() if path.startswith("block2/unit01/") and layer.type != "Scope"]
    assert rows["block2/unit01"].parameters == sum(layer.parameters for layer in inside)


def test_selectors_find_what_stands_before_each_pooling(tmp_path: Path) -> None:
    path = EXPORTS["module"](tmp_path, weights(**SMALL))
    data = settings(path).model_copy(update={"layers": (config.Selector(before="pooling"),)})
    chosen = layers.select(data, opened(path).inventory(SIZE)[1])
    assert [tap.name for tap in chosen] == ["root_block/Pad_1", "relu"]


def test_every_operation_can_be_tapped(tmp_path: Path) -> None:
    path = EXPORTS["module"](tmp_path, weights(**SMALL))
    few, many = opened(path).inventory(SIZE)[1], opened(path, ops=True).inventory(SIZE)[1]
    assert {tap.name for tap in few} < {tap.name for tap in many}
    names = {tap.name: tap for tap in many}
    assert names["block1/unit01/a/group_norm/batchnorm/Rsqrt"].type == "Rsqrt"
    assert names["block1/unit01/a/group_norm/Reshape"].shape == (16, 16, 16, 1)


def tf_keras_twin(model: Any) -> Any:
    """The same functional model in tf_keras."""
    twin = plain(tf_keras)
    for one, other in zip(model.layers, twin.layers, strict=True):
        other.set_weights(one.get_weights())
    return twin


FORMATS = {"model.keras": "keras", "model.h5": "keras", "export": "savedmodel", "twin": "savedmodel"}


def test_a_model_gives_the_same_layers_in_every_format(tmp_path: Path) -> None:
    model = plain(keras)
    model.save(tmp_path / "model.keras")
    model.save(tmp_path / "model.h5")
    model.export(tmp_path / "export", verbose=False)
    tf_keras_twin(model).save(tmp_path / "twin", save_format="tf")
    batch = images(2, 16, 16)
    tables = []
    for name, kind in FORMATS.items():
        section = {"keras": config.KerasSection, "savedmodel": config.SavedModelSection}[kind](kind=kind, path=name)
        one = open_source(settings(tmp_path / name, (16, 16)).model_copy(update={"model": section}))
        taps = one.inventory((16, 16))[1]
        tables.append(([(tap.name, tap.shape, tap.parameters, tap.zeros, tap.feeds) for tap in taps], taps, one))
    for rows, taps, one in tables[1:]:
        assert rows == tables[0][0]
        expected = values(tables[0][2], list(tables[0][1]), batch)
        for name, value in values(one, list(taps), batch).items():
            np.testing.assert_allclose(value, expected[name], rtol=1e-4, atol=1e-5)


class Pieces(tf.Module):
    """What no tap reaches beside what one does: a loop, a branch, a compiled call; a layer that is called twice."""

    def __init__(self) -> None:
        super().__init__()
        kernel = np.random.default_rng(0).normal(size=(3, 3, 3, 3)).astype("float32")
        with tf.name_scope("conv"):
            self.kernel = tf.Variable(kernel, name="kernel")

    @tf.function
    def conv(self, x: Any) -> Any:
        with tf.name_scope("conv"):
            return tf.nn.relu(tf.nn.conv2d(x, self.kernel, 1, "SAME"))

    @tf.function(jit_compile=True)
    def compiled(self, x: Any) -> Any:
        return tf.nn.conv2d(x, self.kernel, 1, "SAME")

    @tf.function(input_signature=[tf.TensorSpec((None, 16, 16, 3), tf.float32), tf.TensorSpec((), tf.bool)])
    def __call__(self, image: Any, training: Any) -> Any:
        x = self.conv(self.conv(image))
        with tf.name_scope("looped"):
            x = tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, y * 0.5), (0, x))[1]
        with tf.name_scope("branched"):
            x = tf.cond(training, lambda: x * 100.0, lambda: x + 1.0)
        with tf.name_scope("fast"):
            x = self.compiled(x)
        return tf.argmax(tf.reduce_mean(x, axis=(1, 2)), axis=-1)


@pytest.fixture(name="pieces", scope="module")
def _pieces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pieces") / "pieces"
    tf.saved_model.save(Pieces(), str(path))
    return path


def test_calls_of_one_function_are_calls_of_one_layer(pieces: Path) -> None:
    model = opened(pieces, (16, 16))
    rows, taps = model.inventory((16, 16))
    names = [tap.name for tap in taps if tap.type == "Conv2D" and tap.parameters == 81]
    assert names == ["conv:1", "conv:2"]
    assert next(row for row in rows if row.path == "conv").taps == ("conv:1", "conv:2")
    batch, kernel = images(2, 16, 16), Pieces().kernel
    expected = tf.nn.relu(tf.nn.conv2d(batch, kernel, 1, "SAME"))
    found = values(model, [tap for tap in taps if tap.name in names], batch)
    np.testing.assert_allclose(found["conv:1"], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        found["conv:2"], tf.nn.relu(tf.nn.conv2d(expected, kernel, 1, "SAME")), rtol=1e-4, atol=1e-4
    )


def test_what_no_tap_reaches_is_listed_with_the_reason(pieces: Path) -> None:
    rows = opened(pieces, (16, 16)).inventory((16, 16))[0]
    reasons = {row.type: row.reason for row in rows if row.reason.startswith("opaque")}
    assert reasons == {
        "StatelessWhile": "opaque: what a loop holds cannot be tapped",
        "StatelessIf": "opaque: what a branch holds cannot be tapped",
        "StatefulPartitionedCall": "opaque: what a call that is compiled holds cannot be tapped",
    }


class Trained(tf.Module):
    """Gives a hundred times as much in training, which it is told as a tensor or as a Python value."""

    def __init__(self, told: Any) -> None:
        super().__init__()
        self.run = tf.function(self._run, input_signature=None)
        for training in told:
            self.run.get_concrete_function(tf.TensorSpec((None, 8, 8, 3), tf.float32, "image"), training)
        self.__call__ = self.run

    def _run(self, image: Any, training: Any) -> Any:
        with tf.name_scope("scaled"):
            return image * tf.where(training, 100.0, 2.0)


@pytest.mark.parametrize("told", [(True, False), (tf.TensorSpec((), tf.bool, "training"),)], ids=["values", "tensor"])
def test_a_model_is_opened_outside_of_training(told: Any, tmp_path: Path) -> None:
    trained = Trained(told)
    signature = trained.run.get_concrete_function(tf.TensorSpec((None, 8, 8, 3), tf.float32, "image"), told[-1])
    tf.saved_model.save(trained, str(tmp_path / "trained"), signatures=signature)
    model = opened(tmp_path / "trained", (8, 8))
    taps = list(model.inventory((8, 8))[1])
    np.testing.assert_allclose(values(model, taps, images(2, 8, 8))["scaled"], images(2, 8, 8) * 2)


def test_a_model_that_returns_a_class_is_tapped_all_the_same(pieces: Path) -> None:
    rows, taps = opened(pieces, (16, 16)).inventory((16, 16))
    assert any(row.path == "looped" and row.reason == "its batch is not known before it runs" for row in rows)
    assert any(row.type == "ArgMax" and row.reason == "its values are int64, not floating point" for row in rows)
    assert taps


def refused(path: Path, size: tuple[int, int] = SIZE, **model: Any) -> SourceError:
    with pytest.raises(SourceError) as caught:
        opened(path, size, **model).inventory(size)
    return caught.value


def test_a_signature_that_is_not_there_is_answered_with_those_that_are(pieces: Path) -> None:
    error = refused(pieces, signature="embed")
    assert "model.signature: the model has no signature embed" in str(error)
    assert "__call__" in error.fix
    assert "serving_default" in error.fix


def test_a_named_signature_is_opened(pieces: Path) -> None:
    one, other = opened(pieces, (16, 16)), opened(pieces, (16, 16), signature="serving_default")
    assert (one.identity.signature, other.identity.signature) == ("__call__", "serving_default")
    assert [tap.name for tap in other.inventory((16, 16))[1]] == [tap.name for tap in one.inventory((16, 16))[1]]


@pytest.mark.parametrize("kind", ["module", "hub_ref"])
def test_a_truncated_file_of_variables_is_named(kind: str, tmp_path: Path) -> None:
    path = EXPORTS[kind](tmp_path, weights(**SMALL))
    data = next((path / "variables").glob("*.data-*"))
    data.write_bytes(data.read_bytes()[: data.stat().st_size // 2])
    error = refused(path)
    assert f"model.path: {kind} cannot be opened" in str(error)
    assert "variables/" in error.fix


def test_a_damaged_graph_is_named(tmp_path: Path) -> None:
    path = EXPORTS["module"](tmp_path, weights(**SMALL))
    graph = path / "saved_model.pb"
    graph.write_bytes(graph.read_bytes()[:1000])
    assert "module cannot be opened" in str(refused(path))


def test_a_folder_that_is_no_savedmodel_is_told_from_one(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    assert "other is a folder without saved_model.pb" in str(refused(tmp_path / "other"))
    EXPORTS["module"](tmp_path / "other", weights(**SMALL))
    assert refused(tmp_path / "other").fix == "give other/module"
    shutil.copy(tmp_path / "other" / "module" / "saved_model.pb", tmp_path / "saved_model.pb")
    assert "is a part of a SavedModel" in str(refused(tmp_path / "saved_model.pb"))


class Reader(tf.Module):
    """Reads a file while it runs."""

    @tf.function(input_signature=[tf.TensorSpec((None, 8, 8, 3), tf.float32)])
    def __call__(self, image: Any) -> Any:
        return image + tf.strings.to_number(tf.io.read_file("/dev/null") + "1")


def test_a_graph_that_reads_files_is_refused_unless_it_is_trusted(tmp_path: Path) -> None:
    tf.saved_model.save(Reader(), str(tmp_path / "reader"))
    error = refused(tmp_path / "reader", (8, 8))
    assert "reader calls ReadFile of TensorFlow" in str(error)
    assert "trusted: true" in error.fix
    notes = opened(tmp_path / "reader", (8, 8), trusted=True).notes
    assert any("ReadFile" in note for note in notes)


def test_chunks_that_tensorflow_would_prefer_are_refused(tmp_path: Path) -> None:
    path = EXPORTS["module"](tmp_path, weights(**SMALL))
    (path / "saved_model.cpb").write_bytes(b"")
    assert "is saved in chunks (saved_model.cpb)" in str(refused(path))


class TwoInputs(tf.Module):
    """Takes an image and a number."""

    @tf.function(
        input_signature=[
            tf.TensorSpec((None, 8, 8, 3), tf.float32, "image"),
            tf.TensorSpec((None, 1), tf.float32, "age"),
        ]
    )
    def __call__(self, image: Any, age: Any) -> Any:
        return tf.reduce_mean(tf.nn.relu(image), axis=(1, 2)) + age


def test_a_model_with_two_inputs_asks_what_each_takes(tmp_path: Path) -> None:
    tf.saved_model.save(TwoInputs(), str(tmp_path / "two"))
    error = refused(tmp_path / "two", (8, 8))
    assert "the model has 2 inputs" in str(error)
    assert "inputs: {image: image, age: zeros}" in error.fix
    assert opened(tmp_path / "two", (8, 8), inputs={"image": "image", "age": "zeros"}).inventory((8, 8))[1]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"no graph at all", "graph.pb cannot be opened: graph.pb is no graph at byte 1"),
        (b"\x0a\x7fcut", "graph.pb ends in the middle, at byte 5"),
        (b"", "it holds no operation"),
    ],
    ids=["noise", "cut", "empty"],
)
def test_a_file_that_is_no_frozen_graph_is_told_from_one(content: bytes, what: str, tmp_path: Path) -> None:
    (tmp_path / "graph.pb").write_bytes(content)
    assert what in str(refused(tmp_path / "graph.pb"))


def test_an_output_that_a_frozen_graph_does_not_have_is_named(tmp_path: Path) -> None:
    path = EXPORTS["frozen"](tmp_path, weights(**SMALL))
    error = refused(path, outputs=["logits"])
    assert "the graph has no operation logits" in str(error)
    assert "features" in error.fix


def test_a_frozen_graph_can_end_early(tmp_path: Path) -> None:
    path = EXPORTS["frozen"](tmp_path, weights(**SMALL))
    taps = opened(path, outputs=["block1/unit01/add"]).inventory(SIZE)[1]
    assert taps[-1].name in ("block1/unit01", "block1/unit01/add", "block1")


def test_the_private_way_to_an_inlined_graph_is_there() -> None:
    assert callable(inlining.inliner())


def test_without_the_private_way_the_public_one_gives_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, batch = EXPORTS["functions"](tmp_path, weights(**SMALL)), images(2, *SIZE)
    model = opened(path)
    taps = list(model.inventory(SIZE)[1])
    expected = values(model, taps, batch)
    monkeypatch.setattr(inlining, "inliner", lambda: None)
    other = opened(path)
    again = list(other.inventory(SIZE)[1])
    assert [tap.name for tap in again] == [tap.name for tap in taps]
    assert other.identity.parameters == model.identity.parameters
    for name, value in values(other, again, batch).items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-3, atol=1e-4)


def test_every_layer_has_taps_or_a_reason(pieces: Path) -> None:
    rows: tuple[Layer, ...] = opened(pieces, (16, 16)).inventory((16, 16))[0]
    assert all(bool(row.taps) != bool(row.reason) for row in rows)


def test_errors_are_of_the_family_that_the_command_line_knows(tmp_path: Path) -> None:
    assert isinstance(refused(tmp_path / "nothing"), FmreportError)


def test_an_input_that_is_hardly_a_picture_is_told_to_the_reader(tmp_path: Path) -> None:
    spectrogram = keras.Sequential([keras.Input((49, 10, 1)), keras.layers.Conv2D(4, 3, name="conv")])
    spectrogram.export(tmp_path / "heard", verbose=False)
    (note,) = opened(tmp_path / "heard", (49, 10)).notes
    assert note.startswith("The input is 49 x 10 x 1, hardly a picture")
