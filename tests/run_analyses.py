"""Made-up tables of the analyses, for runs that were made without a model: edges fade, masks come."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fmreport import analysis
from fmreport.analysis import outliers, progression, resampling, spread
from fmreport.records import IMAGE

NULLS = tuple(f"shuffled {number}" for number in range(1, 21))


def empty() -> dict[str, pd.DataFrame]:
    """Every table, without a row."""
    return {name: _table(name, {}) for name in analysis.ANALYSES}


def analyses(maps: Sequence[str], images: int, *, predicted: bool = False) -> dict[str, pd.DataFrame]:
    """What `images` probes with masks could have told of these taps, first to last; of a model that predicts a map."""
    taps = (IMAGE, *maps)
    depth = np.linspace(0, 1, len(taps))
    courses = {"edge": 0.7 - 0.6 * depth, "mask": 0.1 + 0.7 * depth, **dict.fromkeys(NULLS, 0 * depth)}
    courses |= {"prediction": depth} if predicted else {}
    read = _readability(taps, courses, images)
    rng = np.random.default_rng(0)
    table = {
        "tap": maps,
        "masked": images,
        "prevalence": 0.3,
        "chosen": 0,
        "iou": 0.3 + 0.5 * depth[1:],
        "iou_p": 0.0001,
        "auroc": 0.5 + 0.4 * depth[1:],
    }
    return empty() | {
        "readability": read,
        "progression": _progression(taps, read, images),
        "detail": _table("detail", {"tap": taps, "nyquist": 40.0, "centroid_share": 0.5 - 0.4 * depth}),
        "selectivity": _table("selectivity", table),
        "dimension": _table("dimension", {"tap": taps, "participation_ratio": rng.uniform(2, 4, len(taps))}),
        "spread": _spread(taps, images),
    }


def facets(maps: Sequence[str], names: Sequence[str]) -> pd.DataFrame:
    """Groups of 30 images each, of which the first differs more with every tap; the last is too small to tell."""
    frames = []
    for i, name in enumerate(names):
        few = i and i == len(names) - 1
        for quantity in ("std", "zero_fraction", "gini", "high_frequency"):
            away = np.linspace(0, 0.3, len(maps)) * (i == 0)
            told = {"facet": name, "tap": maps, "quantity": quantity, "images": 3 if few else 30, "mean": 0.5 + away}
            told |= {"lower": np.nan if few else 0.45 + away, "upper": np.nan if few else 0.55 + away, "others": 0.5}
            frames.append(pd.DataFrame({**told, "higher": 0.5 + away, "p": np.nan if few else 1 - 3.3 * away}))
    return pd.concat(frames, ignore_index=True)


def _spread(taps: Sequence[str], images: int) -> pd.DataFrame:
    names = [column.name for column in spread.COLUMNS]
    middles = dict(zip(taps, np.linspace(0.5, 0.1, len(taps)), strict=True))
    shares = {tap: np.quantile([0.2 * x, x, 1.9 * x], list(spread.SHARES.values())) for tap, x in middles.items()}
    rows = [(tap, name, images, *shares[tap], "a", "b") for tap in taps for name in outliers.QUANTITIES]
    return pd.DataFrame(rows, columns=names)


def controls(maps: Sequence[str]) -> pd.DataFrame:
    """Two models with randomised weights, from which nothing can be read."""
    names = (*progression.QUANTITIES, *progression.SPARSITY)
    rows = [(seed, tap, name, seed / 100) for seed in (1, 2) for tap in maps for name in names]
    return pd.DataFrame(rows, columns=[column.name for column in progression.CONTROLS])


def _readability(taps: Sequence[str], courses: dict[str, np.ndarray], images: int) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    frames = []
    for target, course in courses.items():
        for tap, score in zip(taps, course, strict=True):
            missed = 1 - score + rng.normal(0, 0.02, images)
            frames.append(
                pd.DataFrame(
                    {
                        "tap": tap,
                        "target": target,
                        "group": range(images),
                        "positions": 9.0,
                        "residual": missed,
                        "total": 1.0,
                    }
                )
            )
    return pd.concat(frames, ignore_index=True)


def _progression(taps: tuple[str, ...], read: pd.DataFrame, images: int) -> pd.DataFrame:
    drawn = resampling.resamples(images, masked=images, seed=0, draws=100)
    whole = progression.r_squared(read, progression.READ, taps, np.ones(images, np.int64))
    spread = progression.r_squared(read, progression.READ, taps, drawn)
    frames = []
    for name in progression.QUANTITIES:
        falling = np.linspace(0.5, 0.1, len(taps))
        lower, upper = resampling.interval(spread[name]) if name in spread else (falling - 0.05, falling + 0.05)
        few = images < resampling.FEWEST
        frames.append(
            pd.DataFrame(
                {
                    "tap": taps,
                    "quantity": name,
                    "value": whole.get(name, falling),
                    "lower": np.nan if few else lower,
                    "upper": np.nan if few else upper,
                    "images": images,
                    "null": 0.02 if name == "mask" else np.nan,
                    "p": 1 / (1 + len(NULLS)) if name == "mask" else np.nan,
                }
            )
        )
    table = pd.concat(frames, ignore_index=True)
    return table[table["value"].notna()].reset_index(drop=True)


def _table(name: str, values: dict[str, object]) -> pd.DataFrame:
    """A table with all of its columns, those that are not given empty."""
    columns = [column.name for column in analysis.load()[name].columns]
    if not values:
        return pd.DataFrame(columns=columns)
    return pd.DataFrame(values).reindex(columns=columns)
