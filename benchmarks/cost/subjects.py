"""What is measured: models with some of their taps, over JPEG files that are cut from photographs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.cost.formulas import Work
from benchmarks.cost.sizes import Shape

if TYPE_CHECKING:
    from fmreport.config import Config
    from fmreport.extract import Extraction

MODULE = """\
import keras
from fmreport.zoo.sd_unet import sd_unet

def unet(width):
    return sd_unet(width)

def small():
    x = image = keras.Input((16, 16, 3))
    for channels in (8, 16):
        x = keras.layers.Conv2D(channels, 3, strides=2, padding="same", activation="relu")(x)
    return keras.Model(image, x)
"""
SIDE = 320
"""Pixels of the sides of a file."""
CONVOLUTIONS: dict[str, Any] = {"type": "*Conv2D"}


@dataclass(frozen=True, slots=True)
class Subject:
    """A model and every so manieth of its convolutions."""

    model: str
    every: int = 1

    @property
    def name(self) -> str:
        """For a reader."""
        return self.model if self.every == 1 else f"{self.model}, every {self.every}."

    def config(self, folder: Path, **others: Any) -> Config:
        """Over all photographs of a folder."""
        from fmreport import config as settings

        (folder / "cost_models.py").write_text(MODULE, encoding="utf-8")
        data = {
            "name": "cost",
            "probes": [{"kind": "files", "images": "*.jpg"}],
            "layers": [CONVOLUTIONS if self.every == 1 else CONVOLUTIONS | {"every": self.every}],
            "measures": {"maps": "all"},
            "report": {"formats": ["html"]},
            **_model(self.model),
            **others,
        }
        return settings.from_dict(data, folder)


def _model(name: str) -> dict[str, Any]:
    """Its section and that of its preprocessing."""
    if name == "R50x1":
        return {"model": {"kind": "bit", "variant": name, "weights": None}, "preprocess": {"size": [224, 224]}}
    if name == "small":
        return {
            "model": {"kind": "builder", "function": "cost_models:small"},
            "preprocess": {"size": [16, 16], "range": [0, 1]},
        }
    width = int(name.rpartition(" ")[2])
    return {
        "model": {"kind": "builder", "function": "cost_models:unet", "arguments": {"width": width}},
        "preprocess": {"size": [160, 160], "range": [0, 255]},
    }


def photographs(folder: Path, images: int) -> None:
    """So many JPEG files, cut from scikit-image's photographs at places of their own."""
    from PIL import Image

    from fmreport.probes.photographs import photograph

    sources = [np.asarray(Image.open(photograph(name)).convert("RGB")) for name in ("cat", "astronaut", "coffee")]
    rng = np.random.default_rng(0)
    for number in range(images):
        source = sources[number % len(sources)]
        y, x = (int(rng.integers(0, side - min(SIDE, side) + 1)) for side in source.shape[:2])
        Image.fromarray(source[y : y + SIDE, x : x + SIDE]).save(folder / f"{number:06d}.jpg", quality=90)


def extraction(config: Config) -> Extraction:
    """As a run makes it."""
    from fmreport import probes
    from fmreport.opening import opened
    from fmreport.pipeline.measuring import extraction_of

    return extraction_of(config, opened(config), probes.collect(config.probes, config.folder))


def work_of(name: str, made: Extraction, predict: float) -> Work:
    """The formulas' view of it."""
    facts = made.probes.facts
    return Work(
        name,
        len(facts),
        made.preprocess.size,
        tuple(Shape.of(tap) for tap in made.taps),
        predict,
        sum(fact.size[0] * fact.size[1] for fact in facts) // len(facts),
        sum(fact.bytes or 0 for fact in facts) // len(facts),
    )


def plain(made: Extraction) -> Callable[[], object]:
    """The forward pass alone over one batch that is decoded already."""
    tap = made.taps[-1]
    function = made.model.tapped(
        [tap], lambda tensors: {"last": tensors[tap.name][..., :1]}, size=made.preprocess.size, batch=made.batch
    )
    _, (batch, *_) = next(iter(made.batches(made.probes[: made.batch], None)))
    return lambda: function(batch)


@dataclass(slots=True)
class Watch:
    """What something took."""

    wall: float = 0.0
    core: float = 0.0
    """Seconds of all cores together, of this process alone: others on the machine do not add to them."""


@contextmanager
def watched() -> Iterator[Watch]:
    """Times what happens inside."""
    watch = Watch()
    wall, core = time.perf_counter(), time.process_time()
    yield watch
    watch.wall, watch.core = time.perf_counter() - wall, time.process_time() - core


def least(way: Callable[[], object], runs: int) -> Watch:
    """The least of several runs, behind one that does not count: what others do at the same time only adds."""
    way()
    watches = []
    for _ in range(runs):
        with watched() as watch:
            way()
        watches.append(watch)
    return Watch(min(watch.wall for watch in watches), min(watch.core for watch in watches))
