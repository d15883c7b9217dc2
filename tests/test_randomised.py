"""Randomised weights: inside the context every weight holds its own entries in another order, after it in its own."""

from __future__ import annotations

import tracemalloc
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from eager_walk import shake
from models_to_tap import FEEDS, LIBRARIES, STRUCTURES
from permuting import bits, check, drawn, entries, every_tap, kept, same
from saved_models import plain

from fmreport.errors import SourceError
from fmreport.sources import Identity
from fmreport.sources.keras_model import KerasModel
from fmreport.sources.randomised import permuted

WHO = Identity("test", "test.keras", "", "test", 0)
FLOATS = ("float16", "bfloat16", "float32", "float64", "float8_e4m3fn")

# What happens to one weight


@pytest.mark.parametrize("dtype", FLOATS)
def test_a_weight_keeps_its_entries_and_gets_its_order_back(dtype: str) -> None:
    array = drawn(3, 3, 4, 8)
    array.flat[:3] = np.nan, -0.0, np.inf
    weight = tf.Variable(tf.cast(array, dtype))
    before = weight.numpy()
    with permuted([weight], 1, "it"):
        inside = weight.numpy()
        assert inside.dtype == before.dtype
        assert entries(inside) == entries(before)
        assert bits(inside) != bits(before)
    assert bits(weight.numpy()) == bits(before)


def order(seed: int, array: np.ndarray) -> bytes:
    """What a variable of these values holds inside the context."""
    weight = tf.Variable(array)
    with permuted([weight], seed, "it"):
        return bits(weight.numpy())


def test_the_order_follows_from_the_seed_and_what_the_weight_holds() -> None:
    assert order(1, drawn(100)) == order(1, drawn(100))
    assert order(1, drawn(100)) != order(2, drawn(100))
    array = np.arange(100, dtype=np.float32)
    others = array + 1
    one, two = (np.frombuffer(order(1, each), np.float32) for each in (array, others))
    assert (np.argsort(one) != np.argsort(two)).any()


def test_what_has_no_order_or_is_no_number_of_the_model_stays() -> None:
    stay: list[Any] = [
        tf.Variable(3.0),
        tf.Variable([3.0]),
        tf.Variable(np.zeros((0, 4), np.float32)),
        tf.Variable(np.full((4, 4), 0.5, np.float32)),
        tf.Variable(np.arange(50)),
        tf.Variable(np.arange(50) % 2 == 0),
        tf.Variable([f"word {i}" for i in range(50)]),
    ]
    before = [each.numpy().tolist() for each in stay]
    weight = tf.Variable(drawn(50))
    with permuted([*stay, weight], 1, "it"):
        assert [each.numpy().tolist() for each in stay] == before
    with pytest.raises(SourceError), permuted(stay, 1, "it"):
        pass


class Broken:
    """A weight that cannot be read, or that fails when it has been written for the first time."""

    dtype = tf.float32

    def __init__(self, *, readable: bool) -> None:
        self.readable, self.writings, self.array = readable, 0, drawn(9)

    def numpy(self) -> Any:
        if not self.readable:
            raise OSError("no")
        return self.array

    def assign(self, value: Any) -> None:
        self.array, self.writings = value, self.writings + 1
        if self.writings == 1:
            raise OSError("no")


@pytest.mark.parametrize("readable", [False, True])
def test_a_weight_that_fails_leaves_all_as_they_were(readable: bool) -> None:
    others: list[Any] = [tf.Variable(drawn(50)), tf.Variable(drawn(60))]
    before, broken = kept(others), Broken(readable=readable)
    with pytest.raises(OSError, match="no"), permuted([*others, broken], 1, "it"):
        pass
    assert kept(others) == before
    assert bits(broken.array) == bits(drawn(9))


class Held:
    """A weight in NumPy's memory, which can be watched."""

    dtype = tf.float32

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def numpy(self) -> Any:
        return self.array.copy()

    def assign(self, value: Any) -> None:
        self.array = value.copy()


def test_beyond_the_originals_one_weight_at_a_time_is_copied() -> None:
    many: list[Any] = [Held(drawn(250_000, seed=i)) for i in range(12)]
    size = many[0].array.nbytes
    tracemalloc.start()
    try:
        with permuted(many, 1, "it"):
            pass
        # What the weights hold themselves is new, too: twelve, the twelve originals, and no more than three beside.
        assert 20 * size < tracemalloc.get_traced_memory()[1] < 27.5 * size
    finally:
        tracemalloc.stop()


# What happens to a model

FIXED = {"functional": (16, 16), "subclassed": (16, 16), "made_inside_call": (12, 12), "channels_first": (16, 12)}


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("structure", STRUCTURES)
def test_every_variable_of_a_keras_model_is_permuted_and_put_back(structure: str, library: str) -> None:
    made = shake(STRUCTURES[structure](LIBRARIES[library])[0])
    size = FIXED.get(structure, (8, 8))
    model = KerasModel(made, WHO, feeds=FEEDS.get(structure, {}), size=size)
    before = [each.numpy() for each in made.weights]
    check(model, size, channels=model.image_input.channels or 3)
    assert kept(made.weights) == [bits(array) for array in before]
    with model.randomised(1):
        inside = [each.numpy() for each in made.weights]
    assert [entries(array) for array in inside] == [entries(array) for array in before]
    # Few entries keep their order by chance.
    large = [i for i, array in enumerate(before) if array.size > 5]
    assert large
    assert all(bits(inside[i]) != bits(before[i]) for i in large)


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16", "float64", "float16", "bfloat16"])
@pytest.mark.parametrize("library", LIBRARIES)
def test_models_of_every_precision_are_randomised(library: str, dtype: str) -> None:
    k = LIBRARIES[library]
    before = k.mixed_precision.dtype_policy() if k is keras else k.mixed_precision.global_policy()
    set_policy = k.mixed_precision.set_dtype_policy if k is keras else k.mixed_precision.set_global_policy
    set_policy(dtype)
    try:
        made = shake(STRUCTURES["functional"](k)[0])
    finally:
        set_policy(before)
    held = [(each.dtype, bits(each.numpy())) for each in made.weights]
    check(KerasModel(made, WHO), (16, 16))
    assert [(each.dtype, bits(each.numpy())) for each in made.weights] == held


def test_a_layer_that_is_called_twice_stays_one_layer() -> None:
    made = shake(STRUCTURES["shared"](keras)[0])
    inside = check(KerasModel(made, WHO), (8, 8))
    with KerasModel(made, WHO).randomised(1):
        kernel, bias = (each.numpy() for each in made.get_layer("conv").weights)
    again = tf.nn.conv2d(inside["act:1"], kernel, 1, "SAME") + bias
    np.testing.assert_allclose(inside["conv:2"], again, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("library", LIBRARIES)
def test_variables_that_keras_does_not_know_of_are_weights_too(library: str) -> None:
    k = LIBRARIES[library]
    held, closed = [tf.Variable(drawn(3, 3, 3, 4))], tf.Variable(drawn(4))

    class Plain(k.layers.Layer):
        def call(self, x: Any) -> Any:
            return tf.nn.conv2d(x, held[0], 1, "SAME") * closed

        def compute_output_shape(self, shape: Any) -> Any:
            return (*shape[:-1], 4)

    image = k.Input((8, 8, 3), name="image")
    model = KerasModel(k.Model(image, Plain(name="plain")(image)), WHO)
    check(model, (8, 8))
    before = kept([held[0], closed])
    with model.randomised(1):
        assert all(a != b for a, b in zip(kept([held[0], closed]), before, strict=True))
    assert kept([held[0], closed]) == before


def test_random_generators_keep_their_state() -> None:
    class Noise(keras.layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.seeds = keras.random.SeedGenerator(3)

        def call(self, x: Any) -> Any:
            return x + keras.random.normal(keras.ops.shape(x), seed=self.seeds)

    image, noise = keras.Input((8, 8, 3), name="image"), Noise()
    model = KerasModel(keras.Model(image, noise(keras.layers.Conv2D(4, 3)(image))), WHO)
    run = every_tap(model, (8, 8), drawn(1, 8, 8, 3))
    before = kept([noise.seeds.state])
    with model.randomised(1):
        assert kept([noise.seeds.state]) == before
        run()
        assert kept([noise.seeds.state]) != before


def test_moving_variances_stay_above_zero() -> None:
    made = shake(STRUCTURES["functional"](keras)[0])
    variance = made.get_layer("stem.norm").moving_variance
    others = [kept([each]) for each in made.get_layer("stem.norm").weights if each is not variance]
    with KerasModel(made, WHO).randomised(4):
        assert (variance.numpy() > 0).all()
        assert entries(variance.numpy()) not in [entries(np.frombuffer(each[0], np.float32)) for each in others]


def test_a_context_inside_another_permutes_what_that_left_and_puts_it_back() -> None:
    model = KerasModel(shake(STRUCTURES["functional"](keras)[0]), WHO)
    run = every_tap(model, (16, 16), drawn(1, 16, 16, 3))
    before = run()
    with model.randomised(1):
        outer = run()
        with model.randomised(2):
            inner = run()
        assert same(run(), outer)
    with model.randomised(2):
        assert not same(run(), inner)
    assert not same(inner, outer)
    assert same(run(), before)


# Models without weights


def test_a_model_without_weights_says_so_and_what_to_do() -> None:
    image = keras.Input((8, 8, 3))
    untrained = keras.layers.BatchNormalization()
    for made in (keras.layers.MaxPooling2D(2), untrained):
        model = KerasModel(keras.Model(image, made(image)), WHO)
        with pytest.raises(SourceError) as caught, model.randomised(1):
            pass
        assert str(caught.value) == (
            "test.keras cannot be randomised: it has no floating-point weights, or none with two different entries"
        )
        assert caught.value.fix == "write controls: {randomised: 0}, or give the model trained weights"


def test_tf_keras_and_keras_permute_a_model_alike() -> None:
    inside = [check(KerasModel(plain(k), WHO), (16, 16)) for k in (keras, tf_keras)]
    np.testing.assert_allclose(inside[0]["mean"], inside[1]["mean"], rtol=1e-4, atol=1e-4)
