"""Small pictures of probes for the report."""

from __future__ import annotations

import numpy as np
from PIL import Image


def _fit(shape: tuple[int, ...], side: int) -> tuple[int, int]:
    """(width, height) with the longer one at most `side`, never enlarged."""
    scale = min(1.0, side / max(shape[:2]))
    return max(1, round(shape[1] * scale)), max(1, round(shape[0] * scale))


def thumbnail(image: np.ndarray, side: int = 320) -> np.ndarray:
    """`(h, w, 3)` uint8 of an image `(H, W, 3)` 0-255, its longer side at most `side` pixels."""
    picture = Image.fromarray(np.clip(np.rint(image), 0, 255).astype(np.uint8))
    return np.asarray(picture.resize(_fit(image.shape, side), Image.Resampling.BOX))


def mask_thumbnail(mask: np.ndarray, side: int = 320) -> np.ndarray:
    """`(h, w)` uint8 of a mask `(H, W)`, its values kept (nearest pixel), the size of its image's thumbnail."""
    return np.asarray(Image.fromarray(mask).resize(_fit(mask.shape, side), Image.Resampling.NEAREST))
