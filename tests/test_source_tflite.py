"""TensorFlow Lite models: their layers are those of the model that was converted, and so are their values."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from eager_walk import shake
from permuting import check
from saved_models import plain
from tflite_files import converted, in_half, in_part, renamed, whole

import fmreport
from fmreport import config
from fmreport.errors import FmreportError
from fmreport.records import Tap
from fmreport.sources import TappableModel, files, open_source
from fmreport.zoo.sd_unet import sd_unet

ROOT = Path(__file__).parents[1]


def settings(path: Path, size: tuple[int, int] | None = None, **section: Any) -> config.Config:
    kind = "tflite" if path.suffix == ".tflite" else "keras"
    data = {
        "name": "test",
        "model": {"kind": kind, "path": path.name, **section},
        "probes": [{"kind": "skimage", "names": ["cat"]}],
    }
    return config.from_dict(data | ({"preprocess": {"size": list(size)}} if size else {}), path.parent)


def opened(folder: Path, content: bytes, size: tuple[int, int] = (16, 16), **section: Any) -> TappableModel:
    (folder / "model.tflite").write_bytes(content)
    return open_source(settings(folder / "model.tflite", size, **section))


def taps_of(model: TappableModel, size: tuple[int, int] = (16, 16)) -> dict[str, Tap]:
    return {tap.name: tap for tap in model.inventory(size)[1]}


def values(model: TappableModel, images: np.ndarray, names: list[str] | None = None) -> dict[str, np.ndarray]:
    size = images.shape[1:3]
    taps = [tap for tap in model.inventory(size)[1] if names is None or tap.name in names]
    return model.tapped(taps, dict, size=size, batch=len(images))(images)


def images(count: int = 2, side: int = 16, *, scale: float = 1.0, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((count, side, side, 3), np.float32) * np.float32(scale)


def facts(tap: Tap) -> tuple[Any, ...]:
    return tap.type, tap.shape, tap.work, tap.receptive_field.size, tap.receptive_field.stride, tap.parameters


@cache
def small() -> bytes:
    return converted(plain(keras))


@cache
def byte() -> bytes:
    """Whose ranges are those of images from 0 to 1."""
    return converted(plain(keras), whole([images(1, seed=i) for i in range(8)]))


def of_keras(name: str) -> str:
    """The path of a layer of the SD-UNet by that of its operator."""
    return re.sub(r"_\d+$", "", name.split("/")[1]).replace(".", "/")


def compared(folder: Path, model: Any, side: int, scale: float) -> float:
    """The largest difference of a convolution to the Keras model's, as a share of its largest value."""
    model.save(folder / "model.keras")
    ours = opened(folder, converted(model), (side, side))
    theirs = open_source(settings(folder / "model.keras", (side, side)))
    of_ours = {of_keras(name): tap for name, tap in taps_of(ours, (side, side)).items() if tap.type == "Conv2D"}
    # The last one of Keras holds its softmax.
    of_theirs = {
        name: tap for name, tap in taps_of(theirs, (side, side)).items() if tap.type == "Conv2D" and "head" not in name
    }
    assert ours.identity.parameters == theirs.identity.parameters
    assert set(of_ours) - {"head/conv"} == set(of_theirs)
    batch, found = images(2, side, scale=scale), 0.0
    made, expected = values(ours, batch, [tap.name for tap in of_ours.values()]), values(theirs, batch, list(of_theirs))
    for name, tap in of_theirs.items():
        assert facts(of_ours[name]) == facts(tap)
        assert (of_ours[name].zeros, of_ours[name].receptive_field.status) == (tap.zeros, tap.receptive_field.status)
        apart = np.abs(made[of_ours[name].name] - expected[name]).max()
        found = max(found, float(apart / np.abs(expected[name]).max()))
    return found


@pytest.mark.slow
def test_the_convolutions_of_an_sd_unet_are_those_of_the_keras_model(tmp_path: Path) -> None:
    assert compared(tmp_path, shake(sd_unet(2, size=(32, 32))), 32, 1.0) < 1e-4


@pytest.mark.thorough
def test_the_convolutions_of_the_model_that_ships_are_those_of_the_keras_model(tmp_path: Path) -> None:
    shipped = keras.models.load_model(ROOT / "fmreport/zoo/weights/sd_unet_pets_w8.keras")
    assert compared(tmp_path, shipped, 160, 255.0) < 1e-4


def test_a_convolution_keeps_its_name_and_type_with_the_activation_that_is_part_of_it(tmp_path: Path) -> None:
    model = opened(tmp_path, small())
    taps = taps_of(model)
    name, first = next(iter(taps.items()))
    assert re.fullmatch(r"functional(_\d+)?/first(_\d+)?/convolution", name)
    assert (first.type, first.parameters) == ("Conv2D", 112)
    assert (first.zeros, first.zeros_reason) == ("by design", "Relu sets what is below zero to zero")
    assert [tap.type for tap in taps.values()] == [
        "Conv2D", "MaxPooling2D", "Multiply", "Add", "Conv2D", "GlobalAveragePooling2D",
    ]  # fmt: skip
    assert model.notes == (
        (
            f"Activations that are a part of the layer before them: 1, such as Relu of {name}; what is measured of "
            "such a layer is what its activation makes"
        ),
    )


def test_every_value_is_that_of_the_keras_model(tmp_path: Path) -> None:
    """Also of the tensors inside it, which a runtime may write over."""
    original = plain(keras)
    model, batch = opened(tmp_path, converted(original)), images()
    found = list(values(model, batch).values())
    inner = keras.Model(original.inputs, [original.get_layer(n).output for n in ("first", "pool", "norm", "second")])
    expected = [*inner(batch), original(batch)]
    # The normalisation is a product and a sum.
    for one, other in zip([found[i] for i in (0, 1, 3, 4, 5)], expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_values_of_one_batch_outlive_the_next(tmp_path: Path) -> None:
    model = opened(tmp_path, small())
    taps = model.inventory((16, 16))[1]
    run = model.tapped(taps, dict, size=(16, 16), batch=2)
    before = run(images(seed=0))
    kept = {name: value.copy() for name, value in before.items()}
    run(images(seed=1))
    for name, value in before.items():
        np.testing.assert_array_equal(value, kept[name])


def test_a_dilated_convolution_is_one_layer_however_it_is_written(tmp_path: Path) -> None:
    image = keras.Input((16, 16, 3), name="image")
    x = keras.layers.Conv2D(4, 3, padding="same", dilation_rate=2, name="wide")(image)
    original = shake(keras.Model(image, keras.layers.Conv2D(2, 1, name="last")(x)))
    taps = [*taps_of(opened(tmp_path, converted(original))).values()]
    assert [tap.type for tap in taps] == ["Conv2D", "Conv2D"]
    assert (taps[0].parameters, taps[0].receptive_field.size) == (112, (5, 5))
    assert taps[0].work is not None
    assert taps[0].work.macs == 16 * 16 * 4 * 27


def test_weights_in_half_precision_are_weights(tmp_path: Path) -> None:
    half, full = opened(tmp_path, converted(plain(keras), in_half)), opened(tmp_path, small())
    assert half.identity.parameters == full.identity.parameters
    assert [facts(tap) for tap in taps_of(half).values()] == [facts(tap) for tap in taps_of(full).values()]
    assert [tap.zeros for tap in taps_of(half).values()] == [tap.zeros for tap in taps_of(full).values()]


def test_a_model_whose_weights_alone_are_quantised_says_so(tmp_path: Path) -> None:
    image = keras.Input((16, 16, 3), name="image")
    original = shake(keras.Model(image, keras.layers.Conv2D(64, 5, name="large")(image)))
    model = opened(tmp_path, converted(original, in_part))
    (tap,) = taps_of(model).values()
    assert (tap.dtype, tap.quantisation, tap.parameters) == ("float32", None, 75 * 64 + 64)
    assert model.notes == (
        "The model is quantised in part: 1 of its 2 weights are whole numbers, and none of its activations",
    )
    check(model, (16, 16))


def test_a_quantised_model_is_measured_in_real_numbers(tmp_path: Path) -> None:
    model, original = opened(tmp_path, byte()), plain(keras)
    taps = taps_of(model)
    assert [facts(tap) for tap in taps.values()] == [facts(tap) for tap in taps_of(opened(tmp_path, small())).values()]
    for name, value in values(model, images()).items():
        held = taps[name].quantisation
        assert held is not None
        assert value.dtype == np.float32
        np.testing.assert_array_equal(held.real(held.whole(value)), value)
        low, high = held.ends
        assert low <= value.min() <= value.max() <= high
    last = list(taps)[-1]
    apart = np.abs(values(model, images(), [last])[last] - original(images()).numpy()).max()
    assert 0 < apart < 0.1 * np.abs(original(images())).max()


def test_exact_zeros_of_a_quantised_model_are_made_by_its_activation_or_by_rounding(tmp_path: Path) -> None:
    assert [tap.zeros_reason for tap in taps_of(opened(tmp_path, byte())).values()] == [
        "Relu sets what is below zero to zero", "Relu sets what is below zero to zero",
        "rounding", "rounding", "rounding", "rounding",
    ]  # fmt: skip


def test_images_beyond_the_range_of_a_quantised_input_are_clipped(tmp_path: Path) -> None:
    model = opened(tmp_path, byte())
    said = "The input image holds whole numbers, for values from 0 to 0.99.* in steps of 0.0039"
    assert re.search(said, str(model.notes))
    for name, value in values(model, images() + 100).items():
        np.testing.assert_array_equal(value, values(model, np.full((2, 16, 16, 3), 1.0, np.float32))[name])


def test_a_narrow_range_saturates_on_other_images(tmp_path: Path) -> None:
    """The converter saw dark images alone: of others, values above are held at the largest number."""
    dark = [images(1, scale=0.1, seed=i) for i in range(8)]
    # With an input of real numbers, so that it is not the image itself that is clipped.
    model = opened(tmp_path, converted(plain(keras), whole(dark, tf.float32)))
    first = next(name for name, tap in taps_of(model).items() if tap.type == "Conv2D")
    held = taps_of(model)[first].quantisation
    assert held is not None

    def share(batch: np.ndarray) -> float:
        return float((values(model, batch, [first])[first] == held.ends[1]).mean())

    assert share(np.concatenate(dark)) < 0.01
    assert share(images()) > 0.1


def test_the_numbers_of_a_quantised_model_are_permuted_as_they_are_stored(tmp_path: Path) -> None:
    check(opened(tmp_path, byte()), (16, 16))


def test_a_model_of_one_batch_is_fed_that(tmp_path: Path) -> None:
    kernel = tf.constant(np.random.default_rng(0).normal(size=(3, 3, 3, 4)).astype(np.float32))
    spec = tf.TensorSpec((2, 20, 24, 3), name="image")
    function = tf.function(lambda image: tf.nn.conv2d(image, kernel, 1, "SAME"), input_signature=[spec])
    content = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()]).convert()
    model = opened(tmp_path, content, (20, 24))
    assert (model.batch, model.image_input.size, model.identity.parameters) == (2, (20, 24), 108)
    assert [tap.shape for tap in taps_of(model, (20, 24)).values()] == [(20, 24, 4)]


def test_a_model_of_any_size_takes_the_size_that_is_asked_for(tmp_path: Path) -> None:
    layers = [keras.Input((None, None, 3), name="image"), keras.layers.Conv2D(4, 3, 2, name="conv")]
    content = converted(shake(keras.Sequential(layers)))
    for size in ((24, 32), (9, 9)):
        model = opened(tmp_path, content, size)
        assert model.image_input.size == (None, None)
        assert [tap.shape[:2] for tap in taps_of(model, size).values()] == [tuple((s - 3) // 2 + 1 for s in size)]


def refused(folder: Path, content: bytes, size: tuple[int, int] = (16, 16), **section: Any) -> tuple[str, str]:
    with pytest.raises(FmreportError) as caught:
        opened(folder, content, size, **section).inventory(size)
    return str(caught.value), caught.value.fix


def test_what_is_no_tf_lite_file_is_refused(tmp_path: Path) -> None:
    said, fix = refused(tmp_path, b"PK\x03\x04 and so on")
    assert said == "CONFIG: model.path: model.tflite is no TensorFlow Lite file by its first bytes"
    assert fix == "copy the file again from its origin"


@pytest.mark.parametrize("kept", [9, 100, 0.5, 0.99])
def test_a_truncated_file_is_refused(tmp_path: Path, kept: float) -> None:
    said, fix = refused(tmp_path, small()[: int(kept if kept > 1 else kept * len(small()))])
    assert said.startswith("CONFIG: model.path: model.tflite is damaged: ")
    assert fix == "copy the file again from its origin"


def test_another_file_than_the_pinned_one_is_refused(tmp_path: Path) -> None:
    said, fix = refused(tmp_path, small(), sha256="0" * 64)
    assert re.fullmatch(r"CONFIG: model\.sha256: the file has SHA-256 \w{64}, the config pins 0{64}", said)
    assert fix == "restore the file that was meant, or write the new hash into the config"


@pytest.mark.parametrize(("name", "without"), [("FlexErf", "SELECT_TF_OPS"), ("MyOwn", "custom operators")])
def test_operators_that_the_runtime_does_not_have_are_named(tmp_path: Path, name: str, without: str) -> None:
    said, fix = refused(tmp_path, renamed(small(), "MAX_POOL_2D", name))
    assert said == f"CONFIG: model.path: model.tflite needs operators that LiteRT does not have: {name}"
    assert fix == f"convert the model without {without}, or give the Keras model or SavedModel that it was made of"


def test_an_input_that_is_no_image_is_refused(tmp_path: Path) -> None:
    image = keras.Input((10,), name="vector")
    said, fix = refused(tmp_path, converted(keras.Model(image, keras.layers.Dense(3)(image))))
    assert said == "the input vector takes float32 of shape (any, 10), and a batch of images has four axes"
    assert "model.inputs" in fix


def test_several_inputs_are_asked_about_and_fed(tmp_path: Path) -> None:
    left, right = (keras.Input((16, 16, 3), name=name) for name in ("left", "right"))
    content = converted(keras.Model([left, right], keras.layers.Subtract(name="minus")([left, right])))
    said, fix = refused(tmp_path, content)
    assert said.startswith("model.inputs: the model has 2 inputs, and nothing says what left, right takes")
    assert "inputs: {left: image, right: image}" in fix
    model = opened(tmp_path, content, inputs={"left": "image", "right": "ones"})
    for value in values(model, images()).values():
        np.testing.assert_allclose(value, images() - 1)


def test_a_size_that_does_not_pass_is_told_as_the_model_s_failure(tmp_path: Path) -> None:
    layers = [keras.Input((None, None, 3), name="image"), keras.layers.Conv2D(4, 9, name="conv")]
    said, fix = refused(tmp_path, converted(shake(keras.Sequential(layers))), (4, 4))
    assert said.startswith("model.tflite fails while it runs: ")
    assert fix.startswith("try another preprocess.size")


def test_a_missing_runtime_is_one_line_with_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith(("ai_edge_litert", "fmreport.sources.tflite"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    said, fix = refused(tmp_path, small())
    assert said == "model.kind: tflite needs ai_edge_litert, which is not installed"
    assert fix == "pip install 'fmreport[tflite]'"


def test_other_kinds_name_the_one_that_opens_it(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(small())
    with pytest.raises(FmreportError) as caught:
        files.check(settings(tmp_path / "model.tflite", kind="onnx"))
    assert caught.value.fix == "kind: tflite opens .tflite files"


@pytest.mark.slow
def test_the_config_of_the_documentation_runs_and_tells_of_saturation(tmp_path: Path) -> None:
    page = (ROOT / "docs/tflite.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"^```yaml\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    (tmp_path / "example.yaml").write_text(text, encoding="utf-8")
    layers = [keras.Input((32, 32, 3), name="image"), keras.layers.Conv2D(4, 3, activation="relu", name="first")]
    model = shake(keras.Sequential([*layers, keras.layers.Conv2D(4, 3, name="second")]))
    dim = [images(1, 32, scale=60, seed=i) for i in range(4)]
    (tmp_path / "pets_int8.tflite").write_bytes(converted(model, whole(dim, tf.float32)))
    run = fmreport.run(tmp_path / "example.yaml", out=tmp_path / "run")
    assert run.layers[["scale", "zero_point", "lowest", "highest"]].notna().all(axis=None)
    # What the first layer's Relu sets to zero is held as the smallest number.
    assert run.summary["saturated_low"].iloc[0] == run.summary["zero_fraction"].iloc[0] > 0
    assert (run.summary["saturated_high"] > 0.05).any()
    page = run.report.read_text(encoding="utf-8")
    assert "at both ends" in page
    assert "tensors that it computes are whole numbers" in page


HURT = """
import sys
from pathlib import Path
import numpy as np
from test_source_tflite import FmreportError, opened
whole, folder = Path(sys.argv[1]).read_bytes(), Path(sys.argv[2])
drawn = np.random.default_rng(int(sys.argv[3]))
ends = {"opened": 0, "refused": 0}
for _ in range(60):
    content = bytearray(whole)
    for _ in range(int(drawn.integers(1, 5))):
        content[int(drawn.integers(8, len(content)))] = int(drawn.integers(256))
    try:
        opened(folder, bytes(content)).inventory((16, 16))
        ends["opened"] += 1
    except FmreportError:
        ends["refused"] += 1
print(ends)
"""


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_changed_bytes_never_end_the_process(tmp_path: Path, seed: int) -> None:
    (tmp_path / "whole").write_bytes(byte() if seed else small())
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", HURT, str(tmp_path / "whole"), str(tmp_path), str(seed)],
        env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    counts = re.findall(r"\d+", done.stdout.strip().splitlines()[-1])
    assert sum(map(int, counts)) == 60
    assert all(int(count) > 5 for count in counts)
