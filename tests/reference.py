"""Every measure of one tap in plain NumPy, written from the formulas and not from fmreport: float64, no histogram."""

from __future__ import annotations

import numpy as np

QUANTILES = {"q01": 0.01, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q99": 0.99}
TINY = float(np.finfo(np.float32).tiny)


def wide(values: np.ndarray) -> np.ndarray:
    """In float64, with the numbers that TensorFlow takes for zeros as zeros: those subnormal in their own format."""
    tiny = np.finfo(np.float64).tiny if values.dtype == np.float64 else TINY
    exact = values.astype(np.float64)
    return np.where(np.abs(exact) < tiny, 0.0, exact)


def scalars(values: np.ndarray) -> dict[str, float]:
    """Everything that is a number of a set of values, whatever their axes."""
    every = wide(values).ravel()
    x = every[np.isfinite(every)]
    counts = {"finite": x.size, "nan": int(np.isnan(every).sum()), "inf": int(np.isinf(every).sum())}
    if x.size == 0:
        names = ("zero_fraction", "mean", "std", "minimum", "maximum", "hoyer_limit", "gini", *QUANTILES)
        return counts | {"zeros": 0} | dict.fromkeys(names, np.nan)
    return counts | {
        "zeros": int((x == 0).sum()),
        "zero_fraction": (x == 0).mean(),
        "total": x.sum(),
        "squares": (x**2).sum(),
        "magnitude": np.abs(x).sum(),
        "mean": x.mean(),
        "std": x.std(),
        "minimum": x.min(),
        "maximum": x.max(),
        "hoyer_limit": hoyer_limit(x),
        "gini": gini(x),
        **{name: np.quantile(x, q, method="inverted_cdf") for name, q in QUANTILES.items()},
    }


def rms(values: np.ndarray) -> float:
    """Root mean square of the finite values."""
    x = wide(values)
    return float(np.sqrt((x[np.isfinite(x)] ** 2).mean()))


def hoyer(x: np.ndarray) -> float:
    """Hoyer's sparsity of N values."""
    root = np.sqrt(x.size)
    return float((root - np.abs(x).sum() / np.sqrt((x**2).sum())) / (root - 1))


def hoyer_limit(x: np.ndarray) -> float:
    """Its limit for many values; NaN where all are 0."""
    return float(1 - np.abs(x).mean() / np.sqrt((x**2).mean())) if x.any() else np.nan


def gini(x: np.ndarray) -> float:
    """Gini coefficient of |x|; NaN where all are 0."""
    if not x.any():
        return np.nan
    ordered, n = np.sort(np.abs(x.ravel())), x.size
    k = np.arange(1, n + 1)
    return float(1 - 2 * (ordered / ordered.sum() * (n - k + 0.5) / n).sum())


def treves_rolls(r: np.ndarray) -> float:
    """S of the values; NaN where one is negative, all are 0 or there is one only."""
    if r.size < 2 or (r < 0).any() or not r.any():
        return np.nan
    a = r.mean() ** 2 / (r**2).mean()
    return float((1 - a) / (1 - 1 / r.size))


def population(values: np.ndarray) -> float:
    """Mean over the positions of one image `(*spatial, C)` of S over channels, where all are finite."""
    x = wide(values).reshape(-1, values.shape[-1])
    if (x[np.isfinite(x)] < 0).any():
        return np.nan
    scores = [treves_rolls(row) for row in x if np.isfinite(row).all()]
    defined = [score for score in scores if not np.isnan(score)]
    return float(np.mean(defined)) if defined else np.nan


def channel(values: np.ndarray) -> dict[str, float]:
    """One channel over all images and positions: its numbers, lifetime sparseness and states."""
    x = wide(values).ravel()
    x = x[np.isfinite(x)]
    some = x.size > 0
    return scalars(values) | {
        "lifetime_sparseness": treves_rolls(x),
        "silent": some and not x.any(),
        "near_silent": some and (x == 0).mean() > 0.99,
        "always_on": some and bool((x != 0).all()),
        "constant": some and x.min() == x.max(),
    }


def mean_of_defined(values: list[float]) -> float:
    """The mean without NaN; NaN where nothing is left."""
    kept = [value for value in values if not np.isnan(value)]
    return float(np.mean(kept)) if kept else np.nan


def summary(values: np.ndarray) -> dict[str, float]:
    """The row of one tap `(images, *spatial, C)`."""
    channels = [channel(values[..., c]) for c in range(values.shape[-1])]
    return scalars(values) | {
        "zero_fraction_macro": mean_of_defined([c["zero_fraction"] for c in channels]),
        "population_sparseness": np.nan
        if (values[np.isfinite(values)] < 0).any()
        else mean_of_defined([population(image) for image in values]),
        "lifetime_sparseness": np.nan
        if (wide(values) < 0).any()
        else mean_of_defined([c["lifetime_sparseness"] for c in channels]),
        **{s: sum(c[s] for c in channels) for s in ("silent", "near_silent", "always_on", "constant")},
    }
