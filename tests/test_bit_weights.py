"""A file of weights for BiT is loaded whole or not at all, and whatever is wrong with it is named."""

from __future__ import annotations

import random
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from fmreport.zoo.bit import StandardizedConv2D
from fmreport.zoo.bit_weights import head_classes, load_npz

NORM = "resnet/block1/unit01/a/group_norm/"
CONV = "resnet/block1/unit01/a/standardized_conv2d/kernel"
HEAD = "resnet/head/conv2d/"


def small(classes: int | None = 3, *, filters: int = 2) -> Any:
    """One part of a unit, and a head."""
    image = keras.Input((4, 4, 32))
    x = keras.layers.GroupNormalization(32, name="block1.unit01.a.group_norm")(image)
    x = StandardizedConv2D(filters, 1, use_bias=False, name="block1.unit01.a.standardized_conv2d")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(image, x if classes is None else keras.layers.Dense(classes, name="head")(x))


def arrays(*, filters: int = 2) -> dict[str, np.ndarray]:
    """Weights for `small`, all different."""
    shapes = {
        f"{NORM}gamma": (32,),
        f"{NORM}beta": (32,),
        CONV: (1, 1, 32, filters),
        f"{HEAD}kernel": (1, 1, filters, 3),
        f"{HEAD}bias": (3,),
    }
    rng = np.random.default_rng(1)
    return {key: rng.normal(size=shape).astype(np.float32) for key, shape in shapes.items()}


def test_every_array_arrives_at_its_variable(tmp_path: Path) -> None:
    held = arrays()
    np.savez(tmp_path / "a.npz", allow_pickle=True, **held)
    assert head_classes(tmp_path / "a.npz") == 3
    model = small()
    load_npz(model, tmp_path / "a.npz")
    for variable, value in zip(model.weights, held.values(), strict=True):
        assert np.array_equal(np.asarray(variable).ravel(), value.ravel()), variable.path


def test_a_file_without_a_head_fits_a_model_without_one(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "a.npz", allow_pickle=True, **{key: value for key, value in arrays().items() if HEAD not in key}
    )
    assert head_classes(tmp_path / "a.npz") is None
    load_npz(small(classes=None), tmp_path / "a.npz")


def test_the_level_group_norm_may_be_missing_inside_a_unit(tmp_path: Path) -> None:
    held = arrays()
    np.savez(
        tmp_path / "a.npz", allow_pickle=True, **{key.replace("/group_norm", ""): value for key, value in held.items()}
    )
    model = small()
    load_npz(model, tmp_path / "a.npz")
    assert np.array_equal(model.weights[0], held[f"{NORM}gamma"])


def test_other_floating_point_arrays_fit(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "a.npz",
        allow_pickle=True,
        **{key: np.asfortranarray(value, ">f8") for key, value in arrays().items()},
    )
    model = small()
    load_npz(model, tmp_path / "a.npz")
    assert np.array_equal(np.asarray(model.weights[2]), arrays()[CONV])


def without(*keys: str) -> dict[str, np.ndarray]:
    return {key: value for key, value in arrays().items() if key not in keys}


UNFIT: dict[str, tuple[dict[str, np.ndarray], str]] = {
    "one is missing": (without(f"{NORM}gamma"), f"1 missing: {NORM}gamma"),
    "many are missing": (
        without(*list(arrays())[:4]),
        f"4 missing: {NORM}gamma, {NORM}beta, {CONV}, ...",
    ),
    "one is too much": (arrays() | {"resnet/step": np.ones(1)}, "1 unexpected: resnet/step"),
    "one is there twice": (
        arrays() | {"resnet/block1/unit01/a/gamma": np.ones(32)},
        "1 unexpected: resnet/block1/unit01/a/gamma",
    ),
    "one has another shape": (
        arrays() | {CONV: np.ones((2, 32, 1, 1), "f")},
        f"1 of another shape: {CONV} (2 x 32 x 1 x 1, not 1 x 1 x 32 x 2)",
    ),
    "one is a single number": (
        arrays() | {f"{HEAD}bias": np.array(1, "f")},
        f"1 of another shape: {HEAD}bias (one number, not 3)",
    ),
    "one holds whole numbers": (
        arrays() | {f"{HEAD}bias": np.ones(3, "i4")},
        f"1 no floating point: {HEAD}bias (int32)",
    ),
    "one holds Python objects": (
        arrays() | {f"{HEAD}bias": np.array([len] * 3)},
        f"1 no floating point: {HEAD}bias (object)",
    ),
    "all of it at once": (
        without(CONV) | {"x": np.ones(1), f"{HEAD}bias": np.ones(4, "f")},
        f"1 missing: {CONV}; 1 unexpected: x; 1 of another shape: {HEAD}bias (4, not 3)",
    ),
}


def unchanged_by(path: Path, *, filters: int = 2) -> str:
    """The message with which a file is refused, which leaves the model as it was."""
    model = small(filters=filters)
    before = [each.copy() for each in model.get_weights()]
    with pytest.raises(ValueError, match=r"missing|unexpected|shape|point|whole") as caught:
        load_npz(model, path)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    return str(caught.value)


@pytest.mark.parametrize("case", UNFIT)
def test_a_file_that_does_not_fit_is_refused_as_a_whole(case: str, tmp_path: Path) -> None:
    held, message = UNFIT[case]
    np.savez(tmp_path / "a.npz", allow_pickle=True, **held)
    assert unchanged_by(tmp_path / "a.npz") == message


def other_archive(folder: Path) -> bytes:
    small().save(folder / "model.keras")
    return (folder / "model.keras").read_bytes()


BROKEN: dict[str, Callable[[Path, bytes], bytes]] = {
    "empty": lambda _, data: b"",
    "text": lambda _, data: b"<html>404</html>",
    "cut": lambda _, data: data[: len(data) // 2],
    "one array alone": lambda _, data: data[data.index(b"\x93NUMPY") :][:256],
    "another archive": lambda folder, data: other_archive(folder),
    "a later version": lambda _, data: data.replace(b"NUMPY\x01", b"NUMPY\x09"),
    "a longer array": lambda _, data: data.replace(b"(3,), ", b"(9,), "),
    "encrypted": lambda _, data: data.replace(b"PK\x01\x02\x2d\x03\x2d\x00\x00", b"PK\x01\x02\x2d\x03\x2d\x00\x01"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_damaged_file_is_refused_as_a_whole(case: str, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, allow_pickle=True, **arrays())
    whole = path.read_bytes()
    path.write_bytes(BROKEN[case](tmp_path, whole))
    assert path.read_bytes() != whole
    assert unchanged_by(path).startswith("it is no whole .npz file: ")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_file_with_one_bit_changed_is_refused_or_means_the_same(save: Callable[..., None], tmp_path: Path) -> None:
    path, model, rng = tmp_path / "a.npz", small(), random.Random(0)
    save(path, **arrays())
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << rng.randrange(8)]) + whole[at + 1 :])
        with suppress(ValueError):
            load_npz(model, path)
            for found, value in zip(model.get_weights(), arrays().values(), strict=True):
                assert np.array_equal(found.ravel(), value.ravel())


def test_a_file_that_is_cut_anywhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, allow_pickle=True, **arrays())
    whole = path.read_bytes()
    for end in range(0, len(whole), 97):
        path.write_bytes(whole[:end])
        assert unchanged_by(path).startswith("it is no whole .npz file: ")


def test_an_array_with_one_bit_changed_far_behind_its_header_is_refused_as_a_whole(tmp_path: Path) -> None:
    path, held = tmp_path / "a.npz", arrays(filters=64)
    np.savez(path, allow_pickle=True, **held)
    whole = path.read_bytes()
    last = whole.index(held[CONV].tobytes()) + held[CONV].nbytes - 1
    path.write_bytes(whole[:last] + bytes([whole[last] ^ 1]) + whole[last + 1 :])
    assert unchanged_by(path, filters=64) == f"it is no whole .npz file: {CONV}.npy is damaged"


def test_an_array_shorter_than_it_says_is_refused_as_a_whole(tmp_path: Path) -> None:
    np.savez(tmp_path / "whole.npz", allow_pickle=True, **arrays())
    with zipfile.ZipFile(tmp_path / "whole.npz") as whole, zipfile.ZipFile(tmp_path / "a.npz", "w") as short:
        for name in whole.namelist():
            short.writestr(name, whole.read(name)[:-4] if name.endswith("bias.npy") else whole.read(name))
    assert unchanged_by(tmp_path / "a.npz") == f"it is no whole .npz file: {HEAD}bias.npy is cut short"
