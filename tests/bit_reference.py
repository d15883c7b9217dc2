"""A BiT ResNet of any size with seeded weights, and what each of its parts must give, worked out without a graph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

Weights = dict[str, np.ndarray]
"""Kernels (H, W, in, out), gammas and betas by hierarchical name, e.g. `block1/unit01/a/group_norm/gamma`."""

FULL: dict[str, Any] = {"width": 64, "units": (3, 4, 6, 3)}
"""R50x1: 53 convolutions, 23,500,352 parameters."""
SMALL: dict[str, Any] = {"width": 16, "units": (2, 1, 1, 1)}
"""The same network in small: 20 convolutions, half a million parameters, every kind of unit."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One bottleneck: `name` is e.g. `block1/unit01`; `projects` where the shortcut has a convolution."""

    name: str
    stride: int
    projects: bool

    @property
    def parts(self) -> Sequence[str]:
        """The names of its two scopes."""
        return self.name.split("/")


def units(weights: Weights) -> list[Unit]:
    """The units in running order, as the names of the weights tell."""
    names = dict.fromkeys("/".join(key.split("/")[:2]) for key in weights if key.startswith("block"))
    return [
        Unit(
            name,
            stride=2 if name.endswith("/unit01") and not name.startswith("block1/") else 1,
            projects=f"{name}/a/proj/standardized_conv2d/kernel" in weights,
        )
        for name in names
    ]


def groups(channels: int) -> int:
    """32, as published; as many as there are channels where these are fewer."""
    return min(32, channels)


def weights(width: int = 64, units: Sequence[int] = (3, 4, 6, 3), seed: int = 0) -> Weights:
    """Random weights, of which none is neutral: every kernel has a mean, about half of all ReLU outputs are zero."""
    rng = np.random.default_rng(seed)
    made: Weights = {}
    for name, shape in _shapes(width, units):
        if name.endswith("kernel"):
            # Down to filters so faint that the 1e-10 of the standardisation tells.
            drawn = rng.normal(0.3, 0.5, shape) * 10 ** rng.uniform(-4.5, 0.3, shape[-1])
        elif name.endswith("gamma"):
            drawn = rng.uniform(0.5, 1.5, shape)
        else:
            drawn = rng.normal(0, 0.5, shape)
        made[name] = drawn.astype("float32")
    return made


def _shapes(width: int, units: Sequence[int]) -> Iterator[tuple[str, tuple[int, ...]]]:
    def norm(scope: str, channels: int) -> Iterator[tuple[str, tuple[int, ...]]]:
        yield f"{scope}/gamma", (channels,)
        yield f"{scope}/beta", (channels,)

    yield "root_block/standardized_conv2d/kernel", (7, 7, 3, width)
    channels = width
    for block, count in enumerate(units, start=1):
        middle = width * 2 ** (block - 1)
        for number in range(1, count + 1):
            unit = f"block{block}/unit{number:02d}"
            yield from norm(f"{unit}/a/group_norm", channels)
            if number == 1:
                yield f"{unit}/a/proj/standardized_conv2d/kernel", (1, 1, channels, 4 * middle)
            yield f"{unit}/a/standardized_conv2d/kernel", (1, 1, channels, middle)
            yield from norm(f"{unit}/b/group_norm", middle)
            yield f"{unit}/b/standardized_conv2d/kernel", (3, 3, middle, middle)
            yield from norm(f"{unit}/c/group_norm", middle)
            yield f"{unit}/c/standardized_conv2d/kernel", (1, 1, middle, 4 * middle)
            channels = 4 * middle
    yield from norm("group_norm", channels)


def reference(images: np.ndarray, weights: Weights) -> dict[str, np.ndarray]:
    """The output of every convolution, GroupNorm+ReLU and unit, in running order, and at the end the `features`.

    Works in float64, and gives float32: `block1/unit01/a/standardized_conv2d`, `block1/unit01/a/relu`, `block1/unit01`.
    The last ReLU is `relu`. A shortcut's convolution runs before the one of its part `a`, as in the published code.
    """
    made: dict[str, np.ndarray] = {}

    def conv(x: np.ndarray, scope: str, stride: int = 1) -> np.ndarray:
        kernel = weights[f"{scope}/standardized_conv2d/kernel"].astype("float64")
        kernel = kernel - kernel.mean((0, 1, 2))
        kernel /= np.sqrt((kernel**2).mean((0, 1, 2)) + 1e-10)
        out = tf.nn.conv2d(_padded(x, kernel.shape[0] // 2), kernel, stride, "VALID").numpy()
        return made.setdefault(f"{scope}/standardized_conv2d", out)

    def relu(x: np.ndarray, scope: str) -> np.ndarray:
        gamma, beta = (weights[f"{scope}group_norm/{name}"].astype("float64") for name in ("gamma", "beta"))
        grouped = x.reshape(len(x), -1, groups(len(gamma)), len(gamma) // groups(len(gamma)))
        centred = grouped - grouped.mean((1, 3), keepdims=True)
        normal = (centred / np.sqrt((centred**2).mean((1, 3), keepdims=True) + 1e-5)).reshape(x.shape)
        return made.setdefault(f"{scope}relu", np.maximum(normal * gamma + beta, 0))

    x = conv(images.astype("float64"), "root_block", 2)
    x = tf.nn.max_pool2d(_padded(x, 1), 3, 2, "VALID").numpy()
    for unit in units(weights):
        name = unit.name
        y = relu(x, f"{name}/a/")
        shortcut = conv(y, f"{name}/a/proj", unit.stride) if unit.projects else x
        y = relu(conv(y, f"{name}/a"), f"{name}/b/")
        y = relu(conv(y, f"{name}/b", unit.stride), f"{name}/c/")
        x = made[name] = shortcut + conv(y, f"{name}/c")
    made["features"] = relu(x, "").mean((1, 2))
    return {name: value.astype("float32") for name, value in made.items()}


def _padded(x: np.ndarray, by: int) -> np.ndarray:
    """With zeros around, which the max pool sees too."""
    return np.pad(x, ((0, 0), (by, by), (by, by), (0, 0)))
