"""Every kind of activations that a measure has to bear, in every shape and number format."""

from __future__ import annotations

from functools import cache

import ml_dtypes
import numpy as np

PROBES = 5
SHAPES = {
    "vector": (6,),
    "sequence": (37, 6),
    "long_sequence": (1201, 2),
    "map": (9, 7, 6),
    "large_map": (40, 33, 3),
    "one_position": (1, 1, 6),
    "one_channel": (9, 7, 1),
    "volume": (4, 5, 3, 6),
}


def _signed(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.normal(size=shape)


def _planted(rng: np.random.Generator, shape: tuple[int, ...], share: float, *what: float) -> np.ndarray:
    """Signed values of which a share is replaced by each of some others."""
    values = rng.normal(size=shape)
    for value in what:
        values[rng.random(shape) < share] = value
    return values


def _states(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Channel 0 silent, 1 constant, 2 one value in all its values, 3 always on, the others as ReLU leaves them."""
    values = np.maximum(rng.normal(size=shape), 0)
    values[..., 0] = 0
    values[..., 1:2] = 0.3
    values[..., 2:3] = 0
    values[(0,) * (len(shape) - 1)][2:3] = 1
    values[..., 3:4] += 0.1
    return values


def _not_finite_image(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    values = np.maximum(rng.normal(size=shape), 0)
    values[1] = np.nan
    values[3, ..., 0] = np.inf
    return values


def _some_signed_images(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Of images side by side in a batch, one is signed and without zeros, the other is neither."""
    values = rng.normal(size=shape)
    values[1::2] = np.maximum(values[1::2], 0)
    return values


def _faint_channel(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """The squares of one channel are less than float32 holds, those of the others are not."""
    values = rng.normal(size=shape)
    values[..., 0] = 1e-30 * np.abs(values[..., 0])
    return values


KINDS = {
    "signed": _signed,
    "relu": lambda rng, shape: np.maximum(rng.normal(size=shape), 0),
    "zeros": lambda rng, shape: _planted(rng, shape, 0.2, 0.0, -0.0),
    "subnormal": lambda rng, shape: _planted(rng, shape, 0.2, 1e-40, -2e-45, 0.0),
    "subnormal_only": lambda rng, shape: _planted(rng, shape, 0.2, 1e-39),
    "silent": lambda rng, shape: np.zeros(shape),
    "constant": lambda rng, shape: np.full(shape, 0.7),
    "states": _states,
    "huge": lambda rng, shape: 1e30 * rng.normal(size=shape),
    "huge_relu": lambda rng, shape: 1e30 * np.maximum(rng.normal(size=shape), 0),
    "tiny": lambda rng, shape: 1e-30 * rng.normal(size=shape),
    "faint_channel": _faint_channel,
    "not_finite": lambda rng, shape: _planted(rng, shape, 0.1, np.nan, np.inf, -np.inf),
    "not_finite_image": _not_finite_image,
    "nothing_finite": lambda rng, shape: np.full(shape, np.nan),
    "far_from_zero": lambda rng, shape: 1e4 + rng.normal(size=shape),
    "far_below_zero": lambda rng, shape: -1e4 + rng.normal(size=shape),
    "some_signed_images": _some_signed_images,
    "exponential": lambda rng, shape: rng.exponential(size=shape),
}
DTYPES = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16, "float32": np.float32, "float64": np.float64}
NARROW = ("signed", "relu", "zeros", "not_finite", "not_finite_image", "states", "some_signed_images", "constant")
"""Kinds that every number format can hold."""


@cache
def activations() -> dict[str, np.ndarray]:
    """Every kind in every shape in float32, and some in other formats."""
    rng = np.random.default_rng(7)
    made = {
        f"{kind}/{shape}/float32": make(rng, (PROBES, *sides)).astype(np.float32)
        for kind, make in KINDS.items()
        for shape, sides in SHAPES.items()
    }
    made |= {
        f"{kind}/map/{dtype}": KINDS[kind](rng, (PROBES, *SHAPES["map"])).astype(DTYPES[dtype])
        for kind in NARROW
        for dtype in ("float16", "bfloat16", "float64")
    }
    made["tiny/map/float64"] = 1e-100 * rng.normal(size=(PROBES, *SHAPES["map"]))
    made["huge/map/float64"] = 1e100 * rng.normal(size=(PROBES, *SHAPES["map"]))
    made["far_from_zero/map/float64"] = 1e6 + rng.normal(size=(PROBES, *SHAPES["map"]))
    return made
