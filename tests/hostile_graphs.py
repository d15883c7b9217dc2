"""Saved graphs that do more than compute, wherever TensorFlow would run it, and harmless ones that look alike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from fmreport.errors import SourceError
from fmreport.sources.graph.refused import refuse_operations, uses

raw, v1 = tf.raw_ops, tf.compat.v1
Proto = Any
Build = Callable[[Any], Any]


def module(build: Build | None = None) -> Any:
    """A model of one convolution, whose call runs `build` too."""
    model = tf.Module()
    model.kernel = tf.Variable(tf.ones((3, 3, 3, 4)), name="kernel")

    @tf.function(input_signature=[tf.TensorSpec((None, 8, 8, 3), tf.float32)], autograph=False)
    def forward(image: Any) -> Any:
        if build is not None:
            build(image)
        return tf.nn.conv2d(image, model.kernel, 1, "SAME")

    model.__call__ = forward
    return model


def saved(folder: Path, build: Build | None = None, name: str = "model") -> Path:
    """A SavedModel of TensorFlow 2."""
    tf.saved_model.save(module(build), str(folder / name))
    return folder / name


def saved_v1(folder: Path, init: Callable[[], Any] | None = None, build: Build | None = None) -> Path:
    """A SavedModel of TensorFlow 1; `init` gives what runs when it is loaded."""
    path = folder / "model_v1"
    with tf.Graph().as_default(), v1.Session() as session:
        v1.set_random_seed(0)  # deterministic kernels, which a test before may have asked for, want one
        image = v1.placeholder(tf.float32, (None, 8, 8, 3))
        kernel = v1.get_variable("kernel", (3, 3, 3, 4))
        out = tf.nn.conv2d(image, kernel, 1, "SAME")
        after = [] if build is None else [build(image)]
        with tf.control_dependencies(after):
            out = tf.identity(out)
        main = None if init is None else init()
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, str(path), {"image": image}, {"out": out}, legacy_init_op=main)
    return path


def edited(path: Path, edit: Callable[[Proto], None]) -> Path:
    """The model with its only graph changed."""
    saved_model = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    edit(saved_model.meta_graphs[0])
    (path / "saved_model.pb").write_bytes(saved_model.SerializeToString())
    return path


def vocabulary(folder: Path) -> Path:
    path = folder / "vocabulary.txt"
    path.write_text("cat\ndog\n")
    return path


def initializer(path: Path) -> Any:
    """Of a table of lines and their numbers."""
    index = tf.lookup.TextFileIndex
    return tf.lookup.TextFileInitializer(str(path), tf.string, index.WHOLE_LINE, tf.int64, index.LINE_NUMBER)


def with_table(folder: Path) -> Any:
    """A module with a table from a file."""
    model = tf.Module()
    model.table = tf.lookup.StaticHashTable(initializer(vocabulary(folder)), -1)

    @tf.function(input_signature=[tf.TensorSpec((None, 8, 8, 3), tf.float32)])
    def forward(image: Any) -> Any:
        return image + tf.cast(model.table.lookup(tf.constant("dog")), tf.float32)

    model.__call__ = forward
    return model


def saved_table(folder: Path) -> Path:
    """A SavedModel whose table is filled from an asset."""
    tf.saved_model.save(with_table(folder), str(folder / "table"))
    return folder / "table"


def saved_table_v1(folder: Path) -> Path:
    """The same in TensorFlow 1."""

    def init() -> Any:
        tf.lookup.StaticHashTable(initializer(vocabulary(folder)), -1)
        return v1.tables_initializer()

    return saved_v1(folder, init)


def capturing(folder: Path, text: str) -> Path:
    """A SavedModel whose table is filled from a file that a constant names."""
    model = module()
    model.name_of_file = tf.constant(text)
    model.table = with_table(folder).table

    @tf.function(input_signature=[])
    def fill() -> None:
        raw.InitializeTableFromTextFileV2(
            table_handle=model.table.resource_handle, filename=model.name_of_file, key_index=-2, value_index=-1
        )

    model.fill = fill
    tf.saved_model.save(model, str(folder / "capturing"))
    return folder / "capturing"


def table_of(filename: Any) -> Any:
    """Fills a table from a file."""
    table = raw.HashTableV2(key_dtype=tf.string, value_dtype=tf.int64)
    return raw.InitializeTableFromTextFileV2(table_handle=table, filename=filename, key_index=-2, value_index=-1)


def saves(target: Path) -> Any:
    """Writes a file with the saver's operation."""
    return raw.SaveV2(prefix=str(target), tensor_names=["a"], shape_and_slices=[""], tensors=[tf.constant("x")])


def records(target: Path) -> Any:
    """Writes a file of records."""
    dataset = raw.TensorSliceDataset(components=[tf.constant(["x"])], output_shapes=[[]])
    return raw.DatasetToTFRecord(input_dataset=dataset, filename=str(target), compression_type="")


def refused(path: Path) -> str:
    """The message with which a model is refused."""
    with pytest.raises(SourceError) as caught:
        refuse_operations(path / "saved_model.pb" if path.is_dir() else path, path.name, trusted=False)
    assert "trusted: true" in caught.value.fix
    return str(caught.value)


def passes(path: Path) -> bool:
    return not list(uses(path / "saved_model.pb"))
