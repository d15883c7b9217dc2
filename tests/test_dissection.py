"""Network Dissection's protocol: thresholds over all probes, overlap with masks, detectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import keras
import numpy as np
import pandas as pd
import pytest
from planted import Pictures, extraction_of
from test_overlap import upsampled
from test_quantile import by_sorting

from fmreport.analysis import Evidence
from fmreport.analysis.dissection import BY_EXTENT, BY_FIELD, Dissection, iou
from fmreport.dissection import dissect
from fmreport.extract import Extraction, Feed
from fmreport.measures.overlap import alignment
from fmreport.probes import Preprocess
from fmreport.probes.scenes import Scenes
from fmreport.records import IMAGE
from fmreport.sources import Identity
from fmreport.sources.keras_model import KerasModel

SIZE = (24, 32)
IGNORED = 255


def pictures(masks: Sequence[np.ndarray | None]) -> Pictures:
    """Noise that begins with its number."""
    images = np.random.default_rng(2).uniform(0, 255, (len(masks), *SIZE, 3)).astype(np.float32)
    images[:, 0, 0, 0] = np.arange(len(masks))
    return Pictures(images, masks)


def blocks(count: int, *, height: int = 6, width: int = 7) -> list[np.ndarray]:
    """A block of foreground for each image, somewhere."""
    rng = np.random.default_rng(6)
    masks = np.zeros((count, *SIZE), np.uint8)
    for mask in masks:
        top, left = rng.integers(0, SIZE[0] - height), rng.integers(0, SIZE[1] - width)
        mask[top : top + height, left : left + width] = 1
    return list(masks)


def table(extraction: Extraction, *, memory_mb: int = 64) -> pd.DataFrame:
    """By tap and channel."""
    taps = (IMAGE, *(tap.name for tap in extraction.taps))
    dissected = dissect(extraction, memory_mb=memory_mb)
    made = Dissection().table(Evidence(taps, {}, np.array([]), 0, (), 0, dissected))
    return made.set_index(["tap", "channel"])


def by_hand(extraction: Extraction, activations: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """The protocol in NumPy, on whole maps that are upsampled."""
    shown = extraction.probes
    assert isinstance(shown, Pictures)
    masks = [mask for mask in shown.masks if mask is not None]
    masked = [number for number, mask in enumerate(shown.masks) if mask is not None]
    kept, inside = np.array(masks) != IGNORED, np.array(masks) == 1
    rows = []
    for tap in extraction.taps:
        values = activations[tap.name]
        threshold = by_sorting(values)
        active = (upsampled(values[masked], alignment(tap, SIZE)) > threshold) & kept[..., None]
        for c in range(tap.channels):
            a, g = active[..., c], inside
            ratio = (a & g).sum() / max((a | g).sum(), 1)
            rows.append((tap.name, c, threshold[c], a.sum(), g.sum(), (a & g).sum(), ratio))
    names = ["tap", "channel", "threshold", "active", "inside", "overlap", "detector_iou"]
    return pd.DataFrame(rows, columns=names).set_index(["tap", "channel"])


def activations(masks: Sequence[np.ndarray | None]) -> dict[str, np.ndarray]:
    """Maps of several sizes, of which some channels know of the mask."""
    rng = np.random.default_rng(9)
    made = {}
    for name, grid in {"full": SIZE, "half": (12, 16), "odd": (7, 11)}.items():
        values = rng.normal(size=(len(masks), *grid, 5)).astype(np.float32)
        values[..., 3:] = values[..., 3:].clip(0)
        for image, mask in zip(values, masks, strict=True):
            if mask is not None:
                rows, columns = (np.arange(n) * s // n for n, s in zip(grid, SIZE, strict=True))
                image[..., 1] += 2 * (mask == 1)[np.ix_(rows, columns)]
        values[..., 4] = np.where(values[..., 4] > 2.8, values[..., 4], 0)
        made[name] = values
    return made


def test_the_iou_of_published_sums() -> None:
    found = iou(np.array(973125), np.array(1467623), np.array(1505280))
    assert found == pytest.approx(0.486617, abs=5e-7)


def test_neither_active_nor_inside_has_no_iou() -> None:
    assert np.isnan(iou(np.array(0), np.array(0), np.array(0)))


@pytest.fixture(scope="module")
def masks() -> list[np.ndarray | None]:
    """Eight, of which one is missing and one has an ignored rim."""
    made: list[np.ndarray | None] = [*blocks(8)]
    made[3] = None
    assert made[5] is not None
    made[5][:4] = IGNORED
    return made


def test_all_of_it_is_what_numpy_makes_of_whole_maps(masks: list[np.ndarray | None]) -> None:
    given = activations(masks)
    extraction = extraction_of(given, pictures(masks))
    found, expected = table(extraction), by_hand(extraction, given)
    pd.testing.assert_frame_equal(found.loc[expected.index, expected.columns], expected, check_dtype=False)
    assert (expected["overlap"] > 0).sum() > 6
    assert (found["aligned_by"] == BY_EXTENT).all()
    assert list(found.loc[IMAGE].index) == [0, 1, 2]


@pytest.mark.parametrize("batch", [1, 3, 8])
def test_batches_and_memory_change_nothing(masks: list[np.ndarray | None], batch: int) -> None:
    given = activations(masks)
    whole = table(extraction_of(given, pictures(masks), batch=2))
    pd.testing.assert_frame_equal(table(extraction_of(given, pictures(masks), batch=batch), memory_mb=1), whole)


def test_maps_that_are_handed_over_in_portions_change_nothing(masks: list[np.ndarray | None]) -> None:
    whole = extraction_of(activations(masks), pictures(masks), batch=3)
    parts = replace(whole, feed=Feed(handed=1))
    pd.testing.assert_frame_equal(table(parts), table(whole), check_exact=True)


def test_a_channel_that_is_a_small_mask_is_a_detector() -> None:
    """Of four in a thousand pixels: what exceeds a threshold of 0 is all of it."""
    masks = blocks(16, height=1, width=3)
    assert 0.0038 < np.mean(masks) < 0.0042
    rng = np.random.default_rng(1)
    planted = np.stack([np.array(masks), rng.random((16, *SIZE))], axis=-1).astype(np.float32)
    found = table(extraction_of({"x": planted}, pictures(masks))).loc["x"]
    assert found.loc[0, "detector_iou"] == 1
    assert found.loc[1, "detector_iou"] < 0.04
    assert list(found["detector"]) == [True, False]
    assert found.loc[0, "detector_iou_null"] < 0.5


def test_a_sparse_channel_is_active_where_it_is_not_zero() -> None:
    """Its threshold is 0, which zeros reach but do not exceed."""
    masks = blocks(4)
    values = np.zeros((4, *SIZE, 1), np.float32)
    values[0, 3, 4:9], values[2, 7, 1] = 5, 0.1
    found = table(extraction_of({"x": values}, pictures(masks))).loc[("x", 0)]
    assert (found["threshold"], found["active"]) == (0, 6)


def test_a_constant_is_active_nowhere_and_a_channel_of_nan_has_no_iou() -> None:
    values = np.full((3, 6, 8, 2), 2.7, np.float32)
    values[..., 1] = np.nan
    found = table(extraction_of({"x": values}, pictures(blocks(3)))).loc["x"]
    assert found.loc[0, ["threshold", "active", "detector_iou"]].to_list() == pytest.approx([2.7, 0, 0])
    assert found.loc[1, ["threshold", "detector_iou", "detector_iou_null"]].isna().all()
    assert not found["detector"].any()


def test_values_that_are_no_numbers_are_left_out() -> None:
    masks = blocks(6)
    values = np.random.default_rng(4).normal(size=(6, *SIZE, 1)).astype(np.float32)
    spoilt = values.copy()
    spoilt[1, 5:9] = np.nan
    found = table(extraction_of({"x": spoilt}, pictures(masks))).loc[("x", 0)]
    threshold = by_sorting(spoilt)
    assert found["threshold"] == threshold[0]
    assert found["active"] == (np.nan_to_num(spoilt, nan=-9) > threshold).sum()


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_other_formats_are_measured_as_float32(masks: list[np.ndarray | None], dtype: type) -> None:
    given = {name: values.astype(dtype) for name, values in activations(masks).items()}
    found = table(extraction_of(given, pictures(masks)))
    expected = by_hand(extraction_of(given, pictures(masks)), {n: v.astype(np.float32) for n, v in given.items()})
    pd.testing.assert_frame_equal(found.loc[expected.index, expected.columns], expected, check_dtype=False)


def test_with_a_single_mask_there_is_none_of_another_image() -> None:
    values = np.random.default_rng(4).normal(size=(2, *SIZE, 1)).astype(np.float32)
    found = table(extraction_of({"x": values}, pictures([*blocks(1), None])))
    assert found["detector_iou"].notna().all()
    assert found["detector_iou_null"].isna().all()


def test_what_is_no_map_has_no_rows() -> None:
    values = {"vector": np.ones((2, 5), np.float32), "map": np.ones((2, 4, 4, 1), np.float32)}
    found = table(extraction_of(values, pictures(blocks(2))))
    assert list(found.index.get_level_values("tap").unique()) == [IMAGE, "map"]


def test_without_the_protocol_there_is_an_empty_table() -> None:
    made = Dissection().table(Evidence((IMAGE, "x"), {}, np.array([]), 0, (), 0))
    assert list(made.columns) == [column.name for column in Dissection.columns]
    assert len(made) == 0


def test_a_map_without_padding_lies_where_its_convolutions_look() -> None:
    """Each convolution hands on what lies at its centre, three pixels further inside in the end."""
    inputs = keras.Input((*SIZE, 3))
    x = keras.layers.Conv2D(1, 5, use_bias=False, name="first")(inputs)
    x = keras.layers.Conv2D(1, 3, use_bias=False, name="second")(x)
    model = keras.Model(inputs, x)
    first, second = np.zeros((5, 5, 3, 1)), np.zeros((3, 3, 1, 1))
    first[2, 2, 1], second[1, 1] = 1, 1
    model.set_weights([first, second])
    masks = np.zeros((4, *SIZE), np.uint8)
    for i, mask in enumerate(masks):
        mask[11, 12 + 2 * i : 14 + 2 * i] = 1
    shown = Pictures(np.stack([np.arange(4)[:, None, None] + 0 * masks, 200.0 * masks, 0 * masks], -1), list(masks))
    opened = KerasModel(model, Identity("keras", "valid", "", "keras", 0))
    taps = [tap for tap in opened.inventory(SIZE)[1] if tap.name in ("first", "second")]
    preprocess = Preprocess(SIZE)
    scenes = Scenes(shown, preprocess)  # type: ignore[arg-type]
    extraction = Extraction(opened, tuple(taps), shown, preprocess, 3, scenes)  # type: ignore[arg-type]
    assert [tap.grid for tap in taps] == [(20, 28), (18, 26)]
    found = table(extraction).loc[["first", "second"]]
    assert found["aligned_by"].to_list() == [BY_FIELD] * 2
    assert found["detector_iou"].to_list() == [1, 1]
