"""Receptive fields of every architecture of keras.applications, against gradients at sampled elements."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import pytest
from gradient_support import checked

from fmreport.sources.facts.state import State
from fmreport.sources.recorder import recording

NAMES = sorted(name for name, each in vars(keras.applications).items() if inspect.isfunction(each))
COMPILED = ("ConvNeXt",)
"""Their convolutions are compiled anew for each gradient, which takes seconds."""
RESCALED = ("EfficientNet", "MobileNetV3", "ConvNeXt")
"""They take pixel values; all others take what lies about zero."""
SIZE = (76, 420)
"""A small image, long enough for the windows of the first half of an architecture to lie inside of it."""


@pytest.fixture(autouse=True)
def double() -> Iterator[None]:
    """Products of hundreds of weights below one, which single precision rounds to zero."""
    keras.config.set_floatx("float64")
    yield
    keras.config.set_floatx("float32")
    keras.backend.clear_session()


def averaging(model: Any) -> None:
    """Weights that are positive and add up to one, so that nothing cancels and no activation is cut off."""
    draw = np.random.default_rng(0)
    for weight in model.weights:
        if "kernel" in weight.name and len(weight.shape) > 1:
            values = draw.uniform(0.5, 1.5, weight.shape)
            over = (0, 1) if "depthwise" in weight.name else tuple(range(len(weight.shape) - 1))
            weight.assign(values / values.sum(axis=over, keepdims=True))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_no_gradient_reaches_beyond_a_window_and_each_fills_it(name: str) -> None:
    model = getattr(keras.applications, name)(weights=None, include_top=False, input_shape=(*SIZE, 3))
    averaging(model)
    outputs: list[Any] = []
    draw = np.random.default_rng(2)
    compiled = name.startswith(COMPILED)

    def call(images: Any) -> None:
        with recording() as calls:
            model(images, training=False)
        outputs[:] = [tensor for each in calls for tensor in each.outputs]

    def pick(_: Any, states: dict[str, State]) -> Sequence[tuple[Any, tuple[int, int]]]:
        maps = [tensor for tensor in outputs if tensor.shape.rank == 4 and _is_local(states.get(tensor.name))]
        chosen = [maps[i] for i in np.unique(np.linspace(0, len(maps) - 1, 3 if compiled else 7).astype(int))]
        return [
            (tensor, (int(draw.integers(height)), int(draw.integers(width))))
            for tensor in chosen
            for height, width in [tensor.shape[1:3]]
            for _ in range(1 if compiled else 2)
        ]

    found = checked(call, SIZE, pick, scale=200.0 if name.startswith(RESCALED) else 1.0)
    assert len(found) >= 3
    assert [each for element in found for each in element.wrong(SIZE)] == []


def _is_local(state: State | None) -> bool:
    return state is not None and not state.unknown and not any(state.everywhere) and None not in state.seen
