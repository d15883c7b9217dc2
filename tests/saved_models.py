"""Small models saved in every format of every age, and files that are broken or hostile in some way."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import tf_keras
from eager_walk import shake


def plain(k: Any) -> Any:
    """A model of two convolutions with random weights."""
    x = image = k.Input((16, 16, 3), name="image")
    x = k.layers.Conv2D(4, 3, activation="relu", name="first")(x)
    x = k.layers.MaxPooling2D(2, name="pool")(x)
    x = k.layers.Conv2D(4, 3, name="second")(k.layers.BatchNormalization(name="norm")(x))
    return shake(k.Model(image, k.layers.GlobalAveragePooling2D(name="mean")(x)))


def keras_file(folder: Path) -> tuple[Path, Any]:
    model = plain(keras)
    model.save(folder / "model.keras")
    return folder / "model.keras", model


def keras_h5(folder: Path) -> tuple[Path, Any]:
    model = plain(keras)
    model.save(folder / "model.h5")
    return folder / "model.h5", model


def tf_keras_h5(folder: Path) -> tuple[Path, Any]:
    model = plain(tf_keras)
    model.save(folder / "model.hdf5", save_format="h5")
    return folder / "model.hdf5", model


def tf_keras_folder(folder: Path) -> tuple[Path, Any]:
    model = plain(tf_keras)
    model.save(folder / "model", save_format="tf")
    return folder / "model", model


def tf_keras_file(folder: Path) -> tuple[Path, Any]:
    model = plain(tf_keras)
    model.save(folder / "model.keras", save_format="keras")
    return folder / "model.keras", model


def old_h5(folder: Path) -> tuple[Path, Any]:
    """As Keras 2.1 wrote it: the class is `Model`, there are no modules, dtypes or policies."""
    path, model = tf_keras_h5(folder)
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        config["class_name"] = "Model"
        for layer in config["config"]["layers"]:
            for key in ("module", "registered_name", "build_config"):
                layer.pop(key, None)
            for key in ("dtype", "groups", "ragged", "sparse", "keepdims"):
                layer["config"].pop(key, None)
            for key, value in layer["config"].items():
                if isinstance(value, dict) and "class_name" in value:
                    layer["config"][key] = {"class_name": value["class_name"], "config": value["config"]}
        file.attrs["model_config"] = json.dumps(config).encode()
        file.attrs["keras_version"] = b"2.1.6"
        file["model_weights"].attrs["keras_version"] = b"2.1.6"
    return path, model


FORMATS: dict[str, Callable[[Path], tuple[Path, Any]]] = {
    f.__name__: f for f in (keras_file, keras_h5, tf_keras_h5, tf_keras_folder, tf_keras_file, old_h5)
}
FRAMEWORKS = {"keras_file": "keras 3", "keras_h5": "keras 3", "tf_keras_folder": "tf_keras"}
"""What opens a format; either may open the others."""


def _planting(k: Any, mark: Path) -> Any:
    """A model whose Lambda writes a file when it runs."""
    image = k.Input((8, 8, 3))
    plant = eval(f"lambda x: (open({str(mark)!r}, 'w').close(), x)[1]")
    return k.Model(image, k.layers.Conv2D(2, 3)(k.layers.Lambda(plant, output_shape=(8, 8, 3), name="plant")(image)))


def _saved_planting(name: str, k: Any, save_format: str | None) -> Callable[[Path, Path], Path]:
    def save(folder: Path, mark: Path) -> Path:
        model = _planting(k, mark)
        options = {"save_format": save_format} if save_format else {}
        model.save(folder / name, **options)
        mark.unlink(missing_ok=True)
        return folder / name

    return save


def _metadata_in_the_graph(folder: Path, mark: Path) -> Path:
    """A folder as TensorFlow 2.4 wrote it: what Keras needs stands in `saved_model.pb`."""
    from tensorflow.core.protobuf import saved_model_pb2
    from tf_keras.protobuf import saved_metadata_pb2

    path = _saved_planting("old", tf_keras, "tf")(folder, mark)
    graph = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    metadata = saved_metadata_pb2.SavedMetadata.FromString((path / "keras_metadata.pb").read_bytes())
    nodes = graph.meta_graphs[0].object_graph_def.nodes
    for node in metadata.nodes:
        nodes[node.node_id].user_object.metadata = node.metadata
    (path / "saved_model.pb").write_bytes(graph.SerializeToString())
    (path / "keras_metadata.pb").unlink()
    return path


def _escaped(folder: Path, mark: Path) -> Path:
    """A class name spelled with escapes and spaces, which a search for the text would miss."""
    path = _saved_planting("escaped.h5", tf_keras, "h5")(folder, mark)
    with h5py.File(path, "r+") as file:
        text = file.attrs["model_config"]
        file.attrs["model_config"] = text.replace('"class_name": "Lambda"', '"class_name"  :  "L\\u0061mbda"')
    return path


HOSTILE: dict[str, Callable[[Path, Path], Path]] = {
    "keras": _saved_planting("plant.keras", keras, None),
    "keras h5": _saved_planting("plant.h5", keras, None),
    "tf_keras h5": _saved_planting("plant.hdf5", tf_keras, "h5"),
    "tf_keras keras": _saved_planting("plant.keras", tf_keras, "keras"),
    "tf_keras folder": _saved_planting("plant", tf_keras, "tf"),
    "folder of TensorFlow 2.4": _metadata_in_the_graph,
    "escaped": _escaped,
}
"""Files with a Lambda that writes the marked file, by format: from (folder, mark) to the model's path."""


def importing(folder: Path, module: str) -> Path:
    """A `.keras` file that asks for a class of a module, as tf_keras would import it."""
    path, _ = tf_keras_file(folder)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(parts["config.json"])
    config["config"]["layers"][1] |= {"module": module, "class_name": "Evil", "registered_name": "Evil"}
    parts["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return path
