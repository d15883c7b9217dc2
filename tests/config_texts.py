"""Configs that tests of several modules read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fmreport.config import load
from fmreport.errors import ConfigError

MINIMAL = """\
name: small
model: {kind: keras, path: small.keras}
probes:
  - {kind: skimage, names: [cat]}
"""
FULL: dict[str, Any] = {
    "name": "full",
    "release": "2.0-rc1",
    "title": "Everything said",
    "authors": [{"name": "Ada Lovelace", "orcid": "0000-0002-1825-0097"}],
    "abstract": "All of it.",
    "licence": "CC BY 4.0",
    "date": "2026-11-21",
    "doi": "10.5281/zenodo.1234567",
    "model": {
        "kind": "builder",
        "function": "nets:make",
        "weights": "w.h5",
        "arguments": {"width": 8, "deep": [None, True]},
    },
    "preprocess": {
        "like": "bit",
        "size": [160, 120],
        "resize": "crop",
        "range": [-1, 1],
        "colour": "bgr",
        "mean": [0, 0, 0],
    },
    "probes": [
        {"kind": "skimage", "names": ["cat", "rocket"]},
        {
            "kind": "files",
            "images": ["a/*.jpg"],
            "masks": "m/{stem}.png",
            "mask_values": {"foreground": [1], "ignore": [3]},
        },
    ],
    "display": ["cat"],
    "layers": [{"every": 2, "type": "Conv2D"}, {"index": [1, 5]}, {"before": "pooling"}],
    "exclude": [{"name": "**/attention"}],
    "measures": {"dissection": True},
    "controls": {"randomised": 3},
    "figures": {"channels": 16, "random": 4, "order": "zeros", "scale": "tap", "tile": 64},
    "report": {
        "formats": ["html"],
        "template": "mine/",
        "budget_mb": 2.5,
        "pdf": {"taps": "summary"},
        "exports": ["ml_bom"],
    },
    "batch": 4,
    "memory_mb": 512,
    "seed": 7,
}
"""Every setting, given another value than its default."""


def write(folder: Path, text: str | bytes, name: str = "run.yaml") -> Path:
    """The file that holds the text."""
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def complaints(folder: Path, text: str | bytes, *overrides: str) -> list[str]:
    """The lines of the error, with the folder left out."""
    with pytest.raises(ConfigError) as caught:
        load(write(folder, text), overrides)
    assert caught.value.fix
    return str(caught.value).replace(f"{folder}/", "").splitlines()
