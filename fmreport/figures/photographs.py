"""Photographs of probes as JPEG, and masks as outlines."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

QUALITY = 85


def jpeg(pixels: NDArray[np.uint8], longest: int) -> bytes:
    """The JPEG of an (H, W, 3) picture, its longer side at most `longest` pixels; no metadata."""
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    picture.thumbnail((longest, longest), Image.Resampling.BOX)
    buffer = io.BytesIO()
    picture.save(buffer, format="JPEG", quality=QUALITY, subsampling=0)
    return buffer.getvalue()


def outline(mask: NDArray[np.uint8]) -> str:
    """SVG path data of the edges between foreground (1) and the rest of an (H, W) mask, in pixels of the mask."""
    region = np.pad(mask == 1, 1)
    across = "".join(f"M{start} {row}H{end}" for row, start, end in _runs(region[1:] != region[:-1]))
    down = "".join(f"M{column} {start}V{end}" for column, start, end in _runs((region[:, 1:] != region[:, :-1]).T))
    return across + down


def _runs(edges: NDArray[np.bool_]) -> list[tuple[int, int, int]]:
    """(line, start, end) of the runs of True along each line of padded `edges`, in unpadded pixels."""
    change = np.diff(np.pad(edges, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    lines, starts = np.nonzero(change == 1)
    ends = np.nonzero(change == -1)[1]
    return [(int(line), int(start) - 1, int(end) - 1) for line, start, end in zip(lines, starts, ends, strict=True)]
