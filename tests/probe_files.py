"""Pictures and sources of probes that tests of several modules make."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fmreport.config.probes import FilesProbes, SkimageProbes


def photograph(height: int = 24, width: int = 36, seed: int = 0) -> np.ndarray:
    """`(H, W, 3)` uint8: smooth colours with a little noise, no two corners alike."""
    rows, columns = np.mgrid[0:height, 0:width]
    smooth = np.dstack([rows * 200 / height, columns * 200 / width, (rows + columns) * 200 / (height + width)])
    return (smooth + np.random.default_rng(seed).integers(0, 40, smooth.shape)).astype(np.uint8)


def save(path: Path, array: np.ndarray | None = None, **settings: Any) -> Path:
    """Write a picture, its folders included, in the format of its suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(photograph() if array is None else array).save(path, **settings)
    return path


def encoded(picture: np.ndarray | Image.Image, kind: str, **settings: Any) -> bytes:
    """The bytes of a picture file."""
    buffer = io.BytesIO()
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    image.save(buffer, kind, **settings)
    return buffer.getvalue()


def png16(values: np.ndarray, transparent: tuple[int, ...] = ()) -> bytes:
    """A 16-bit PNG of `(H, W, K)` uint16: K 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA. Pillow writes none with K > 1."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width, channels = values.shape
    header = struct.pack(">IIBBBBB", width, height, 16, {1: 0, 2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    key = chunk(b"tRNS", np.array(transparent, ">u2").tobytes()) if transparent else b""
    body = chunk(b"IHDR", header) + key + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def files(*images: str, **settings: Any) -> FilesProbes:
    """A source of kind `files`."""
    return FilesProbes(kind="files", images=images, **settings)


def shipped(*names: str, **settings: Any) -> SkimageProbes:
    """A source of kind `skimage`."""
    return SkimageProbes(kind="skimage", names=names, **settings)
