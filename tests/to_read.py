"""Maps and what they are read for: taps and planes as arrays, gathered as a run does it, and read by scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from scipy.ndimage import gaussian_filter
from scipy.stats import norm
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold

from fmreport.analysis import Evidence
from fmreport.analysis.readability import Readability, by_group
from fmreport.analysis.regression import FEW, FOLDS, RIDGE, r_squared
from fmreport.measures import readability
from fmreport.measures.gather import gather
from fmreport.measures.projection import LATTICE, WIDTH, lattice, projection
from fmreport.measures.scene import Scene

NULLS = 4


def blobs(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """`(N, h, w)` masks of a few smooth regions each, some small, some large."""
    smooth = gaussian_filter(rng.normal(size=shape), (0, shape[1] / 8, shape[2] / 8), mode="wrap")
    covered = rng.uniform(0.2, 0.6, (shape[0], 1, 1))
    return (smooth > smooth.std(axis=(1, 2), keepdims=True) * norm.isf(covered)).astype(np.float32)


@dataclass(frozen=True)
class Sight:
    """Planes `(N, h, w)` by name, as scenes have them, and where images are looked at."""

    planes: Mapping[str, np.ndarray]
    kept: np.ndarray
    masked: int
    """The first so many images have a mask."""

    @classmethod
    def drawn(cls, seed: int, images: int, size: int, *, masks: np.ndarray | None = None) -> Sight:
        """Smooth masks and other smooth edges; everything is looked at."""
        rng = np.random.default_rng(seed)
        mask = blobs(rng, images, size, size) if masks is None else masks
        strength = rng.uniform(0.5, 2, (images, 1, 1))
        edge = np.abs(gaussian_filter(strength * rng.normal(size=(images, size, size)), (0, 1, 1))).astype(np.float32)
        prior = (mask.sum(axis=0) - mask) / max(images - 1, 1)
        shuffled = {f"shuffled {k}": np.roll(mask, k, axis=0) for k in range(1, min(NULLS, images - 1) + 1)}
        moves = rng.integers(size // 4, 3 * size // 4, (NULLS, 2))
        shifted = {f"shifted {k}": np.roll(mask, tuple(move), axis=(1, 2)) for k, move in enumerate(moves, start=1)}
        planes = {"edge": edge, "mask": mask, "prior": prior, **shuffled, **shifted, "red": edge}
        return cls(planes, np.ones_like(mask), images)

    def at(self, side: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """The planes' means over the pixels kept `(N, side, side)`, and their share, where a side has whole parts."""

        def parts(plane: np.ndarray) -> np.ndarray:
            count, size = len(plane), plane.shape[1] // side
            blocks: np.ndarray = plane.astype(np.float64).reshape(count, side, size, side, size)
            return blocks.mean(axis=(2, 4))

        weight = parts(self.kept)
        means = {name: parts(p * self.kept) / np.where(weight > 0, weight, 1) for name, p in self.planes.items()}
        return means, weight

    def grams(self, taps: Mapping[str, np.ndarray], images: slice = slice(None)) -> dict[str, dict[str, np.ndarray]]:
        """Per tap, what the measure gathers of each of some images."""
        names = ("kept", *self.planes)
        scene = np.stack([self.kept, *self.planes.values()], axis=-1)[images].astype(np.float32)
        tensors = {name: tf.constant(values[images]) for name, values in taps.items()}
        gathered = gather(
            [readability.Readability()], tensors, [(name,) for name in taps], scene=Scene(tf.constant(scene), names)
        )
        return {
            tap: {name: value.numpy() for name, value in sums.items()} for tap, sums in zip(taps, gathered, strict=True)
        }

    def evidence(self, taps: Mapping[str, np.ndarray]) -> Evidence:
        """Every image a group of its own."""
        sizes = np.ones(len(self.kept), np.int64)
        return Evidence(tuple(taps), self.grams(taps), sizes, self.masked, tuple(self.planes), 0)


def scored(evidence: Evidence, *targets: str) -> list[dict[str, float]]:
    """R^2 of each target, by tap."""
    table = Readability().table(evidence)
    scores = r_squared(*by_group(table, targets, taps=evidence.taps, groups=len(evidence.sizes)))
    return [dict(zip(evidence.taps, row, strict=True)) for row in scores]


def scikit_learn(x: np.ndarray, y: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Residual and total `(N,)` of maps `(N, H, W, C)` for a target `(N, H, W)`, on the design matrix itself."""
    x, images = x.astype(np.float64), len(x)
    rows, columns = (lattice(side) for side in x.shape[1:3])
    assert max(x[:, rows, columns].shape[1:3]) <= LATTICE
    x, y, weight = x[:, rows, columns], y[:, rows, columns], weight[:, rows, columns]
    if x.shape[-1] > WIDTH:
        x = x @ projection(x.shape[-1])
    fold = np.arange(images) % (images if images < FEW else FOLDS)
    image = np.repeat(np.arange(images), y[0].size)
    x, y, weight = x.reshape(-1, x.shape[-1]), y.ravel(), weight.ravel()
    residual, total = np.empty(len(y)), np.empty(len(y))
    for train, test in GroupKFold(len(np.unique(fold))).split(x, y, fold[image]):
        mean = np.average(x[train], axis=0, weights=weight[train])
        spread = np.average((x[train] - mean) ** 2, axis=0, weights=weight[train]).mean()
        ridge = Ridge(RIDGE * spread * weight[train].sum(), solver="cholesky")
        ridge.fit(x[train] - mean, y[train], sample_weight=weight[train])
        residual[test] = weight[test] * (y[test] - ridge.predict(x[test] - mean)) ** 2
        total[test] = weight[test] * (y[test] - np.average(y[train], weights=weight[train])) ** 2
    return np.bincount(image, residual), np.bincount(image, total)
