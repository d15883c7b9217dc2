"""What a model decides at every position is read from its taps as masks are: no mask is needed, and no second pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from planted import tap
from scipy.ndimage import gaussian_filter

from fmreport.analysis import Evidence
from fmreport.analysis.progression import Progression
from fmreport.analysis.readability import Readability
from fmreport.extract import Extraction
from fmreport.facts import ProbeFact
from fmreport.measures.scene import Scene, foreground
from fmreport.pipeline.measuring import evidence_of
from fmreport.probes import Preprocess
from fmreport.probes.scenes import Scenes
from fmreport.records import IMAGE, Probe, Target
from fmreport.sources import Identity
from fmreport.sources.keras_model import KerasModel

SIDE, IMAGES = 24, 12


@dataclass(frozen=True)
class Clouds:
    """A `ProbeSet` of smooth pictures, none with a mask."""

    names: tuple[str, ...] = tuple(f"p{i}" for i in range(IMAGES))

    @property
    def facts(self) -> tuple[ProbeFact, ...]:
        return tuple(ProbeFact(name, name, "", (SIDE, SIDE)) for name in self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, place: int) -> Probe:
        name = self.names[place]
        noise = np.random.default_rng(int(name[1:])).normal(size=(SIDE, SIDE, 3))
        smooth = gaussian_filter(noise, (3, 3, 0), mode="wrap")
        return Probe(name, (127 + 100 * smooth / np.abs(smooth).max()).astype(np.float32), name, "")

    def named(self, names: Sequence[str]) -> Clouds:
        return Clouds(tuple(names))


@pytest.fixture(scope="module")
def model() -> KerasModel:
    """Decides by its first channel, on half of the rows and columns; another layer holds nothing but the second."""
    x = image = keras.Input((SIDE, SIDE, 3))
    red = keras.layers.Conv2D(1, 1, use_bias=False, name="red")
    green = keras.layers.Conv2D(1, 1, use_bias=False, name="green")
    halves = keras.layers.AveragePooling2D(2, name="halves")(red(x))
    made = keras.Model(image, [keras.layers.Rescaling(1 / 50, offset=-2.54, name="decides")(halves), green(x)])
    for layer, channel in ((red, 0), (green, 1)):
        layer.kernel.assign(np.eye(3)[:, channel].reshape(1, 1, 3, 1))
    return KerasModel(made, Identity("keras", "model", "", "", 0))


def extraction(model: KerasModel, target: Target | None, *, only: Sequence[str] = ()) -> Extraction:
    taps = tuple(each for each in model.inventory((SIDE, SIDE))[1] if not only or each.name in only)
    probes, preprocess = Clouds(), Preprocess((SIDE, SIDE))
    scenes = Scenes(probes, preprocess)  # type: ignore[arg-type]
    return Extraction(model, taps, probes, preprocess, 2, scenes, target=target)  # type: ignore[arg-type]


def evidence(made: Extraction) -> Evidence:
    return evidence_of(made.measure(()), made)


def decides(model: KerasModel) -> Target:
    return Target(next(each for each in model.inventory((SIDE, SIDE))[1] if each.name == "decides"), 0, 0.0)


def predicted(table: Any) -> dict[str, float]:
    rows = table[table["quantity"] == "prediction"]
    return dict(zip(rows["tap"], rows["value"], strict=True))


def test_the_models_own_map_is_read_where_it_is_held_and_not_where_it_is_not(model: KerasModel) -> None:
    table = Progression().table(evidence(extraction(model, decides(model))))
    scores = predicted(table)
    assert set(scores) == {IMAGE, "red", "halves", "decides", "green"}
    # A straight line through the channel that decides says most of a step, the other channel nothing.
    assert min(scores["red"], scores["halves"], scores["decides"]) > 0.5
    assert scores["green"] < 0.1
    rows = table[table["quantity"] == "prediction"]
    assert (rows["images"] == IMAGES).all()
    assert (rows["lower"] < rows["value"]).all()
    assert (rows["upper"] > rows["value"]).all()
    assert set(table["quantity"]) == {"edge", "prediction", "centroid_common", "centroid_share"}


def test_the_target_need_not_be_tapped(model: KerasModel) -> None:
    whole, part = (
        predicted(Progression().table(evidence(extraction(model, decides(model), only=only))))
        for only in ((), ("green",))
    )
    assert list(part) == [IMAGE, "green"]
    assert part["green"] == pytest.approx(whole["green"], abs=1e-9)


def test_without_a_target_the_tables_are_what_they_were_and_with_one_the_rest_of_them_is(model: KerasModel) -> None:
    without, with_one = (Readability().table(evidence(extraction(model, target))) for target in (None, decides(model)))
    assert set(without["target"]) == {"edge"}
    rest = with_one[with_one["target"] != "prediction"].reset_index(drop=True)
    assert rest[["tap", "target", "group"]].equals(without[["tap", "target", "group"]])
    np.testing.assert_allclose(rest["residual"], without["residual"], rtol=1e-9)


def test_a_vector_decides_nothing_at_any_position(model: KerasModel) -> None:
    vector = Target(tap("scores", (3,)), 0)
    assert extraction(model, vector).planes == extraction(model, None).planes


def test_of_one_channel_foreground_lies_above_the_threshold_and_of_several_where_the_class_is_the_largest() -> None:
    rng = np.random.default_rng(0)
    one, several = rng.normal(size=(2, 5, 4, 1)), rng.normal(size=(2, 5, 4, 3))
    above = foreground(tf.constant(one), Target(tap("one", (5, 4, 1)), 0, 0.3))
    np.testing.assert_array_equal(above, one[..., 0] > 0.3)
    largest = foreground(tf.constant(several), Target(tap("several", (5, 4, 3)), 2))
    np.testing.assert_array_equal(largest, several.argmax(axis=-1) == 2)


@pytest.mark.parametrize("size", [(4, 6), (5, 7), (16, 24), (32, 12)], ids=str)
def test_a_prediction_on_any_grid_covers_the_share_of_the_image_that_it_does(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    prediction = (rng.uniform(size=(2, *size)) > 0.5).astype(np.float32)
    planes = rng.uniform(size=(2, 16, 24, 2)).astype(np.float32)
    planes[..., 0] = 1
    made = Scene(tf.constant(planes), ("kept", "red"), tf.constant(prediction))
    shown = made.at((16, 24))
    assert shown.planes == ("red", "prediction")
    plane = np.asarray(shown.plane("prediction"))
    np.testing.assert_allclose(plane.mean(axis=(1, 2)), prediction.mean(axis=(1, 2)), atol=1e-6)
    if size == (4, 6):
        np.testing.assert_allclose(plane, prediction.repeat(4, axis=1).repeat(4, axis=2), atol=1e-6)
    # By the last plane of the images, whatever comes behind it.
    np.testing.assert_array_equal(shown.number, Scene(tf.constant(planes), ("kept", "red")).at((16, 24)).number)


def test_what_is_ignored_of_the_image_is_ignored_of_the_prediction() -> None:
    planes = np.ones((1, 4, 4, 2), np.float32)
    planes[:, :, 2:, 0] = 0
    prediction = np.zeros((1, 4, 4), np.float32)
    prediction[:, :, 1:] = 1
    shown = Scene(tf.constant(planes), ("kept", "red"), tf.constant(prediction)).at((1, 1))
    assert float(shown.plane("prediction")[0, 0, 0]) == pytest.approx(0.5)
