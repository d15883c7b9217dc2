"""Subclassed models with several inputs, which they never declared but were built with."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from fmreport.errors import SourceError
from fmreport.sources import Identity
from fmreport.sources.keras_model import KerasModel

SIZE = (16, 16)


class Two(keras.Model):
    """Adds what two convolutions see; takes a dict or a list of two images."""

    def __init__(self) -> None:
        super().__init__()
        self.left = keras.layers.Conv2D(4, 3, name="left")
        self.right = keras.layers.Conv2D(4, 3, name="right")

    def call(self, inputs: Any) -> Any:
        left, right = (inputs["a"], inputs["b"]) if isinstance(inputs, dict) else inputs
        return self.left(left) + self.right(right)


def built(structure: type) -> Two:
    model, zeros = Two(), np.zeros((1, *SIZE, 3), np.float32)
    model({"a": zeros, "b": zeros} if structure is dict else [zeros, zeros])
    return model


def tappable(model: Two, **feeds: str) -> KerasModel:
    return KerasModel(model, Identity("builder", "two", "", "keras", 0), feeds=feeds, size=SIZE)


@pytest.mark.parametrize(("structure", "names"), [(dict, ("a", "b")), (list, ("input_1", "input_2"))])
def test_each_input_is_fed_what_the_config_says(structure: type, names: tuple[str, str]) -> None:
    model = built(structure)
    source = tappable(model, **{names[0]: "image", names[1]: "ones"})
    _, taps = source.inventory(SIZE)
    assert [tap.name for tap in taps] == ["left", "right"]
    images = np.random.default_rng(0).normal(size=(2, *SIZE, 3)).astype(np.float32)
    found = source.tapped(taps, dict, size=SIZE, batch=2)(images)
    np.testing.assert_allclose(found["left"], model.left(images), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found["right"], model.right(np.ones_like(images)), rtol=1e-5, atol=1e-6)


def test_without_a_word_on_them_the_error_shows_what_to_write() -> None:
    with pytest.raises(SourceError, match="nothing says what a, b takes") as caught:
        tappable(built(dict))
    assert "inputs: {a: image, b: image}" in caught.value.fix
