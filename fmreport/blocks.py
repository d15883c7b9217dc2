"""The parts of a model: layers that belong together, by their paths or, where these do not tell, by their maps."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import groupby, takewhile

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
UNTAPPED = "(without a tap)"


def parts(inventory: pd.DataFrame) -> pd.Series:
    """The part of each layer, in the order of the inventory."""
    paths = [str(path) for path in inventory["path"]]
    named = _by_path(paths, inventory) or _by_map(inventory)
    return pd.Series([OUTSIDE if not path else name for path, name in zip(paths, named, strict=True)], inventory.index)


def blocks(inventory: pd.DataFrame) -> pd.DataFrame:
    """The `blocks` table, one row per part, in the order in which the first layer of each runs.

    What a part holds and does adds up to the model's; its shape and receptive field are those of what it hands on: the
    largest of its outputs that is read outside of it, or that nothing reads.
    """
    part = parts(inventory)
    of_path = dict(zip(inventory["path"].fillna(""), part, strict=True))
    rows = []
    for name, layers in inventory.assign(block=part).groupby("block", sort=False):
        tapped = layers[layers["order"].notna()].sort_values("order", kind="stable")
        # What is not known may be a lot; what holds and does nothing, such as an input, is no part.
        if tapped.empty and not (layers["own_parameters"].any() or layers["own_macs"].fillna(1).any()):
            continue
        last = layers.iloc[-1] if tapped.empty else _handed_on(tapped, {p for p in of_path if of_path[p] == name})
        rows.append({"block": name, "layers": len(layers), **summed(layers), **{key: last[key] for key in OUTPUT}})
        rows[-1]["first"] = tapped["order"].min() if len(tapped) else pd.NA
    table = pd.DataFrame(rows).sort_values("first", kind="stable", na_position="last").reset_index(drop=True)
    return table.astype(dict.fromkeys(WHOLE, "Int64"))


OUTPUT = ("shape", "height", "width", "channels", "rf_status", "rf_height", "rf_width", "rf_stride_y", "rf_stride_x")
WHOLE = ("parameters", "trainable_parameters", "macs", "products", "height", "width", "channels", "first")
"""Columns of whole numbers, empty where one is not known."""


def _handed_on(tapped: pd.DataFrame, inside: set[str]) -> pd.Series:
    """The row of what a part hands on; what is made of the image before what is not, the later of equals."""
    readers = [str(paths).split(" ") if isinstance(paths, str) and paths else [] for paths in tapped["read_by"]]
    handed = [not paths or any(path not in inside for path in paths) for paths in readers]
    seen = (tapped["rf_status"] != "none").to_numpy()
    sizes = [math.prod(int(side) for side in str(shape).split(" x ")) for shape in tapped["shape"]]
    ranked = sorted(range(len(tapped)), key=lambda i: (handed[i], seen[i], sizes[i], i))
    return tapped.iloc[ranked[-1]]


def _by_path(paths: Sequence[str], inventory: pd.DataFrame) -> list[str]:
    """As many levels as leave few parts; empty where names do not tell them."""
    mark = "/" if sum("/" in path for path in paths) > len(paths) / 2 else "_"
    levels = [path.split(mark) if mark == "/" else path.partition("/")[0].split(mark) for path in paths]
    told = [not _is_numbered(path, kind) for path, kind in zip(paths, inventory["type"], strict=True)]
    best: list[str] = []
    for depth in range(1, max(map(len, levels)) + 1):
        names = [mark.join(each[:depth]) for each in levels]
        if mark == "/":
            names = _without_holders(paths, names, depth)
        else:
            names = _standing_together(names, told, list(inventory["height"].isna()))
        if len(set(names)) > min(LONGEST, len(paths) / FEWEST):
            break
        shorter = [mark.join(each[: max(depth - 1, 1)]) for each in levels]
        best = _singles_together(names, shorter) if names else best
    if len(set(best)) < 2:
        return []
    # What has neither a name nor a place in the order, such as an input, is no part's.
    lost = [not tells and pd.isna(order) for tells, order in zip(told, inventory["order"], strict=True)]
    named = _whole_names(best, levels, told, mark)
    return [UNTAPPED if none else name for none, name in zip(lost, named, strict=True)]


def _is_numbered(path: str, kind: str) -> bool:
    """Whether a layer has the name that Keras gives to one of its class: `conv2d_7`."""
    own = path.rpartition("/")[2]
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", kind).lower()
    return re.sub(r"_\d+$", "", own).replace("_", "") == words.replace("_", "")


def _without_holders(paths: Sequence[str], names: Sequence[str], depth: int) -> list[str]:
    """What holds several parts is none itself: it belongs to the last of them, before it."""
    holders = {path.rpartition("/")[0] for path in paths}
    found: list[str] = []
    for path, name in zip(paths, names, strict=True):
        holds = path in holders and path.count("/") + 1 < depth and found
        found.append(found[-1] if holds else name)
    return found


def _standing_together(names: Sequence[str], told: Sequence[bool], is_vector: Sequence[bool]) -> list[str]:
    """A layer that has its class for a name, or whose part is scattered, belongs to the part around it.

    That is the part before it; of the vectors that are made of its maps, the part behind it.
    """
    runs: dict[str, int] = {}
    for name, _ in groupby(name for name, tells in zip(names, told, strict=True) if tells):
        runs[name] = runs.get(name, 0) + 1
    kept = [name if tells and runs[name] <= RUNS else "" for name, tells in zip(names, told, strict=True)]
    if kept.count("") > (1 - TOLD) * len(kept):
        return []
    following, after = [], ""
    for name in reversed(kept):
        after = name or after
        following.append(after)
    found, current, of_maps = [], next(name for name in kept if name), True
    for name, later, vector in zip(kept, reversed(following), is_vector, strict=True):
        if name:
            current, of_maps = name, not vector
        elif vector and of_maps and later:
            current, of_maps = later, False
        found.append(current)
    return found


def _singles_together(names: Sequence[str], shorter: Sequence[str]) -> list[str]:
    """Neighbours that are alone in their parts stand in one, if one level less puts them there, as those of a stem."""
    counts = {name: names.count(name) for name in names}
    taken = {name for name in names if counts[name] > 1}
    cut = [short if counts[name] == 1 else name for name, short in zip(names, shorter, strict=True)]
    runs: dict[str, int] = {}
    for name, _ in groupby(cut):
        runs[name] = runs.get(name, 0) + 1
    return [c if runs[c] == 1 and c not in taken else n for c, n in zip(cut, names, strict=True)]


def _whole_names(names: Sequence[str], levels: Sequence[list[str]], told: Sequence[bool], mark: str) -> list[str]:
    """Each part by all levels that its layers share: a part of `avg_pool` alone is `avg_pool`, not `avg`."""
    shared: dict[str, list[str]] = {}
    for name, own, tells in zip(names, levels, told, strict=True):
        if tells and mark.join(own[: name.count(mark) + 1]) == name:
            before = shared.setdefault(name, own)
            same = takewhile(lambda pair: pair[0] == pair[1], zip(before, own, strict=False))
            shared[name] = [level for level, _ in same]
    return [mark.join(shared[name]) if name in shared else name for name in names]


def _by_map(inventory: pd.DataFrame) -> list[str]:
    """Neighbours whose maps have the same size; numbered where a size returns."""
    found: list[str] = []
    times: dict[str, int] = {}
    current = ""
    for order, height, width in zip(inventory["order"], inventory["height"], inventory["width"], strict=True):
        if pd.isna(order):
            found.append(UNTAPPED)
            continue
        size = "vectors" if pd.isna(height) else f"{height} × {width}"
        if size != current:
            current = size
            times[size] = times.get(size, 0) + 1
        found.append(size if times[size] == 1 else f"{size}, {times[size]}")
    return found
