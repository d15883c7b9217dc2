"""Receptive fields of the architectures of keras.applications, against gradients at sampled elements."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from architectures import by_family
from gradient_support import checked

from fmreport.sources.facts.follow import follow
from fmreport.sources.facts.state import Seen, State
from fmreport.sources.recorder import recording

NAMES = sorted(name for name, each in vars(keras.applications).items() if inspect.isfunction(each))
COMPILED = "ConvNeXt"
"""Their convolutions are compiled anew for each gradient, which takes minutes: there, blocks of pixels are changed."""
BLOCK = 4
"""Rows and columns of such a block: ConvNeXt begins with patches of that size."""
RESCALED = ("EfficientNet", "MobileNetV3")
"""They take pixel values; all others take what lies about zero."""
SAMPLED = 4
"""Layers of each architecture, from its first to its last, at one position each."""
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
@pytest.mark.parametrize("name", by_family(name for name in NAMES if not name.startswith(COMPILED)))
def test_no_gradient_reaches_beyond_a_window_and_each_fills_it(name: str) -> None:
    model = getattr(keras.applications, name)(weights=None, include_top=False, input_shape=(*SIZE, 3))
    averaging(model)
    outputs: list[Any] = []
    draw = np.random.default_rng(2)

    def call(images: Any) -> None:
        with recording() as calls:
            model(images, training=False)
        outputs[:] = [tensor for each in calls for tensor in each.outputs]

    def pick(_: Any, states: dict[str, State]) -> Sequence[tuple[Any, tuple[int, int]]]:
        maps = [tensor for tensor in outputs if tensor.shape.rank == 4 and _is_local(states.get(tensor.name))]
        chosen = [maps[i] for i in np.unique(np.linspace(0, len(maps) - 1, SAMPLED).astype(int))]
        return [(each, (int(draw.integers(each.shape[1])), int(draw.integers(each.shape[2])))) for each in chosen]

    found = checked(call, SIZE, pick, scale=200.0 if name.startswith(RESCALED) else 1.0)
    assert len(found) >= 3
    assert [each for element in found for each in element.wrong(SIZE)] == []


def _is_local(state: State | None) -> bool:
    return state is not None and not state.unknown and not any(state.everywhere) and None not in state.seen


@pytest.mark.slow
def test_what_a_changed_block_changes_are_the_windows_that_hold_it() -> None:
    # The larger ones have more and wider blocks of the same kind.
    side = 48
    model = keras.applications.ConvNeXtTiny(weights=None, include_top=False, input_shape=(side, side, 3))
    draw = np.random.default_rng(3)
    for weight in model.weights:
        weight.assign(draw.uniform(0.5, 1.5, weight.shape) / np.prod(weight.shape[:-1]))
    maps = [layer.output for layer in model.layers if len(layer.output.shape) == 4 and layer.output.shape[1] > 2]
    chosen = [maps[i] for i in np.linspace(0, len(maps) - 1, 7).astype(int)]
    images = np.repeat(draw.uniform(0, 255, (1, side, side, 3)), 1 + side // BLOCK, axis=0)
    for block in range(side // BLOCK):
        images[1 + block, block * BLOCK : (block + 1) * BLOCK] += draw.uniform(1, 50, (BLOCK, side, 3))
    made = keras.Model(model.input, chosen).predict(images, batch_size=8, verbose=0)
    for field, values in zip(_fields(keras.Model(model.input, chosen), side), made, strict=True):
        assert field.aligned
        changed = (values[1:] != values[:1]).any(axis=(2, 3))  # (block, row)
        for row in range(values.shape[1]):
            first, last = (end // BLOCK for end in field.union.at(row))
            found = np.flatnonzero(changed[:, row])
            assert found[0] == max(first, 0)
            assert found[-1] == min(last, side // BLOCK - 1)


def _fields(model: Any, side: int) -> list[Seen]:
    """What the rows of each output see."""
    found: list[Seen] = []

    def trace(images: Any) -> None:
        outputs = model(images, training=False)
        states = follow(images)
        for tensor in outputs:
            seen = states[tensor.name].seen[0]
            assert seen is not None
            found.append(seen)

    spec = tf.TensorSpec((1, side, side, 3), keras.config.floatx())
    tf.function(trace, autograph=False).get_concrete_function(spec)
    return found
