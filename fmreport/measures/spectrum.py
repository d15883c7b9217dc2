"""Power of maps by frequency, gathered in rings that are fine enough for the band of any map.

Frequencies are in cycles per image, along either axis. A map of n elements along its shorter side holds those up to
n/2, its Nyquist frequency, and the upper half of that band begins at n/4: both are ends of rings a quarter wide. So
what a map holds within the band of any coarser one follows from its own rings.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

PER_CYCLE = 4
"""Rings per cycle per image: ring i, from 0, holds the frequencies above i/4 and up to (i+1)/4."""
SOURCE = "spectrum under a Hann window: Harris 1978, doi 10.1109/PROC.1978.10837"
SMALLEST = 4
"""Elements along the shorter side below which a window leaves one or two of them, and no spectrum."""
FREQUENCIES, POWER, MOMENT = range(3)
"""What the last axis of a profile `(..., rings, 3)` holds of each ring: how many frequencies it has, the power at all
of them together, and the sum of power times frequency. Profiles of several images add."""


@dataclass(frozen=True, slots=True)
class Rings:
    """Where the products of two bases lie, row by row of `(H, W)`."""

    ring: np.ndarray
    """(H x W,) int32; one past the last ring outside of the band, as the frequency 0 is."""
    frequency: np.ndarray
    """(H x W,) float64, cycles per image."""
    sizes: np.ndarray
    """(rings,) float64: frequencies in each ring."""


@cache
def basis(side: int) -> np.ndarray:
    """`(side, side)` float64: an orthonormal basis of sines and cosines times a Hann window; do not change it.

    Row k has the frequency `frequencies(side)[k]`. Real products of an even and an odd function along either axis span
    what the four complex waves of frequencies (+-y, +-x) do, so that they hold the same power together. The window has
    a mean square of 1, and the power of white noise at every frequency is its variance.
    """
    turns = 2 * np.pi * np.arange(side) / side
    waves = [np.full(side, np.sqrt(1 / side))]
    for cycles in range(1, (side + 1) // 2):
        waves += [np.sqrt(2 / side) * wave(cycles * turns) for wave in (np.cos, np.sin)]
    if side % 2 == 0:
        waves.append(np.sqrt(1 / side) * np.cos(side / 2 * turns))
    window = hann(side)
    windowed: np.ndarray = np.stack(waves) * (window / np.sqrt(np.mean(window**2)))
    return windowed


def hann(side: int) -> np.ndarray:
    """(side,) float64, periodic: it blurs a frequency into its two neighbours, and into nothing else."""
    window: np.ndarray = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(side) / side)
    return window


def frequencies(side: int) -> np.ndarray:
    """(side,) int64: 0, 1, 1, 2, 2, ... cycles per image."""
    return (np.arange(side) + 1) // 2


@cache
def rings(grid: tuple[int, int]) -> Rings:
    """Of a map (H, W); do not change them."""
    squared = np.add.outer(*(frequencies(side) ** 2 for side in grid)).ravel()
    last = min(grid) * PER_CYCLE // 2
    # Exact at the ends of rings: whole numbers, and the square root of a square is itself.
    ring = np.ceil(np.sqrt(PER_CYCLE**2 * squared)).astype(np.int32) - 1
    ring[(ring < 0) | (ring >= last)] = last
    return Rings(ring, np.sqrt(squared), np.bincount(ring, minlength=last)[:last].astype(np.float64))


def profile(maps: Any) -> Any:
    """`(B, rings, 3)` float64 of maps `(B, H, W, C)`: mean over the channels; without power where a side is short.

    At their own grid: their Hann-weighted mean is removed, and then they are windowed. Two matrix products take real
    maps as they lie, channels last, and are faster than a fast Fourier transform with what that needs around it.
    """
    from keras import ops

    batch, height, width, channels = maps.shape
    at = rings((height, width))
    sizes = ops.tile(ops.convert_to_tensor(at.sizes[None, :, None]), (batch, 1, 1))
    if min(height, width) < SMALLEST:
        return ops.concatenate([sizes, ops.zeros((batch, len(at.sizes), 2), "float64")], axis=-1)
    weights = np.outer(hann(height), hann(width)).reshape(1, -1)
    mean = ops.matmul(
        ops.cast(weights / weights.sum(), maps.dtype), ops.reshape(maps, (batch, height * width, channels))
    )
    about = ops.reshape(maps - mean[:, None], (batch, height, width * channels))
    rows = ops.matmul(ops.cast(basis(height), maps.dtype), about)
    both = ops.matmul(ops.cast(basis(width), maps.dtype), ops.reshape(rows, (batch * height, width, channels)))
    power = ops.mean(ops.reshape(ops.square(both), (batch, height * width, channels)), axis=-1)
    of_rings = _sums(ops.cast(ops.transpose(power), "float64"), at)
    return ops.concatenate([sizes, ops.transpose(of_rings, (2, 0, 1))], axis=-1)


def _sums(power: Any, at: Rings) -> Any:
    """`(rings, 2, B)` sums over rings of `(H x W, B)` power, alone and times frequency."""
    from keras import ops

    both = ops.stack([power, power * at.frequency[:, None]], axis=1)
    return ops.segment_sum(both, at.ring, num_segments=len(at.sizes) + 1)[:-1]


def nyquist(profiles: np.ndarray) -> float:
    """Cycles per image up to which profiles `(..., rings, 3)` reach."""
    return float(profiles.shape[-2]) / PER_CYCLE


def centroid(profiles: np.ndarray, band: float) -> np.ndarray:
    """Mean frequency up to `band`, weighted by power, in cycles per image; NaN where there is no power."""
    within = profiles[..., : round(band * PER_CYCLE), :].sum(axis=-2)
    return ratio(within[..., MOMENT], within[..., POWER])


def high_frequency(profiles: np.ndarray, band: float) -> np.ndarray:
    """Share of the power up to `band` that lies in its upper half; NaN where there is no power."""
    power = profiles[..., : round(band * PER_CYCLE), POWER]
    return ratio(power[..., round(band * PER_CYCLE / 2) :].sum(axis=-1), power.sum(axis=-1))


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Their ratio; NaN where the whole is not above 0."""
    return np.asarray(part / np.where(whole > 0, whole, np.nan))
