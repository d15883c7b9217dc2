"""Facts of models that are built here, without a run."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import keras

from fmreport import config
from fmreport.records import Layer, Tap
from fmreport.sources import open_source


@cache
def application(name: str, size: int) -> tuple[tuple[Layer, ...], dict[str, Tap]]:
    """Layers, and taps by name, of an architecture of keras.applications for square images."""
    found = facts({"kind": "application", "name": name}, size)
    keras.backend.clear_session()
    return found


def facts(model: dict[str, Any], size: int | tuple[int, int]) -> tuple[tuple[Layer, ...], dict[str, Tap]]:
    """Layers, and taps by name, of a config's model."""
    height, width = (size, size) if isinstance(size, int) else size
    data = {
        "name": "test",
        "model": model,
        "preprocess": {"size": [height, width]},
        "probes": [{"kind": "skimage", "names": ["cat"]}],
    }
    layers, taps = open_source(config.from_dict(data, Path())).inventory((height, width))
    return layers, {tap.name: tap for tap in taps}
