"""A run whose every table, map and text is a trap, and the steps that write it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from fmreport.analysis import ANALYSES
from fmreport.facts import Facts, ProbeFact
from fmreport.records import Tiles
from fmreport.store import TABLES, Draft, Run, drafting

NAMES = (
    "NA",
    "null",
    "nan",
    "None",
    "1",
    "conv,1",
    'he said "a"',
    "zwei\nZeilen",
    "\u05e9\u05dc\u05d5\u05dd 🐈",
    "true",
)
"""Names that a careless reader takes for something else."""


def facts() -> Facts:
    return Facts(
        name="net",
        release="v1",
        title="Ein Netz, ein 猫",
        config={"layers": [{"type": "Conv2D"}], "seed": 0, "doi": None},
        model={"kind": "keras", "source": "net.keras", "sha256": "ab", "framework": "keras 3", "parameters": 7},
        preprocess={"size": [8, 8], "mean": []},
        probes=(
            ProbeFact("猫", "a/猫.png", "cd", (4, 5), True, "m/猫.png", "ef"),
            ProbeFact("b", "b.png", "01", (3, 3)),
        ),
        displayed=("猫",),
        channel_rule="The first.",
        versions={"fmreport": "0"},
        notes=("a note",),
    )


def tables() -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(0)
    count = len(NAMES)
    sizes = pd.array([None, *range(1, count)], "Int64")
    awkward = np.array([0.1 + 0.2, 1 / 3, 1e-300, np.pi * 1e17, np.nan, *rng.random(count - 5)])
    layers = {"tap": NAMES, "layer": NAMES, "type": ["Conv2D"] * count, "order": pd.array(range(1, count + 1), "Int64")}
    layers |= {"height": sizes, "width": sizes, "zeros_reason": [""] * count}
    rows = {"tap": np.repeat(NAMES, 3), "value": rng.normal(size=3 * count), "nan": np.arange(3 * count)}
    return {
        "layers": pd.DataFrame(layers),
        "inventory": pd.DataFrame({"path": NAMES, "taps": ["", *NAMES[1:]], "reason": ["NA", *[""] * (count - 1)]}),
        "blocks": pd.DataFrame({"block": NAMES, "first": sizes, "macs": sizes}),
        "summary": pd.DataFrame({"tap": NAMES, "finite": range(count), "mean": awkward, "gini": [np.nan] * count}),
        "samples": pd.DataFrame({"probe": ["p"] * (3 * count), **rows}),
        "channels": pd.DataFrame({**rows, "silent": rng.random(3 * count) < 0.5}),
        "histograms": pd.DataFrame({"tap": NAMES, "low": awkward, "count": np.arange(count) + 2**60}),
        **{name: pd.DataFrame({"tap": NAMES, "value": awkward}) for name in (*ANALYSES, "controls")},
        "attribution": pd.DataFrame({"tap": NAMES, "probe": NAMES, "class": sizes, "grad_cam": awkward}),
    }


def tiles() -> Tiles:
    rng = np.random.default_rng(1)
    low = rng.normal(size=(2, 3)).astype(np.float32)
    low[1, 1] = np.nan
    values = rng.integers(0, 256, (2, 3, 4, 5)).astype(np.uint8)
    return Tiles("null", ("猫", "b"), np.array([5, 0, 2]), np.array([True, True, False]), values, low, low + 1, (8, 10))


def pictures() -> dict[str, np.ndarray]:
    return {"猫": np.arange(60, dtype=np.uint8).reshape(4, 5, 3), "pictures": np.zeros((3, 3, 3), np.uint8)}


STEPS: tuple[Callable[[Draft], None], ...] = (
    *(lambda draft, name=name: draft.write_table(name, tables()[name]) for name in TABLES),
    lambda draft: draft.write_tiles(2, tiles()),
    lambda draft: draft.write_pictures(pictures(), {"猫": np.ones((4, 5), np.uint8)}),
    lambda draft: draft.write("report.html", b"<html>"),
    lambda draft: draft.write_manifest(facts()),
)
"""Everything that writes a run, in order."""


def write(destination: Path, *, force: bool = False) -> Run:
    with drafting(destination, force=force) as draft:
        for step in STEPS:
            step(draft)
    return Run.open(destination)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below, hidden ones too, by its path."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
