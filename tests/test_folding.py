"""What is made of weights alone is made once, and nothing that anybody sees changes by it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from permuting import drawn

from fmreport import config
from fmreport.sources import Identity, open_source
from fmreport.sources.folding import MOST, WORTH, Folded, Kept, folded
from fmreport.sources.keras_model import KerasModel
from fmreport.sources.traced import TracedModel
from fmreport.zoo.bit import bit

WHO = Identity("test", "test.keras", "", "test", 0)
SIDE = 300
"""Of a square weight with more values than are worth folding."""


def concrete(function: Callable[..., Any]) -> Any:
    """The function of one row of `SIDE` values, traced."""
    return tf.function(function, autograph=False).get_concrete_function(tf.TensorSpec((1, SIDE), tf.float32))


def split(function: Callable[..., Any]) -> Folded | None:
    return folded(concrete(function), {})


@pytest.fixture
def weight() -> Any:
    assert SIDE * SIDE > WORTH
    return tf.Variable(drawn(SIDE, SIDE))


def standard(weight: Any) -> Any:
    return (weight - tf.reduce_mean(weight)) / tf.math.reduce_std(weight)


def test_the_parts_give_what_the_whole_gives(weight: Any) -> None:
    def network(x: Any) -> dict[str, Any]:
        made = tf.nn.relu(tf.matmul(x, standard(weight)))
        return {"list": [made, tf.constant(3.0)], "again": tf.matmul(made, weight), "fixed": standard(weight)}

    x = tf.constant(drawn(1, SIDE))
    parts = split(network)
    assert parts is not None
    found = parts.rest(x, *parts.first())
    tf.nest.map_structure(np.testing.assert_array_equal, found, concrete(network)(x))


def test_the_first_part_holds_what_is_costly_and_the_rest_does_not(weight: Any) -> None:
    parts = split(lambda x: tf.matmul(x, standard(weight)))
    assert parts is not None
    (made,) = parts.first()
    assert made.shape == (SIDE, SIDE)
    assert not {"Mean", "RealDiv", "Sqrt"} & {op.type for op in parts.rest.graph.get_operations()}


def test_what_hands_a_weight_on_is_not_worth_a_copy(weight: Any) -> None:
    assert split(lambda x: tf.matmul(x, tf.reshape(tf.identity(weight), (SIDE, SIDE)))) is None


def test_little_is_not_worth_it_and_too_much_is_not_held(weight: Any) -> None:
    small = tf.Variable(drawn(SIDE, 2))
    assert split(lambda x: tf.matmul(x, standard(small))) is None

    def huge(x: Any) -> Any:
        return x + tf.reduce_max(tf.broadcast_to(standard(weight), (MOST // SIDE // SIDE + 1, SIDE, SIDE)) * x)

    assert split(huge) is None


def test_what_changes_from_call_to_call_is_not_folded(weight: Any) -> None:
    def counting(x: Any) -> Any:
        weight.assign_add(tf.ones_like(weight))
        return tf.matmul(x, standard(weight * weight))

    assert split(counting) is None
    assert split(lambda x: tf.matmul(x, standard(weight + tf.random.normal((SIDE, SIDE))))) is None


def test_equal_parts_of_the_same_weights_are_made_once(weight: Any) -> None:
    other = tf.Variable(drawn(SIDE, SIDE))
    one, two = (split(lambda x, f=f: f(tf.matmul(x, standard(weight)))) for f in (tf.nn.relu, tf.abs))
    another = split(lambda x: tf.matmul(x, standard(other)))
    assert one is not None
    assert two is not None
    assert another is not None
    kept = Kept()
    assert kept.of(one)[0] is kept.of(two)[0]
    assert kept.of(another)[0] is not kept.of(one)[0]
    before = kept.of(one)[0].numpy()
    weight.assign(-weight)
    assert (kept.of(one)[0].numpy() == before).all()
    kept.forget()
    np.testing.assert_allclose(kept.of(one)[0].numpy(), -before, rtol=1e-5, atol=1e-6)


def test_of_the_same_part_one_function_may_take_more_than_another(weight: Any) -> None:
    def both(x: Any) -> Any:
        made = standard(weight)
        return tf.matmul(x, made) + tf.matmul(x, tf.square(made))

    kept, x = Kept(), tf.constant(drawn(1, SIDE))
    for network in (lambda x: tf.matmul(x, tf.square(standard(weight))), both):
        parts = split(network)
        assert parts is not None
        np.testing.assert_array_equal(parts.rest(x, *kept.of(parts)), concrete(network)(x))


def small_bit() -> keras.Model:
    return bit("R50x1", size=(32, 32))


def cast() -> keras.Model:
    """Convolutions whose kernels are cast to half precision whenever they run."""
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Conv2D(128, 3, dtype="mixed_float16") for _ in range(2)]
    return keras.Sequential([keras.Input((32, 32, 3)), *layers])


@pytest.mark.parametrize("build", [small_bit, cast])
def test_a_model_gives_the_same_bits_and_follows_its_weights(build: Callable[[], keras.Model]) -> None:
    model = build()
    opened = KerasModel(model, WHO)
    images = drawn(2, 32, 32, 3)
    taps = [tap for tap in opened.inventory((32, 32))[1] if tap.type.endswith("Conv2D")][-2:]

    tapped = opened.tapped(taps, lambda made: made, size=(32, 32), batch=2)
    whole = opened._traced(lambda listing, _: {o.name: o.activations for o in listing.outputs}, (32, 32), 2)
    assert folded(whole, {}) is not None

    def anew() -> dict[str, np.ndarray]:
        made = whole(tf.constant(images))
        return {tap.name: np.asarray(made[tap.name]) for tap in taps}

    before = anew()
    tf.nest.map_structure(np.testing.assert_array_equal, tapped(images), before)
    with opened.randomised(1):
        assert all((values != before[name]).any() for name, values in anew().items())
        tf.nest.map_structure(np.testing.assert_array_equal, tapped(images), anew())
    tf.nest.map_structure(np.testing.assert_array_equal, tapped(images), before)


def test_functions_of_a_saved_model_share_what_they_make_of_its_weights(tmp_path: Path) -> None:
    small_bit().export(tmp_path / "model", verbose=False)
    data = {"name": "test", "model": {"kind": "savedmodel", "path": "model"}, "preprocess": {"size": [32, 32]}}
    opened = open_source(config.from_dict({**data, "probes": [{"kind": "skimage", "names": ["cat"]}]}, tmp_path))
    assert isinstance(opened, TracedModel)
    taps = opened.inventory((32, 32))[1]
    for chosen in (taps[-1:], taps[-2:-1]):
        opened.tapped(chosen, lambda made: made, size=(32, 32), batch=1)(drawn(1, 32, 32, 3))
    assert len(opened._kept._made) == 1
