"""Scenes that are given: what every probe shows, as arrays, for a model whose activations are given too."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from planted import Numbers, Planted

from fmreport.analysis import Evidence
from fmreport.extract import Extraction, Tables
from fmreport.probes import Preprocess
from fmreport.records import IMAGE, Probe


@dataclass
class PlantedScenes:
    """As `fmreport.probes.scenes.Scenes`, of `masks` `(H, W)` in 0-1, or None, of the probes `p0`, `p1`, ...

    What a probe is shuffled with are the masks of the `others` behind it.
    """

    masks: Sequence[np.ndarray | None]
    kept: Sequence[np.ndarray] | None = None
    others: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        names = [f"p{i}" for i in range(len(self.masks))]
        self.masked = tuple(name for name, mask in zip(names, self.masks, strict=True) if mask is not None)
        self.drawn = len(self.masked)
        self.place = {name: place for place, name in enumerate(self.masked)}
        bare = [name for name in names if name not in self.place]
        self.group = {name: number for number, name in enumerate((*self.masked, *bare))}
        self.groups, self.masked_groups = len(names), len(self.masked)
        shuffled = [f"shuffled {i + 1}" for i in range(self.others)]
        of_masks = ["mask", "prior", *shuffled, "shifted 1"] if self.masked else []
        self.shape = next((mask.shape for mask in self.masks if mask is not None), (4, 4))
        self.planes = ("kept", "edge", *of_masks, "red", "green", "blue")

    def only(self, names: Sequence[str]) -> PlantedScenes:
        """The same, and knows of no other probes than these."""
        part = copy.copy(self)
        part.place = {name: self.place[name] for name in names if name in self.place}
        part.group = {name: self.group[name] for name in names}
        return part

    def of(self, probe: Probe) -> np.ndarray:
        """The planes of a probe, whose image holds its number."""
        number = int(probe.image[0, 0, 0])
        values = dict.fromkeys(self.planes, np.zeros(self.shape))
        values["kept"] = np.ones(self.shape) if self.kept is None else self.kept[number]
        place = self.place.get(probe.name)
        if place is not None:
            own = [mask for mask in self.masks if mask is not None]
            values["mask"], values["shifted 1"] = own[place], np.roll(own[place], (1, 1), axis=(0, 1))
            values |= {f"shuffled {i + 1}": own[(place + i + 1) % len(own)] for i in range(self.others)}
        return np.stack([values[name] for name in self.planes], axis=-1).astype(np.float32)


def measured(
    activations: Mapping[str, np.ndarray], scenes: PlantedScenes, *, batch: int = 2, numbers: Sequence[int] = ()
) -> Tables:
    """All tables of given activations and scenes, of the probes of these numbers; of all, where none are given."""
    model = Planted(activations)
    probes = Numbers.upto(len(scenes.masks))
    probes = probes.named([f"p{i}" for i in numbers]) if numbers else probes
    extraction = Extraction(model, model.taps, probes, Preprocess(scenes.shape), batch, scenes)  # type: ignore[arg-type]
    return extraction.measure([])


def evidence(tables: Tables, scenes: PlantedScenes) -> Evidence:
    """What analyses are given of tables."""
    sizes = np.ones(scenes.groups, int)
    taps = (IMAGE, *(tap for tap in tables.grouped if tap != IMAGE))
    return Evidence(taps, tables.grouped, sizes, scenes.masked_groups, scenes.planes[1:], scenes.seed)
