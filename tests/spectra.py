"""Spectra in plain NumPy, written from the formulas with a fast Fourier transform, and maps whose spectra are known."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from fmreport.analysis import Evidence
from fmreport.measures import derive, load
from fmreport.measures.gather import gather
from fmreport.measures.scene import Scene

MEASURES = ("counts", "moments", "detail")


def sums(values: np.ndarray, *, careful: bool = False) -> dict[str, np.ndarray]:
    """What the graph gathers of one tap `(images, *spatial, C)`, image by image."""
    scene = Scene(tf.ones((len(values), 1, 1, 2)), ("kept", "edge"))
    (made,) = gather(tuple(load(MEASURES).values()), {"x": tf.constant(values)}, [("x",)], scene=scene, careful=careful)
    return {name: np.asarray(value) for name, value in made.items()}


def columns(values: np.ndarray, *, careful: bool = False) -> dict[str, np.ndarray]:
    """What a sample's row says of one tap, image by image."""
    made = sums(values, careful=careful)
    merged = {**made, "finite": made["finite"].sum(axis=1)}
    return {name: derive(load(["detail"]).values(), merged)[name] for name in NAMES}


NAMES = ("centroid", "centroid_share", "high_frequency", "total_variation")


def evidence(taps: Mapping[str, np.ndarray]) -> Evidence:
    """Of taps `(images, *spatial, C)`, each image a group of its own."""
    grouped = {
        name: {k: v for k, v in sums(values).items() if k in ("spectrum", "variation")} for name, values in taps.items()
    }
    images = len(next(iter(taps.values())))
    return Evidence(tuple(taps), grouped, np.ones(images, np.int64), 0, ("edge",), 0)


def cycles(grid: tuple[int, int]) -> np.ndarray:
    """`(H, W)` cycles per image of a Fourier transform's entries."""
    rows, wide = (np.fft.fftfreq(side, 1 / side) for side in grid)
    return np.hypot(rows[:, None], wide)


def power(maps: np.ndarray) -> np.ndarray:
    """`(images, H, W)` mean power over the channels of `(images, H, W, C)`, in the same order."""
    rows, wide = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(side) / side) for side in maps.shape[1:3])
    window = np.outer(rows, wide)[None, ..., None]
    x = maps.astype(np.float64)
    mean = (x * window).sum(axis=(1, 2), keepdims=True) / window.sum()
    spectrum: np.ndarray = (np.abs(np.fft.fft2((x - mean) * window, axes=(1, 2))) ** 2).mean(axis=-1)
    return spectrum / (window**2).sum()


def centroid(spectrum: np.ndarray, band: float) -> float:
    """Of power `(H, W)` up to a frequency."""
    f = cycles(spectrum.shape)  # type: ignore[arg-type]
    inside = (f > 0) & (f <= band)
    return float((f * spectrum)[inside].sum() / spectrum[inside].sum())


def high_frequency(spectrum: np.ndarray, band: float) -> float:
    """Share of power `(H, W)` up to a frequency that lies above half of it."""
    f = cycles(spectrum.shape)  # type: ignore[arg-type]
    inside = (f > 0) & (f <= band)
    return float(spectrum[inside & (f > band / 2)].sum() / spectrum[inside].sum())


def slope(spectrum: np.ndarray) -> float:
    """Of log mean power in rings about 2, 3, ... cycles per image on log frequency, by least squares."""
    f = cycles(spectrum.shape)  # type: ignore[arg-type]
    limit = min(spectrum.shape) / 2
    k = np.arange(2, int(limit) + 1)
    mean = [spectrum[(np.rint(f) == cycle) & (f <= limit)].mean() for cycle in k]
    return float(np.polyfit(np.log(k), np.log(mean), 1)[0])


def shaped(shape: tuple[int, int, int, int], filtered: np.ndarray, seed: int = 0) -> np.ndarray:
    """`(images, H, W, C)` float32 noise whose power at every frequency is `filtered` `(H, W)`."""
    white = np.random.default_rng(seed).normal(size=shape)
    made = np.fft.ifft2(np.fft.fft2(white, axes=(1, 2)) * np.sqrt(filtered)[None, ..., None], axes=(1, 2))
    return made.real.astype(np.float32)


def windowed(filtered: np.ndarray) -> np.ndarray:
    """`(H, W)` mean power, to a constant factor, of such noise behind the removal of its mean and the window.

    Entries of noise are independent, so that the power of sum_j a(j) X(j) is sum_j |a(j)|^2 P(j); here, at k,
    a(j) = w(k-j) - w(-j) w(k) / w(0), with w the transform of the window, which is real and even.
    """
    rows, wide = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(side) / side) for side in filtered.shape)
    w = np.fft.fft2(np.outer(rows, wide)).real
    share = w / w[0, 0]
    blurred, leaked = (_convolved(one, other) for one, other in ((w**2, filtered), (w, w * filtered)))
    return blurred - 2 * share * leaked + share**2 * (w**2 * filtered).sum()


def _convolved(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    product: np.ndarray = np.fft.ifft2(np.fft.fft2(one) * np.fft.fft2(other)).real
    return product


def wave(grid: tuple[int, int], k: int, *, axis: int = 1) -> np.ndarray:
    """`(1, H, W, 1)` float32: k cycles per image along an axis."""
    along = np.sin(2 * np.pi * k * np.arange(grid[axis]) / grid[axis] + 0.3)
    flat = np.broadcast_to(along if axis == 1 else along[:, None], grid)
    return flat[None, ..., None].astype(np.float32)
