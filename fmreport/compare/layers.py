"""What is not the same of paired taps without any mean over images: facts of their layers, states of their channels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from fmreport.compare.align import Pair
from fmreport.compare.comparison import ChannelChange, FactChange
from fmreport.compare.items import family
from fmreport.compare.order import Flow, nearest_read
from fmreport.store import Run

FACTS = (
    "type", "shape", "dtype", "parameters", "trainable_parameters", "macs", "rf_status", "rf_height", "rf_width",
    "rf_stride_y", "rf_stride_x", "zeros", "zeros_reason",
)  # fmt: skip
"""Columns of the table `layers` that say what a layer is, costs and sees."""
STATES = ("silent", "constant", "nan", "inf")
"""Columns of the table `channels` that a channel should not begin to be."""

Facts = dict[str, tuple[FactChange, ...]]
Channels = dict[str, tuple[ChannelChange, ...]]
"""Each by the tap of B."""

ROUNDED = "rounding"
"""Why a tap of whole numbers holds zeros."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Which taps of B the layer of each tap of B reads, across layers without a tap."""

    taps: Mapping[str, tuple[str, ...]]
    known: bool
    """Whether the run knows what reads what."""

    @classmethod
    def of(cls, run: Run) -> Reading:
        """That of a run."""
        flow = Flow.of(run)
        of_layer = dict(zip(run.layers["layer"], run.layers["tap"], strict=True))
        read = {
            tap: tuple(of_layer[each] for each in nearest_read(flow, layer, of_layer))
            for tap, layer in zip(run.layers["tap"], run.layers["layer"], strict=True)
        }
        return cls(read, bool(flow.readers))


def facts(a: Run, b: Run, pairs: Sequence[Pair], reading: Reading) -> Facts:
    """What is not the same in the table `layers`."""
    rows_a, rows_b = (_rows(run.layers) for run in (a, b))
    found = {pair.b: tuple(_facts(rows_a[pair.a], rows_b[pair.b])) for pair in pairs}
    # A layer that hands on what it reads, such as pooling, has the zeros of that.
    handing = {tap for tap, row in rows_b.items() if not row.get("parameters") and family(row["type"]) != "activation"}
    return {tap: tuple(_own(each, tap in handing, reading.taps[tap], found) for each in told)
            for tap, told in found.items()}  # fmt: skip


def _own(fact: FactChange, hands_on: bool, read: Sequence[str], found: Facts) -> FactChange:
    if not hands_on or fact.name not in ("zeros", "zeros_reason"):
        return fact
    return replace(fact, handed_on=tuple(tap for tap in read if fact in found.get(tap, ())))


def _facts(one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[FactChange]:
    for name in FACTS:
        a, b = (_text(row.get(name)) for row in (one, other))
        if a != b:
            yield FactChange(name, a, b, ())


def _text(value: Any) -> str | None:
    """A value of a table as text; None where it is not known."""
    if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return None
    return f"{value:g}" if isinstance(value, float) else str(value)


def _rows(layers: pd.DataFrame) -> dict[str, dict[str, Any]]:
    return {str(row["tap"]): {str(name): value for name, value in row.items()} for row in layers.to_dict("records")}


def another_activation(
    told: Sequence[FactChange], one: Mapping[str, Any], other: Mapping[str, Any], *, foreign: bool = False
) -> bool:
    """Whether facts that are a tap's own say that its activation is another; `one` and `other` are its rows.

    Of `foreign` frameworks neither the words for a reason nor what only one of them can tell count.
    """
    own = {fact.name for fact in told if not fact.handed_on}
    activations = all(family(str(row["type"])) == "activation" for row in (one, other))
    # A bias makes another reason, too, why a sum is not zero by design.
    by_design = "by design" in (one.get("zeros"), other.get("zeros"))
    zeros = "zeros" in own and not (foreign and "unknown" in (one.get("zeros"), other.get("zeros")))
    # Whole numbers in place of real ones make zeros at every layer, whatever its activation.
    zeros = zeros and ROUNDED not in (one.get("zeros_reason"), other.get("zeros_reason"))
    reason = "zeros_reason" in own and not foreign and (activations or by_design)
    return zeros or reason or (activations and "type" in own)


def foreign(a: Run, b: Run) -> bool:
    """Whether two runs are of models of different frameworks, whatever the versions."""
    one, other = (str(run.facts.model.get("framework") or "").partition(" ")[0] for run in (a, b))
    return one != other


def channels(a: Run, b: Run, pairs: Sequence[Pair], reading: Reading) -> Channels:
    """Channels that are in another state than they were."""
    of_a, of_b = (dict(list(run.channels.groupby("tap", sort=False))) for run in (a, b))
    found = {pair.b: tuple(_channels(of_a.get(pair.a), of_b.get(pair.b))) for pair in pairs}
    without = set(b.layers.loc[b.layers["parameters"] == 0, "tap"]) if "parameters" in b.layers else set()
    return {
        tap: tuple(_handed(each, reading.taps[tap], found) if tap in without else each for each in told)
        for tap, told in found.items()
    }


def _handed(change: ChannelChange, read: Sequence[str], found: Channels) -> ChannelChange:
    """With the taps among those that are read in which all its new channels are new, too."""
    from_there = tuple(
        tap
        for tap in read
        for each in found.get(tap, ())
        if each.state == change.state and change.new and set(change.new) <= set(each.new)
    )
    return replace(change, handed_on=from_there)


def _channels(one: pd.DataFrame | None, other: pd.DataFrame | None) -> Iterator[ChannelChange]:
    if one is None or other is None:
        return
    for state in STATES:
        if state not in one or state not in other:
            continue
        was, now = (set(side.loc[_is(side, state), "channel"].astype(int)) for side in (one, other))
        if was == now and len(one) == len(other):
            continue
        if len(was) == len(now) == 0:
            continue
        new, gone = (sorted(now - was), sorted(was - now)) if len(one) == len(other) else ([], [])
        yield ChannelChange(state, len(was), len(now), tuple(new), tuple(gone), ())


def _is(table: pd.DataFrame, state: str) -> pd.Series:
    there = table[state].astype(float).fillna(0) > 0
    # What is silent is constant as well: once is enough.
    return there & ~(table["silent"].astype(bool)) if state == "constant" and "silent" in table else there
