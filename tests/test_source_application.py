"""`kind: application`: every architecture opens, lists all its layers and taps all its convolutions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from architectures import by_family
from eager_walk import eager_walk, named

from fmreport import config
from fmreport.errors import SourceError
from fmreport.probes.recipes import APPLICATIONS
from fmreport.sources import open_source
from fmreport.sources.application import constructors

SMALLEST = {"InceptionV3": 75, "InceptionResNetV2": 75, "Xception": 71}
"""Smallest sides in pixels; 32 for the others."""
OWN_SIDES = {"EfficientNetB1": 240, "EfficientNetV2S": 384, "InceptionV3": 299, "Xception": 299}
"""Sides of some published architectures in pixels; 224 for most."""


def settings(name: str, folder: Path = Path(), **given: Any) -> config.Config:
    preprocess = {"size": given.pop("size")} if "size" in given else {}
    model = {"kind": "application", "name": name, **given}
    data = {"name": "test", "model": model, "preprocess": preprocess, "probes": [{"kind": "skimage", "names": ["cat"]}]}
    return config.from_dict(data, folder)


def below(layer: Any) -> list[Any]:
    """All layers and operations below a model, nested models included."""
    found = {id(each): each for each in layer._flatten_layers(include_self=False)}
    for model in [layer, *found.values()]:
        found |= {id(each): each for each in getattr(model, "operations", ())}
    return list(found.values())


@pytest.mark.slow
@pytest.mark.parametrize("name", by_family(sorted(constructors())))
def test_an_architecture_lists_all_layers_and_taps_all_convolutions(name: str) -> None:
    side = SMALLEST.get(name, 32)
    opened = open_source(settings(name, size=side))
    listed, taps = opened.inventory((side, side))
    layers = below(opened._model)  # type: ignore[attr-defined]
    assert sorted(layer.type for layer in listed) == sorted(type(layer).__name__ for layer in layers)
    assert [layer.path for layer in listed if not layer.taps and layer.type != "InputLayer"] == []
    convs = [layer for layer in layers if "Conv" in type(layer).__name__]
    assert sorted(tap.type for tap in taps if "Conv" in tap.type) == sorted(type(layer).__name__ for layer in convs)
    assert [(tap.name, tap.zeros_reason) for tap in taps if tap.zeros == "unknown"] == []
    assert opened.identity.parameters == opened._model.count_params()  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["MobileNetV3Small", pytest.param("ResNet50V2", marks=pytest.mark.slow), "VGG16"])
def test_taps_of_an_architecture_equal_an_eager_walk(name: str) -> None:
    keras.utils.set_random_seed(5)
    opened = open_source(settings(name, size=[32, 48]))
    taps = opened.inventory((32, 48))[1]
    order = [tap.name for tap in taps]
    images = np.random.default_rng(0).uniform(-1, 1, (2, 32, 48, 3)).astype(np.float32)
    found = opened.tapped(taps, lambda tensors: [tensors[each] for each in order], size=(32, 48), batch=2)(images)
    expected = named(eager_walk(opened._model, [tf.constant(images)]))  # type: ignore[attr-defined]
    assert set(order) == set(expected)
    for tap, value in zip(taps, found, strict=True):
        reference = expected[tap.name].numpy()
        np.testing.assert_allclose(value, reference, rtol=1e-4, atol=1e-4 * np.abs(reference).max(), err_msg=tap.name)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["EfficientNetB1", "EfficientNetV2S", "InceptionV3", "NASNetMobile", "Xception", "VGG16"]
)
def test_an_architecture_has_its_own_size_where_none_is_asked_for(name: str) -> None:
    side = OWN_SIDES.get(name, 224)
    assert open_source(settings(name)).image_input.size == (side, side)


def test_every_architecture_has_its_own_preprocessing() -> None:
    assert sorted(constructors()) == sorted(name for names in APPLICATIONS.values() for name in names)


def test_mobile_net_v3_leaves_its_size_open_but_has_one() -> None:
    assert open_source(settings("MobileNetV3Small")).image_input.size == (224, 224)


def test_an_unknown_name_is_told_the_nearest() -> None:
    with pytest.raises(SourceError, match=r"^CONFIG.*model\.name: keras\.applications has no ResNet50V3$") as caught:
        open_source(settings("ResNet50V3"))
    assert caught.value.fix.startswith("nearest: ResNet50V2")


def test_a_size_below_the_smallest_says_what_the_smallest_is() -> None:
    with pytest.raises(SourceError, match=r"InceptionV3 cannot be built for 32 x 32 .* at least 75x75") as caught:
        open_source(settings("InceptionV3", size=32))
    assert "preprocess.size" in caught.value.fix


def test_weights_come_from_a_file_at_any_size(tmp_path: Path) -> None:
    made = keras.applications.MobileNetV3Small(weights=None, input_shape=(32, 32, 3), classes=7)
    made.save_weights(tmp_path / "own.weights.h5")
    opened = open_source(settings("MobileNetV3Small", tmp_path, weights="own.weights.h5", classes=7, size=48))
    loaded = opened._model.weights  # type: ignore[attr-defined]
    assert all(np.array_equal(a, b) for a, b in zip(made.weights, loaded, strict=True))
    assert len(opened.identity.sha256) == 64


def test_weights_of_another_head_are_refused(tmp_path: Path) -> None:
    keras.applications.MobileNetV3Small(weights=None, input_shape=(32, 32, 3), classes=7).save_weights(
        tmp_path / "own.weights.h5"
    )
    with pytest.raises(SourceError, match="MobileNetV3Small cannot be built") as caught:
        open_source(settings("MobileNetV3Small", tmp_path, weights="own.weights.h5", size=32))
    assert "model.classes" in caught.value.fix


def test_missing_weights_name_the_files_beside_them(tmp_path: Path) -> None:
    (tmp_path / "own.weights.h5").touch()
    with pytest.raises(SourceError, match=r"model\.weights: owm\.weights\.h5 does not exist") as caught:
        open_source(settings("MobileNetV3Small", tmp_path, weights="owm.weights.h5"))
    assert "nearest: own.weights.h5" in caught.value.fix


def test_the_size_of_imagenet_weights_is_not_asked_of_the_architecture() -> None:
    """Offline, the download is what fails; and the message says so."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("keras.src.utils.file_utils.get_file", refuse)
        with pytest.raises(SourceError, match="with weights: imagenet: no network") as caught:
            open_source(settings("MobileNetV2", weights="imagenet"))
    assert "weights: null" in caught.value.fix


def refuse(*args: Any, **kwargs: Any) -> Any:
    raise OSError("no network")
