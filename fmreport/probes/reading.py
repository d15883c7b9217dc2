"""One picture file to RGB: whatever the bits, the alpha, the palette or the EXIF orientation."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from fmreport.errors import ProbeError
from fmreport.probes import deep, pillow
from fmreport.probes.deep import Samples

Decoder = Callable[[BinaryIO], np.ndarray]
FORMATS = ("JPEG", "PNG", "TIFF", "WEBP", "BMP", "GIF")
LARGEST = 89_478_485
"""Pixels: Pillow's own limit, at which a picture as float32 RGB takes 1 GB."""

_ORIENTATION = 0x0112
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def decode_image(handle: BinaryIO) -> np.ndarray:
    """`(H, W, 3)` float32 RGB, 0-255, of an open picture file, upright by its EXIF orientation.

    Transparency is composited on white; 16 bits keep their precision (65535 becomes 255); floating-point TIFFs hold
    0 to 1, as in scikit-image; CMYK is converted without a colour profile, and embedded profiles are not applied.
    Raises `ProbeError`, which names no file, for what is empty, truncated, not a picture, animated or too large.
    """
    with readable(handle) as image:
        samples = deep.tiff_samples(handle, LARGEST) if image is None else _samples(image, handle)
        orientation = samples.orientation if image is None else _orientation(image)
        return np.ascontiguousarray(upright(samples.rgb(), orientation), dtype=np.float32)


def decode_levels(handle: BinaryIO) -> np.ndarray:
    """`(H, W)` whole numbers of an open mask file, upright: grey levels, or a palette's indices.

    Raises `ProbeError`, which names no file, also for JPEG (whose values are blurred) and for coloured masks.
    """
    with readable(handle) as image:
        if image is None:
            raise _no_picture()
        if image.format in ("JPEG", "MPO"):
            raise ProbeError("is a JPEG, whose values are blurred at every border", fix="save masks as PNG")
        levels = np.asarray(image)
        # Grey saved as RGB is common and unambiguous.
        grey = image.mode == "RGB" and bool((levels == levels[..., :1]).all())
        if not grey and image.mode not in ("1", "L", "P", "I", "I;16", "I;16B"):
            raise ProbeError(
                f"has pixels of mode {image.mode}; a mask holds one whole number per pixel",
                fix="save it as a grey or palette PNG without alpha",
            )
        levels = levels[..., 0] if grey else levels
        return upright(levels.astype(np.uint8) if levels.dtype == np.bool_ else levels, _orientation(image))


def upright(array: np.ndarray, orientation: int) -> np.ndarray:
    """The array `(H, W, ...)` turned and mirrored as EXIF orientation 1 to 8 asks; other values leave it."""
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    return array


@contextmanager
def readable(handle: BinaryIO) -> Iterator[Image.Image | None]:
    """The opened and checked file; None for a TIFF that Pillow does not know. Decoders' errors become `ProbeError`."""
    try:
        with pillow.strict():
            yield _open(handle)
    except ProbeError:
        raise
    except Image.DecompressionBombError as error:
        raise _too_large("more than twice as many") from error
    except Exception as error:
        # Decoders raise whatever broken bytes lead them to: OSError, SyntaxError, struct.error, IndexError, ...
        message = str(error).strip() or type(error).__name__
        raise ProbeError(f"cannot be decoded: {message}", fix="replace the file, it is damaged or cut off") from error


def _orientation(image: Image.Image) -> int:
    """EXIF orientation that is still to be applied to a decoded picture; Pillow itself applies that of a TIFF."""
    return int(image.getexif().get(_ORIENTATION, 1))


def _open(handle: BinaryIO) -> Image.Image | None:
    if handle.seek(0, os.SEEK_END) == 0:
        raise ProbeError("is empty (0 bytes)", fix="replace the file")
    handle.seek(0)
    magic = handle.read(4)
    handle.seek(0)
    try:
        image = Image.open(handle, formats=FORMATS)
    except UnidentifiedImageError as error:
        if magic in _TIFF:
            return None
        raise _no_picture() from error
    if image.width * image.height > LARGEST:
        raise _too_large(f"{image.height} x {image.width}")
    frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    if frames > 1:
        raise ProbeError(f"holds {frames} pictures; a probe is one", fix="save the one that is meant as its own file")
    if image.format == "PNG":
        # Pixels are not checked against the chunks' checksums on loading.
        image.verify()
        handle.seek(0)
        image = Image.open(handle, formats=("PNG",))
    if image.format == "TIFF" and deep.needs_tifffile(image):
        return None
    return image


def _no_picture() -> ProbeError:
    return ProbeError("is not a picture in a format that is read here", fix="save it as JPEG, PNG, TIFF, WebP or BMP")


def _too_large(size: str) -> ProbeError:
    return ProbeError(f"has too many pixels ({size}; at most {LARGEST:,})", fix="shrink it first")


def _samples(image: Image.Image, handle: BinaryIO) -> Samples:
    """Colours and alpha of a picture that Pillow opened, undecoded as yet."""
    if deep.is_split(image):
        return deep.split_samples(image, handle)
    if image.mode.startswith("I;16") or image.mode == "F":
        return deep.grey_samples(image)
    if image.mode in ("YCbCr", "RGBX", "HSV"):
        image = image.convert("RGB")
    elif image.mode in ("PA", "RGBa") or (image.mode in ("1", "L", "P", "RGB") and image.has_transparency_data):
        image = image.convert("RGBA")
    elif image.mode == "P":
        image = image.convert("RGB")
    elif image.mode == "1":
        image = image.convert("L")
    if image.mode not in ("L", "LA", "RGB", "RGBA", "CMYK"):
        raise ProbeError(f"has pixels of mode {image.mode}, which is not read here", fix="save it as 8- or 16-bit RGB")
    values = np.asarray(image, dtype=np.float32)
    return Samples.split(values.reshape(*values.shape[:2], -1), alpha=image.mode in ("LA", "RGBA"))
