"""Multiply-adds of single operations, and what adds up."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from test_receptive_field_operations import attended_in_windows, conv, depthwise, dilated_in_blocks, kernel, transposed
from traced_facts import facts

from fmreport.blocks import blocks
from fmreport.inventory import inventory_table, summed
from fmreport.records import Work
from fmreport.sources.facts.graph_facts import GraphFacts

SIZE, BATCH = (12, 16), 3


def work(call: Callable[[Any], Any]) -> Work | None:
    found: list[Work | None] = []

    def trace(images: Any) -> None:
        call(images)
        graph_facts = GraphFacts(images, {})
        found.append(graph_facts.work(graph_facts.operations))

    tf.function(trace, autograph=False).get_concrete_function(tf.TensorSpec((BATCH, *SIZE, 3), tf.float64))
    return found[0]


PIXELS = math.prod(SIZE)
KNOWN: dict[str, tuple[Callable[[Any], Any], Work]] = {
    "a convolution": (conv, Work(PIXELS * 9 * 3 * 4, PIXELS * 4)),
    "a stride": (lambda x: conv(x, strides=2), Work(PIXELS // 4 * 9 * 3 * 4, PIXELS // 4 * 4)),
    "a dilation": (lambda x: conv(x, dilations=2), Work(PIXELS * 9 * 3 * 4, PIXELS * 4)),
    "a dilation in blocks": (lambda x: dilated_in_blocks(x, 5), Work(PIXELS * 9 * 3 * 4, PIXELS * 4)),
    "groups": (lambda x: tf.nn.conv2d(conv(x), kernel(3, 3, 2, 4), 1, "SAME"), Work(PIXELS * (108 + 72), PIXELS * 8)),
    "a depthwise convolution": (lambda x: depthwise(x, 1), Work(PIXELS * 9 * 6, PIXELS * 6)),
    "a transposed convolution": (lambda x: transposed(x, 3, 2, "SAME"), Work(PIXELS * 3 * 9 * 4, 4 * PIXELS * 4)),
    "a dense layer": (lambda x: tf.reshape(x, (BATCH, -1)) @ kernel(3 * PIXELS, 7), Work(3 * PIXELS * 7, 7)),
    "a dense layer at each pixel": (lambda x: tf.tensordot(x, kernel(3, 5), 1), Work(PIXELS * 15, PIXELS * 5)),
    "a product by Einsum": (lambda x: tf.einsum("bhwc,cd->bhwd", x, kernel(3, 5)), Work(PIXELS * 15, PIXELS * 5)),
    "attention in windows of 4 x 4": (
        lambda x: attended_in_windows(x, 4),
        Work(PIXELS // 16 * 2 * 16 * 16 * 3, PIXELS // 16 * (16 * 16 + 16 * 3)),
    ),
    "what only prepares weights": (
        lambda x: tf.nn.conv2d(x, kernel(3, 3, 3, 1) * (kernel(1, 4) @ kernel(4, 1)), 1, "SAME"),
        Work(PIXELS * 27, PIXELS),
    ),
    "what prepares weights inside a function": (
        tf.function(lambda x: tf.nn.conv2d(x, tf.reshape(kernel(27, 4) @ kernel(4, 5), (3, 3, 3, 5)), 1, "SAME")),
        Work(PIXELS * 27 * 5, PIXELS * 5),
    ),
    "pointwise operations": (lambda x: tf.nn.relu(x) * 2.0 + tf.reduce_mean(x), Work(0, 0)),
}


@pytest.mark.parametrize("name", KNOWN)
def test_multiply_adds_are_counted_for_one_image(name: str) -> None:
    call, expected = KNOWN[name]
    assert work(call) == expected


def test_what_a_loop_does_is_not_known() -> None:
    assert work(lambda x: tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, conv(y, channels=3)), (0, x))) is None


def test_a_loop_leaves_its_part_of_the_model_empty(tmp_path: Path) -> None:
    image = keras.Input((16, 16, 3))
    rows = keras.layers.Reshape((16, 48))(keras.layers.Conv2D(3, 3, padding="same", name="conv")(image))
    keras.Model(image, keras.layers.GRU(4, name="gru")(rows)).save(tmp_path / "model.keras")
    layers, taps = facts({"kind": "keras", "path": str(tmp_path / "model.keras")}, 16)
    table = inventory_table(layers)
    assert taps["conv"].work == Work(16 * 16 * 81, 16 * 16 * 3)
    assert table.set_index("path").loc["gru", "own_macs"] is not None
    assert summed(table)["parameters"] == int(table["own_parameters"].sum())


def test_a_layer_that_is_called_twice_works_twice_and_holds_its_weights_once(tmp_path: Path) -> None:
    image, shared = keras.Input((8, 8, 3)), keras.layers.Conv2D(3, 3, padding="same", name="shared")
    keras.Model(image, shared(shared(image))).save(tmp_path / "model.keras")
    layers, taps = facts({"kind": "keras", "path": str(tmp_path / "model.keras")}, 8)
    row = next(layer for layer in layers if layer.path == "shared")
    assert taps["shared:1"].work == taps["shared:2"].work == Work(64 * 81, 64 * 3)
    assert (row.own_work, row.own_parameters) == (Work(2 * 64 * 81, 2 * 64 * 3), 84)


def test_a_model_in_a_model_owns_what_its_layers_do_not(tmp_path: Path) -> None:
    inner = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 1, name="conv")], name="inner")
    image = keras.Input((8, 8, 3))
    keras.Model(image, keras.layers.Flatten()(inner(image))).save(tmp_path / "model.keras")
    layers, taps = facts({"kind": "keras", "path": str(tmp_path / "model.keras")}, 8)
    rows = {layer.path: layer for layer in layers}
    assert taps["inner"].work == taps["inner/conv"].work == Work(64 * 6, 64 * 2)
    assert (rows["inner"].parameters, rows["inner"].own_parameters) == (8, 0)
    assert rows["inner"].own_work == Work(0, 0)


def test_parts_of_a_model_add_up_to_it() -> None:
    layers = facts({"kind": "keras", "path": "builtin:sd_unet_pets_w8"}, 160)[0]
    table = inventory_table(layers)
    found = blocks(table)
    assert list(found["block"][:3]) == ["encoder/sa1", "encoder/down1", "encoder/sa2"]
    assert {name: int(found[name].sum()) for name in summed(table)} == summed(table)
    assert found["layers"].sum() == sum(bool(layer.taps) for layer in layers)
    assert np.array_equal(found["first"], sorted(found["first"]))
