"""Layers of a saved graph have the names and the values that they had in the model that was saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from auto_named import MODELS, built
from bit_parts import images, values

from fmreport import config
from fmreport.records import Tap
from fmreport.sources import Identity, TappableModel, open_source
from fmreport.sources.graph.reopened import asked
from fmreport.sources.keras_model import KerasModel

SIDE = 16
IMAGE = tf.TensorSpec((None, SIDE, SIDE, 3), tf.float32, "image")


def opened(path: Path, **model: Any) -> TappableModel:
    data = {
        "name": "test",
        "model": {"kind": "savedmodel", "path": path.name, **model},
        "preprocess": {"size": [SIDE, SIDE]},
        "probes": [{"kind": "skimage", "names": ["cat"]}],
    }
    return open_source(config.from_dict(data, path.parent))


def saved(model: Any, folder: Path) -> Path:
    """A SavedModel as the maker of the model writes it."""
    if isinstance(model, keras.Model):
        model.export(folder / "saved", verbose=False)
    elif isinstance(model, tf_keras.Model):
        model.save(folder / "saved", save_format="tf")
    else:
        tf.saved_model.save(model, str(folder / "saved"))
    return folder / "saved"


def facts(taps: tuple[Tap, ...]) -> list[tuple[Any, ...]]:
    return [(tap.name, tap.layer, tap.shape, tap.parameters) for tap in taps]


def same(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-3, atol=1e-4, err_msg=name)


@pytest.mark.parametrize("k", [keras, tf_keras], ids=["keras", "tf_keras"])
@pytest.mark.parametrize("name", MODELS)
def test_a_model_has_the_same_layers_as_what_was_saved_of_it(name: str, k: Any, tmp_path: Path) -> None:
    model, batch = built(name, k), images(2, SIDE, SIDE)
    kept = KerasModel(model, Identity("keras", "test", "", "", 0))
    taps = kept.inventory((SIDE, SIDE))[1]
    expected = values(kept, list(taps), batch)
    graph = opened(saved(model, tmp_path))
    found = graph.inventory((SIDE, SIDE))[1]
    # What the code of a layer adds by itself is no layer for Keras.
    known = tuple(tap for tap in found if tap.name in expected)
    assert facts(known) == facts(taps)
    assert [tap.type for tap in found if tap not in known] == (["Add"] * 3 if name == "subclassed" else [])
    same(values(graph, list(known), batch), expected)


def test_a_layer_is_named_as_it_was_asked_for_where_each_scope_was_opened_twice() -> None:
    with tf.Graph().as_default() as graph:
        for layer in ("pool", "pool_1", "pool_2", "pool", "pool_2_1"):
            with tf.name_scope(layer):
                pass
            with tf.name_scope(layer):
                tf.constant(1.0, name="value")
    names = [op.name for op in graph.get_operations()]
    assert names == ["pool_1/value", "pool_1_2/value", "pool_2_1/value", "pool_4/value", "pool_2_1_2/value"]
    assert list(asked(names).values()) == ["pool", "pool_1", "pool_2", "pool", "pool_2_1"]


class Written(tf.Module):
    """A model that notes the value of each layer under the name that it should have."""

    def __init__(self) -> None:
        super().__init__()
        draw = np.random.default_rng(0)
        self.kernels = [tf.Variable(draw.normal(0, 0.4, (3, 3, 3, 3)).astype("float32"), name="k") for _ in range(3)]
        self.noted: dict[str, np.ndarray] = {}

    def note(self, name: str, value: Any) -> Any:
        if tf.executing_eagerly():
            self.noted[name] = value.numpy()
        return value

    def conv(self, x: Any, number: int, name: str = "conv") -> Any:
        with tf.name_scope(name):
            return tf.nn.conv2d(x, self.kernels[number], 1, "SAME")

    @tf.function(input_signature=[IMAGE])
    def __call__(self, image: Any) -> Any:
        return self.run(image)

    def run(self, image: Any) -> Any:
        raise NotImplementedError


def check(model: Written, folder: Path, **section: Any) -> tuple[Tap, ...]:
    """Every value that the model notes is found under its name."""
    batch = images(2, SIDE, SIDE)
    model.run(tf.constant(batch))
    graph = opened(saved(model, folder), **section)
    taps = graph.inventory((SIDE, SIDE))[1]
    found = values(graph, list(taps), batch)
    assert set(model.noted) <= set(found)
    same(found, model.noted)
    return taps


class Twice(Written):
    """All is one function that is called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.net = tf.function(self.layers)

    def layers(self, x: Any) -> Any:
        with tf.name_scope("net"):
            x = self.conv(x, 0)
            with tf.name_scope("relu"):
                return tf.nn.relu(x)

    def run(self, image: Any) -> Any:
        return self.note("relu:2", self.net(self.note("relu:1", self.net(image))))


def test_every_call_of_a_function_that_is_the_whole_model_is_found(tmp_path: Path) -> None:
    taps = check(Twice(), tmp_path)
    assert [tap.name for tap in taps] == ["conv:1", "relu:1", "conv:2", "relu:2"]


class Variants(Written):
    """One function with two variants: only the second projects. The third call is the first again."""

    @tf.function
    def unit(self, x: Any, number: int, project: bool) -> Any:
        with tf.name_scope("unit"):
            shortcut = self.conv(x, 2, "proj") if project else x
            return tf.add(shortcut, tf.nn.relu(self.conv(x, number), name="relu"), name="add")

    def run(self, image: Any) -> Any:
        with tf.name_scope("stem"):
            x = self.note("stem", tf.nn.relu(image))
        x = self.note("unit:1", self.unit(x, 0, False))
        x = self.note("unit~2", self.unit(x, 1, True))
        return self.note("unit:2", self.unit(x, 0, False))


def test_calls_of_variants_of_a_function_are_kept_apart(tmp_path: Path) -> None:
    taps = check(Variants(), tmp_path)
    assert [tap.name for tap in taps if tap.type != "Scope"] == [
        "stem",
        *("unit/conv:1", "unit/relu:1", "unit/add:1"),
        *("unit~2/proj", "unit~2/conv", "unit~2/relu", "unit~2/add"),
        *("unit/conv:2", "unit/relu:2", "unit/add:2"),
    ]


class Named(Written):
    """Scopes named as TensorFlow names things of its own; variables all of one name."""

    def run(self, image: Any) -> Any:
        with tf.name_scope("Func"):
            x = self.note("Func/conv", self.conv(image, 0))
            x = self.note("Func/relu", tf.nn.relu(x, name="relu"))
        x = self.note("k", self.conv(x, 1, "k"))
        return self.note("k_1", self.conv(x, 2, "k"))


def test_no_name_of_a_scope_makes_it_vanish(tmp_path: Path) -> None:
    check(Named(), tmp_path)


class Modules(Written):
    """Layers that open the scope of the model themselves, which the function leaves in between."""

    def inside(self, x: Any, number: int) -> Any:
        with tf.name_scope("net/"):
            return self.note(f"net/conv{number}", self.conv(x, number, f"conv{number}"))

    def run(self, image: Any) -> Any:
        x = self.inside(image, 0)
        x = self.note("pool", tf.nn.max_pool2d(x, 2, 2, "SAME", name="pool"))
        x = self.inside(self.inside(x, 1), 2)
        return self.note("mean", tf.reduce_mean(x, (1, 2), name="mean"))


def test_a_scope_without_a_result_of_its_own_is_listed_and_not_tapped(tmp_path: Path) -> None:
    model = Modules()
    assert [tap.name for tap in check(model, tmp_path)] == list(model.noted)
    row = next(row for row in opened(tmp_path / "saved").inventory((SIDE, SIDE))[0] if row.type == "Scope")
    assert (row.path, row.taps, row.parameters) == ("net", (), 3 * 81)
    assert row.reason == "its results are those of several layers inside it"


class Sums(Written):
    """A scope in which the activation and the sum stand, but not the layers; and one in which all stand."""

    def run(self, image: Any) -> Any:
        x = self.note("stem", self.conv(image, 0, "stem"))
        with tf.name_scope("sum"):
            y = self.note("sum/Relu", tf.nn.relu(x))
            with tf.name_scope("other/"):
                y = self.note("other", tf.nn.conv2d(y, self.kernels[1], 1, "SAME"))
            x = self.note("sum/add", x + y)
        with tf.name_scope("unit"):
            y = self.note("unit/Conv2D", tf.nn.conv2d(x, self.kernels[2], 1, "SAME"))
            norm = tf.compat.v1.nn.fused_batch_norm
            ones = tf.ones(3)
            y = self.note("unit/FusedBatchNormV3", norm(y, ones, ones, ones, 2.0 * ones, is_training=False)[0])
            x = self.note("unit/add", x + y)
            x = self.note("unit/Relu", tf.nn.relu(x))
        return self.note("unit", x)


def test_a_scope_in_which_several_things_happen_is_no_layer(tmp_path: Path) -> None:
    kinds = {tap.name: (tap.type, tap.zeros) for tap in check(Sums(), tmp_path)}
    assert kinds == {
        "stem": ("Conv2D", "by chance"),
        "sum/Relu": ("ReLU", "by design"),
        "other": ("Conv2D", "by chance"),
        "sum/add": ("Add", "by chance"),
        "unit/Conv2D": ("Conv2D", "by chance"),
        "unit/FusedBatchNormV3": ("BatchNormalization", "by chance"),
        "unit/add": ("Add", "by chance"),
        "unit/Relu": ("ReLU", "by design"),
        "unit": ("Scope", "by design"),
    }
