"""What the images of a batch show, brought to the grid of any tap."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from fmreport.measures.in_graph import taken
from fmreport.records import Target

T = TypeVar("T")

PREDICTION = "prediction"
"""The plane of the model's own decision: 1 where it says foreground."""
NUMBERS = 4093
"""Of which each image gets one. A prime, so that every remainder is as likely."""


@dataclass(frozen=True, slots=True)
class Shown:
    """Planes on one grid; what `kept` leaves out counts for nothing."""

    planes: tuple[str, ...]
    values: Any
    """`(B, *grid, planes)` float32: means over the pixels that are kept; 0 where none is."""
    weight: Any
    """`(B, *grid)` float32, 0-1: the share of an element's pixels that is kept."""
    number: Any = None
    """`(B,)` int32 below `NUMBERS`, as if drawn for the image: images that differ have nothing in common by it. None
    where nobody asks, as on a lattice."""
    _made: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def plane(self, name: str) -> Any:
        """`(B, *grid)` of one plane."""
        return self.values[..., self.planes.index(name)]

    def picked(self, names: tuple[str, ...]) -> Any:
        """`(B, *grid, len(names))` of some planes, in that order."""
        return self.once(names, lambda: taken(self.values, [self.planes.index(name) for name in names], axis=-1))

    def at(self, places: Callable[[Any], Any]) -> Shown:
        """The same planes at some places of their grid, as `places` takes them."""
        return Shown(self.planes, places(self.values), places(self.weight))

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` makes of these planes, made for the first tap on this grid alone."""
        if key not in self._made:
            self._made[key] = make()
        made: T = self._made[key]
        return made


class Scene:
    """The planes of a batch at the size at which the model is fed (see `fmreport.probes.scenes`)."""

    def __init__(self, tensor: Any, planes: Sequence[str], prediction: Any = None) -> None:
        """`tensor` is `(B, h, w, planes)` float32; the first plane is `kept`.

        A `prediction` `(B, H, W)` of the model itself, on any grid, becomes one more plane, the last.
        """
        from keras import ops

        kept, rest = tensor[..., :1], tensor[..., 1:]
        self._tensor, self._planes = tensor, tuple(planes)
        if prediction is not None:
            rest = ops.concatenate([rest, _parted(prediction[..., None], tensor.shape[1:3])], axis=-1)
            self._planes = (*self._planes, PREDICTION)
        whole = ops.concatenate([kept, rest * kept], axis=-1)
        self._size = (whole.shape[1], whole.shape[2])
        self._parts: dict[tuple[int, int], Any] = {self._size: whole}
        self._made: dict[tuple[int, int], Shown] = {}

    @cached_property
    def number(self) -> Any:
        """As `Shown.number`: a remainder of the last plane's pixels, the same in whatever batch an image comes."""
        from keras import ops

        pixels = self._tensor[..., -1]
        factors = np.random.default_rng(NUMBERS).integers(NUMBERS, size=pixels.shape[1:])
        # Whole numbers add up to the same in any order.
        total = ops.sum(ops.cast(pixels, "int64") * factors, axis=(1, 2))
        return ops.cast(ops.mod(total, NUMBERS), "int32")

    def at(self, grid: tuple[int, int]) -> Shown:
        """Area-averaged to a grid (H, W), each one once."""
        if grid not in self._made:
            self._made[grid] = self._averaged(grid)
        return self._made[grid]

    def _averaged(self, grid: tuple[int, int]) -> Shown:
        from keras import ops

        averaged = self._means(grid)
        weight, sums = averaged[..., 0], averaged[..., 1:]
        values = sums / ops.where(weight > 0, weight, 1)[..., None]
        return Shown(self._planes[1:], values, weight, self.number)

    def _means(self, grid: tuple[int, int]) -> Any:
        """`(B, *grid, planes)` means over parts of the image, of planes that are 0 where they are not kept.

        By halves as far as these go: every grid reads four times what it makes instead of the whole image.
        """
        if grid not in self._parts:
            double = (2 * grid[0], 2 * grid[1])
            by_halves = all(big % small == 0 for big, small in zip(self._size, double, strict=True))
            self._parts[grid] = _parted(self._means(double if by_halves else self._size), grid)
        return self._parts[grid]


def foreground(maps: Any, target: Target) -> Any:
    """`(B, H, W)` float32: 1 where a target's own map `(B, H, W, K)` decides for its class, 0 elsewhere."""
    from keras import ops

    if maps.shape[-1] == 1:
        return ops.cast(maps[..., 0] > target.threshold, "float32")
    return ops.cast(ops.argmax(maps, axis=-1) == target.channel, "float32")


def _parted(x: Any, grid: tuple[int, int]) -> Any:
    """`(B, *grid, k)` of `(B, h, w, k)`: means over equal parts; where the grid is finer, each part lies in a pixel."""
    return _along(_along(x, 1, grid[0]), 2, grid[1])


def _along(x: Any, axis: int, small: int) -> Any:
    """The same along `axis`, which is 1 or 2."""
    from keras import ops

    batch, big = x.shape[0], x.shape[axis]
    if big == small:
        return x
    if big % small == 0:
        # Parts of whole pixels, as most are: products with weights take ten times as long.
        part = (big // small, 1) if axis == 1 else (1, big // small)
        return ops.average_pool(x, part, strides=part, padding="valid", data_format="channels_last")
    weights = ops.convert_to_tensor(area_weights(big, small))
    if axis == 2:
        return ops.matmul(weights, x)
    rows = ops.matmul(weights, ops.reshape(x, (batch, big, -1)))
    return ops.reshape(rows, (batch, small, *x.shape[2:]))


def area_weights(big: int, small: int) -> np.ndarray:
    """`(small, big)` float32: the share of each of `big` pixels in each of `small` equal parts; rows add up to 1.

    Parts may be more than pixels: a part that lies across two of them then gets a share of both.
    """
    edges = np.linspace(0, big, small + 1)
    pixels = np.arange(big)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    shares: np.ndarray = (overlap.clip(0) * (small / big)).astype(np.float32)
    return shares
