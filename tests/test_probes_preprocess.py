"""What preprocessing does to pixels, and how config, recipe and model settle it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from probe_files import photograph

from fmreport.config.sections import PreprocessSection
from fmreport.errors import ProbeError
from fmreport.probes import Preprocess, mask_thumbnail, recipe_for_application, resolve, thumbnail

PHOTO = photograph().astype(np.float32)
sides = st.integers(1, 40)
resizes = st.sampled_from(["stretch", "crop", "pad"])


def settled(
    model: tuple[int | None, int | None] | None = (8, 8),
    channels: int | None = 3,
    default_like: str | None = None,
    **section: Any,
) -> Preprocess:
    return resolve(PreprocessSection(**section), default_like=default_like, model_size=model, model_channels=channels)


@given(level=st.floats(0, 255, width=32), of=st.tuples(sides, sides), to=st.tuples(sides, sides), resize=resizes)
def test_a_constant_image_stays_constant_through_any_resize(
    level: float, of: tuple[int, int], to: tuple[int, int], resize: str
) -> None:
    out = Preprocess(to, resize).apply(np.full((*of, 3), level, np.float32))
    assert out.shape == (*to, 3)
    inside = Preprocess(to, resize).apply_mask(np.ones(of, np.uint8)) == 1
    np.testing.assert_allclose(out[inside], level, atol=1e-3)
    assert (out[~inside] == 0).all()
    assert inside.all() or resize == "pad"


@pytest.mark.parametrize("resize", ["stretch", "crop", "pad"])
def test_an_image_of_the_size_is_left_as_it_is(resize: str) -> None:
    np.testing.assert_array_equal(Preprocess((24, 36), resize).apply(PHOTO), PHOTO)


@given(factor=st.integers(2, 5))
def test_shrinking_by_a_whole_factor_keeps_the_mean_so_nothing_is_skipped(factor: int) -> None:
    # A periodic picture away from the border: every pixel has the same total weight when nothing is aliased.
    fine = np.indices((24 * factor, 24 * factor)).sum(axis=0) % 2 * 255.0
    out = Preprocess((24, 24)).apply(np.dstack([fine] * 3).astype(np.float32))
    assert abs(out[4:-4, 4:-4] - 127.5).max() < 16


def test_resizing_is_done_in_floating_point() -> None:
    ramp = np.dstack([np.tile(np.linspace(100, 101, 50, dtype=np.float32), (50, 1))] * 3)
    out = Preprocess((25, 25)).apply(ramp)[0, :, 0]
    assert len(np.unique(out)) == 25
    assert (np.diff(out) > 0).all()


@given(low=st.floats(-10, 0), high=st.floats(0.5, 300))
def test_0_becomes_the_low_end_of_the_range_and_255_the_high_one(low: float, high: float) -> None:
    black_and_white = np.repeat(np.array([[0, 255]], np.float32)[..., None], 3, axis=-1)
    out = Preprocess((1, 2), range=(low, high)).apply(black_and_white)
    np.testing.assert_allclose(out[0, :, 0], [low, high], rtol=1e-6, atol=1e-6)


def test_mean_and_std_are_in_the_order_of_the_output_channels() -> None:
    red = np.zeros((1, 1, 3), np.float32)
    red[..., 0] = 255
    rgb = Preprocess((1, 1), range=(0, 1), mean=(0.5, 0.25, 0.0), std=(0.5, 1, 1)).apply(red)
    bgr = Preprocess((1, 1), range=(0, 1), colour="bgr", mean=(0.0, 0.25, 0.5), std=(1, 1, 0.5)).apply(red)
    np.testing.assert_allclose(rgb[0, 0], [1, -0.25, 0])
    np.testing.assert_allclose(bgr[0, 0], [0, -0.25, 1])


def test_grey_is_the_luma_of_the_colours_and_grey_stays_grey() -> None:
    grey = Preprocess((24, 36), colour="grey").apply(PHOTO)
    np.testing.assert_allclose(grey[..., 0], PHOTO @ [0.299, 0.587, 0.114], rtol=1e-5)
    same = np.repeat(PHOTO[..., :1], 3, axis=-1)
    np.testing.assert_allclose(Preprocess((24, 36), colour="grey").apply(same), same[..., :1], rtol=1e-6)


@given(of=st.tuples(st.integers(8, 40), st.integers(8, 40)), to=st.tuples(st.integers(8, 40), st.integers(8, 40)))
def test_padding_shows_the_whole_image_and_cropping_its_middle(of: tuple[int, int], to: tuple[int, int]) -> None:
    marked = np.full((*of, 3), 100, np.float32)
    marked[of[0] // 2 - 2 : of[0] // 2 + 2, of[1] // 2 - 2 : of[1] // 2 + 2] = 255
    for resize in ("pad", "crop"):
        out = Preprocess(to, resize).apply(marked)[..., 0]
        rows, columns = np.nonzero(out > 0.9 * out.max())
        # The mark lies half a pixel beside the middle of an odd side, which enlarging enlarges.
        slack = 1.5 + max(to[0] / of[0], to[1] / of[1]) / 2
        assert abs(rows.mean() - (to[0] - 1) / 2) <= slack
        assert abs(columns.mean() - (to[1] - 1) / 2) <= slack
    inside = Preprocess(to, "pad").apply_mask(np.zeros(of, np.uint8)) == 0
    height, width = inside.any(1).sum(), inside.any(0).sum()
    assert height == to[0] or width == to[1]
    assert abs(height / width - of[0] / of[1]) <= (1 + of[0] / of[1]) / min(height, width)


@given(resize=resizes, to=st.tuples(st.integers(10, 60), st.integers(10, 60)))
def test_a_mask_goes_where_its_image_goes_and_keeps_its_values(resize: str, to: tuple[int, int]) -> None:
    mask = np.zeros((40, 60), np.uint8)
    mask[10:30, 15:45] = 1
    mask[18:22, 28:32] = 255
    out = Preprocess(to, resize).apply_mask(mask)
    assert set(np.unique(out)) <= {0, 1, 255}
    planted = np.dstack([(mask == 1) * np.float32(255)] * 3)
    image = Preprocess(to, resize).apply(planted)[..., 0]
    inside = out != 255
    assert ((image[inside] > 127.5) == (out[inside] == 1)).mean() > 0.8
    assert out[to[0] // 4 : -to[0] // 4, to[1] // 4 : -to[1] // 4].max() >= 1


def test_settings_win_over_like_and_like_over_the_default() -> None:
    assert settled().range == (0, 255)
    assert settled(default_like="resnet_v2").range == (-1, 1)
    assert settled(default_like="resnet_v2", like="bit_hub").range == (0, 1)
    own = settled(default_like="resnet_v2", like="densenet", range=(0.0, 2.0), resize="crop", mean=(0.5,))
    assert (own.range, own.resize, own.mean, own.std) == ((0, 2), "crop", (0.5,), (0.229, 0.224, 0.225))
    assert own.like == "densenet"


def test_a_recipe_keeps_each_mean_with_its_colour_in_another_order() -> None:
    vgg, turned = settled(like="vgg16"), settled(like="vgg16", colour="rgb")
    np.testing.assert_allclose(vgg.apply(PHOTO), turned.apply(PHOTO)[..., ::-1])
    assert turned.mean == (123.68, 116.779, 103.939)


def test_the_size_is_the_configs_else_the_models() -> None:
    assert settled((160, 128)).size == (160, 128)
    assert settled((None, 32), size=(64, 32)).size == (64, 32)
    assert settled(None, size=(64, 32)).size == (64, 32)


@pytest.mark.parametrize("model", [None, (None, None), (160, None)])
def test_a_free_size_has_to_be_said(model: tuple[int | None, int | None] | None) -> None:
    with pytest.raises(ProbeError, match="takes images of any size, and the config names none") as caught:
        settled(model)
    assert caught.value.fix == "preprocess: {size: [224, 224]}"


def test_a_size_that_the_model_does_not_take_is_named_with_its_own() -> None:
    with pytest.raises(ProbeError, match=r"size is 64 × 32, but the model takes 160 × any \(height × width\)"):
        settled((160, None), size=(64, 32))


def test_the_colour_follows_the_models_channels_where_nothing_says_it() -> None:
    assert settled(channels=3).colour == settled(channels=None).colour == "rgb"
    assert settled(channels=1).colour == settled(channels=1, like="resnet_v2").colour == "grey"
    assert settled(like="vgg16").colour == "bgr"
    assert settled(channels=1).apply(PHOTO).shape == (8, 8, 1)


@pytest.mark.parametrize(
    ("section", "channels", "message"),
    [
        ({}, 13, "the model takes images of 13 channels"),
        ({"colour": "grey"}, 3, "colour grey makes 1 channel, but the model takes 3"),
        ({"colour": "bgr"}, 1, "colour bgr makes 3 channels, but the model takes 1"),
        ({"like": "vgg16"}, 1, "'vgg16' has a mean for each of three colours, but the model takes grey"),
        ({"mean": (1.0, 2.0, 3.0)}, 1, "mean has 3 values for the 1 channels of colour grey"),
    ],
)
def test_what_does_not_fit_the_channels_is_an_error(section: dict[str, Any], channels: int, message: str) -> None:
    with pytest.raises(ProbeError, match=message):
        settled(channels=channels, **section)


def test_an_unknown_recipe_or_application_is_answered_with_the_nearest() -> None:
    with pytest.raises(ProbeError, match="no recipe is called 'resnetv2'") as caught:
        settled(like="resnetv2")
    assert "resnet_v2" in caught.value.fix
    with pytest.raises(ProbeError, match=r"no preprocessing is known for keras\.applications\.ResNet50v3") as caught:
        recipe_for_application("ResNet50v3")
    assert "ResNet50V2" in caught.value.fix


def test_the_description_is_json_and_a_sentence_says_it_all() -> None:
    plain = settled((160, 160)).describe()
    assert json.loads(json.dumps(plain)) == plain
    assert plain["sentence"] == (
        "Each image is stretched to 160 × 160 pixels (height × width), bilinear with antialiasing; "
        "channels are red, green, blue; values are kept at 0 to 255."
    )
    assert settled(like="densenet", resize="pad", colour="bgr").sentence() == (
        "Each image is scaled to fit into 8 × 8 pixels (height × width) and centred on black, bilinear with "
        "antialiasing; channels are blue, green, red; 0 to 255 become 0 to 1; 0.406, 0.456, 0.485 is subtracted; "
        "what remains is divided by 0.225, 0.224, 0.229."
    )


@given(of=st.tuples(st.integers(1, 900), st.integers(1, 900)))
def test_thumbnails_keep_the_shape_never_grow_and_masks_match_them(of: tuple[int, int]) -> None:
    small = thumbnail(np.full((*of, 3), 77.4, np.float32))
    assert small.dtype == np.uint8
    assert (small == 77).all()
    assert max(small.shape[:2]) == min(320, max(of))
    mask = mask_thumbnail(np.full(of, 255, np.uint8))
    assert mask.shape == small.shape[:2]
    assert (mask == 255).all()
