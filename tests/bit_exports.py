"""A BiT ResNet in each format in which one can meet it; `EXPORTS` holds the function that writes each.

All take float32 images (N, H, W, 3), with N, H and W free, and give the pooled features.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import tensorflow as tf
from bit_reference import Unit, Weights, groups, units
from tensorflow.core.protobuf import saved_model_pb2

v1 = tf.compat.v1
IMAGES = tf.TensorSpec((None, None, None, 3), tf.float32, name="images")


@dataclass(frozen=True)
class _Graph:
    """Builds the network from plain operations; `variable` gives a weight by name, `scope` opens a name scope."""

    variable: Callable[[str], Any]
    scope: Callable[[str], Any] = tf.name_scope

    def network(self, x: Any, of: list[Unit], run: Callable[[Any, Unit], Any]) -> Any:
        """All of it; `run` applies a unit, and is called inside the unit's scope."""
        with self.scope("root_block"):
            x = self.conv(padded(x, 3), "root_block", 2)
            x = tf.nn.max_pool2d(padded(x, 1), 3, 2, "VALID")
        for block, members in groupby(of, lambda unit: unit.parts[0]):
            with self.scope(block):
                for unit in members:
                    with self.scope(unit.parts[1]):
                        x = run(x, unit)
        return tf.reduce_mean(self.relu(x, ""), (1, 2), name="features")

    def unit(self, x: Any, unit: Unit) -> Any:
        shortcut, name = x, unit.name
        with self.scope("a"):
            x = self.relu(x, f"{name}/a/")
            if unit.projects:
                with self.scope("proj"):
                    shortcut = self.conv(x, f"{name}/a/proj", unit.stride)
            x = self.conv(x, f"{name}/a")
        with self.scope("b"):
            x = self.conv(padded(self.relu(x, f"{name}/b/"), 1), f"{name}/b", unit.stride)
        with self.scope("c"):
            x = self.conv(self.relu(x, f"{name}/c/"), f"{name}/c")
        return tf.add(shortcut, x, name="add")

    def conv(self, x: Any, under: str, stride: int = 1) -> Any:
        with self.scope("standardized_conv2d"):
            kernel = standardized(self.variable(f"{under}/standardized_conv2d/kernel"))
            return tf.nn.conv2d(x, kernel, stride, "VALID")

    def relu(self, x: Any, under: str) -> Any:
        with self.scope("group_norm"):
            gamma, beta = (self.variable(f"{under}group_norm/{name}") for name in ("gamma", "beta"))
            x = normalized(x, gamma, beta)
        return tf.nn.relu(x, name="relu")


def padded(x: Any, by: int) -> Any:
    """With zeros around."""
    return tf.pad(x, ((0, 0), (by, by), (by, by), (0, 0)))


def standardized(kernel: Any) -> Any:
    """Every filter with mean 0 and variance 1."""
    mean, variance = tf.nn.moments(kernel, (0, 1, 2), keepdims=True)
    return (kernel - mean) / tf.sqrt(variance + 1e-10)


def normalized(x: Any, gamma: Any, beta: Any) -> Any:
    """GroupNorm."""
    count, shape = groups(x.shape[-1]), tf.shape(x)
    split = (count, x.shape[-1] // count)
    grouped = tf.reshape(x, tf.concat((shape[:3], split), 0))
    mean, variance = tf.nn.moments(grouped, (1, 2, 4), keepdims=True)
    gamma, beta = tf.reshape(gamma, split), tf.reshape(beta, split)
    normal = tf.reshape(tf.nn.batch_normalization(grouped, mean, variance, beta, gamma, 1e-5), shape)
    return tf.ensure_shape(normal, x.shape)


class _Module(tf.Module):
    """One function; or one more for each unit, so that the names in these start anew."""

    def __init__(self, weights: Weights, *, split: bool) -> None:
        super().__init__()
        self.held = {name: tf.Variable(value, name=name) for name, value in weights.items()}
        self.graph = _Graph(self.held.__getitem__)
        self.of = units(weights)
        self.run = {unit.name: self.function(unit) if split else self.graph.unit for unit in self.of}

    def function(self, unit: Unit) -> Callable[[Any, Unit], Any]:
        @tf.function
        def run_unit(x: Any) -> Any:
            return self.graph.unit(x, unit)

        return lambda x, _: run_unit(x)

    @tf.function(input_signature=[IMAGES])
    def __call__(self, images: Any) -> Any:
        return self.graph.network(images, self.of, lambda x, unit: self.run[unit.name](x, unit))


def _saved(module: _Module, path: Path) -> Path:
    tf.saved_model.save(module, str(path), signatures={"serving_default": module.__call__})
    return path


def module(folder: Path, weights: Weights) -> Path:
    """A TF2 SavedModel: a `tf.Module` of one function, with hierarchical name scopes."""
    return _saved(_Module(weights, split=False), folder / "module")


def functions(folder: Path, weights: Weights) -> Path:
    """A TF2 SavedModel in which every unit is a function that the main one calls."""
    return _saved(_Module(weights, split=True), folder / "functions")


def keras_export(folder: Path, weights: Weights) -> Path:
    """A TF2 SavedModel as `model.export` of Keras 3 writes it; dots part the names of its layers."""
    import bit_keras

    bit_keras.functional(weights).export(folder / "keras_export", verbose=False)
    return folder / "keras_export"


def tf_keras(folder: Path, weights: Weights) -> Path:
    """A TF2 SavedModel of a subclassed tf_keras model, put together like the published TF2 code."""
    import bit_keras

    bit_keras.subclassed(weights).save(folder / "tf_keras", save_format="tf")
    return folder / "tf_keras"


@contextmanager
def _session(weights: Weights, *, resource: bool) -> Iterator[Any]:
    """A TF1 graph from the placeholder `image` to `features`, in a session that holds the weights."""
    with tf.Graph().as_default(), v1.Session() as session:
        v1.set_random_seed(0)  # deterministic kernels, which a test before may have asked for, want one
        image = v1.placeholder(tf.float32, IMAGES.shape, "image")
        with v1.variable_scope("", use_resource=resource):
            shapes = {name: value.shape for name, value in weights.items()}
            graph = _Graph(lambda name: v1.get_variable(name.rsplit("/", 1)[-1], shapes[name]), v1.variable_scope)
            graph.network(image, units(weights), graph.unit)
        for variable in v1.global_variables():
            assign = variable.initializer
            session.run(assign, {assign.inputs[1]: weights[variable.op.name]})
        yield session


def _hub_module(path: Path, weights: Weights, *, resource: bool) -> Path:
    """As `hub.ModuleSpec.export` wrote it: no saver in the meta graphs, variants for inference and for training."""
    with _session(weights, resource=resource) as session:
        image, features = (session.graph.get_tensor_by_name(f"{name}:0") for name in ("image", "features"))
        info = v1.saved_model.build_tensor_info
        signature = v1.saved_model.build_signature_def({"images": info(image)}, {"default": info(features)})
        saved = saved_model_pb2.SavedModel()
        for tags in ([], ["train"]):
            graph = v1.train.export_meta_graph(strip_default_attrs=True)
            graph.meta_info_def.tags.extend(tags)
            graph.signature_def["default"].CopyFrom(signature)
            saved.meta_graphs.append(graph)
        (path / "variables").mkdir(parents=True)
        saver = v1.train.Saver()
        saver.save(session, str(path / "variables" / "variables"), write_meta_graph=False, write_state=False)
    (path / "saved_model.pb").write_bytes(saved.SerializeToString())
    # tensorflow_hub.ModuleDef { format: FORMAT_V3 }, the whole of what every module's file says.
    (path / "tfhub_module.pb").write_bytes(b"\x08\x03")
    return path


def hub_resource(folder: Path, weights: Weights) -> Path:
    """A TF1 Hub module, with resource variables."""
    return _hub_module(folder / "hub_resource", weights, resource=True)


def hub_ref(folder: Path, weights: Weights) -> Path:
    """A TF1 Hub module, with the ref variables of old."""
    return _hub_module(folder / "hub_ref", weights, resource=False)


def frozen(folder: Path, weights: Weights) -> Path:
    """A frozen GraphDef: constants in place of the variables, from `image` to `features`."""
    with _session(weights, resource=False) as session:
        graph = v1.graph_util.convert_variables_to_constants(session, session.graph_def, ["features"])
    (folder / "frozen.pb").write_bytes(graph.SerializeToString())
    return folder / "frozen.pb"


@cache
def _shelf() -> TemporaryDirectory[str]:
    """Where exports are kept until the process ends."""
    return TemporaryDirectory(prefix="bit-exports-")


def _once(write: Writer) -> Writer:
    """Writes a network once, which takes seconds, and hands out copies that a test may change."""

    def copied(folder: Path, weights: Weights) -> Path:
        digest = hashlib.sha256()
        for name, value in weights.items():
            digest.update(f"{name} {value.shape} {value.dtype}".encode() + value.tobytes())
        kept = Path(_shelf().name) / digest.hexdigest()
        kept.mkdir(exist_ok=True)
        (made,) = [*kept.glob(f"{write.__name__}*")] or [write(kept, weights)]
        folder.mkdir(exist_ok=True)
        copy = shutil.copytree if made.is_dir() else shutil.copy
        return Path(copy(made, folder / made.name))

    return copied


Writer = Callable[[Path, Weights], Path]
"""From (folder, weights) to the path of what was written."""
WRITERS: dict[str, Writer] = {
    f.__name__: f for f in (module, functions, keras_export, tf_keras, hub_resource, hub_ref, frozen)
}
"""What writes each format, whenever it is called."""
EXPORTS: dict[str, Writer] = {name: _once(write) for name, write in WRITERS.items()}
"""The same, where it need not be written anew."""
FOLDERS = [name for name in EXPORTS if name != "frozen"]
"""The formats that are SavedModels."""


def opened(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    """What an export computes, as TensorFlow itself runs it."""
    loaded: Any = None
    if path.suffix == ".pb":
        graph = v1.GraphDef.FromString(path.read_bytes())
        call = v1.wrap_function(
            lambda image: tf.graph_util.import_graph_def(graph, {"image": image}, ["features:0"], name=""), [IMAGES]
        )
    elif (path / "tfhub_module.pb").exists():
        loaded = v1.saved_model.load_v2(str(path), tags=[])
        call = loaded.signatures["default"]
    else:
        loaded = tf.saved_model.load(str(path))
        call = loaded if callable(loaded) else loaded.serve

    # A function does not hold the variables of the object it comes from.
    def run(images: np.ndarray, _held: Any = loaded) -> np.ndarray:
        return tf.nest.flatten(call(tf.constant(images)))[0].numpy()

    return run
