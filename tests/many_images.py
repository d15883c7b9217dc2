"""Runs over many small images with a small model: what is needed to stop, resume and share out a run.

As a script it makes the run of a folder, and writes how far it is to `progress` there.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fmreport.measures import Derived, Sum, Sums
from fmreport.measures.activations import Activations
from fmreport.records import Column

MODEL = """\
import keras


def make_model():
    keras.utils.set_random_seed(0)
    x = image = keras.Input((32, 32, 3))
    for i, channels in enumerate((8, 12, 16)):
        x = keras.layers.Conv2D(channels, 3, strides=1 + i % 2, padding="same", activation="relu", name=f"conv{i}")(x)
    return keras.Model(image, x)
"""
CONFIG = """\
name: many
model: {kind: builder, function: "many_model:make_model"}
preprocess: {size: [32, 32], range: [0, 1]}
probes: [{kind: files, images: "images/*.png", masks: "masks/{stem}.png"}]
layers: [{type: Conv2D}]
report: {formats: [html]}
"""
SIDE = 40


def write(folder: Path, count: int, *, masks: bool = True) -> Path:
    """So many images, each with a mask if there are masks, and their config, which is returned."""
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        rng = np.random.default_rng(number)
        image = rng.uniform(0, 90, (SIDE, SIDE, 3))
        y, x = rng.integers(4, SIDE - 16, 2)
        image[y : y + 12, x : x + 12] += rng.uniform(60, 160, 3)
        Image.fromarray(image.astype(np.uint8)).save(folder / f"images/{number:05d}.png")
        mask = np.zeros((SIDE, SIDE), np.uint8)
        mask[y : y + 12, x : x + 12] = 255
        Image.fromarray(mask).save(folder / f"masks/{number:05d}.png")
    (folder / "many_model.py").write_text(MODEL)
    config = folder / "many.yaml"
    config.write_text(CONFIG if masks else CONFIG.replace(', masks: "masks/{stem}.png"', ""))
    return config


def files(run: Path) -> dict[str, bytes]:
    """What a run consists of, but for what is true of its execution alone."""
    found = {path.relative_to(run).as_posix(): path for path in run.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if name != "execution.json"}


class Cubes:
    """One more measure: the sum of the cubes of all values."""

    of_maps = False
    method = "mean-deviation-and-range"
    version = 1
    sums = (Sum(Column("cubes", "activation^3", "sum of cubes"), "channel"),)
    columns: tuple[Derived, ...] = ()

    def gather(self, x: Activations) -> dict[str, Any]:
        """`(B, C)` float64."""
        from keras import ops

        return {"cubes": ops.sum(ops.cast(x.values, "float64") ** 3, axis=x.spatial)}

    def derive(self, sums: Sums) -> dict[str, np.ndarray]:
        """Nothing."""
        return {}


class Noted:
    """A `Watch` that writes to a file how many images are measured, and keeps what is said."""

    def __init__(self, path: Path | None = None) -> None:
        self._path, self.said = path, list[str]()

    @contextmanager
    def stage(self, title: str) -> Iterator[object]:
        def advance(done: int, total: int) -> None:
            if title == "Measuring" and self._path is not None:
                self._path.write_text(str(done))

        yield advance

    def say(self, text: str) -> None:
        self.said.append(text)


if __name__ == "__main__":
    import fmreport

    here, *settings = sys.argv[1:]
    place = Path(here)
    fmreport.run(
        place / "many.yaml",
        overrides=settings,
        out=place / "reports",
        cache=place / "cache",
        watch=Noted(place / "progress"),  # type: ignore[arg-type]
    )
