"""Mosaics as one array, beside one `imshow` per channel: `python -m benchmarks.figures [--json FILE]`.

Both make PNG files of 32 channels of a layer on one photograph, for layers of several sizes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.timing import compared, interleaved
from fmreport import tiles
from fmreport.figures import mosaics
from fmreport.records import Tap

CHANNELS = 32
GRIDS = (160, 80, 20, 5)
LONGEST = 80
"""Longest side of a shown map, the config's default."""
WAYS = ("textbook: 32 axes", "fmreport: one array")


def activations(grid: int) -> np.ndarray:
    """Signed maps `(grid, grid, 32)` with structure at several sizes, as a network's have."""
    y, x = np.mgrid[:grid, :grid] / grid
    random = np.random.default_rng(grid)
    waves = [
        np.sin(random.uniform(2, 40, CHANNELS) * (a * x[..., None] + b * y[..., None])) for a, b in ((1, 0), (1, 2))
    ]
    return np.asarray(sum(waves) + random.normal(0, 0.2, (grid, grid, CHANNELS)), np.float32)


def textbook(maps: np.ndarray) -> bytes:
    """32 axes of one figure, each with its `imshow`, saved as PNG."""
    from matplotlib import pyplot as plt

    plt.switch_backend("Agg")
    figure, axes = plt.subplots(4, 8, figsize=(16, 8))
    for channel, axis in enumerate(axes.flat):
        axis.imshow(maps[..., channel], cmap="berlin")
        axis.axis("off")
    buffer = BytesIO()
    figure.savefig(buffer, format="png")
    plt.close(figure)
    return buffer.getvalue()


def one_array(maps: np.ndarray) -> bytes:
    """As a run and its report make it: 8-bit tiles, then one palette picture."""
    tap = Tap("layer", "layer", "Conv2D", 1, 1, maps.shape, "float32", 0, 0, "by chance", "")
    made = tiles.tile(maps, longest=LONGEST)
    layer = tiles.together(tap, ["probe"], np.arange(CHANNELS), np.ones(CHANNELS, bool), [made])
    scale = mosaics.scale_of(layer, signed=True, mode="channel")
    return mosaics.encode(mosaics.mosaic(mosaics.levels(layer, scale)[0], 8), signed=True)


def main() -> None:
    """Prints the figures, and writes them where `--json` says."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    table = Table(box=None, pad_edge=False)
    for column in ("grid", *WAYS, "times faster"):
        table.add_column(column, justify="right")
    figures = {}
    for grid in GRIDS:
        maps = activations(grid)
        ways: dict[str, Callable[[], object]] = {WAYS[0]: partial(textbook, maps), WAYS[1]: partial(one_array, maps)}
        rows = compared(interleaved(ways, options.runs), WAYS[1])
        figures[grid] = rows
        table.add_row(
            f"{grid} x {grid}",
            *(f"{rows[way]['seconds'] * 1e3:.1f} ms" for way in WAYS),
            f"{rows[WAYS[0]]['ratio']:.0f}",
        )
    total = {way: sum(rows[way]["seconds"] for rows in figures.values()) for way in WAYS}
    table.add_row("together", *(f"{total[way] * 1e3:.1f} ms" for way in WAYS), f"{total[WAYS[0]] / total[WAYS[1]]:.0f}")
    Console().print(table)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
