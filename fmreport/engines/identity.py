"""What decides the numbers of every shard of a run, as one text."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fmreport import environment, sources
from fmreport.config import Config
from fmreport.facts import digest
from fmreport.opening import Opened
from fmreport.store import file_fact

PACKAGES = ("tensorflow", "keras", "tf-keras", "numpy", "numba", "pillow", "scikit-image")
"""Whose versions decide a shard's numbers."""
DECIDING = ("sources", "zoo", "probes", "measures", "extract", "dissection", "layers", "opening")
"""Parts of fmreport that do."""
LICENCE = "licence"


def context(config: Config, it: Opened) -> str:
    """SHA-256 over all that shards have in common: the model, what is done to images, the taps, and what computes."""
    model = {name: value for name, value in config.resolved()["model"].items() if name != LICENCE}
    code = {name: file_fact(path).sha256 for name, path in sources.own_code(config).items()}
    versions = environment.versions()
    return digest(
        {
            "model": {**asdict(it.model.identity), "config": model, "code": code, "seed": config.seed},
            "preprocess": it.preprocess.describe(),
            "taps": [[tap.name, tap.order, list(tap.shape), tap.dtype] for tap in it.taps],
            "aligned": digest({tap.name: asdict(tap.receptive_field) for tap in it.taps}),
            "target": None if it.target is None else asdict(it.target),
            "versions": {name: versions[name] for name in PACKAGES},
            "platform": asdict(sources.platform()),
            "fmreport": own(environment.OWN),
        }
    )


def own(folder: Path) -> str:
    """SHA-256 over the modules of fmreport that decide a shard's numbers."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        place = path.relative_to(folder)
        if place.with_suffix("").parts[0] in DECIDING:
            # A checkout may end lines otherwise.
            content = path.read_bytes().replace(b"\r\n", b"\n")
            found.update(f"{place.as_posix()}\0{len(content)}\0".encode() + content)
    return found.hexdigest()


def told(config: Config, it: Opened) -> Mapping[str, Any]:
    """Of a run's shards in words, for who looks into a cache."""
    return {"name": config.name, "model": it.model.identity.source}
