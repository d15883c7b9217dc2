"""Every tap holds what its layer returns when the model is run by hand, whatever the model's structure."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from eager_walk import eager_walk, named, shake
from models_to_tap import FEEDS, LIBRARIES, STRUCTURES

from fmreport.errors import SourceError
from fmreport.records import Layer, Tap, Work
from fmreport.sources import Identity
from fmreport.sources.keras_model import KerasModel
from fmreport.zoo.sd_unet import sd_unet

WHO = Identity("test", "test", "", "test", 0)
FIXED = {"functional": (16, 16), "subclassed": (16, 16), "made_inside_call": (12, 12), "channels_first": (16, 12)}
SIZES = {"any_size": (15, 21)}
TOLERANCES = {"float64": 1e-6, "float32": 2e-5, "float16": 2e-2, "bfloat16": 1e-1}


def size_for(structure: str) -> tuple[int, int]:
    return {**FIXED, **SIZES}.get(structure, (8, 8))


def values_of(opened: KerasModel, size: tuple[int, int], images: np.ndarray) -> dict[str, np.ndarray]:
    """All taps of a model on a batch."""
    taps = opened.inventory(size)[1]
    order = [tap.name for tap in taps]
    run = opened.tapped(taps, lambda tensors: [tensors[name] for name in order], size=size, batch=len(images))
    return dict(zip(order, run(images), strict=True))


def inputs_for(model: Any, feeds: Mapping[str, str], images: np.ndarray) -> list[Any]:
    """What the inputs of a model take, put together by hand."""
    fed = []
    for x in getattr(model, "inputs", None) or [None]:
        feed = "image" if x is None else feeds.get(x.name.split(":")[0], "image")
        if feed == "image":
            first = x is not None and x.shape[1] == 3 and x.shape[3] != 3
            fed.append(tf.constant(images.transpose(0, 3, 1, 2) if first else images))
        else:
            fed.append(tf.ones((len(images), *x.shape[1:])))
    return [
        y if x is None else tf.cast(y, x.dtype)
        for x, y in zip(getattr(model, "inputs", None) or [None], fed, strict=True)
    ]


def assert_equal(found: Mapping[str, np.ndarray], expected: Mapping[str, Any], taps: tuple[Tap, ...]) -> None:
    by_name = {tap.name: tap for tap in taps}
    for name, value in found.items():
        reference = np.asarray(expected[name])
        assert value.shape == reference.shape == (len(value), *by_name[name].shape), name
        assert value.dtype == reference.dtype == by_name[name].dtype, name
        scale = max(1.0, float(np.abs(reference.astype(np.float64)).max()))
        wide, close = reference.astype(np.float64), TOLERANCES[by_name[name].dtype] * scale
        np.testing.assert_allclose(value.astype(np.float64), wide, rtol=0, atol=close, err_msg=name)


def is_activation(value: Any, batch: int) -> bool:
    return bool(value.dtype.is_floating and 2 <= len(value.shape) <= 5 and value.shape[0] == batch)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("structure", STRUCTURES)
def test_a_tap_holds_what_the_layer_returns(structure: str, library: str) -> None:
    model, by_hand = STRUCTURES[structure](LIBRARIES[library])
    shake(model)
    size, feeds = size_for(structure), FEEDS.get(structure, {})
    opened = KerasModel(model, WHO, feeds=feeds, size=size)
    images = np.random.default_rng(1).normal(size=(5, *size, opened.image_input.channels)).astype(np.float32)
    expected = named(by_hand(*inputs_for(model, feeds, images)))
    found = values_of(opened, size, images)
    assert list(found) == [name for name, y in expected.items() if is_activation(y, 5)]
    assert_equal(found, expected, opened.inventory(size)[1])


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16", "float64", "float16"])
@pytest.mark.parametrize("library", LIBRARIES)
def test_a_tap_has_the_dtype_that_the_layer_returns(library: str, dtype: str) -> None:
    k = LIBRARIES[library]
    before = k.mixed_precision.dtype_policy() if k is keras else k.mixed_precision.global_policy()
    set_policy = k.mixed_precision.set_dtype_policy if k is keras else k.mixed_precision.set_global_policy
    set_policy(dtype)
    try:
        model, by_hand = STRUCTURES["functional"](k)
    finally:
        set_policy(before)
    shake(model)
    opened = KerasModel(model, WHO)
    images = np.random.default_rng(1).normal(size=(2, 16, 16, 3)).astype(np.float32)
    expected = named(by_hand(*inputs_for(model, {}, images)))
    found = values_of(opened, (16, 16), images)
    assert {str(value.dtype) for value in found.values()} == {dtype.removeprefix("mixed_")}
    assert_equal(found, expected, opened.inventory((16, 16))[1])


def layers_of(model: Any) -> set[int]:
    """The ids of all layers below a model, by a walk that shares no code with the inventory."""
    found: set[int] = set()
    waiting = [model]
    while waiting:
        for value in tf.nest.flatten([list(waiting.pop()._flatten_layers(include_self=False, recursive=False))]):
            if id(value) not in found:
                found.add(id(value))
                waiting.append(value)
    return found


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("structure", STRUCTURES)
def test_the_inventory_accounts_for_every_layer(structure: str, library: str) -> None:
    model, _ = STRUCTURES[structure](LIBRARIES[library])
    size = size_for(structure)
    listed, taps = KerasModel(model, WHO, feeds=FEEDS.get(structure), size=size).inventory(size)
    assert len({layer.path for layer in listed}) == len(listed)
    assert all(bool(layer.taps) != bool(layer.reason) for layer in listed)
    assert [tap.name for tap in taps if tap.layer not in {layer.path for layer in listed}] == []
    assert sorted(name for layer in listed for name in layer.taps) == sorted(tap.name for tap in taps)
    own = [layer for layer in listed if not made_in_passing(structure, layer)]
    assert len(own) == len(layers_of(model)) + extra(structure, library)


def made_in_passing(structure: str, layer: Layer) -> bool:
    return structure == "made_inside_call" and not layer.parameters


def extra(structure: str, library: str) -> int:
    """Operations of a functional model that are no layers, and second paths of layers that lie on two."""
    operations = 4 if (structure, library) == ("symbolic_operations", "keras") else 0
    return operations + {"one_part_in_two": 1, "nested": 4}.get(structure, 0)


@pytest.mark.parametrize("library", LIBRARIES)
def test_names_stay_the_same_from_trace_to_trace(library: str) -> None:
    for structure in ("made_inside_call", "subclassed", "one_part_in_two"):
        model, _ = STRUCTURES[structure](LIBRARIES[library])
        size = size_for(structure)
        opened = KerasModel(model, WHO, size=size)
        first, second = opened.inventory(size), opened.inventory(size)
        assert first == second


def test_a_layer_that_is_never_called_says_so() -> None:
    model, _ = STRUCTURES["subclassed"](keras)
    rows = {layer.path: layer for layer in KerasModel(model, WHO, size=(16, 16)).inventory((16, 16))[0]}
    assert rows["unused"].reason.startswith("no call returned a tensor: it does not run in inference")
    assert not rows["unused"].taps


def test_whole_numbers_are_listed_but_not_tapped() -> None:
    model, _ = STRUCTURES["several_outputs_of_a_layer"](keras)
    rows = {layer.path: layer for layer in KerasModel(model, WHO).inventory((8, 8))[0]}
    assert rows["halves"].taps == ("halves@1", "halves@2")


@pytest.mark.parametrize("library", LIBRARIES)
def test_time_merged_into_the_batch_is_no_tap(library: str) -> None:
    model, _ = STRUCTURES["merged_time"](LIBRARIES[library])
    taps = KerasModel(model, WHO).inventory((8, 8))[1]
    assert [tap.name for tap in taps] == ["clips", "each", "flat"]


@pytest.mark.parametrize(("width", "size"), [(8, 64), pytest.param(32, 160, marks=pytest.mark.slow)])
def test_all_51_convolutions_of_sd_unet_equal_an_eager_walk(width: int, size: int) -> None:
    model = shake_lightly(sd_unet(width, size=(size, size)))
    opened = KerasModel(model, WHO)
    images = np.random.default_rng(2).uniform(0, 255, (1, size, size, 3)).astype(np.float32)
    expected = named(eager_walk(model, [tf.constant(images)]))
    taps = opened.inventory((size, size))[1]
    convs = [tap for tap in taps if tap.type == "Conv2D"]
    assert len(convs) == 51
    assert [tap.index for tap in convs] == list(range(1, 52))
    found = values_of(opened, (size, size), images)
    assert len(found) == len(model.layers) - 1
    assert_equal(found, expected, taps)


def shake_lightly(model: Any) -> Any:
    for variable in model.trainable_variables:
        rng = np.random.default_rng(len(variable.path))
        variable.assign_add(rng.normal(0, 0.01, variable.shape).astype(np.float32))
    return model


@pytest.mark.parametrize("library", LIBRARIES)
def test_tapping_changes_neither_the_model_nor_what_it_returns(library: str) -> None:
    model, _ = STRUCTURES["functional"](LIBRARIES[library])
    shake(model)
    images = np.random.default_rng(1).normal(size=(2, 16, 16, 3)).astype(np.float32)
    before = [variable.numpy() for variable in model.weights]
    modes = [(layer.name, layer.trainable) for layer in model.layers]
    alone = np.asarray(model(images))
    opened = KerasModel(model, WHO)
    first, second = values_of(opened, (16, 16), images), values_of(opened, (16, 16), images)
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert all(np.array_equal(a, b.numpy()) for a, b in zip(before, model.weights, strict=True))
    assert modes == [(layer.name, layer.trainable) for layer in model.layers]
    np.testing.assert_allclose(first["head"], alone, rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(np.asarray(model(images)), alone)


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_function_keeps_its_model_and_lets_its_graph_go(library: str) -> None:
    k = LIBRARIES[library]
    image = k.Input((16, 16, 3))
    model = k.Sequential([image, k.layers.Conv2D(2, 3, activity_regularizer="l2"), k.layers.BatchNormalization()])
    before = [loss.name for loss in model.losses]
    opened = KerasModel(model, WHO)
    taps = opened.inventory((16, 16))[1]
    graphs: list[Any] = []

    def then(tensors: Mapping[str, Any]) -> Any:
        graphs.append(weakref.ref(next(iter(tensors.values())).graph))
        return dict(tensors)

    run = opened.tapped(taps, then, size=(16, 16), batch=1)
    del opened
    gc.collect()
    assert set(run(np.zeros((1, 16, 16, 3)))) == {tap.name for tap in taps}
    del run
    gc.collect()
    assert [graph() for graph in graphs] == [None]
    assert [loss.name for loss in model.losses] == before


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_function_keeps_its_model(library: str) -> None:
    model, by_hand = STRUCTURES["functional"](LIBRARIES[library])
    images = np.ones((1, 16, 16, 3), np.float32)
    head = named(by_hand(tf.constant(images)))["head"].numpy()
    opened = KerasModel(model, WHO)
    run = opened.tapped(opened.inventory((16, 16))[1], lambda tensors: tensors["head"], size=(16, 16), batch=1)
    del opened, model, by_hand
    gc.collect()
    np.testing.assert_allclose(run(images), head, rtol=1e-5)


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_layer_inside_a_function_of_its_own_is_listed_with_the_reason(library: str) -> None:
    k = LIBRARIES[library]

    class Net(k.Model):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.act = k.layers.Conv2D(2, 3, name="conv"), k.layers.ReLU(name="act")

        @tf.function
        def inside(self, x: Any) -> Any:
            return self.conv(x)

        def call(self, x: Any) -> Any:
            return self.act(self.inside(x))

    model = Net()
    model(tf.zeros((1, 8, 8, 3)))
    opened = KerasModel(model, WHO, size=(8, 8))
    first, second = opened.inventory((8, 8)), opened.inventory((8, 8))
    assert first == second
    rows = {layer.path: layer for layer in first[0]}
    assert {path: bool(row.reason) for path, row in rows.items()} == {"act": False, "conv": True, "": True}
    # What is done outside of all layers that are seen is the model's own: 6 x 6 positions, 3 x 3 x 3 x 2 weights.
    assert rows[""].own_work == Work(6 * 6 * 54, 6 * 6 * 2)


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_failure_while_running_is_told(library: str) -> None:
    k = LIBRARIES[library]

    class Picky(k.layers.Layer):
        def call(self, x: Any) -> Any:
            with tf.control_dependencies([tf.debugging.assert_less(x, 9.0, message="too bright")]):
                return tf.identity(x)

        def compute_output_spec(self, x: Any) -> Any:
            return keras.KerasTensor(x.shape)

    image = k.Input((8, 8, 3))
    opened = KerasModel(k.Model(image, Picky(name="picky")(image)), WHO)
    run = opened.tapped(opened.inventory((8, 8))[1], dict, size=(8, 8), batch=1)
    assert run(np.ones((1, 8, 8, 3)))["picky"].mean() == 1
    with pytest.raises(SourceError, match=r"test fails while it runs: .*too bright"):
        run(np.full((1, 8, 8, 3), 10.0))
