"""Pictures of more than 8 bits a channel, which Pillow alone would cut to 8."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from fmreport.errors import ProbeError

_RESAVE = "save it as 8- or 16-bit RGB, uncompressed or with deflate"


@dataclass(frozen=True, slots=True)
class Samples:
    """A decoded picture before its colours are RGB."""

    colour: np.ndarray
    """`(H, W, K)` float32 0-255; K: 1 grey, 3 RGB, 4 CMYK."""
    alpha: np.ndarray | None = None
    """`(H, W, 1)` float32, 0 transparent, 1 opaque."""
    orientation: int = 1
    """EXIF orientation that is still to be applied, where Pillow did not open the picture."""
    premultiplied: bool = False

    @classmethod
    def split(cls, values: np.ndarray, *, alpha: bool) -> Samples:
        """From `(H, W, K)` values 0-255 whose last channel may be alpha."""
        if not alpha:
            return cls(values)
        return cls(values[..., :-1], values[..., -1:] / np.float32(255))

    def rgb(self) -> np.ndarray:
        """`(H, W, 3)` float32 0-255, composited on white."""
        colour = self.colour
        if colour.shape[-1] == 4:
            colour = (255 - colour[..., :3]) * (255 - colour[..., 3:]) / np.float32(255)
        if self.alpha is not None:
            paper = np.float32(255) * (1 - self.alpha)
            colour = (colour if self.premultiplied else colour * self.alpha) + paper
        return np.broadcast_to(colour, (*colour.shape[:2], 3))


def _raw_mode(image: Image.Image) -> str:
    """How the file lays its pixels out, in Pillow's words: `RGB;16B`."""
    tiles: list[Any] = getattr(image, "tile", [])
    if not tiles:
        return ""
    args = tiles[0][3]
    return str(args if isinstance(args, str) else args[0])


def is_split(image: Image.Image) -> bool:
    """Whether Pillow would keep only the high byte of each channel."""
    stem, _, layout = _raw_mode(image).partition(";")
    return stem in ("LA", "RGB", "RGBA", "CMYK") and layout in ("16B", "16L", "16N")


def needs_tifffile(image: Image.Image) -> bool:
    """Whether an opened TIFF has more than 8 bits in a layout that Pillow would not keep."""
    bits = max(image.tag_v2.get(258, (1,)))  # type: ignore[attr-defined]
    whole = image.mode.startswith("I;16") or image.mode in ("F", "I") or is_split(image)
    return bits > 8 and not whole


def split_samples(image: Image.Image, handle: BinaryIO) -> Samples:
    """Samples of 16-bit channels: the file is decoded twice, for the high bytes and for the low ones."""
    raw = _raw_mode(image)
    key = image.info.get("transparency")
    if raw.startswith("LA"):
        # Two 16-bit channels are four bytes, which is what one RGBA pixel takes.
        _relaid(image, "RGBA")
        parts = np.asarray(image, dtype=np.float32)
        values = parts[..., 0::2] * 256 + parts[..., 1::2]
    else:
        little = raw[-1] == "L" or (raw[-1] == "N" and sys.byteorder == "little")
        other = raw[:-1] + ("B" if little else "L")
        high = np.asarray(image, dtype=np.float32)
        handle.seek(0)
        again = Image.open(handle, formats=(str(image.format),))
        _relaid(again, other)
        values = high * 256 + np.asarray(again, dtype=np.float32)
    samples = Samples.split(values / np.float32(257), alpha=image.mode in ("LA", "RGBA"))
    if isinstance(key, tuple):
        return Samples(samples.colour, _opaque(values, key))
    return samples


def _relaid(image: Image.Image, raw: str) -> None:
    """Have an undecoded file's bytes taken for another layout of pixels of the same size."""
    opened: Any = image
    opened.tile = [
        tile._replace(args=raw if isinstance(tile.args, str) else (raw, *tile.args[1:])) for tile in opened.tile
    ]


def grey_samples(image: Image.Image) -> Samples:
    """Samples of one 12- or 16-bit or floating-point channel."""
    raw, key = _raw_mode(image), image.info.get("transparency")
    values = np.asarray(image).astype(np.float32)[..., None]
    if image.mode == "F":
        return Samples(_from_unit(values))
    top = np.float32(4095 if raw == "I;12" else 65535)
    alpha = _opaque(values, (key,)) if isinstance(key, int) else None
    if image.format == "TIFF" and image.tag_v2.get(262) == 0:  # type: ignore[attr-defined]
        # White is zero; Pillow turns that round for 8 bits only.
        values = top - values
    return Samples(values * np.float32(255) / top, alpha)


def tiff_samples(handle: BinaryIO, largest: int) -> Samples:
    """Samples of a TIFF that Pillow does not know: 16-bit grey with alpha, floating-point RGB, separate planes."""
    import tifffile

    handle.seek(0)
    with tifffile.TiffFile(handle) as file:
        if len(file.pages) != 1:
            raise ProbeError(f"holds {len(file.pages)} pictures; a probe is one", fix="save one page as its own file")
        page = file.pages.first
        if page.imagewidth * page.imagelength > largest:
            size = f"{page.imagelength} x {page.imagewidth}"
            raise ProbeError(f"has too many pixels ({size}; at most {largest:,})", fix="shrink it first")
        photometric = str(getattr(page.photometric, "name", ""))
        colours = {"MINISBLACK": 1, "MINISWHITE": 1, "RGB": 3}.get(photometric, 0)
        axes, extras = page.axes, tuple(int(extra) for extra in page.extrasamples)
        if not colours or set(axes) - set("YXS") or page.dtype not in ("uint8", "uint16", "f2", "f4", "f8"):
            raise ProbeError(f"is a TIFF of a rare or damaged form ({page.dtype}, axes {axes})", fix=_RESAVE)
        values = page.asarray()
        orientation = int(page.tags.valueof(274, default=1))
        white = photometric == "MINISWHITE"
    values = values[..., None] if "S" not in axes else np.moveaxis(values, axes.index("S"), -1)
    top = 1 if values.dtype.kind == "f" else np.iinfo(values.dtype).max
    values = values.astype(np.float32)
    values = _from_unit(values) if top == 1 else values * np.float32(255) / np.float32(top)
    colour = values[..., :colours]
    alpha = values[..., colours : colours + 1] / np.float32(255) if extras[:1] in ((1,), (2,)) else None
    return Samples(255 - colour if white else colour, alpha, orientation, premultiplied=extras[:1] == (1,))


def _from_unit(values: np.ndarray) -> np.ndarray:
    low, high = float(values.min()), float(values.max())
    if not (low >= 0 and high <= 1):
        raise ProbeError(
            f"holds floating-point values from {low:g} to {high:g}; such pictures are read as 0 to 1",
            fix="divide its values by their full scale, or save it as 16-bit",
        )
    return values * np.float32(255)


def _opaque(values: np.ndarray, key: tuple[int, ...]) -> np.ndarray:
    """`(H, W, 1)`: 0 where a pixel has the colour that the file declares transparent, else 1."""
    same: np.ndarray = (values == np.asarray(key, np.float32)).all(axis=-1, keepdims=True)
    return np.float32(1) - same.astype(np.float32)
