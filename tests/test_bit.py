"""`kind: bit`: the architecture is the published one, and what goes wrong with its settings is told."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from bit_reference import reference, weights

from fmreport import config, opening, pipeline
from fmreport.errors import SourceError
from fmreport.probes import RECIPES, Preprocess
from fmreport.sources import TappableModel, check, open_source
from fmreport.zoo.bit import VARIANTS, StandardizedConv2D, bit

ROOT = Path(__file__).parent.parent
PUBLISHED = {
    "R50x1": (53, 23_500_352, 25_549_352),
    "R50x3": (53, 211_174_080, 217_319_080),
    "R101x1": (104, 42_492_480, 44_541_480),
    "R101x3": (104, 381_789_888, 387_934_888),
    "R152x2": (155, 232_238_208, 236_335_208),
    "R152x4": (155, 928_340_224, 936_533_224),
}
"""Convolutions, parameters without a head and with one of 1000 classes."""
AT_224 = {
    "root_block/standardized_conv2d": (112, 112, 64),
    "root_block/pool": (56, 56, 64),
    "block1/unit03": (56, 56, 256),
    "block2/unit04": (28, 28, 512),
    "block3/unit06": (14, 14, 1024),
    "block4/unit03": (7, 7, 2048),
    "pool": (2048,),
}
SIZE = (64, 48)


def settings(folder: Path, **given: Any) -> config.Config:
    preprocess = given.pop("preprocess", {"size": list(SIZE)})
    data = {
        "name": "test",
        "seed": given.pop("seed", 0),
        "model": {"kind": "bit", "variant": "R50x1", **given},
        "preprocess": preprocess,
        "probes": [{"kind": "skimage", "names": ["cat"]}],
    }
    return config.from_dict(data, folder)


def refused(act: Callable[[config.Config], Any], folder: Path, **given: Any) -> tuple[str, str]:
    with pytest.raises(SourceError) as caught:
        act(settings(folder, **given))
    return str(caught.value), caught.value.fix


def run(source: TappableModel, images: np.ndarray) -> dict[str, np.ndarray]:
    """Every tap, by name in running order."""
    size = images.shape[1:3]
    return source.tapped(source.inventory(size)[1], dict, size=size, batch=len(images))(images)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).uniform(-1, 1, shape).astype(np.float32)


@pytest.mark.parametrize("variant", VARIANTS)
def test_each_variant_has_the_published_convolutions_and_parameters(variant: str) -> None:
    try:
        # Variables of such a scope have a shape and no values, which would be 3.7 GB.
        with keras.StatelessScope(initialize_variables=False):
            model, headed = bit(variant), bit(variant, classes=1000)
    finally:
        keras.utils.clear_session()  # else the next scope would fill them
    convs = sum(isinstance(layer, StandardizedConv2D) for layer in model.layers)
    assert (convs, model.count_params(), headed.count_params()) == PUBLISHED[variant]


@pytest.fixture(name="full", scope="module")
def _full(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, np.ndarray]]:
    """A file of weights for R50x1 as they are published, with a head of 5 classes; and what is in it."""
    rng = np.random.default_rng(2)
    held = {f"resnet/{name}": value for name, value in weights().items()}
    held["resnet/head/conv2d/kernel"] = rng.normal(size=(1, 1, 2048, 5)).astype(np.float32)
    held["resnet/head/conv2d/bias"] = rng.normal(size=5).astype(np.float32)
    path = tmp_path_factory.mktemp("bit") / "full.npz"
    np.savez(path, allow_pickle=True, **held)
    return path, held


def test_all_taps_equal_an_eager_reimplementation(full: tuple[Path, dict[str, np.ndarray]]) -> None:
    path, held = full
    source = open_source(settings(path.parent, weights="full.npz"))
    images = noise(2, *SIZE, 3)
    found, wanted = run(source, images), reference(images, weights())
    wanted["pool"] = wanted.pop("features")
    kernel, bias = held["resnet/head/conv2d/kernel"][0, 0], held["resnet/head/conv2d/bias"]
    wanted["head"] = wanted["pool"] @ kernel + bias
    assert sorted(wanted) == sorted(name for name in found if name in wanted)
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, rtol=0, atol=1e-4 * np.abs(value).max(), err_msg=name)
    assert source.identity.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (source.identity.source, source.identity.parameters) == ("R50x1", 23_500_352 + 5 * 2049)


def test_it_has_the_published_shapes_at_224(tmp_path: Path) -> None:
    taps = open_source(settings(tmp_path, preprocess={"size": [224, 224]})).inventory((224, 224))[1]
    shapes = {tap.name: tap.shape for tap in taps}
    assert {name: shapes[name] for name in AT_224} == AT_224
    assert list(shapes)[-1] == "pool"


def test_it_takes_images_of_any_size() -> None:
    model = bit("R50x1", classes=3)
    for height, width in ((1, 1), (37, 50)):
        assert model(noise(2, height, width, 3)).shape == (2, 3)


def test_the_config_that_ships_taps_convolutions_relus_units_and_what_pooling_reads() -> None:
    found = pipeline.listing(config.load(ROOT / "configs/bit_r50x1.yaml")).inventory
    types = Counter(tap.type for tap in found.taps if tap.name in found.selected)
    assert types == {"StandardizedConv2D": 53, "ReLU": 49, "Add": 16, "ZeroPadding2D": 1}
    assert {"root_block/pool_pad", "relu"} <= found.selected
    assert [layer.path for layer in found.layers if layer.reason] == ["image"]


def test_about_half_of_a_relu_is_zero_and_nothing_at_the_end_of_a_unit(tmp_path: Path) -> None:
    source = open_source(settings(tmp_path, classes=3))
    found = run(source, noise(2, *SIZE, 3))
    assert found["head"].shape == (2, 3)
    for tap in source.inventory(SIZE)[1]:
        zeros = float((found[tap.name] == 0).mean())
        if tap.type == "ReLU":
            assert (0.35 < zeros < 0.65, tap.zeros) == (True, "by design")
        elif tap.type == "Add":
            assert (zeros, tap.zeros) == (0, "by chance")


def test_random_weights_follow_from_the_seed_alone(tmp_path: Path) -> None:
    def kernels(seed: int) -> list[np.ndarray]:
        model = open_source(settings(tmp_path, seed=seed))._model  # type: ignore[attr-defined]
        return [np.asarray(each) for each in model.weights if each.name == "kernel"]

    keras.utils.set_random_seed(7)
    before = random.getstate()
    first = kernels(1)
    assert random.getstate() == before
    keras.utils.set_random_seed(8)
    assert all(np.array_equal(a, b) for a, b in zip(first, kernels(1), strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(first, kernels(2), strict=True))
    assert len({each.tobytes() for each in first}) == len(first)


def test_a_standardised_convolution_can_be_saved_and_read() -> None:
    layer = StandardizedConv2D(4, 3, strides=2, use_bias=False, name="conv")
    read = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert (type(read), read.get_config()) == (StandardizedConv2D, layer.get_config())


def test_npz_weights_take_minus_one_to_one_and_hub_modules_zero_to_one(tmp_path: Path) -> None:
    given = settings(tmp_path)
    assert opening.preprocessing(given, open_source(given)).like == "bit"
    pixels = np.arange(256, dtype=np.float32).repeat(3).reshape(16, 16, 3)
    for name, wanted in (("bit", (pixels - 127.5) / 127.5), ("bit_hub", pixels / 255)):
        made = Preprocess((16, 16), range=RECIPES[name].range, mean=RECIPES[name].mean, std=RECIPES[name].std)
        np.testing.assert_allclose(made.apply(pixels), wanted, atol=1e-6)


def test_a_config_without_a_size_is_told_the_published_ones(tmp_path: Path) -> None:
    message, fix = refused(open_source, tmp_path, preprocess={})
    assert message == "CONFIG: preprocess.size: BiT takes images of any size, and the config names none"
    assert "[480, 480]" in fix
    assert "[128, 128]" in fix


@pytest.mark.parametrize("act", [check, open_source])
def test_a_missing_file_and_another_hash_are_told(act: Callable[[config.Config], Any], tmp_path: Path) -> None:
    message, fix = refused(act, tmp_path, weights="BiT-M-R50x1.npz")
    assert message == "CONFIG: model.weights: BiT-M-R50x1.npz does not exist"
    assert fix.endswith("give the published .npz file")
    np.savez(tmp_path / "BiT-M-R50x3.npz", a=np.ones(1))
    assert refused(act, tmp_path, weights="BiT-M-R50x1.npz")[1].endswith("beside it: nearest: BiT-M-R50x3.npz")
    message, _ = refused(act, tmp_path, weights="BiT-M-R50x3.npz", sha256="1" * 64)
    assert message.startswith("CONFIG: model.sha256: the file has SHA-256 ")


def test_classes_that_the_file_does_not_have_are_told(full: tuple[Path, dict[str, np.ndarray]], tmp_path: Path) -> None:
    message, fix = refused(open_source, full[0].parent, weights="full.npz", classes=7)
    assert message == "CONFIG: model.weights: full.npz has a head of 5 classes, model.classes says 7"
    assert fix.startswith("leave model.classes out")
    np.savez(tmp_path / "bare.npz", a=np.ones(1))
    message, _ = refused(open_source, tmp_path, weights="bare.npz", classes=7)
    assert message == "CONFIG: model.weights: bare.npz has no head, model.classes says 7"


def test_a_file_of_another_model_is_told_with_its_names_and_how_many(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", a=np.ones(1))
    message, fix = refused(open_source, tmp_path, weights="other.npz")
    assert "model.variant" in fix
    assert message == (
        "CONFIG: model.weights: other.npz cannot be given to R50x1: 151 missing: "
        "resnet/root_block/standardized_conv2d/kernel, resnet/block1/unit01/a/group_norm/gamma, "
        "resnet/block1/unit01/a/group_norm/beta, ...; 1 unexpected: a"
    )
    (tmp_path / "page.npz").write_text("<html>404</html>")
    message, _ = refused(open_source, tmp_path, weights="page.npz")
    assert message == (
        "CONFIG: model.weights: page.npz cannot be given to R50x1: it is no whole .npz file: File is not a zip file"
    )
