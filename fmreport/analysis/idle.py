"""Channels that say nothing of their own, and the weights that make them."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pandas as pd

from fmreport.analysis.finding import NOTHING, SUPPORTED, Finding, Tables
from fmreport.records import IMAGE

SUBJECT = "channels that say nothing of their own"
RULE = (
    "channels whose values are all zero, or all equal, on all probes, or that correlate above 0.99 with an earlier "
    "one, near-silent ones left out, as single values agree by chance; each is counted at every tap that shows it; the "
    "weights that make a channel are its share of those of its layer and of the layers before it that hand on channels "
    "one by one, as far as nobody else reads them"
)
ONE_BY_ONE = (
    "Activation", "AveragePooling2D", "BatchNormalization", "Dropout", "ELU", "LeakyReLU", "MaxPooling2D", "PReLU",
    "ReLU",
)  # fmt: skip
"""Types of layers each of whose channels is made from the channel of that number of the one layer before."""


def idle_channels(tables: Tables) -> Finding:
    """How many channels are silent, constant or near-duplicates, and what they hold."""
    channels, repeats = tables.channels, tables.analyses["redundancy"]
    silent, constant = channels["silent"].astype(bool), channels["constant"].astype(bool)
    repeats = repeats.loc[repeats["tap"] != IMAGE, ["tap", "duplicate"]].set_axis(["tap", "channel"], axis=1)
    faint = channels.loc[channels["near_silent"].astype(bool), ["tap", "channel"]]
    passing = set(map(tuple, faint.to_numpy(object)))
    repeats = repeats[[pair not in passing for pair in map(tuple, repeats.to_numpy(object))]]
    idle = [channels.loc[where, ["tap", "channel"]] for where in (silent, constant & ~silent)]
    counts = (len(idle[0]), len(idle[1]), len(repeats))
    if not sum(counts):
        sentence = f"None of {len(channels):,} channels is silent, constant or a near-duplicate."
        return Finding(SUBJECT, NOTHING, sentence, RULE)
    every = pd.concat([*idle, repeats], ignore_index=True)
    by_tap = every["tap"].value_counts(sort=False)
    most = str(by_tap.index[int(by_tap.to_numpy().argmax())])
    saved = weights(tables, every)
    held = f"the weights that make them are about {saved:,} parameters" if saved else "what makes them is not known"
    sentence = (
        f"Of {len(channels):,} channels {counts[0]:,} are silent, {counts[1]:,} more constant and {counts[2]:,} "
        f"near-duplicates, most at {most} ({by_tap[most]:,}); {held}."
    )
    caveat = "on these probes; other images may wake them, and what reads them has weights of its own for them"
    return Finding(SUBJECT, SUPPORTED, sentence, RULE, tuple(map(str, by_tap.nlargest(3).index)), caveat)


def weights(tables: Tables, idle: pd.DataFrame) -> int:
    """Parameters that make the idle channels, rows of `tap` and `channel`; what makes several of them counts once.

    A layer that is called several times makes a channel in vain where it is idle at all of its taps.
    """
    inventory = tables.inventory.drop_duplicates("path").set_index("path")
    removed: dict[str, set[int]] = defaultdict(set)
    for layer, taps in tables.layers.groupby("layer", sort=False)["tap"]:
        found = [set(idle.loc[idle["tap"] == tap, "channel"]) for tap in taps]
        for maker in _makers(inventory, str(layer)):
            removed[maker] |= set.intersection(*found)
    each = _shares(inventory)
    return round(sum(len(channels) * each.get(maker, 0.0) for maker, channels in removed.items()))


def _makers(inventory: pd.DataFrame, layer: str) -> list[str]:
    """The layer and, as long as these hand on channels one by one, the only layer before it that it alone reads."""
    makers = [layer]
    while makers[-1] in inventory.index and inventory.loc[makers[-1], "type"] in ONE_BY_ONE:
        # Paths hold no space.
        before = inventory.index[[makers[-1] in readers.split(" ") for readers in inventory["read_by"]]]
        if len(before) != 1 or inventory.loc[before[0], "read_by"] != makers[-1] or before[0] in makers:
            break
        makers.append(str(before[0]))
    return makers


def _shares(inventory: pd.DataFrame) -> dict[str, float]:
    """Parameters per channel of every layer with an output, parts of a model that hold other layers left out."""
    holders = {parent for path in inventory.index for parent in _parents(str(path))}
    made = inventory[inventory["channels"].notna() & ~inventory.index.isin(holders)]
    shares = made["parameters"].to_numpy(np.float64) / made["channels"].to_numpy(np.float64)
    return dict(zip(map(str, made.index), map(float, shares), strict=True))


def _parents(path: str) -> set[str]:
    """Paths of the layers that it lies in."""
    names = path.split("/")
    return {"/".join(names[:end]) for end in range(1, len(names))}
