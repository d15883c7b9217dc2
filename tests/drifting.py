"""A run of given activations, as far as a comparison of two runs reads it: its tables are those that were measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from planted import evidence, extraction
from run_analyses import empty
from run_data import SyntheticRun, TapSpec, make_run

from fmreport.analysis.sketch import Sketch
from fmreport.facts import ProbeFact


def run_of(activations: Mapping[str, np.ndarray], types: Mapping[str, str] | None = None, **facts: Any) -> SyntheticRun:
    """`activations[tap]` is `(probes, *spatial, C)`; every tap is a Conv2D unless `types` says otherwise."""
    made = extraction(activations)
    measured = made.measure([])
    specs = [TapSpec(name, (types or {}).get(name, "Conv2D"), values.shape[1:]) for name, values in activations.items()]
    run = make_run(specs, shown=4, tile=4, probes=("cat",))
    probes = tuple(ProbeFact(name, f"{name}.png", f"{i:064x}", (4, 4)) for i, name in enumerate(made.probes.names))
    return replace(
        run,
        facts=replace(run.facts, probes=probes, displayed=(), **facts),
        samples=measured.samples,
        channels=measured.channels.assign(silent=_silent(measured.channels), constant=False),
        histograms=measured.histograms,
        all_tiles={},
        all_pictures={},
        all_masks={},
        analyses=empty() | {"sketch": Sketch().table(evidence(activations))},
        controls=pd.DataFrame(columns=run.controls.columns),
    )


def _silent(channels: pd.DataFrame) -> pd.Series:
    return (channels["minimum"] == 0) & (channels["maximum"] == 0)


def network(seed: int, depth: int = 6, images: int = 6) -> dict[str, np.ndarray]:
    """Maps, then tokens and a vector, of half of which nothing is below 0."""
    rng = np.random.default_rng(seed)
    made = {}
    for i in range(depth):
        values = rng.normal(0.3, 1 + i / 4, (images, 8, 8, 6))
        made[f"layer{i}"] = np.asarray(np.maximum(values, 0) if i % 2 else values, np.float32)
    made["tokens"] = rng.normal(size=(images, 9, 6)).astype(np.float32)
    made["head"] = rng.normal(size=(images, 10)).astype(np.float32)
    return made


def moved(activations: Mapping[str, np.ndarray], by: Mapping[str, float], seed: int = 99) -> dict[str, np.ndarray]:
    """With noise of that relative size at each named tap."""
    rng = np.random.default_rng(seed)
    made = dict(activations)
    for tap, size in by.items():
        values = activations[tap]
        # What is 0 stays so: a rectifier's zeros are no matter of rounding.
        noise = rng.normal(size=values.shape) * (values != 0)
        noise *= size * np.linalg.norm(values.astype(float)) / np.linalg.norm(noise)
        made[tap] = (values + noise).astype(np.float32)
    return made


def renamed(activations: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same under paths as another framework has them."""
    return {f"model.{i}.op": values for i, values in enumerate(activations.values())}
