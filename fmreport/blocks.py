"""The parts of a model: layers that belong together, by their paths or, where these do not tell, by their maps."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import pandas as pd

from fmreport.inventory import summed

LONGEST = 40
"""Parts that can be taken in at one glance."""
FEWEST = 2
"""Layers that a part holds on average, at least: what is finer is the table of layers again."""
RUNS = 2
"""Layers of one part stand together, in at most so many runs: a shortcut may come between them."""
TOLD = 0.5
"""Share of the layers whose names must tell a part, for the names to be of use."""
OUTSIDE = "(outside of layers)"


def parts(inventory: pd.DataFrame) -> pd.Series:
    """The part of each layer, in the order of the inventory."""
    paths = [str(path) for path in inventory["path"]]
    named = _by_path(paths) or _by_map(inventory)
    return pd.Series([OUTSIDE if not path else name for path, name in zip(paths, named, strict=True)], inventory.index)


def blocks(inventory: pd.DataFrame) -> pd.DataFrame:
    """The `blocks` table, one row per part, in the order in which the first layer of each runs.

    What a part holds and does adds up to the model's; its shape and receptive field are those of its last tap.
    """
    by_part = list(inventory.assign(block=parts(inventory)).groupby("block", sort=False))
    rows = []
    for name, layers in by_part:
        tapped = layers[layers["order"].notna()].sort_values("order", kind="stable")
        # What is not known may be a lot; what holds and does nothing, such as an input, is no part.
        if tapped.empty and not (layers["own_parameters"].any() or layers["own_macs"].fillna(1).any()):
            continue
        last = tapped.iloc[-1] if len(tapped) else layers.iloc[-1]
        rows.append({"block": name, "layers": len(layers), **summed(layers), **{key: last[key] for key in OUTPUT}})
        rows[-1]["first"] = tapped["order"].min() if len(tapped) else pd.NA
    table = pd.DataFrame(rows)
    return table.sort_values("first", kind="stable", na_position="last").reset_index(drop=True)


OUTPUT = ("shape", "height", "width", "channels", "rf_status", "rf_height", "rf_width", "rf_stride_y", "rf_stride_x")


def _by_path(paths: Sequence[str]) -> list[str]:
    """As many levels as leave few parts; empty where names do not tell them."""
    mark = "/" if any("/" in path for path in paths) else "_"
    levels = [path.split(mark) for path in paths]
    best: list[str] = []
    for depth in range(1, max(map(len, levels)) + 1):
        names = [mark.join(each[:depth]) for each in levels]
        names = _without_holders(paths, names, depth) if mark == "/" else _standing_together(names)
        if len(set(names)) > min(LONGEST, len(paths) / FEWEST):
            break
        best = names or best
    return best if len(set(best)) > 1 else []


def _without_holders(paths: Sequence[str], names: Sequence[str], depth: int) -> list[str]:
    """What holds several parts is none itself: it belongs to the last of them, before it."""
    holders = {path.rpartition("/")[0] for path in paths}
    found: list[str] = []
    for path, name in zip(paths, names, strict=True):
        holds = path in holders and path.count("/") + 1 < depth and found
        found.append(found[-1] if holds else name)
    return found


def _standing_together(names: Sequence[str]) -> list[str]:
    """A layer whose part is scattered, as those that are numbered by their class, belongs to the part around it."""
    runs: dict[str, int] = {}
    for name, _ in groupby(names):
        runs[name] = runs.get(name, 0) + 1
    kept = [name if runs[name] <= RUNS else "" for name in names]
    if kept.count("") > (1 - TOLD) * len(kept):
        return []
    found, current = [], next(name for name in kept if name)
    for name in kept:
        current = name or current
        found.append(current)
    return found


def _by_map(inventory: pd.DataFrame) -> list[str]:
    """Neighbours whose maps have the same size; numbered where a size returns."""
    found: list[str] = []
    times: dict[str, int] = {}
    current = ""
    for height, width in zip(inventory["height"], inventory["width"], strict=True):
        size = "vectors" if pd.isna(height) else f"{height} × {width}"
        if not found or size != current:
            current = size
            times[size] = times.get(size, 0) + 1
        found.append(size if times[size] == 1 else f"{size}, {times[size]}")
    return found
