"""`kind: keras`: files of every age open or explain themselves, and none runs code that is not trusted."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from eager_walk import eager_walk, named
from saved_models import FORMATS, FRAMEWORKS, HOSTILE, importing, keras_file, keras_h5, plain, tf_keras_folder

from fmreport import config
from fmreport.errors import SourceError
from fmreport.sources import TappableModel, check, open_source

SHARED = Path(__file__).parents[2] / "shared" / "models"
DOUBLE = """
import keras

class Double(keras.layers.Layer):
    def call(self, x):
        return x * 2.0
"""


def settings(path: Path | str, folder: Path = Path(), **given: Any) -> config.Config:
    preprocess = {"size": given.pop("size")} if "size" in given else {}
    model = {"kind": "keras", "path": str(path), **given}
    data = {"name": "test", "model": model, "preprocess": preprocess, "probes": [{"kind": "skimage", "names": ["cat"]}]}
    return config.from_dict(data, folder)


def opened(path: Path, **given: Any) -> TappableModel:
    return open_source(settings(path.name, path.parent, **given))


def refused(path: Path, **given: Any) -> SourceError:
    """The error of opening; it is the same whether `check` finds it first or the framework."""
    with pytest.raises(SourceError) as caught:
        opened(path, **given)
    assert str(caught.value).startswith("CONFIG: model.")
    assert caught.value.fix
    return caught.value


@pytest.mark.parametrize("age", FORMATS)
def test_every_format_opens_and_taps_what_was_saved(age: str, tmp_path: Path) -> None:
    path, model = FORMATS[age](tmp_path)
    source = opened(path)
    assert source.identity.framework.startswith(FRAMEWORKS.get(age, ""))
    assert source.identity.parameters == model.count_params()
    taps = source.inventory((16, 16))[1]
    order = [tap.name for tap in taps]
    assert order == ["first", "pool", "norm", "second", "mean"]
    images = np.random.default_rng(0).normal(size=(2, 16, 16, 3)).astype(np.float32)
    found = source.tapped(taps, lambda tensors: [tensors[each] for each in order], size=(16, 16), batch=2)(images)
    expected = named(eager_walk(model, [tf.constant(images)]))
    for name, value in zip(order, found, strict=True):
        np.testing.assert_allclose(value, expected[name].numpy(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("age", HOSTILE)
def test_a_lambda_is_refused_before_anything_runs(age: str, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    path = HOSTILE[age](tmp_path, mark)
    error = refused(path)
    assert "holds Lambda layers (plant), which are code inside the file" in str(error)
    assert "trusted: true" in error.fix
    with pytest.raises(SourceError, match="Lambda"):
        check(settings(path.name, path.parent))
    assert not mark.exists()


@pytest.mark.parametrize("age", HOSTILE)
def test_a_lambda_runs_where_it_is_trusted(age: str, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    source = opened(HOSTILE[age](tmp_path, mark), trusted=True)
    assert source.inventory((8, 8))[1]
    assert mark.exists()


def test_a_file_cannot_have_a_module_imported(tmp_path: Path) -> None:
    (tmp_path / "evil_module.py").write_text(f"open({str(tmp_path / 'mark')!r}, 'w').close()\nclass Evil: pass\n")
    error = refused(importing(tmp_path, "evil_module"))
    assert "needs evil_module:Evil, which Keras does not have" in str(error)
    assert 'custom_objects: ["evil_module:Evil"]' in error.fix
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("module", ["keras.utils", "tf_keras.src.utils.data_utils", "os"])
def test_a_file_cannot_ask_for_what_does_more_than_compute(module: str, tmp_path: Path) -> None:
    assert f"needs {module}:Evil" in str(refused(importing(tmp_path, module)))


def custom(folder: Path, name: str) -> Path:
    """A model with a class of its own, saved without its module at hand."""

    class Double(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            return x * 2.0

    image = keras.Input((8, 8, 3))
    model = keras.Model(image, Double(name="twice")(keras.layers.Conv2D(2, 3, name="conv")(image)))
    model.save(folder / name)
    return folder / name


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
def test_a_custom_class_comes_from_the_configs_folder(name: str, tmp_path: Path) -> None:
    path = custom(tmp_path, name)
    (tmp_path / "own_layers.py").write_text(DOUBLE)
    source = opened(path, custom_objects=["own_layers:Double"])
    assert [tap.type for tap in source.inventory((8, 8))[1]] == ["Conv2D", "Double"]


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
def test_a_missing_custom_class_is_named_with_what_to_write(name: str, tmp_path: Path) -> None:
    error = refused(custom(tmp_path, name))
    assert "Double" in str(error)
    assert "custom_objects: [" in error.fix
    assert "Double" in error.fix


def test_a_custom_object_that_cannot_be_imported_says_which_and_why(tmp_path: Path) -> None:
    path, _ = keras_file(tmp_path)
    (tmp_path / "own_layers.py").write_text(DOUBLE)
    (tmp_path / "broken.py").write_text("def (")
    (tmp_path / "stops.py").write_text("raise SystemExit(3)")
    (tmp_path / "needs.py").write_text("import no_such_package")
    cases = {
        "own_layer:Double": ("own_layer is no module", "nearest: own_layers"),
        "own_layers:Duoble": ("the module own_layers holds no Duoble", "nearest: Double"),
        "broken:Double": ("SyntaxError", "import broken by itself"),
        "stops:Double": ("SystemExit: 3", "import stops by itself"),
        "needs:Double": ("needs needs no_such_package, which is missing", "install"),
    }
    for name, (message, fix) in cases.items():
        error = refused(path, custom_objects=[name])
        assert "model.custom_objects[0]" in str(error)
        assert message in str(error)
        assert fix in error.fix


@pytest.mark.parametrize("kept", [0, 3, 0.3, 0.7, 0.99])
@pytest.mark.parametrize("save", [keras_file, keras_h5])
def test_a_truncated_file_says_that_it_is_not_whole(save: Any, kept: float, tmp_path: Path) -> None:
    path, _ = save(tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[: int(kept if kept >= 1 else kept * len(data))])
    error = refused(path)
    assert "is no whole" in str(error)
    assert error.fix == "copy the file again from its origin"


@pytest.mark.parametrize("at", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("save", FORMATS.values())
def test_a_damaged_file_opens_or_explains_itself(save: Any, at: float, tmp_path: Path) -> None:
    path, _ = save(tmp_path)
    file = path / "saved_model.pb" if path.is_dir() else path
    data = bytearray(file.read_bytes())
    middle = int(at * len(data))
    data[middle : middle + 200] = bytes(range(200))
    file.write_bytes(data)
    with suppress(SourceError):  # anything else that is raised fails the test
        opened(path)


def test_a_folder_that_lacks_a_part_explains_itself(tmp_path: Path) -> None:
    path, _ = tf_keras_folder(tmp_path)
    next((path / "variables").glob("*.data*")).unlink()
    assert "cannot be opened.\n  Keras 3 says: " in str(refused(path))
    (path / "saved_model.pb").unlink()
    assert "is a folder without saved_model.pb" in str(refused(path))


def test_a_wrong_suffix_says_what_the_file_is(tmp_path: Path) -> None:
    path, _ = keras_file(tmp_path)
    assert "is no Keras model by its name" in str(refused(path.rename(tmp_path / "model.zip")))
    error = refused((tmp_path / "model.zip").rename(tmp_path / "model.h5"))
    assert (str(error).split(": ")[-1], error.fix) == (
        "model.h5 is a .keras file by its content",
        "rename it to end in .keras",
    )
    path, _ = keras_h5(tmp_path)
    error = refused(path.rename(tmp_path / "model.keras"))
    assert (str(error).split(": ")[-1], error.fix) == (
        "model.keras is an HDF5 file by its content",
        "rename it to end in .h5",
    )


def test_weights_without_an_architecture_say_how_to_use_them(tmp_path: Path) -> None:
    plain(keras).save_weights(tmp_path / "model.weights.h5")
    plain(tf_keras).save_weights(tmp_path / "old.h5")
    for name in ("model.weights.h5", "old.h5"):
        error = refused(tmp_path / name)
        assert "holds weights without an architecture" in str(error)
        assert "kind: builder" in error.fix


def test_another_file_than_the_pinned_one_is_refused(tmp_path: Path) -> None:
    path, _ = keras_file(tmp_path)
    digest = opened(path).identity.sha256
    assert opened(path, sha256=digest.upper()).identity.sha256 == digest
    error = refused(path, sha256="0" * 64)
    assert str(error) == f"CONFIG: model.sha256: the file has SHA-256 {digest}, the config pins {'0' * 64}"


def test_a_missing_file_names_the_nearest(tmp_path: Path) -> None:
    keras_file(tmp_path)
    error = refused(tmp_path / "modle.keras")
    assert str(error) == "CONFIG: model.path: modle.keras does not exist"
    assert error.fix == "paths are relative to CONFIG; beside it: nearest: model.keras"


def test_an_unknown_built_in_model_names_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no built-in model is called sd_unet_pet") as caught:
        check(settings("builtin:sd_unet_pet"))
    assert caught.value.fix


def test_a_subclassed_model_takes_the_size_that_the_config_says(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(NET)
    net: dict[str, Any] = {}
    exec(compile(NET, "net", "exec"), net)
    model = net["Net"]()
    model(np.zeros((2, 12, 12, 3), np.float32))
    model.save(tmp_path / "net.keras")
    source = opened(tmp_path / "net.keras", custom_objects=["net:Net"], size=20)
    assert (source.batch, source.image_input.size) == (None, (20, 20))
    assert [tap.shape for tap in source.inventory((20, 20))[1]] == [(18, 18, 2)]
    assert opened(tmp_path / "net.keras", custom_objects=["net:Net"]).image_input.size == (12, 12)


NET = """
import keras

class Net(keras.Model):
    def __init__(self, **settings):
        super().__init__(**settings)
        self.conv = keras.layers.Conv2D(2, 3)

    def call(self, x):
        return self.conv(x)
"""
REAL = {
    "mlperftiny_resnet8/pretrainedResnet.h5": ("keras 3", (32, 32), 9),
    "mlperftiny_vww96/vww_96.h5": ("tf_keras", (96, 96), 27),
    "mlperftiny_kws/saved_model": ("tf_keras", (49, 10), 9),
}


@pytest.mark.parametrize("name", REAL)
def test_a_real_model_opens_and_taps_its_convolutions(name: str) -> None:
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"{name} is not beside the checkout")
    framework, size, convolutions = REAL[name]
    source = opened(path)
    assert source.identity.framework.startswith(framework)
    assert source.image_input.size == size
    layers, taps = source.inventory(size)
    assert [layer.path for layer in layers if layer.reason and layer.type != "InputLayer"] == []
    assert len([tap for tap in taps if "Conv" in tap.type]) == convolutions
    channels = source.image_input.channels
    images = np.random.default_rng(0).uniform(0, 1, (2, *size, channels)).astype(np.float32)
    order = [tap.name for tap in taps]
    found = source.tapped(taps, lambda tensors: [tensors[each] for each in order], size=size, batch=2)(images)
    expected = named(eager_walk(source._model, [tf.constant(images)]))  # type: ignore[attr-defined]
    assert set(order) == set(expected)
    for each, value in zip(order, found, strict=True):
        np.testing.assert_allclose(value, expected[each].numpy(), rtol=1e-4, atol=1e-4, err_msg=each)
