"""A picture file becomes the RGB that a viewer would show, to its full precision, or an error; never half a picture."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFile
from probe_files import encoded, photograph, png16

from fmreport.errors import ProbeError
from fmreport.probes import reading
from fmreport.probes.reading import decode_image, decode_levels, upright

PHOTO = photograph()
WIDE = np.random.default_rng(1).integers(0, 65536, (6, 9, 4)).astype(np.uint16)


def decoded(data: bytes) -> np.ndarray:
    return decode_image(io.BytesIO(data))


def tiff(values: np.ndarray, **settings: Any) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values, **settings)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("kind", "settings"),
    [("PNG", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"}), ("BMP", {}), ("WEBP", {"lossless": True})],
)
def test_a_lossless_file_gives_its_own_pixels(kind: str, settings: dict[str, Any]) -> None:
    image = decoded(encoded(PHOTO, kind, **settings))
    assert image.dtype == np.float32
    np.testing.assert_array_equal(image, PHOTO)


def test_a_jpeg_gives_nearly_its_pixels() -> None:
    ramp = np.dstack([np.add.outer(np.arange(48), np.arange(64))] * 3).astype(np.uint8)
    assert abs(decoded(encoded(ramp, "JPEG", quality=98)) - ramp).max() < 4


def test_grey_is_the_same_in_every_channel() -> None:
    grey = PHOTO[..., 0]
    np.testing.assert_array_equal(decoded(encoded(grey, "PNG")), np.dstack([grey] * 3))
    np.testing.assert_array_equal(decoded(encoded(grey > 90, "PNG")), np.dstack([(grey > 90) * 255.0] * 3))


def test_transparency_is_composited_on_white() -> None:
    clear = np.dstack([PHOTO, np.zeros(PHOTO.shape[:2], np.uint8)])
    half = np.dstack([PHOTO, np.full(PHOTO.shape[:2], 51, np.uint8)])
    assert (decoded(encoded(clear, "PNG")) == 255).all()
    np.testing.assert_allclose(decoded(encoded(half, "PNG")), PHOTO * 0.2 + 255 * 0.8, rtol=1e-6)
    np.testing.assert_allclose(decoded(encoded(half[..., 2:], "PNG"))[..., 0], PHOTO[..., 2] * 0.2 + 204, rtol=1e-6)


def test_a_palette_gives_its_colours_and_its_transparent_one_is_white() -> None:
    picture = Image.new("P", (2, 1))
    picture.putpalette([10, 20, 30, 40, 50, 60])
    picture.putpixel((1, 0), 1)
    np.testing.assert_array_equal(decoded(encoded(picture, "PNG")), [[[10, 20, 30], [40, 50, 60]]])
    for kind in ("PNG", "GIF"):
        np.testing.assert_array_equal(
            decoded(encoded(picture, kind, transparency=0)), [[[255, 255, 255], [40, 50, 60]]]
        )


def test_cmyk_is_ink_on_white() -> None:
    cmyk = Image.merge("CMYK", [Image.new("L", (4, 4), ink) for ink in (0, 255, 0, 51)])
    np.testing.assert_allclose(decoded(encoded(cmyk, "TIFF"))[0, 0], [204, 0, 204], atol=1e-4)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_16_bit_png_keeps_every_level(channels: int) -> None:
    values = WIDE[..., :channels]
    image = decoded(png16(values))
    exact = values.astype(np.float64) / 257
    if channels in (2, 4):
        alpha = exact[..., -1:] / 255
        exact = exact[..., :-1] * alpha + 255 * (1 - alpha)
    np.testing.assert_allclose(image, np.broadcast_to(exact, image.shape), atol=1e-4)


def test_the_transparent_colour_of_a_16_bit_png_is_compared_in_16_bits() -> None:
    values = np.array([[[1000, 2000, 3000], [1000, 2000, 3001]]], np.uint16)
    image = decoded(png16(values, transparent=(1000, 2000, 3000)))
    np.testing.assert_allclose(image, [[[255, 255, 255], np.array([1000, 2000, 3001]) / 257]], atol=1e-4)


@pytest.mark.parametrize(
    ("values", "settings"),
    [
        (WIDE[..., :3], {"photometric": "rgb"}),
        (WIDE[..., :3], {"photometric": "rgb", "byteorder": ">"}),
        (WIDE[..., :3], {"photometric": "rgb", "compression": "zlib", "predictor": True}),
        (WIDE[..., :3], {"photometric": "rgb", "bigtiff": True}),
        (WIDE[..., :3].transpose(2, 0, 1), {"photometric": "rgb", "planarconfig": "separate"}),
        (WIDE[..., 0], {"photometric": "minisblack"}),
        (WIDE[..., 0], {"photometric": "minisblack", "byteorder": ">"}),
    ],
)
def test_a_16_bit_tiff_keeps_every_level(values: np.ndarray, settings: dict[str, Any]) -> None:
    image = decoded(tiff(values, **settings))
    rgb = np.dstack([values] * 3) if values.ndim == 2 else WIDE[..., :3]
    np.testing.assert_allclose(image * 257, rgb, atol=0.02)


def test_16_bit_tiffs_with_alpha_or_white_as_zero_are_read_as_meant() -> None:
    grey, alpha = WIDE[..., :1] / 257, WIDE[..., 1:2] / 65535
    straight = tiff(WIDE[..., :2], photometric="minisblack", extrasamples=["unassalpha"])
    np.testing.assert_allclose(decoded(straight)[..., :1], grey * alpha + 255 * (1 - alpha), atol=1e-3)
    held = WIDE.copy()
    held[..., :3] = np.minimum(held[..., :3], held[..., 3:])
    premultiplied = tiff(held, photometric="rgb", extrasamples=["assocalpha"])
    white = 255 * (1 - held[..., 3:] / 65535)
    np.testing.assert_allclose(decoded(premultiplied), held[..., :3] / 257 + white, atol=1e-3)
    inverted = tiff(WIDE[..., 0], photometric="miniswhite")
    np.testing.assert_allclose(decoded(inverted)[..., 0], 255 - WIDE[..., 0] / 257, atol=1e-3)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("colours", ["minisblack", "rgb"])
def test_a_floating_point_tiff_holds_zero_to_one(dtype: type, colours: str) -> None:
    values = (PHOTO / 255).astype(dtype)
    values = values if colours == "rgb" else values[..., 0]
    image = decoded(tiff(values, photometric=colours))
    exact = values.astype(np.float64) * 255
    np.testing.assert_allclose(image, exact if colours == "rgb" else np.dstack([exact] * 3), atol=1e-4)


@pytest.mark.parametrize("top", [255.0, -1.0, np.nan])
def test_a_floating_point_tiff_of_another_range_is_refused_with_its_range(top: float) -> None:
    values = np.linspace(0, top, 60, dtype=np.float32).reshape(6, 10)
    with pytest.raises(ProbeError, match=r"floating-point values from .* to .*; such pictures are read as 0 to 1"):
        decoded(tiff(values, photometric="minisblack"))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_every_exif_orientation_gives_the_same_upright_picture(orientation: int, kind: str) -> None:
    stored = Image.fromarray(PHOTO)
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    if orientation > 1:
        stored = stored.transpose(Image.Transpose(undo[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    settings: dict[str, Any] = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}}.get(kind, {})
    image = decoded(encoded(stored, kind, exif=exif, **settings))
    assert image.shape == PHOTO.shape
    assert abs(image - PHOTO).max() <= (4 if kind == "JPEG" else 0)


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_orientation_holds_for_16_bit_tiffs_by_every_way_of_reading_them(orientation: int) -> None:
    tag = (274, "H", 1, orientation, True)
    by_pillow = tiff(WIDE[..., :3], photometric="rgb", extratags=[tag])
    by_tifffile = tiff(WIDE[..., :3].transpose(2, 0, 1), photometric="rgb", planarconfig="separate", extratags=[tag])
    for data in (by_pillow, by_tifffile):
        np.testing.assert_allclose(decoded(data) * 257, upright(WIDE[..., :3], orientation), atol=0.02)


FORMATS = {
    "jpeg": encoded(PHOTO, "JPEG"),
    "progressive": encoded(PHOTO, "JPEG", progressive=True),
    "png": encoded(PHOTO, "PNG"),
    "png16": png16(WIDE[..., :3]),
    "palette": encoded(Image.fromarray(PHOTO).quantize(16), "PNG"),
    "webp": encoded(PHOTO, "WEBP"),
    "bmp": encoded(PHOTO, "BMP"),
    "gif": encoded(PHOTO, "GIF"),
    "tiff": encoded(PHOTO, "TIFF"),
    "tiff16": tiff(WIDE[..., :3], photometric="rgb"),
    "tiff_float": tiff((PHOTO / 255).astype(np.float32), photometric="rgb", compression="zlib"),
}


@pytest.mark.parametrize("kind", FORMATS)
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_anywhere_is_an_error_or_whole_and_never_half_a_picture(kind: str, share: float) -> None:
    data = FORMATS[kind]
    try:
        image = decoded(data[: int(share * len(data))])
    except ProbeError:
        return
    np.testing.assert_array_equal(image, decoded(data))


def test_truncation_is_an_error_even_where_the_process_told_pillow_to_let_it_pass(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(ProbeError, match="cannot be decoded: image file is truncated"):
        decoded(FORMATS["jpeg"][:-200])
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True


@given(place=st.integers(45, len(FORMATS["png"]) - 20))
def test_a_png_with_one_wrong_byte_is_an_error(place: int) -> None:
    data = bytearray(FORMATS["png"])
    data[place] ^= 0x55
    with pytest.raises(ProbeError, match="cannot be decoded"):
        decoded(bytes(data))


def test_a_multi_picture_jpeg_of_a_camera_is_its_first_picture() -> None:
    first, preview = Image.fromarray(PHOTO), Image.fromarray(PHOTO[::2, ::2])
    data = encoded(first, "MPO", save_all=True, append_images=[preview])
    assert decoded(data).shape == PHOTO.shape


def test_what_is_no_single_picture_is_refused_in_words() -> None:
    frames = [Image.fromarray(photograph(seed=seed)) for seed in range(3)]
    animated = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    with pytest.raises(ProbeError, match=r"^is empty \(0 bytes\)$"):
        decoded(b"")
    with pytest.raises(ProbeError, match=r"^is not a picture in a format that is read here$"):
        decoded(b"<!doctype html><title>404</title>")
    with pytest.raises(ProbeError, match=r"^holds 3 pictures; a probe is one$"):
        decoded(animated)
    with pytest.raises(ProbeError, match="mode I, which is not read here"):
        decoded(tiff(WIDE[..., 0].astype(np.uint32)))


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LARGEST", 24 * 36 - 1)
    for data in (FORMATS["png"], FORMATS["tiff_float"]):
        with pytest.raises(ProbeError, match=r"has too many pixels \(24 x 36; at most 863\)"):
            decoded(data)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(ProbeError, match="has too many pixels"):
        decoded(FORMATS["png"])


def test_a_mask_is_read_as_the_numbers_it_holds() -> None:
    levels = np.array([[1, 2, 3], [0, 255, 7]], np.uint8)
    indexed = Image.fromarray(levels)
    indexed.putpalette(list(range(255, -1, -1)) * 3)
    assert indexed.mode == "P"
    for data in (
        encoded(levels, "PNG"),
        encoded(indexed, "PNG"),
        encoded(np.dstack([levels] * 3), "PNG"),
        encoded(levels, "TIFF"),
        encoded(levels.astype(np.uint16), "PNG"),
    ):
        np.testing.assert_array_equal(decode_levels(io.BytesIO(data)), levels)
    np.testing.assert_array_equal(decode_levels(io.BytesIO(encoded(levels > 2, "PNG"))), levels > 2)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_a_mask_is_turned_as_an_image_is(kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    levels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    data = encoded(levels, kind, exif=exif)
    np.testing.assert_array_equal(decode_levels(io.BytesIO(data)), upright(levels, 6))
    np.testing.assert_array_equal(decoded(data)[..., 0], upright(levels, 6))


def test_a_mask_that_cannot_be_exact_is_refused() -> None:
    with pytest.raises(ProbeError, match="is a JPEG, whose values are blurred"):
        decode_levels(io.BytesIO(encoded(PHOTO[..., 0], "JPEG")))
    with pytest.raises(ProbeError, match="has pixels of mode RGB; a mask holds one whole number per pixel"):
        decode_levels(io.BytesIO(encoded(PHOTO, "PNG")))
