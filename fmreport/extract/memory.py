"""How much is held at once: images in a batch, images that are prepared ahead, files that are decoded side by side."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from fmreport.environment import cores
from fmreport.errors import OutOfMemoryError
from fmreport.records import IMAGE, Tap
from fmreport.sources import TappableModel

LIVE_TENSORS = 8
"""A forward pass keeps about so many tensors as large as its largest at once."""
SMALLEST_BATCH = 2
"""One image alone is computed by other kernels than several are, which round otherwise; from two on, an image gives the
same bits however many are in its batch."""
HANDED_ON = 2
"""What another framework hands over is held so many times: by it, and by TensorFlow."""
LARGEST_BATCH = 4
"""More images at once make a CPU no faster, and their maps leave its caches."""
PREPARED = 8
"""Images that are prepared ahead may take one in so many parts of the memory, and so may files that are decoded."""
DECODING = 24
"""Bytes that a pixel takes while its file is decoded: two copies of three colours in float32."""


def batch_size(
    model: TappableModel, taps: Sequence[Tap], *, memory_mb: int, probes: int, wanted: int | None = None
) -> int:
    """Images per batch: what the model takes, else what is wanted, else what keeps the activations under `memory_mb`.

    It is two at least, unless the memory allows one alone: that many decide how numbers are rounded.
    """
    if model.batch is not None:
        return model.batch
    most = memory_mb * 2**20 // _per_image(model, taps)
    if not most:
        needed = math.ceil(_per_image(model, taps) / 2**20)
        raise OutOfMemoryError(
            f"{needs(model, taps, 1)}, and memory_mb allows {memory_mb:,}",
            fix=f"write memory_mb: {needed} if the machine has it, or a smaller preprocess.size",
        )
    if wanted is not None:
        return max(SMALLEST_BATCH, min(wanted, probes))
    return min(most, max(SMALLEST_BATCH, min(LARGEST_BATCH, probes)))


def handed(model: TappableModel, taps: Sequence[Tap], *, batch: int, memory_mb: int) -> int | None:
    """Bytes of an image's activations that another framework may hand over at once; None where none does.

    What the memory leaves beside a forward pass, and the largest tap at least.
    """
    if not model.hosted:
        return None
    largest = max(map(_bytes, taps))
    left = memory_mb * 2**20 - batch * LIVE_TENSORS * largest
    return max(largest, left // (HANDED_ON * batch))


def portions(taps: Sequence[Tap], most: int | None) -> list[tuple[Tap, ...]]:
    """Taps in their order, in parts of an image's activations that take `most` bytes together; None: as one."""
    parts: list[list[Tap]] = [[]]
    taken = 0
    for tap in taps:
        # The image itself is handed over by nobody, and stands before what is.
        bytes_ = 0 if tap.name == IMAGE else _bytes(tap)
        if most is not None and taken and taken + bytes_ > most:
            parts.append([])
            taken = 0
        parts[-1].append(tap)
        taken += bytes_
    return [tuple(part) for part in parts]


def needs(model: TappableModel, taps: Sequence[Tap], images: int) -> str:
    """A sentence: what so many images at once take."""
    largest = max(taps, key=lambda tap: tap.elements)
    whose = "one image needs" if images == 1 else f"{images} images at once need"
    return (
        f"{whose} about {images * _per_image(model, taps) / 2**20:,.0f} MB for activations ({largest.name} alone holds "
        f"{largest.elements:,} values of each image)"
    )


def _per_image(model: TappableModel, taps: Sequence[Tap]) -> int:
    """Bytes."""
    held = LIVE_TENSORS + HANDED_ON * model.hosted
    return 4 * held * max(tap.elements for tap in taps)


def _bytes(tap: Tap) -> int:
    """Of one image."""
    return tap.elements * (8 if tap.dtype == "float64" else 4)


def ahead(shapes: Iterable[tuple[int, ...]], *, batch: int, memory_mb: int) -> int:
    """Images of float32 arrays of these shapes that are prepared while the model works: two batches, memory allowing.

    One at least.
    """
    per_image = 4 * sum(math.prod(shape) for shape in shapes)
    return max(1, min(2 * batch, memory_mb * 2**20 // PREPARED // per_image))


def decoders(sizes: Iterable[tuple[int, int]], *, memory_mb: int) -> int:
    """Files of these sizes (H, W) in pixels that are decoded at once: as many as there are cores, memory allowing."""
    largest = max((height * width for height, width in sizes), default=1)
    return max(1, min(cores(), memory_mb * 2**20 // PREPARED // (DECODING * largest)))
