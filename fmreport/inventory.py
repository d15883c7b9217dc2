"""Taps and layers as tables: what needs no image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from fmreport.errors import SelectorError
from fmreport.records import INVENTORY, LAYERS, OPTIONAL, QUANTISED, Layer, Quantisation, ReceptiveField, Tap

PARTS = {
    "rf_height": ("size", 0),
    "rf_width": ("size", 1),
    "rf_union_height": ("union", 0),
    "rf_union_width": ("union", 1),
    "rf_stride_y": ("stride", 0),
    "rf_stride_x": ("stride", 1),
    "rf_padding_y": ("padding", 0),
    "rf_padding_x": ("padding", 1),
    "rf_centre_y": ("centre", 0),
    "rf_centre_x": ("centre", 1),
    "rf_disagreement_y": ("disagreement", 0),
    "rf_disagreement_x": ("disagreement", 1),
}
"""Columns of a receptive field: which of its pairs, and which of the two."""
OUTPUT = (
    "order", "shape", "height", "width", "channels", "rf_status", "rf_height", "rf_width", "rf_stride_y", "rf_stride_x",
)  # fmt: skip
"""Columns of the last tap of a layer."""
_INVENTORY = (
    "path", "type", *OUTPUT, "parameters", "trainable_parameters", *(c.name for c in INVENTORY if c.name != "path")
)  # fmt: skip
"""Columns of the inventory."""
FRACTIONS = (
    "nyquist", "positions_kept", "scale", "lowest", "highest", *(name for name in PARTS if name not in OPTIONAL),
)  # fmt: skip
"""Columns of numbers with decimals."""
NUMPY = {"bfloat16": "float16"}
"""Formats that NumPy does not have, by one of the same size."""


@dataclass(frozen=True, slots=True)
class Inventory:
    """What `fmreport layers` lists."""

    layers: tuple[Layer, ...]
    taps: tuple[Tap, ...]
    selected: frozenset[str]
    """Names of the taps that the config selects."""
    size: tuple[int, int]
    """(height, width) of the images that the model is fed."""
    problem: SelectorError | None = None
    """Why nothing is selected."""


def layers_table(taps: Sequence[Tap], size: tuple[int, int]) -> pd.DataFrame:
    """The `layers` table, one row per tap, for images of `size` (H, W)."""
    quantised = any(tap.quantisation is not None for tap in taps)
    names = [column.name for column in LAYERS if quantised or column not in QUANTISED]
    return _table([_of_tap(tap, size) for tap in taps], names)


def _of_tap(tap: Tap, size: tuple[int, int]) -> dict[str, Any]:
    height, width = tap.grid if len(tap.grid) == 2 and tap.is_map else (0, 0)
    is_map = bool(height)
    row = {column.name: getattr(tap, column.name, None) for column in LAYERS}
    return row | {
        "tap": tap.name,
        "shape": " x ".join(map(str, tap.shape)),
        "height": height or None,
        "width": width or None,
        "bytes": tap.elements * np.dtype(NUMPY.get(tap.dtype, tap.dtype)).itemsize,
        "nyquist": min(height, width) / 2 if is_map else None,
        "positions_kept": height * width / (size[0] * size[1]) if is_map else None,
        "macs": tap.work.macs if tap.work else None,
        "products": tap.work.products if tap.work else None,
        **_seen(tap.receptive_field),
        **_quantised(tap.quantisation),
    }


def _quantised(held: Quantisation | None) -> dict[str, Any]:
    if held is None:
        return {}
    lowest, highest = held.ends
    return {"scale": held.scale, "zero_point": held.zero_point, "lowest": lowest, "highest": highest}


def _seen(field: ReceptiveField) -> dict[str, Any]:
    pairs = {name: getattr(field, pair) for name, (pair, _) in PARTS.items()}
    values = {name: None if pairs[name] is None else pairs[name][axis] for name, (_, axis) in PARTS.items()}
    return {"rf_status": field.status, "rf_reason": field.reason, "rf_normalised": field.normalised, **values}


def inventory_table(layers: Sequence[Layer]) -> pd.DataFrame:
    """The `inventory` table, one row per layer."""
    rows = []
    for layer in layers:
        work = layer.own_work
        rows.append(
            {name: getattr(layer, name, None) for name in _INVENTORY}
            | _output(layer)
            | {
                "taps": " ".join(layer.taps),
                "read_by": " ".join(layer.output.read_by) if layer.output is not None else "",
                "own_macs": work.macs if work else None,
                "own_products": work.products if work else None,
            }
        )
    return _table(rows, _INVENTORY)


def _output(layer: Layer) -> dict[str, Any]:
    row = _of_tap(layer.output, (1, 1)) if layer.output is not None else {}
    return {name: row.get(name) for name in OUTPUT}


def _table(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> pd.DataFrame:
    table = pd.DataFrame([{name: row[name] for name in names} for row in rows], columns=list(names))
    formats = dict.fromkeys(OPTIONAL, "Int64") | dict.fromkeys(FRACTIONS, "float64")
    return table.astype({name: kind for name, kind in formats.items() if name in names})


def summed(inventory: pd.DataFrame) -> dict[str, int | None]:
    """Parameters, and multiply-adds per image, of all layers in the table together; None where one is not known."""
    names = [column.name for column in INVENTORY if column.name.startswith("own_")]
    return {
        name.removeprefix("own_"): None if inventory[name].isna().any() else int(inventory[name].sum())
        for name in names
    }
