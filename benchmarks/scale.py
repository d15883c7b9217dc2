"""Many images: `python -m benchmarks.scale [throughput] [memory] [workers] [flat] [--json FILE]`; all without a name.

`throughput`: images per second of measuring every convolution, over those of `model.predict` on the same files, which
it decodes beside the model as fmreport does, and over those of `model.predict` on images that are decoded already.
`memory`: peak of whole runs over 200 and over 2,000 photographs. `workers`: one process against Ray with two workers.
`flat`: the peak while 100,000 small images go through a small network, after each tenth of them.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console

from benchmarks.timing import MB, compared, in_fresh_process, interleaved, status

if TYPE_CHECKING:
    from fmreport.config import Config
    from fmreport.extract import Extraction

MODULE = """\
import keras
from fmreport.zoo.sd_unet import sd_unet

def make_unet():
    return sd_unet(32)

def make_small():
    x = image = keras.Input((16, 16, 3))
    for channels in (8, 16):
        x = keras.layers.Conv2D(channels, 3, strides=2, padding="same", activation="relu")(x)
    return keras.Model(image, x)
"""
UNET, BIT, SMALL = "SD-UNet width 32", "BiT-R50x1", "small"
MODELS: dict[str, dict[str, Any]] = {
    UNET: {
        "model": {"kind": "builder", "function": "scale_models:make_unet"},
        "preprocess": {"size": [160, 160], "range": [0, 255]},
    },
    BIT: {"model": {"kind": "bit", "variant": "R50x1", "weights": None}, "preprocess": {"size": [224, 224]}},
    SMALL: {
        "model": {"kind": "builder", "function": "scale_models:make_small"},
        "preprocess": {"size": [16, 16], "range": [0, 1]},
    },
}
PARTS = ("throughput", "memory", "workers", "flat")
PLAIN, DECODED, VALUES, ALL = "predict, from files", "predict, decoded before", "values", "values and maps"


def photographs(folder: Path, count: int, side: int) -> None:
    """So many JPEG files, cut from scikit-image's photographs at places of their own."""
    from PIL import Image

    from fmreport.probes.photographs import photograph

    sources = [np.asarray(Image.open(photograph(name)).convert("RGB")) for name in ("cat", "astronaut", "coffee")]
    rng = np.random.default_rng(0)
    for number in range(count):
        source = sources[number % len(sources)]
        y, x = (int(rng.integers(0, size - min(side, size) + 1)) for size in source.shape[:2])
        Image.fromarray(source[y : y + side, x : x + side]).save(folder / f"{number:06d}.jpg", quality=90)


def config_of(name: str, folder: Path, **others: Any) -> Config:
    """The config of one of `MODELS` over all photographs of a folder."""
    from fmreport import config as settings

    (folder / "scale_models.py").write_text(MODULE)
    data: dict[str, Any] = {"name": "scale", "probes": [{"kind": "files", "images": "*.jpg"}]}
    data |= {"layers": [{"type": "*Conv2D"}], "measures": {"maps": "all"}}
    return settings.from_dict({**data, **MODELS[name], "report": {"formats": ["html"]}, **others}, folder)


def extraction(config: Config) -> Extraction:
    """As a run makes it."""
    from fmreport import probes
    from fmreport.opening import opened
    from fmreport.pipeline.measuring import extraction_of

    return extraction_of(config, opened(config), probes.collect(config.probes, config.folder))


def plain(name: str, made: Extraction) -> dict[str, Callable[[], object]]:
    """`model.predict` of the model alone, over the files and over decoded images."""
    import keras

    from fmreport.zoo.bit import bit
    from fmreport.zoo.sd_unet import sd_unet

    model: keras.Model = sd_unet(32) if name == UNET else bit("R50x1")

    def images() -> Iterator[np.ndarray]:
        for _, (batch,) in made.batches(made.probes, None):
            yield batch

    decoded = np.concatenate(list(images()))
    return {
        PLAIN: lambda: [model.predict_on_batch(batch) for batch in images()],
        DECODED: lambda: model.predict(decoded, batch_size=made.batch, verbose=0),
    }


def throughput(name: str, count: int, runs: int) -> dict[str, Any]:
    """Images per second of each way, and the ratio to both ways of predicting."""
    from fmreport.measures import load

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        photographs(folder, count, 320)
        whole = extraction(config_of(name, folder))
        alone = replace(whole, scenes=None, measures={k: m for k, m in load().items() if not m.of_maps})
        ways = plain(name, whole)
        ways |= {VALUES: lambda: alone.measure(()), ALL: lambda: whole.measure(())}
        seconds = interleaved(ways, runs)
        rows = compared(seconds, PLAIN)
        for way, of_decoded in compared(seconds, DECODED).items():
            of_files = 1 / rows[way]["ratio"]
            rows[way] = {"images/s": count / rows[way]["seconds"], PLAIN: of_files, DECODED: 1 / of_decoded["ratio"]}
        return rows


def run_peak(name: str, count: int, side: int) -> dict[str, float]:
    """Seconds and peak megabytes of a whole run, and of its measuring pass; for use in a fresh process."""
    import fmreport

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        photographs(folder, count, side)
        watch = Watching()
        began = time.perf_counter()
        fmreport.run(config_of(name, folder, display=["000000"]), out=folder / "reports", watch=watch)
        whole = {"seconds": time.perf_counter() - began, "peak MB": status("VmHWM") / MB}
        return {**whole, **watch.peaks}


class Watching:
    """Remembers the peak after each stage, and after each tenth of the measuring pass."""

    def __init__(self) -> None:
        self.peaks: dict[str, float] = {}
        self.resident: list[float] = []

    def stage(self, title: str) -> Any:
        """As `fmreport.recording.Watch`."""
        from contextlib import contextmanager

        @contextmanager
        def staged() -> Iterator[Callable[[int, int], None]]:
            def advance(done: int, total: int) -> None:
                if title == "Measuring" and done * 10 // total > len(self.resident):
                    self.resident.append(status("VmRSS") / MB)

            yield advance
            self.peaks[title] = status("VmHWM") / MB

        return staged()

    def say(self, text: str) -> None:
        """Nothing."""


def workers(name: str, count: int, runs: int) -> dict[str, Any]:
    """Seconds of the measuring pass of this process, on all cores, and of Ray with two workers; engines are started."""
    from fmreport.engines import Plan, started

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        photographs(folder, count, 320)
        ray = {"kind": "ray", "workers": 2}
        config = config_of(name, folder, engine=ray)
        made = extraction(config)
        with started(Plan(config, made, print)) as cluster:
            ways = {"one process": lambda: made.measure(()), "Ray, 2": lambda: made.measure((), engine=cluster.engine)}
            return compared(interleaved(ways, runs), "one process")


def flat(count: int) -> dict[str, Any]:
    """Resident megabytes after each tenth of so many small images; for use in a fresh process."""
    import fmreport

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        photographs(folder, count, 16)
        watch = Watching()
        began = time.perf_counter()
        fmreport.run(config_of(SMALL, folder), out=folder / "reports", watch=watch)
        return {"seconds": time.perf_counter() - began, "resident MB": watch.resident, **watch.peaks}


def main() -> None:
    """Prints the figures, and writes them where `--json` says."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("parts", nargs="*", choices=(*PARTS, []), default=[], metavar="PART")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--images", type=int, default=64, help="of throughput and workers")
    parser.add_argument("--many", type=int, default=100_000, help="of flat")
    parser.add_argument("--alone", nargs=2, metavar=("PART", "N"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if options.alone:
        part, count = options.alone
        print(json.dumps(run_peak(UNET, int(count), 320) if part == "memory" else flat(int(count))))
        return
    found: dict[str, Any] = {}
    out = Console(highlight=False)
    for part in options.parts or PARTS:
        if part in ("throughput", "workers"):
            way = throughput if part == "throughput" else workers
            found[part] = {name: way(name, options.images, options.runs) for name in (UNET, BIT)}
        else:
            counts: Sequence[int] = (200, 2000) if part == "memory" else (options.many,)
            found[part] = {n: in_fresh_process("benchmarks.scale", "--alone", part, str(n)) for n in counts}
        out.print(f"[bold]{part}[/]")
        out.print_json(json.dumps(found[part]))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
