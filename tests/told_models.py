"""Runs as far as an alignment looks at them: layers of a chain or of branches, with content that a seed makes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from fmreport.facts import ProbeFact

PROBES = tuple(ProbeFact(name, f"{name}.png", f"{name * 8}", (8, 8)) for name in ("p", "q", "r"))


@dataclass(frozen=True)
class Told:
    """A layer that reads the one before it, or those in `reads`."""

    name: str
    seed: int
    """Layers with one seed have the same content."""
    type: str = "Conv2D"
    channels: int = 6
    side: int = 8
    reads: tuple[str, ...] | None = None

    def called(self, name: str) -> Told:
        """The same under another name."""
        return replace(self, name=name)

    def trained_anew(self) -> Told:
        """The same with other content."""
        return replace(self, seed=self.seed + 10_000)


def chain(count: int) -> list[Told]:
    """Convolutions of three widths, each with a ReLU behind it."""
    kinds = ("Conv2D", "ReLU")
    return [
        Told(f"block{i // 4}/unit{i // 2 % 2}/{['conv', 'act'][i % 2]}", i, kinds[i % 2], 4 + 2 * (i * 3 // count))
        for i in range(count)
    ]


def run(layers: Sequence[Told]) -> Any:
    """What an alignment asks of a `Run`."""
    samples, channels = [], []
    for layer in layers:
        rng = np.random.default_rng(layer.seed)
        shift, spread = (rng.normal(0, 1, layer.channels), rng.uniform(0.2, 2, layer.channels))
        shift = np.abs(shift) if layer.type == "ReLU" else shift
        rows = zip(shift, spread, strict=True)
        channels += [{"tap": layer.name, "channel": c, "mean": m, "std": s} for c, (m, s) in enumerate(rows)]
        for probe in PROBES:
            values = dict(zip(("mean", "std", "q25", "q75"), rng.normal(0, 1, 4), strict=True))
            samples.append({"probe": probe.name, "tap": layer.name, **values})
    table = pd.DataFrame(
        {
            "tap": [layer.name for layer in layers],
            "layer": [layer.name for layer in layers],
            "type": [layer.type for layer in layers],
            "order": range(1, len(layers) + 1),
            "shape": [f"{layer.side} x {layer.side} x {layer.channels}" for layer in layers],
            "channels": [layer.channels for layer in layers],
            "parameters": [9 * layer.channels if layer.type == "Conv2D" else 0 for layer in layers],
        }
    )
    inventory = pd.DataFrame({"path": table["layer"], "taps": table["tap"], "read_by": _read_by(layers)})
    facts = SimpleNamespace(probes=PROBES)
    made = SimpleNamespace(
        facts=facts, layers=table, inventory=inventory, samples=pd.DataFrame(samples), channels=pd.DataFrame(channels)
    )
    made.samples_of = lambda names: made.samples[[name for name in names if name in made.samples]]
    return made


def _read_by(layers: Sequence[Told]) -> list[str]:
    before = [None, *layers[:-1]]
    reads = {
        layer.name: layer.reads if layer.reads is not None else (last.name,) if last else ()
        for last, layer in zip(before, layers, strict=True)
    }
    return [" ".join(name for name, read in reads.items() if layer.name in read) for layer in layers]
