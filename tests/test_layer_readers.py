"""Which layers read what a layer hands on, and which of its axes are positions; the same for every source."""

from __future__ import annotations

import keras
import pytest
from keras import layers as kl

from fmreport.records import Tap
from fmreport.sources import Identity
from fmreport.sources.keras_model import KerasModel


def taps(model: keras.Model) -> dict[str, Tap]:
    opened = KerasModel(model, Identity("test", "test", "", "", 0))
    return {tap.name: tap for tap in opened.inventory((16, 16))[1]}


def test_readers_are_the_layers_that_read_a_tensor_through_whatever_stands_in_none() -> None:
    x = keras.Input((16, 16, 3))
    stem = kl.Conv2D(4, 3, padding="same", name="stem")(x)
    one = kl.Conv2D(4, 3, padding="same", name="one")(stem)
    both = kl.Add(name="both")([stem, one])
    model = keras.Model(x, kl.Dense(2, name="head")(kl.GlobalAveragePooling2D(name="pool")(both)))
    found = taps(model)
    assert found["stem"].read_by == ("both", "one")
    assert found["one"].read_by == ("both",)
    assert found["both"].read_by == ("pool",)
    assert found["head"].read_by == ()


def test_a_subclassed_model_reads_through_its_own_operations() -> None:
    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = kl.Conv2D(4, 3, name="a"), kl.Conv2D(4, 3, name="b")

        def call(self, x: object) -> object:
            return self.b(keras.ops.relu(self.a(x)) * 2)

    model = Own()
    model(keras.ops.zeros((1, 16, 16, 3)))
    assert taps(model)["a"].read_by == ("b",)


@pytest.mark.parametrize("shape", [(400, 2, 4), (20, 20, 8)])
def test_heads_of_attention_are_no_columns(shape: tuple[int, int, int]) -> None:
    x = keras.Input((20, 20, 3))
    y = kl.Conv2D(8, 1, name="conv")(x)
    y = kl.Reshape(shape, name="shaped")(y)
    found = KerasModel(keras.Model(x, y), Identity("test", "test", "", "", 0)).inventory((20, 20))[1]
    by_name = {tap.name: tap for tap in found}
    assert by_name["conv"].is_map
    assert by_name["shaped"].is_map == (shape[0] == 20)


def test_what_has_no_two_axes_is_no_map() -> None:
    x = keras.Input((16, 16, 3))
    y = kl.Conv2D(4, 3, name="conv")(x)
    tokens = kl.Reshape((-1, 4), name="tokens")(y)
    model = keras.Model(x, kl.GlobalAveragePooling1D(name="pool")(tokens))
    found = taps(model)
    assert {name: tap.is_map for name, tap in found.items()} == {"conv": True, "tokens": False, "pool": False}
