"""What holds for every source: a row in `SOURCES` enrols it, and needs a config here that opens it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from permuting import check, entries, kept
from saved_models import keras_file, plain
from tflite_files import converted

from fmreport import config
from fmreport.sources import EXTRAS, SOURCES, Identity, TappableModel, _quiet, open_source

BUILDER = """
import tf_keras

def make(filters):
    image = tf_keras.Input((16, 16, 3), name="image")
    x = tf_keras.layers.Conv2D(filters, 3, activation="relu", name="first")(image)
    x = tf_keras.layers.BatchNormalization(name="norm")(tf_keras.layers.Dropout(0.5, name="drop")(x))
    return tf_keras.Model(image, tf_keras.layers.Conv2D(filters, 3, name="second")(x))
"""


def of_keras(folder: Path) -> dict[str, Any]:
    keras_file(folder)
    return {"path": "model.keras"}


def of_application(folder: Path) -> dict[str, Any]:
    return {"name": "MobileNetV3Small", "classes": 3}


def of_builder(folder: Path) -> dict[str, Any]:
    (folder / "conforming.py").write_text(BUILDER)
    return {"function": "conforming:make", "arguments": {"filters": 4}}


def of_savedmodel(folder: Path) -> dict[str, Any]:
    plain(keras).export(folder / "model", verbose=False)
    return {"path": "model"}


def of_hub(folder: Path) -> dict[str, Any]:
    return {"handle": of_savedmodel(folder)["path"]}


def of_bit(folder: Path) -> dict[str, Any]:
    return {"variant": "R50x1"}


TORCH = """
import torch
from torch import nn

class Small(nn.Module):
    def __init__(self, filters):
        super().__init__()
        self.first = nn.Conv2d(3, filters, 3)
        self.norm = nn.BatchNorm2d(filters)
        self.relu = nn.ReLU(inplace=True)
        self.drop = nn.Dropout(0.5)
        self.second = nn.Conv2d(filters, filters, 3)

    def forward(self, image):
        before = self.relu(self.norm(self.first(image)))
        return self.relu(self.second(self.drop(before))) + before[..., 1:-1, 1:-1]

def make(filters):
    return Small(filters)
"""


def of_torch(folder: Path) -> dict[str, Any]:
    (folder / "conforming_torch.py").write_text(TORCH)
    return {"function": "conforming_torch:make", "arguments": {"filters": 4}}


def of_onnx(folder: Path) -> dict[str, Any]:
    import onnx_models

    return {"path": onnx_models.saved(onnx_models.plain(), folder).name}


def of_tflite(folder: Path) -> dict[str, Any]:
    (folder / "model.tflite").write_bytes(converted(plain(keras)))
    return {"path": "model.tflite"}


MODELS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "keras": of_keras,
    "application": of_application,
    "builder": of_builder,
    "savedmodel": of_savedmodel,
    "hub": of_hub,
    "bit": of_bit,
    "torch": of_torch,
    "onnx": of_onnx,
    "tflite": of_tflite,
}
"""For each kind a `model` section that opens at its size, made in a folder."""
SIZES = {"application": (32, 40)}


def test_every_source_takes_part() -> None:
    assert set(MODELS) == set(SOURCES)


@pytest.fixture(name="source", params=SOURCES, scope="module")
def _source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[TappableModel, Any]:
    kind, folder = request.param, tmp_path_factory.mktemp(request.param)
    for package in EXTRAS.get(kind, ()):
        pytest.importorskip(package)
    size = SIZES.get(kind, (16, 16))
    data = {
        "name": "test",
        "model": {"kind": kind, **MODELS[kind](folder)},
        "preprocess": {"size": list(size)},
        "probes": [{"kind": "skimage", "names": ["cat"]}],
    }
    return open_source(config.from_dict(data, folder)), size


def run(source: tuple[TappableModel, Any], names: list[str], images: np.ndarray) -> dict[str, np.ndarray]:
    model, size = source
    taps = [tap for tap in model.inventory(size)[1] if tap.name in names]
    return model.tapped(taps, dict, size=size, batch=len(images))(images)


def noise(size: tuple[int, int], count: int = 4) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(count, *size, 3)).astype(np.float32)


def test_it_says_which_model_it_is(source: tuple[TappableModel, Any]) -> None:
    identity = source[0].identity
    assert identity.kind in SOURCES
    assert identity.source
    assert identity.framework
    assert identity.parameters > 0
    assert not any(str(getattr(identity, field.name)).startswith("/") for field in fields(Identity))


def test_it_says_what_it_takes(source: tuple[TappableModel, Any]) -> None:
    model, size = source
    assert (model.image_input.size, model.image_input.channels, model.batch) == (size, 3, None)


def test_taps_are_numbered_in_order_and_named_once(source: tuple[TappableModel, Any]) -> None:
    taps = source[0].inventory(source[1])[1]
    assert [tap.order for tap in taps] == list(range(1, len(taps) + 1))
    assert len({tap.name for tap in taps}) == len(taps)
    seen = Counter[str]()
    for tap in taps:
        seen[tap.type] += 1
        assert tap.index == seen[tap.type]


def test_every_layer_has_taps_or_a_reason(source: tuple[TappableModel, Any]) -> None:
    layers, taps = source[0].inventory(source[1])
    assert all(bool(layer.taps) != bool(layer.reason) for layer in layers)
    assert sorted(name for layer in layers for name in layer.taps) == sorted(tap.name for tap in taps)
    assert {layer.path: layer.parameters for layer in layers} | {tap.layer: tap.parameters for tap in taps} == {
        layer.path: layer.parameters for layer in layers
    }
    assert sum(layer.parameters for layer in layers) == source[0].identity.parameters
    assert all(layer.trainable_parameters <= layer.parameters for layer in layers)


def test_listing_twice_gives_the_same(source: tuple[TappableModel, Any]) -> None:
    assert source[0].inventory(source[1]) == source[0].inventory(source[1])


def test_a_tap_has_the_shape_and_dtype_that_it_says(source: tuple[TappableModel, Any]) -> None:
    taps = source[0].inventory(source[1])[1]
    found = run(source, [tap.name for tap in taps], noise(source[1]))
    for tap in taps:
        assert (found[tap.name].shape, str(found[tap.name].dtype)) == ((4, *tap.shape), tap.dtype)
        assert np.isfinite(found[tap.name]).all()


def test_some_taps_alone_hold_what_they_hold_among_all(source: tuple[TappableModel, Any]) -> None:
    names = [tap.name for tap in source[0].inventory(source[1])[1]]
    together = run(source, names, noise(source[1]))
    for some in (names[:1], names[1::3], names[-1:]):
        alone = run(source, some, noise(source[1]))
        assert list(alone) == some
        for name, value in alone.items():
            np.testing.assert_allclose(value, together[name], rtol=1e-4, atol=1e-5)


def test_an_image_gives_the_same_in_any_batch(source: tuple[TappableModel, Any]) -> None:
    names = [tap.name for tap in source[0].inventory(source[1])[1]]
    images = noise(source[1])
    together = run(source, names, images)
    for i in range(len(images)):
        for name, value in run(source, names, images[i : i + 1]).items():
            # A convolution adds in another order for another batch, and rounding adds up through 53 of them.
            rounding = 1e-4 * np.abs(value).max()
            np.testing.assert_allclose(value[0], together[name][i], rtol=1e-4, atol=rounding)


def test_what_is_appended_may_be_nested(source: tuple[TappableModel, Any]) -> None:
    model, size = source
    tap = model.inventory(size)[1][0]
    made = model.tapped(
        [tap], lambda tensors: {"a": [tensors[tap.name], {"b": tensors[tap.name] * 2}]}, size=size, batch=1
    )(noise(size, 1))
    np.testing.assert_array_equal(made["a"][1]["b"], made["a"][0] * 2)


def test_errors_of_what_is_appended_are_not_said_of_the_model(source: tuple[TappableModel, Any]) -> None:
    model, size = source
    with pytest.raises(ZeroDivisionError):
        model.tapped(model.inventory(size)[1][:1], lambda tensors: 1 // 0, size=size, batch=1)


def test_randomised_weights_give_other_values_inside_the_context_only(source: tuple[TappableModel, Any]) -> None:
    check(*source)


def test_every_weight_keeps_its_entries_inside_and_its_order_outside(source: tuple[Any, Any]) -> None:
    model, size = source
    model.inventory(size)
    held = list(model._weights())
    before = kept(held)
    assert sum(each.numpy().size for each in held) >= model.identity.parameters
    together = [entries(each.numpy()) for each in held]
    with model.randomised(1):
        assert [entries(each.numpy()) for each in held] == together
        inside = kept(held)
    # What holds but one value, such as a new bias, has no other order.
    several = [len(np.unique(each.numpy())) > 4 for each in held]
    assert any(several)
    assert [a != b for a, b, many in zip(inside, before, several, strict=True) if many] == [True] * sum(several)
    assert kept(held) == before


def test_what_libraries_say_while_they_start_is_held_back(capfd: pytest.CaptureFixture[str]) -> None:
    with _quiet():
        os.write(2, b"a hundred lines of log\n")
    os.write(2, b"said afterwards\n")
    assert capfd.readouterr().err == "said afterwards\n"


def test_what_libraries_say_while_they_fail_to_start_is_let_out(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ImportError):
        fail_to_start()
    assert capfd.readouterr().err == "libcudart is broken\n"


def fail_to_start() -> None:
    with _quiet():
        os.write(2, b"libcudart is broken\n")
        raise ImportError("no")


OPENING = """
from pathlib import Path
from fmreport import config, sources
from fmreport.errors import SourceError
try:
    model, probes = {"kind": "application", "name": "VGG"}, [{"kind": "skimage", "names": ["cat"]}]
    sources.open_source(config.from_dict({"name": "test", "model": model, "probes": probes}, Path()))
except SourceError as error:
    print(error, "|", error.fix)
"""


def said(folder: Path, **environment: str) -> tuple[str, str]:
    """What a new Python prints on stdout and stderr when it opens a model."""
    done = subprocess.run(
        [sys.executable, "-c", OPENING], env=os.environ | environment, capture_output=True, text=True, check=True
    )
    return done.stdout, done.stderr


def test_frameworks_start_in_silence(tmp_path: Path) -> None:
    out, err = said(tmp_path)
    assert out.startswith("CONFIG: model.name: keras.applications has no VGG | nearest: VGG1")
    assert err == ""


def test_a_broken_framework_and_another_backend_are_told(tmp_path: Path) -> None:
    (tmp_path / "tensorflow.py").write_text("raise ImportError('libtensorflow.so is missing')")
    out, _ = said(tmp_path, PYTHONPATH=str(tmp_path))
    assert out.startswith("TensorFlow or Keras cannot be imported: libtensorflow.so is missing | install")
    out, _ = said(tmp_path, KERAS_BACKEND="numpy")
    assert out.startswith("Keras runs on numpy, and models are tapped in TensorFlow's graphs | set ")
