"""The cost of measuring every convolution: `python -m benchmarks.overhead [--source torch] [--measures all]`.

Three ways over the same images: (a) the plain forward pass; (b) fmreport's measuring pass; (c) the textbook way, a
Keras model with every convolution as an output, `predict`, and the same measures in NumPy. Then each measure alone,
and the memory of 20 and of 200 probes. `--source torch` does it with a PyTorch model, whose textbook way are forward
hooks, and tells the memory after 100 and after 1,000 images; `--json FILE` writes the figures.

`--measures values` takes those of single values, as (c) does; `--measures all` also those of maps, with every plane
that probes with masks have, and leaves (c) out.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.timing import MB, compared, in_fresh_process, interleaved, peak, status

BIT = "BiT-R50x1, a SavedModel"
TORCH = "ResNet-50, PyTorch"
MODELS = {
    "tensorflow": {"SD-UNet width 32": (160, 160), "ResNet50V2": (224, 224), BIT: (224, 224)},
    "torch": {TORCH: (224, 224)},
}
"""Models of each framework, and the size of their images."""
SIZES = {name: size for models in MODELS.values() for name, size in models.items()}
WAYS = ("a: plain forward pass", "b: fmreport", "c: textbook, NumPy")
MASKS = 64
"""Probes with a mask, as many as make every plane of a scene."""


class Bench:
    """One model with random images of its size, and the three ways to run it."""

    def __init__(self, name: str, batch: int, measures: str) -> None:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        self.name, self.size, self.batch = name, SIZES[name], batch
        self.model, self.tappable = OPENED.get(name, keras_model)(name)
        self.every = self.tappable.inventory(self.size)[1]
        self.taps = [tap for tap in self.every if tap.type == "Conv2D"]
        rng = np.random.default_rng(0)
        self.images = rng.uniform(0, 255, (batch, *self.size, 3)).astype(np.float32)
        self.names, self.planes = chosen(measures)
        self.beside = [rng.uniform(0, 1, (batch, *self.size, len(self.planes))).astype(np.float32)]

    def plain(self) -> Callable[[], object]:
        """The way (a)."""
        if self.name == TORCH:
            return lambda: torch_outputs(self.model, self.images, [])
        import tensorflow as tf

        spec = tf.TensorSpec(self.images.shape, tf.float32)
        function = tf.function(self.model, autograph=False).get_concrete_function(spec)
        return lambda: function(tf.constant(self.images)).numpy()

    def measured(self, *names: str, every: bool = False) -> Callable[[], object]:
        """The way (b), or the named measures alone; with `every`, on all that can be tapped."""
        from fmreport.extract import Inputs, measuring
        from fmreport.measures import load

        inputs = Inputs(self.size, self.batch, self.planes)
        taps, measures = self.every if every else self.taps, load(names or self.names).values()
        function = measuring(self.tappable, taps, measures, inputs)
        return lambda: function(self.images, *(self.beside if self.planes else ()))

    def textbook(self) -> Callable[[], object]:
        """The way (c)."""
        if self.name == TORCH:
            paths = [tap.layer.replace("/", ".") for tap in self.taps]
            return lambda: [numpy_measures(maps) for maps in torch_outputs(self.model, self.images, paths)]
        import keras

        if not isinstance(self.model, keras.Model):
            raise TypeError("a SavedModel has no layers that Keras could return")
        outputs = [self.model.get_layer(tap.layer.replace("/", ".")).output for tap in self.taps]
        model = keras.Model(self.model.inputs, outputs)
        return lambda: [numpy_measures(maps) for maps in model.predict(self.images, verbose=0)]

    def way(self, name: str) -> Callable[[], object]:
        """One of `WAYS`."""
        return {WAYS[0]: self.plain, WAYS[1]: self.measured, WAYS[2]: self.textbook}[name]()


def chosen(measures: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the measures `values` or `all`, and the planes that they take."""
    from fmreport.measures import MEASURES, load
    from fmreport.probes.scenes import planes

    if measures == "all":
        return tuple(MEASURES), planes(MASKS)
    return tuple(name for name in MEASURES if not load([name])[name].of_maps), ()


def keras_model(name: str) -> tuple[Any, Any]:
    """An untrained Keras model, and as fmreport opens it."""
    import keras

    from fmreport.sources import Identity
    from fmreport.sources.keras_model import KerasModel
    from fmreport.zoo.sd_unet import sd_unet

    keras.utils.set_random_seed(0)
    model = sd_unet(32) if name.startswith("SD") else keras.applications.ResNet50V2(weights=None)
    return model, KerasModel(model, Identity("benchmark", name, "", "", 0))


def torch_model(name: str) -> tuple[Any, Any]:
    """An untrained PyTorch module, and as fmreport opens it."""
    from fmreport import config as settings
    from fmreport.sources import open_source

    data = {
        "name": "benchmark",
        "model": {"kind": "torch", "function": "benchmarks.resnet50:make"},
        "preprocess": {"size": list(SIZES[name])},
        "probes": [{"kind": "skimage", "names": ["cat"]}],
    }
    opened = open_source(settings.from_dict(data, Path()))
    from benchmarks.resnet50 import make

    return make(), opened


def torch_outputs(model: Any, images: np.ndarray, paths: Sequence[str]) -> list[np.ndarray]:
    """What modules return, channels last, by forward hooks as they are usually written."""
    import torch

    kept: list[np.ndarray] = []
    hooks = [
        model.get_submodule(path).register_forward_hook(
            lambda _, __, made: kept.append(made.permute(0, 2, 3, 1).contiguous().numpy())
        )
        for path in paths
    ]
    with torch.no_grad():
        model(torch.from_numpy(images).permute(0, 3, 1, 2).contiguous())
    for hook in hooks:
        hook.remove()
    return kept


def saved_bit(_: str) -> tuple[Any, Any]:
    """An R50x1 as TensorFlow loads it from a SavedModel, and as fmreport opens it."""
    import tensorflow as tf

    from fmreport import config as settings
    from fmreport.sources import open_source
    from fmreport.zoo.bit import bit

    with tempfile.TemporaryDirectory() as folder:
        bit("R50x1").export(f"{folder}/bit", verbose=False)
        loaded = tf.saved_model.load(f"{folder}/bit")
        data = {
            "name": "benchmark",
            "model": {"kind": "savedmodel", "path": "bit"},
            "probes": [{"kind": "skimage", "names": ["cat"]}],
        }

        def plain(images: Any) -> Any:
            # The function alone would let go of its variables.
            return loaded.serve(images)

        return plain, open_source(settings.from_dict(data, folder))


OPENED: Mapping[str, Callable[[str], tuple[Any, Any]]] = {BIT: saved_bit, TORCH: torch_model}
"""How models are opened that are not Keras's own."""


def numpy_measures(maps: np.ndarray) -> dict[str, np.ndarray]:
    """The measures of this release on `(B, H, W, C)` as they are usually written."""
    axes = (1, 2)
    magnitude = np.abs(maps)
    ordered = np.sort(magnitude.reshape(len(maps), -1), axis=1)
    n = ordered.shape[1]
    rms = np.sqrt((maps**2).mean(axis=axes))
    return {
        "nonfinite": (~np.isfinite(maps)).sum(axis=axes),
        "zeros": (maps == 0).mean(axis=axes),
        "mean": maps.mean(axis=axes),
        "std": maps.std(axis=axes),
        "minimum": maps.min(axis=axes),
        "maximum": maps.max(axis=axes),
        "hoyer_limit": 1 - magnitude.mean(axis=axes) / rms,
        "near_zero": (magnitude <= 0.01 * np.sqrt((maps**2).mean())).mean(),
        "gini": 1 - 2 * (ordered * (n - np.arange(n) - 0.5)).sum(axis=1) / ordered.sum(axis=1) / n,
        "quantiles": np.quantile(maps.reshape(len(maps), -1), (0.01, 0.25, 0.5, 0.75, 0.99), axis=1),
    }


def ways_of(name: str, measures: str) -> tuple[str, ...]:
    """The ways that there are: Keras taps no SavedModel, and the textbook knows no measures of maps."""
    return WAYS[:2] if name == BIT or measures == "all" else WAYS


def times(name: str, batch: int, measures: str, runs: int) -> dict[str, dict[str, float]]:
    """Medians of the ways and of every measure alone."""
    bench = Bench(name, batch, measures)
    ways = {way: bench.way(way) for way in ways_of(name, measures)}
    ways[f"b on all {len(bench.every)} taps"] = bench.measured(every=True)
    ways |= {f"only {measure}": bench.measured("counts", measure) for measure in bench.names if measure != "counts"}
    return compared(interleaved(ways, runs), WAYS[0])


def memory(name: str, batch: int, measures: str) -> dict[str, dict[str, float]]:
    """Peak megabytes of the ways, each in a process of its own."""
    asked = ("benchmarks.overhead", "--measures", measures, "--peak", name)
    return {way: in_fresh_process(*asked, way, str(batch)) for way in ways_of(name, measures)}


def probes_peak(count: int, measures: str) -> dict[str, float]:
    """Peak megabytes of measuring `count` photographs with masks on disk with the built-in SD-UNet."""
    from PIL import Image

    from fmreport import config as settings
    from fmreport import layers, opening, probes, sources
    from fmreport.extract import Extraction
    from fmreport.probes.scenes import Scenes

    with tempfile.TemporaryDirectory() as folder:
        random = np.random.default_rng(0)
        for i in range(count):
            Image.fromarray(random.integers(0, 255, (480, 640, 3), np.uint8)).save(Path(folder, f"{i:04d}.jpg"))
            Image.fromarray(random.integers(0, 2, (480, 640), np.uint8)).save(Path(folder, f"{i:04d}.png"))
        data = {
            "name": "probes",
            "model": {"kind": "keras", "path": "builtin:sd_unet_pets_w8"},
            "probes": [{"kind": "files", "images": "*.jpg", "masks": "{stem}.png", "mask_values": {"foreground": [1]}}],
        }
        config = settings.from_dict(data, folder)
        model = sources.open_source(config)
        preprocess = opening.preprocessing(config, model)
        taps = layers.select(config, model.inventory(preprocess.size)[1])

        def build() -> Callable[[], object]:
            found = probes.collect(config.probes, config.folder)
            scenes = Scenes(found, preprocess) if measures == "all" else None
            extraction = Extraction(model, taps, found, preprocess, 4, scenes)
            return lambda: extraction.measure(found.names[:4])

        return peak(build, runs=1)


def memory_after(name: str) -> dict[int, float]:
    """Resident megabytes after 100 and after 1,000 images, four at a time."""
    run, found = Bench(name, 4, "values").measured(), {}
    for images in range(4, 1004, 4):
        run()
        if images in (100, 1000):
            found[images] = status("VmRSS") / MB
    return found


def printed(title: str, rows: dict[str, dict[str, float]], peaks: dict[str, dict[str, float]]) -> Table:
    """One model's figures as a table."""
    table = Table(title=title, box=None, title_justify="left", pad_edge=False)
    for column in ("", "median ms", "ratio to (a)", "peak MB", "above idle"):
        table.add_column(column, justify="left" if not column else "right")
    for way, row in rows.items():
        memory = [f"{megabytes:.0f}" for megabytes in peaks.get(way, {}).values()]
        table.add_row(way, f"{row['seconds'] * 1e3:.1f}", f"{row['ratio']:.2f}", *memory)
    return table


def main() -> None:
    """Prints the figures, and writes them where `--json` says."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--measures", choices=("values", "all"), default="values")
    parser.add_argument("--source", choices=tuple(MODELS), default="tensorflow")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 4], help="images at a time; a run takes up to 4")
    parser.add_argument("--peak", nargs=3, metavar=("MODEL", "WAY", "BATCH"), help=argparse.SUPPRESS)
    parser.add_argument("--probes", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--after", metavar="MODEL", help=argparse.SUPPRESS)
    options = parser.parse_args()
    out = Console()
    if options.peak:
        name, way, batch = options.peak
        print(json.dumps(peak(lambda: Bench(name, int(batch), options.measures).way(way))))
        return
    if options.probes:
        print(json.dumps(probes_peak(options.probes, options.measures)))
        return
    if options.after:
        print(json.dumps(memory_after(options.after)))
        return
    figures: dict[str, Any] = {}
    for name, batch in product(MODELS[options.source], options.batch):
        title = f"{name}, batch {batch}"
        figures[title] = {
            "times": times(name, batch, options.measures, options.runs),
            "peaks": memory(name, batch, options.measures),
        }
        out.print(printed(title, figures[title]["times"], figures[title]["peaks"]), "")
    if options.source == "torch":
        figures["after"] = in_fresh_process("benchmarks.overhead", "--after", TORCH)
        for images, megabytes in figures["after"].items():
            out.print(f"after {images} images: {megabytes:.0f} MB")
    else:
        asked = ("benchmarks.overhead", "--measures", options.measures, "--probes")
        figures["probes"] = {n: in_fresh_process(*asked, str(n)) for n in (20, 200)}
        for n, megabytes in figures["probes"].items():
            out.print(f"{n} probes: peak {megabytes['whole']:.0f} MB, {megabytes['above']:.0f} MB above idle")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
