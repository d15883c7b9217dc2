"""Pictures decoded in many threads are those decoded alone, and nobody's settings are changed by it."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest
from PIL import Image, ImageFile
from probe_files import encoded, photograph, png16

from fmreport.errors import ProbeError
from fmreport.probes.pillow import strict
from fmreport.probes.pool import ordered
from fmreport.probes.reading import decode_image

THREADS = 8


def pictures() -> list[bytes]:
    """Files of every way in which they are decoded: 8 and 16 bit, palette, alpha, turned, TIFF, with odd metadata."""
    exif = Image.Exif()
    exif[0x0112] = 6
    deep = np.random.default_rng(0).integers(0, 65536, (20, 30, 3)).astype(np.uint16)
    palette = Image.fromarray(photograph()).quantize(16)
    broken_exif = encoded(photograph(), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x02\0\x12\x01\x03\0\x01")
    return [
        encoded(photograph(), "JPEG"),
        encoded(photograph(), "JPEG", exif=exif),
        encoded(palette, "PNG"),
        encoded(np.dstack([photograph(), photograph()[..., 0]]), "PNG"),
        encoded(photograph(), "TIFF", compression="tiff_lzw"),
        png16(deep),
        broken_exif,
    ]


def test_decoding_in_many_threads_gives_what_decoding_alone_gives() -> None:
    data = pictures()
    alone = [decode_image(io.BytesIO(each)) for each in data]
    together = ordered(lambda each: decode_image(io.BytesIO(each)), data * 40, threads=THREADS, ahead=2 * THREADS)
    for number, image in enumerate(together):
        np.testing.assert_array_equal(image, alone[number % len(data)])


def test_truncated_files_are_refused_in_every_thread_whoever_tolerates_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    whole = encoded(photograph(200, 300), "JPEG")

    def refused(data: bytes) -> bool:
        try:
            decode_image(io.BytesIO(data))
        except ProbeError as error:
            return "truncated" in str(error)
        return False

    data = [whole, whole[: len(whole) // 2]] * 60
    assert list(ordered(refused, data, threads=THREADS, ahead=THREADS)) == [False, True] * 60
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True


@pytest.mark.parametrize("action", ["error", "always", "default"])
def test_filters_of_warnings_are_left_as_they_were(action: str) -> None:
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter(action)  # type: ignore[arg-type]
        before, same = list(warnings.filters), warnings.filters
        list(ordered(lambda each: decode_image(io.BytesIO(each)), pictures() * 10, threads=THREADS, ahead=THREADS))
        assert warnings.filters is same
        assert list(warnings.filters) == before
    assert heard == []


def test_pillow_would_have_warned() -> None:
    with pytest.warns(UserWarning, match="EXIF"):
        Image.open(io.BytesIO(pictures()[-1])).getexif()


def test_filters_that_another_thread_lays_over_meanwhile_end_as_it_left_them() -> None:
    before = list(warnings.filters)
    decoding, own = strict(), warnings.catch_warnings()
    decoding.__enter__()
    own.__enter__()
    warnings.simplefilter("error")
    decoding.__exit__(None, None, None)
    assert next(each[0] for each in warnings.filters) == "error"
    own.__exit__(None, None, None)
    assert list(warnings.filters) == before
    decoding, own = strict(), warnings.catch_warnings()
    own.__enter__()
    decoding.__enter__()
    own.__exit__(None, None, None)
    decoding.__exit__(None, None, None)
    assert list(warnings.filters) == before


def test_other_warnings_are_heard_while_pictures_are_decoded() -> None:
    with strict(), pytest.warns(UserWarning, match="of somebody else"):
        warnings.warn("of somebody else", UserWarning, stacklevel=1)
