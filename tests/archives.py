"""Archives of runs of which there is no more than the manifest, made in no time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from fmreport import manifest
from fmreport.facts import Facts, FileFact, ProbeFact
from fmreport.quantities import QUANTITIES

REPORTS = {f"report.{kind}": FileFact(f"application/{kind}", 7, "00" * 32) for kind in ("html", "pdf")}
NAMES = ("sd_unet_pets", "bit_r50x1", "resnet50v2", "road_damage")


@dataclass(frozen=True)
class Made:
    """One run of a made-up archive."""

    name: str
    release: str
    facts: Facts
    outputs: dict[str, FileFact]

    def write(self, archive: Path, folder: str = "") -> Path:
        """Writes its manifest, by default to name/release/, and returns the run's folder."""
        place = archive / (folder or f"{self.name}/{self.release}")
        place.mkdir(parents=True)
        (place / manifest.FILE).write_bytes(manifest.written(self.facts, self.outputs))
        return place


def made(name: str = "net", release: str = "v1", **changes: object) -> Made:
    """A run with `changes` of its facts; key numbers are those of `numbers`."""
    seed = hashlib.sha256(f"{name} {release}".encode()).digest()
    facts = Facts(
        name=name,
        release=release,
        title=f"How {name} sees",
        config={"name": name, "release": release, "seed": seed[0]},
        model={"kind": "keras", "source": f"models/{name}.keras", "sha256": "ab", "framework": "keras 3.15.1"},
        preprocess={"size": [8, 8]},
        probes=tuple(ProbeFact(f"p{i}", f"p{i}.png", "cd" * 32, (3, 4)) for i in range(8)),
        displayed=("p0",),
        channel_rule="The first.",
        versions={"fmreport": "0.1.0"},
        taps=("a", "b"),
        numbers={name: numbers(seed)[name] for name in QUANTITIES},
    )
    return Made(name, release, replace(facts, **changes), REPORTS)  # type: ignore[arg-type]


def numbers(seed: bytes) -> dict[str, float | None]:
    """Key numbers that look like some."""
    part = [byte / 255 for byte in seed]
    shares = {"silent_channels": part[0] / 20, "constant_channels": part[0] / 15, "zeros": part[1] / 2}
    read = {"gini": 0.4 + part[2] / 5, "edge": 0.3 + part[3] / 5, "mask": 0.4 + part[4] / 3, "iou": 0.5 + part[5] / 3}
    counts = {"nonfinite": 0.0, "parameters": 1e6 + seed[6], "macs": 4.2e8 + seed[7], "taps": 51.0}
    return {**shares, **read, **counts, "gain": part[8] - 0.3}


def many(models: int, releases: int) -> Iterator[Made]:
    """So many releases of so many models."""
    for number in range(models):
        name = NAMES[number] if number < len(NAMES) else f"model_{number}"
        for release in range(1, releases + 1):
            yield made(name, f"v{release}", notes=("a note",) * (release % 3))


def of_format_1(run: Made) -> bytes:
    """The manifest as the first fmreport wrote it."""
    newer = ("date", "command", "inputs", "taps", "measures", "columns", "seeds", "code", "platform", "repository")
    newer = (*newer, "licences", "numbers")
    told = {name: value for name, value in asdict(run.facts).items() if name not in newer}
    told["probes"] = [
        {name: probe[name] for name in ("name", "origin", "sha256", "size", "has_mask", "mask_origin", "mask_sha256")}
        for probe in told["probes"]
    ]
    outputs = {path: fact.sha256 for path, fact in run.outputs.items()}
    return (json.dumps({"format": 1, **told, "outputs": outputs}, indent=1) + "\n").encode()
