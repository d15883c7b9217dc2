"""`kind: builder`: a function of the user's makes the model, and whatever goes wrong in it is told."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from fmreport import config
from fmreport.errors import FmreportError, ProbeError, SourceError
from fmreport.opening import preprocessing
from fmreport.sources import TappableModel, open_source

MODULE = """
import keras, tf_keras

def small(filters=4, side=8, channels=3):
    image = keras.Input((side, side, channels), name="image")
    return keras.Model(image, keras.layers.Conv2D(filters, 3, name="conv")(image))

def old(filters=4):
    image = tf_keras.Input((8, 8, 3))
    return tf_keras.Model(image, tf_keras.layers.Conv2D(filters, 3, name="conv")(image))

class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.conv, self.head = keras.layers.Conv2D(4, 3, name="conv"), keras.layers.Dense(2, name="head")

    def call(self, x):
        return self.head(keras.ops.mean(self.conv(x), axis=(1, 2)))

class OldNet(tf_keras.Model):
    def __init__(self):
        super().__init__()
        self.conv = tf_keras.layers.Conv2D(4, 3, name="conv")

    def call(self, x):
        return self.conv(x)

def two_inputs():
    left, right = keras.Input((8, 8, 3), name="left"), keras.Input((4,), name="right")
    return keras.Model([left, right], [keras.layers.Conv2D(2, 3)(left), keras.layers.Dense(2)(right)])

def pair():
    left, right = keras.Input((8, 8, 3), name="left"), keras.Input((16, 16, 3), name="right")
    return keras.Model([left, right], [keras.layers.Conv2D(2, 3)(left), keras.layers.Conv2D(2, 3)(right)])

def vector():
    x = keras.Input((10,), name="numbers")
    return keras.Model(x, keras.layers.Dense(2)(x))

def any_size():
    image = keras.Input((None, None, 3), name="image")
    x = keras.layers.MaxPooling2D(2)(image)
    return keras.Model(image, keras.layers.Add()([image, keras.layers.UpSampling2D(2)(x)]))

def fixed_batch():
    image = keras.Input(batch_shape=(2, 8, 8, 3), name="image")
    return keras.Model(image, keras.layers.Conv2D(2, 3, name="conv")(image))

def bare():
    return keras.Sequential([keras.layers.Conv2D(2, 3, name="conv"), keras.layers.ReLU(name="act")])

def fails():
    raise RuntimeError("no luck\\nsecond line")

def stops():
    raise SystemExit(4)

def nothing():
    return None

number = 3
"""


def settings(function: str, folder: Path, **given: Any) -> config.Config:
    preprocess = {key: given.pop(key) for key in ("size", "colour") if key in given}
    model = {"kind": "builder", "function": f"models:{function}", **given}
    data = {"name": "test", "model": model, "preprocess": preprocess, "probes": [{"kind": "skimage", "names": ["cat"]}]}
    return config.from_dict(data, folder)


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "models.py").write_text(MODULE)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in str(sys.modules[name].__file__):
            del sys.modules[name]


def opened(function: str, folder: Path, **given: Any) -> TappableModel:
    return open_source(settings(function, folder, **given))


def refused(function: str, folder: Path, **given: Any) -> tuple[str, str]:
    with pytest.raises(SourceError) as caught:
        opened(function, folder, **given)
    return str(caught.value), caught.value.fix


def tap_names(source: TappableModel, size: tuple[int, int]) -> list[str]:
    return [tap.name for tap in source.inventory(size)[1]]


def test_a_model_comes_from_a_module_beside_the_config(folder: Path) -> None:
    source = opened("small", folder, arguments={"filters": 6})
    assert source.inventory((8, 8))[1][0].shape == (6, 6, 6)
    assert source.identity.framework == f"keras {keras.__version__}"
    assert source.identity.parameters == 6 * 28
    assert opened("old", folder).identity.framework.startswith("tf_keras ")


def test_each_folder_has_its_own_module_of_the_same_name(folder: Path, tmp_path_factory: Any) -> None:
    other = tmp_path_factory.mktemp("other")
    (other / "models.py").write_text(MODULE.replace("filters=4", "filters=9"))
    channels = [opened("small", each).inventory((8, 8))[1][0].channels for each in (folder, other, folder)]
    assert channels == [4, 9, 4]
    assert sys.path.count(str(folder)) == 0


@pytest.mark.parametrize("function", ["Net", "OldNet", "bare"])
def test_a_model_without_variables_is_built_for_the_configs_size(function: str, folder: Path) -> None:
    source = opened(function, folder, size=[10, 12])
    assert source.image_input.size == (10, 12)
    assert source.batch is None
    taps = source.inventory((10, 12))[1]
    assert taps[0].shape[:2] == (8, 10)
    assert source.identity.parameters > 0


def test_a_model_without_variables_and_without_a_size_says_what_to_write(folder: Path) -> None:
    message, fix = refused("Net", folder)
    assert message == "CONFIG: model.function: the model has no variables yet, and no size to build it for"
    assert fix.startswith("write preprocess: {size: [224, 224]}")


def test_a_model_that_cannot_be_built_for_the_size_says_so(folder: Path) -> None:
    assert "does not take a 2 x 2 image: " in refused("Net", folder, size=2)[0]


@pytest.mark.parametrize("function", ["small", "old"])
def test_weights_come_from_a_file(function: str, folder: Path) -> None:
    model = opened(function, folder)._model  # type: ignore[attr-defined]
    model.save_weights(folder / "own.weights.h5")
    source = opened(function, folder, weights="own.weights.h5")
    assert len(source.identity.sha256) == 64
    assert np.array_equal(source._model.weights[0], model.weights[0])  # type: ignore[attr-defined]
    message, fix = refused(function, folder, weights="own.weights.h5", arguments={"filters": 5})
    assert "model.weights: own.weights.h5 does not fit the model: " in message
    assert "save_weights" in fix
    message, _ = refused(function, folder, weights="own.weights.h5", sha256="1" * 64)
    assert message.startswith("CONFIG: model.sha256: the file has SHA-256 ")


FAILURES = {
    "missing": ("model.function: the module models holds no missing", "nearest"),
    "number": ("model.function: models:number is int, not a function", "name a function"),
    "fails": ("model.function: models:fails failed: RuntimeError: no luck", "by itself"),
    "stops": ("model.function: models:stops failed: SystemExit: 4", "by itself"),
    "nothing": ("model.function: models:nothing returned NoneType, which is no Keras model", "keras.Model"),
    "vector": (
        "the input numbers takes float32 of shape (any, 10), and a batch of images has four axes",
        "(batch, height, width, channels)",
    ),
}


@pytest.mark.parametrize("function", FAILURES)
def test_what_goes_wrong_in_the_function_is_told(function: str, folder: Path) -> None:
    message, fix = refused(function, folder)
    assert FAILURES[function][0] in message
    assert FAILURES[function][1] in fix or function == "missing"


def test_a_wrong_argument_is_told(folder: Path) -> None:
    message, fix = refused("small", folder, arguments={"filter": 3})
    assert "TypeError: small() got an unexpected keyword argument 'filter'" in message
    assert "model.arguments" in fix


def test_two_inputs_need_to_be_told_apart_and_the_message_shows_how(folder: Path) -> None:
    message, fix = refused("two_inputs", folder)
    assert "the model has 2 inputs, and nothing says what left, right takes: left 8 x 8 x 3; right 4" in message
    assert fix.endswith("inputs: {left: image, right: zeros}")
    given = {"left": "image", "right": "zeros"}
    assert len(tap_names(opened("two_inputs", folder, inputs=given), (8, 8))) == 2


def test_an_input_that_the_model_does_not_have_is_named(folder: Path) -> None:
    message, fix = refused("two_inputs", folder, inputs={"lift": "image", "right": "zeros"})
    assert (message, fix) == ("model.inputs: the model has no input named lift", "nearest: left")
    message, fix = refused("small", folder, inputs={"picture": "image"})
    assert (message, fix) == ("model.inputs: the model has no input named picture", "one of: image")


def test_inputs_that_cannot_take_the_same_image_say_so(folder: Path) -> None:
    message, fix = refused("pair", folder, inputs={"left": "image", "right": "image"})
    assert message == "the inputs left 8 x 8 x 3, right 16 x 16 x 3 cannot take the same image"
    assert "model.inputs" in fix
    message, _ = refused("two_inputs", folder, inputs={"left": "zeros", "right": "image"})
    assert message == "the input right takes float32 of shape (any, 4), and a batch of images has four axes"


def test_a_size_that_the_model_does_not_take_is_told(folder: Path) -> None:
    source = opened("any_size", folder, size=8)
    assert tap_names(source, (8, 8))
    with pytest.raises(SourceError, match="the model does not take images of 9 x 8 x 3: ") as caught:
        source.inventory((9, 8))
    assert "preprocess.size" in caught.value.fix
    asked = settings("small", folder, size=9)
    with pytest.raises(ProbeError, match=r"preprocess.size is 9 × 9, but the model takes 8 × 8"):
        preprocessing(asked, open_source(asked))


def test_wrong_channels_are_told(folder: Path) -> None:
    for channels, colour in ((3, "grey"), (1, "rgb")):
        asked = settings("small", folder, arguments={"channels": channels}, colour=colour)
        with pytest.raises(FmreportError, match=f"but the model takes {channels}"):
            preprocessing(asked, open_source(asked))


def test_a_model_of_one_batch_size_is_run_with_it(folder: Path) -> None:
    source = opened("fixed_batch", folder)
    assert source.batch == 2
    taps = source.inventory((8, 8))[1]
    run = source.tapped(taps, lambda tensors: tensors["conv"], size=(8, 8), batch=2)
    assert run(np.zeros((2, 8, 8, 3))).shape == (2, 6, 6, 2)
