"""PNGs of one byte per pixel, coloured by a palette or grey: the same bytes for the same pixels, no metadata.

Written here because Pillow stores palette images unfiltered: with the Paeth filter, maps take a fifth less.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def encode(indices: NDArray[np.uint8], palette: NDArray[np.uint8]) -> bytes:
    """The PNG of (H, W) palette `indices` into an (N, 3) `palette`."""
    height, width = indices.shape
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    body = _deflate(_paeth(indices))
    chunks = [_chunk(b"IHDR", header), _chunk(b"PLTE", palette.tobytes()), _chunk(b"IDAT", body)]
    return SIGNATURE + b"".join(chunks) + _chunk(b"IEND", b"")


def encode_grey(values: NDArray[np.uint8], *, clear: int) -> bytes:
    """The PNG of (H, W) grey `values` as they are; the value `clear` is see-through."""
    height, width = values.shape
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = _deflate(_paeth(values))
    chunks = [_chunk(b"IHDR", header), _chunk(b"tRNS", struct.pack(">H", clear)), _chunk(b"IDAT", body)]
    return SIGNATURE + b"".join(chunks) + _chunk(b"IEND", b"")


def size(png: bytes) -> tuple[int, int]:
    """Width and height in pixels, read from the header."""
    width, height = struct.unpack(">II", png[16:24])
    return int(width), int(height)


def _deflate(rows: NDArray[np.uint8]) -> bytes:
    # Filtered maps repeat single bytes and little else: looking for runs alone is 7 times faster and a tenth smaller.
    packed = zlib.compressobj(level=1, memLevel=9, strategy=zlib.Z_RLE)
    return packed.compress(rows.tobytes()) + packed.flush()


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _paeth(rows: NDArray[np.uint8]) -> NDArray[Any]:
    """(H, W) bytes -> (H, 1 + W) bytes: every row behind its filter number, 4 for Paeth."""
    x = rows.astype(np.int16)
    left, above, corner = np.zeros_like(x), np.zeros_like(x), np.zeros_like(x)
    left[:, 1:] = x[:, :-1]
    above[1:] = x[:-1]
    corner[1:, 1:] = x[:-1, :-1]
    # |p - left|, |p - above|, |p - corner| for p = left + above - corner.
    to_left, to_above = np.abs(above - corner), np.abs(left - corner)
    to_corner = np.abs(left + above - 2 * corner)
    nearest = np.where(to_above <= to_corner, above, corner)
    nearest = np.where((to_left <= to_above) & (to_left <= to_corner), left, nearest)
    filtered = np.empty((x.shape[0], x.shape[1] + 1), np.uint8)
    filtered[:, 0] = 4
    filtered[:, 1:] = (x - nearest).astype(np.uint8)
    return filtered
