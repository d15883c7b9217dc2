"""Attribution follows the gradient: exact before a linear head, zero where the score does not look, never a crash."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from eager_walk import shake

from fmreport import config
from fmreport.attribution import Attribution, attribute
from fmreport.extract import Extraction
from fmreport.probes import Preprocess
from fmreport.records import Probe, Target
from fmreport.sources import Identity, TappableModel, open_source
from fmreport.sources.gradients import NO_PATH, gradients
from fmreport.sources.keras_model import KerasModel

SIDE = 12
NAMES = ("p0", "p1", "p2")


@dataclass(frozen=True)
class Images:
    """A `ProbeSet` of random pictures."""

    names: tuple[str, ...] = NAMES

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, place: int) -> Probe:
        name = self.names[place]
        draw = np.random.default_rng(int(name[1:]))
        return Probe(name, draw.uniform(0, 255, (SIDE, SIDE, 3)).astype(np.float32), name, "")

    def named(self, names: Sequence[str]) -> Images:
        return Images(tuple(names))


PREPROCESS = Preprocess((SIDE, SIDE))


def pixels(names: Sequence[str] = NAMES) -> np.ndarray:
    """What the model is fed."""
    return np.stack([PREPROCESS.apply(probe.image) for probe in Images(tuple(names))])


def net(k: Any, *, behind: Any = None, head: Any = None) -> Any:
    """Two convolutions, something behind them, their mean and a linear head of four classes."""
    x = image = k.Input((SIDE, SIDE, 3))
    x = k.layers.Conv2D(5, 3, padding="same", activation="relu", name="first")(x)
    x = k.layers.Conv2D(6, 3, strides=2, padding="same", name="second")(x)
    x = k.layers.ReLU(name="act")(x)
    x = x if behind is None else behind(x)
    x = k.layers.GlobalAveragePooling2D(name="mean")(x)
    head = k.layers.Dense(4, name="head") if head is None else head
    model: Any = shake(k.Model(image, head(x)))
    return model


def opened(model: Any) -> TappableModel:
    return KerasModel(model, Identity("keras", "model", "", "", 0))


def attributed(
    model: TappableModel, channel: int | None = 0, *, output: str = "head", names: Sequence[str] = NAMES
) -> Attribution:
    taps = model.inventory((SIDE, SIDE))[1]
    target = Target(next(each for each in taps if each.name == output), channel)
    extraction = Extraction(model, taps, Images(), PREPROCESS, 1)  # type: ignore[arg-type]
    return attribute(extraction, target, names, longest=SIDE)


def maps(made: Attribution, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Grad-CAM and HiResCAM `(P, H, W)`, to one part in 255 of each map's range."""
    values = made.tiles[name].activations()
    return values[:, 0], values[:, 1]


def close(one: np.ndarray, other: np.ndarray) -> None:
    """Equal to the steps in which tiles are kept."""
    step = np.abs(other).max(axis=(1, 2), keepdims=True) / 255
    assert (np.abs(one - other) <= 0.51 * step + 1e-7).all()


def activations(model: Any, name: str) -> np.ndarray:
    return np.asarray(keras.Model(model.input, model.get_layer(name).output)(pixels()), np.float64)


def test_before_a_linear_head_on_means_grad_cam_is_cam_over_the_number_of_positions() -> None:
    model = net(keras)
    weights = np.asarray(model.get_layer("head").kernel)[:, 2]
    a = activations(model, "act")
    cam = np.maximum(a @ weights, 0) / np.prod(a.shape[1:3])
    grad_cam, hirescam = maps(attributed(opened(model), 2), "act")
    close(grad_cam, cam)
    close(hirescam, cam)


def test_hirescam_adds_up_to_the_score_without_its_bias_where_nothing_is_cut_off() -> None:
    model = net(keras)
    head = model.get_layer("head")
    head.kernel.assign(np.abs(head.kernel))
    made = attributed(opened(model), 1)
    row = made.table[made.table["tap"] == "act"]
    a = activations(model, "act")
    share = (a @ np.asarray(head.kernel)[:, 1]).mean(axis=(1, 2))
    np.testing.assert_allclose(row["score"], share + np.asarray(head.bias)[1], rtol=1e-5)
    np.testing.assert_allclose(maps(made, "act")[1].sum(axis=(1, 2)), share, rtol=0.01)


def test_a_gradient_is_the_limit_of_differences() -> None:
    model = net(keras, behind=keras.layers.Conv2D(3, 3, activation="tanh", name="third"))

    def then(tensors: dict[str, Any]) -> Any:
        score = tf.reduce_sum(tensors["head"][:, 3])
        return [tensors["first"], *gradients(score, [tensors["first"]])]

    source = opened(model)
    taps = source.inventory((SIDE, SIDE))[1]
    at, by_first = source.tapped(taps, then, size=(SIDE, SIDE), batch=3)(pixels())
    rest = keras.Model(model.get_layer("first").output, model.output)
    way = np.random.default_rng(0).normal(size=at.shape).astype(np.float32)
    step = 1e-2
    ahead, behind = (np.asarray(rest(at + sign * step * way))[:, 3] for sign in (1, -1))
    slopes = (by_first * way).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(slopes, (ahead - behind) / (2 * step), rtol=2e-2, atol=1e-3)


def test_where_the_score_reads_the_left_half_alone_the_right_half_owes_nothing() -> None:
    made = attributed(opened(net(keras, behind=keras.layers.Cropping2D(((0, 0), (0, 3)), name="left"))))
    hirescam = maps(made, "act")[1]
    assert hirescam.shape == (3, 6, 6)
    assert (hirescam[..., 3:] == 0).all()
    assert (hirescam[..., :3].max(axis=(1, 2)) > 0).all()


def test_a_score_that_never_changes_owes_nothing_to_anything() -> None:
    model = net(keras)
    model.get_layer("head").kernel.assign(np.zeros((6, 4), np.float32))
    made = attributed(opened(model))
    for name in ("first", "second", "act"):
        assert not np.any(maps(made, name))
    assert (made.table["gradient"].dropna() == 0).all()
    assert (made.table["reason"][made.table["gradient"].notna()] == "").all()


def test_before_a_normalisation_over_positions_grad_cam_is_blind_and_hirescam_is_not() -> None:
    # One group per channel; its mean over positions cannot matter.
    behind = keras.layers.GroupNormalization(6, name="norm")
    last = keras.layers.Activation("tanh", name="bend")
    made = attributed(opened(net(keras, behind=lambda x: last(behind(x)))))
    rows = made.table[made.table["tap"] == "act"]
    assert (rows["mean_gradient"] == 0).all()
    assert (rows["gradient"] > 0).all()
    grad_cam, hirescam = maps(made, "act")
    assert not grad_cam.any()
    assert hirescam.any()
    assert (made.table.loc[made.table["tap"] == "bend", "mean_gradient"] > 0).all()


def test_the_predicted_class_is_each_images_own() -> None:
    model = net(keras)
    scores = np.asarray(model(pixels()))
    made = attributed(opened(model), None)
    rows = made.table[made.table["tap"] == "act"]
    assert rows["class"].tolist() == scores.argmax(axis=1).tolist()
    np.testing.assert_allclose(rows["score"], scores.max(axis=1), rtol=1e-5)
    for i, channel in enumerate(rows["class"]):
        np.testing.assert_array_equal(
            made.tiles["act"].values[i], attributed(opened(model), channel, names=[NAMES[i]]).tiles["act"].values[0]
        )


def test_of_a_map_the_score_is_the_mean_over_positions() -> None:
    x = image = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.Conv2D(4, 3, padding="same", name="first")(x)
    model = shake(keras.Model(image, keras.layers.Conv2D(2, 1, name="segments")(x)))
    made = attributed(opened(model), 1, output="segments")
    kernel = np.asarray(model.get_layer("segments").kernel)[0, 0, :, 1]
    a = activations(model, "first")
    close(maps(made, "first")[0], np.maximum(a @ kernel, 0) / SIDE**2)
    np.testing.assert_allclose(
        made.table.loc[made.table["tap"] == "first", "score"],
        np.asarray(model(pixels()))[..., 1].mean(axis=(1, 2)),
        rtol=1e-5,
    )
    # The target's own map: its class, as it is.
    close(maps(made, "segments")[1], np.maximum(np.asarray(model(pixels()))[..., 1], 0) / SIDE**2)


def test_images_in_batches_owe_what_they_do_alone() -> None:
    model = net(keras)
    image = keras.Input(batch_shape=(2, SIDE, SIDE, 3))
    fixed = keras.Model(image, model(image))
    alone, together = attributed(opened(model)), attributed(opened(fixed), output=f"{model.name}/head")
    for name in ("first", "act"):
        np.testing.assert_allclose(
            maps(together, f"{model.name}/{name}"), maps(alone, name), atol=2 * alone.tiles[name].high.max() / 255
        )


@pytest.mark.parametrize("k", [keras, tf_keras], ids=["keras", "tf_keras"])
def test_a_saved_graph_owes_what_its_keras_model_does(k: Any, tmp_path: Path) -> None:
    # Swish has a gradient of its own, which is lost in a saved graph.
    model = net(k, behind=k.layers.Activation("swish", name="swish"))
    if k is keras:
        model.export(tmp_path / "saved", verbose=False)
    else:
        model.save(tmp_path / "saved", save_format="tf")
    settings = config.from_dict(
        {
            "name": "test",
            "model": {"kind": "savedmodel", "path": "saved"},
            "probes": [{"kind": "skimage", "names": ["cat"]}],
        },
        tmp_path,
    )
    one, other = attributed(opened(model)), attributed(open_source(settings))
    assert (other.table["reason"][other.table["tap"].isin(one.tiles)] == "").all()
    for name in one.tiles:
        assert one.tiles[name].high.max() > 0
        np.testing.assert_allclose(one.tiles[name].high, other.tiles[name].high, rtol=1e-4)
        np.testing.assert_allclose(one.tiles[name].values.astype(int), other.tiles[name].values.astype(int), atol=1)


def test_channels_that_come_first_owe_what_channels_that_come_last_do() -> None:
    def made(order: str) -> Any:
        keras.utils.set_random_seed(3)
        x = image = keras.Input((SIDE, SIDE, 3))
        x = keras.layers.Permute((3, 1, 2))(x) if order == "channels_first" else x
        x = keras.layers.Conv2D(4, 3, data_format=order, activation="relu", name="first")(x)
        x = keras.layers.Conv2D(5, 3, data_format=order, name="second")(x)
        x = keras.layers.GlobalAveragePooling2D(data_format=order, name="mean")(x)
        return keras.Model(image, keras.layers.Dense(4, name="head")(x))

    first, last = made("channels_first"), made("channels_last")
    first.set_weights(last.get_weights())
    one, other = attributed(opened(first)), attributed(opened(last))
    for name in ("first", "second"):
        np.testing.assert_allclose(one.tiles[name].high, other.tiles[name].high, rtol=1e-4)
        assert one.tiles[name].high.max() > 0


def test_what_lies_beside_the_target_has_no_gradient_and_says_so() -> None:
    x = image = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.Conv2D(4, 3, name="first")(x)
    beside = keras.layers.Conv2D(2, 3, name="beside")(x)
    x = keras.layers.Dense(4, name="head")(keras.layers.GlobalAveragePooling2D(name="mean")(x))
    made = attributed(opened(shake(keras.Model(image, [x, beside]))))
    reasons = dict(zip(made.table["tap"], made.table["reason"], strict=True))
    assert reasons["beside"] == NO_PATH
    assert reasons["mean"] == "it is no map of rows and columns"
    assert reasons["first"] == ""
    assert set(made.tiles) == {"first"}


class Blocked(keras.layers.Layer):
    """Hands on what it gets by an operation whose gradient nobody knows."""

    def call(self, x: Any) -> Any:
        with tf.compat.v1.get_default_graph().gradient_override_map({"Identity": "KnownToNobody"}):
            return tf.identity(x)


def test_before_an_operation_without_a_gradient_there_is_none_and_behind_it_there_is() -> None:
    x = image = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.Conv2D(4, 3, name="before")(x)
    x = keras.layers.Conv2D(4, 3, name="behind")(Blocked(name="blocked")(x))
    x = keras.layers.GlobalAveragePooling2D(name="mean")(x)
    made = attributed(opened(shake(keras.Model(image, keras.layers.Dense(4, name="head")(x)))))
    reasons = dict(zip(made.table["tap"], made.table["reason"], strict=True))
    assert reasons["before"].startswith(
        "TensorFlow has no gradient for an operation between it and the target: No grad"
    )
    assert reasons["behind"] == reasons["blocked"] == ""
    assert set(made.tiles) == {"blocked", "behind"}


class Refusing(keras.layers.Layer):
    """Hands on what it gets, by a gradient of the user's own that raises."""

    def __init__(self, error: Exception, **options: Any) -> None:
        super().__init__(**options)
        self.error = error

    def call(self, x: Any) -> Any:
        @tf.custom_gradient
        def same(y: Any) -> Any:
            def gradient(upstream: Any) -> Any:
                raise self.error

            return tf.identity(y), gradient

        return same(x)


@pytest.mark.parametrize("kind", [AssertionError, ZeroDivisionError, IndexError, OSError, Exception])
def test_whatever_a_gradient_raises_is_the_reason_of_the_maps_before_it_and_of_no_other(kind: type[Exception]) -> None:
    after = keras.layers.Conv2D(3, 3, name="after")
    made = attributed(opened(net(keras, behind=lambda x: after(Refusing(kind("no"), name="refusing")(x)))))
    reasons = dict(zip(made.table["tap"], made.table["reason"], strict=True))
    for name in ("first", "second", "act"):
        assert reasons[name] == "TensorFlow has no gradient for an operation between it and the target: no"
    assert reasons["refusing"] == reasons["after"] == ""
    assert set(made.tiles) == {"refusing", "after"}


def test_where_a_gradient_cannot_run_nothing_is_attributed_and_the_table_says_why() -> None:
    class Fails(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            @tf.custom_gradient
            def same(y: Any) -> Any:
                def gradient(upstream: Any) -> Any:
                    with tf.control_dependencies([tf.debugging.Assert(False, ["no such gradient here"])]):
                        return tf.identity(upstream)

                return tf.identity(y), gradient

            return same(x)

    made = attributed(opened(net(keras, behind=Fails(name="fails"))))
    assert made.tiles == {}
    assert made.table["reason"].str.contains("no such gradient here").all()
    assert made.table["score"].isna().all()


@pytest.mark.parametrize(
    ("k", "activation", "said"),
    [(keras, "softmax", "softmax"), (tf_keras, "softmax", "softmax"), (keras, "sigmoid", "sigmoid"), (keras, None, "")],
)
@pytest.mark.parametrize("of_map", [False, True], ids=["vector", "map"])
def test_a_target_that_saturates_is_noted(k: Any, activation: str | None, said: str, *, of_map: bool) -> None:
    x = image = k.Input((SIDE, SIDE, 3))
    x = k.layers.Conv2D(4, 3, name="first")(x)
    x = x if of_map else k.layers.GlobalAveragePooling2D(name="mean")(x)
    model = shake(k.Model(image, k.layers.Dense(3, activation=activation, name="head")(x)))
    note = attributed(opened(model)).note
    assert bool(note) == bool(said)
    assert f"result of a {said}" in note or not said


def test_a_value_that_is_not_finite_is_shown_as_that() -> None:
    behind = keras.layers.Lambda(lambda x: x / 0.0, name="infinite")
    made = attributed(opened(net(keras, behind=behind)))
    assert np.isnan(made.tiles["act"].high).any()


def test_a_tap_of_another_kind_is_never_mistaken_for_a_map() -> None:
    model = opened(net(keras))
    taps = tuple(replace(each, is_map=each.name != "second") for each in model.inventory((SIDE, SIDE))[1])
    target = Target(taps[-1], 0)
    made = attribute(Extraction(model, taps, Images(), PREPROCESS, 1), target, NAMES[:1], longest=4)  # type: ignore[arg-type]
    assert set(made.tiles) == {"first", "act"}
    assert made.tiles["first"].values.shape == (1, 2, 4, 4)
