"""The section of each tap."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from fmreport.figures import mosaics
from fmreport.figures.histograms import outline
from fmreport.records import Column
from fmreport.report import attribution, detectors, maps, measured, page, receptive_fields
from fmreport.report.rows import records
from fmreport.report.wording import (
    count,
    is_known,
    number,
    percent,
    plural,
    rounded,
    seen_by_map,
    seen_sentence,
    sizes,
    undefined,
    zeros_sentence,
)
from fmreport.store import Run

Row = Mapping[str, Any]

_UNSAFE = re.compile(r"[\s~%\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]+")
_OF_THE_PAGE = re.compile(
    r"(s|tap|part|photo|theme|colours|scale|viewer|layers|figure|copy|copied|dark|light|cividis|grey)-.*|method.*:.*|"
    r"viewer|report|unsorted|every-tap"
)
"""Ids of the page's own elements."""
LISTED = 24
"""Channels that are named by number, at most."""
SATURATED = "share of values that are held as the smallest and as the largest number of the format"
_INDICES = ("gini", "hoyer_limit", "population_sparseness", "lifetime_sparseness")
_COUNTS = ("silent", "near_silent", "always_on", "constant")
_LABELS = {
    "near_zero_fraction": "near zero",
    "gini": "Gini index",
    "hoyer_limit": "Hoyer limit",
    "population_sparseness": "population sparseness",
    "lifetime_sparseness": "lifetime sparseness",
    "silent": "silent channels",
    "near_silent": "near-silent",
    "always_on": "always on",
    "constant": "constant",
    "mean": "mean",
    "std": "std",
}


def anchors(taps: list[str]) -> dict[str, str]:
    """The address of each tap's section: its name, each one once, and none that the page has for something else.

    Replaced are white space, what no address can hold as it is, and `~`, which tells the parts of a section.
    """
    found: dict[str, str] = {}
    for tap in taps:
        base = anchor = _UNSAFE.sub("_", tap) or "tap"
        if _OF_THE_PAGE.fullmatch(base):
            base = anchor = f"{base}~tap"
        again = 2
        while anchor in found.values():
            anchor, again = f"{base}~{again}", again + 1
        found[tap] = anchor
    return found


def sections(
    run: Run, settings: maps.Settings, advance: Callable[[int, int], None] = lambda done, total: None
) -> Iterator[page.TapSection]:
    """One section per tap in run order; `advance(done, total)` after each."""
    summary = {row["tap"]: row for row in records(run.summary)}
    channels = dict(list(run.channels.groupby("tap", sort=False)))
    histograms = dict(list(run.histograms.groupby("tap", sort=False)))
    rows = records(run.layers)
    addresses = anchors([row["tap"] for row in rows])
    found, numbers, best = detectors.by_tap(run), measured.by_tap(run), measured.best_channels(run)
    hrefs = ["", *(page.href(addresses[row["tap"]]) for row in rows), ""]
    for position, layer in enumerate(rows, 1):
        tap = layer["tap"]
        yield _section(
            run,
            settings,
            {**summary[tap], **layer, "position": position, "anchor": addresses[tap], "detectors": found.get(tap)}
            | {"measured": numbers.get(tap, ()), "best": best.get(tap)}
            | {"before": hrefs[position - 1], "after": hrefs[position + 1]},
            channels.get(tap, run.channels.iloc[:0]),
            histograms.get(tap, run.histograms.iloc[:0]),
        )
        advance(position, len(rows))


def _section(
    run: Run, settings: maps.Settings, row: Row, channels: pd.DataFrame, histogram: pd.DataFrame
) -> page.TapSection:
    tiles = run.tiles(row["tap"])
    mosaic = None
    if tiles is not None:
        words = maps.TapWords(
            row["tap"],
            row["anchor"],
            int(row["channels"]),
            percent(row["zero_fraction"]),
            seen_by_map(row),
            *(frozenset(channels.loc[channels[state].astype(bool), "channel"]) for state in ("silent", "constant")),
        )
        mosaic = maps.maps(tiles, words, settings, signed=mosaics.is_signed(tiles, row["minimum"]))
    left_out = settings.limit is not None and not settings.limit.attribution
    attributed = None if left_out else attribution.section(run, row["tap"], settings)
    return page.TapSection(
        position=row["position"],
        name=row["tap"],
        anchor=row["anchor"],
        href=page.href(row["anchor"]),
        label=f"tap-{row['position']}",
        shape=sizes(str(row["shape"])),
        type=f"{row['type']} {row['index']}",
        sees=seen_sentence(row),
        zeros=zeros_sentence(row["zero_fraction"], row["zeros"], row["zeros_reason"]),
        warnings=tuple(_warnings(row)),
        stats=tuple(_stats(row, {**run.columns["layers"], **run.columns["summary"]})),
        histogram=_histogram(row, histogram),
        field=receptive_fields.seen(run, settings, row),
        channels=tuple(_standing_out(row, channels)),
        maps=mosaic,
        no_maps="" if mosaic else f"No maps: {sizes(str(row['shape']))} is no grid of pixels.",
        attribution=attributed,
        no_attribution=attribution.missing(run, row["tap"]) if mosaic and not attributed and not left_out else "",
        before=row["before"],
        after=row["after"],
    )


def _standing_out(row: Row, channels: pd.DataFrame) -> Iterator[page.Fact]:
    """The best channel and those that are silent or constant, by number."""
    if row["best"] is not None:
        yield page.Fact("tells the foreground best", row["best"])
    for state, told in (("silent", "silent"), ("constant", "constant, not silent")):
        held = channels[channels[state].astype(bool)]
        numbers = held.loc[~held["silent"].astype(bool) | (state == "silent"), "channel"]
        if len(numbers):
            yield page.Fact(told, _numbers(sorted(numbers)))


def _numbers(values: Sequence[int]) -> str:
    """Channel numbers as a line, of which there may be too many."""
    shown = ", ".join(str(value) for value in values[:LISTED])
    return shown if len(values) <= LISTED else f"{shown} and {len(values) - LISTED:,} more (tables/channels.parquet)"


def _warnings(row: Row) -> Iterator[str]:
    bad = [f"{int(row[name]):,} {label}" for name, label in (("nan", "NaN"), ("inf", "infinite")) if row[name]]
    if bad:
        yield f"{' and '.join(bad)} values, left out of every number"
    if row["silent"]:
        yield f"{int(row['silent']):,} of {plural(int(row['channels']), 'channel')} silent on this probe set"


def _stats(row: Row, columns: Mapping[str, Column]) -> Iterator[page.Stat]:
    yield from row["measured"]

    def stat(name: str, value: str, reason: str = "") -> page.Stat:
        return page.Stat(_LABELS[name], value, columns[name].meaning, reason)

    # In fours, as they stand side by side where there is room: indices, values, channels.
    for name in (*_INDICES, "mean", "std"):
        yield stat(name, number(row[name]), undefined(name, row) if np.isnan(row[name]) else "")
    ends = f"{number(row['minimum'])} to {number(row['maximum'])}"
    yield page.Stat("range", ends, "smallest and largest value")
    quartiles = " · ".join(number(row[name], 2) for name in ("q25", "q50", "q75"))
    yield page.Stat("quartiles", quartiles, "a quarter, half and three quarters of the values are smaller")
    for name in _COUNTS:
        yield stat(name, f"{count(row[name])} of {count(row['channels'])}")
    yield stat("near_zero_fraction", percent(row["near_zero_fraction"]))
    if is_known(row.get("saturated_low")):
        shares = " · ".join(percent(row[name]) for name in ("saturated_low", "saturated_high"))
        yield page.Stat("at both ends", shares, SATURATED)
    yield page.Stat("parameters", count(row["parameters"]), columns["parameters"].meaning)
    macs = rounded(float(row["macs"])) if is_known(row["macs"]) else "?"
    yield page.Stat("multiply-adds", macs, columns["macs"].meaning)
    if row["detectors"] is not None:
        yield page.Stat("detectors", f"{count(row['detectors'])} of {count(row['channels'])}", detectors.MEANING)


def _histogram(row: Row, bins: pd.DataFrame) -> page.Histogram | None:
    shape = outline(*(bins[name].to_numpy() for name in ("low", "high", "count")))
    if shape is None:
        return None
    low, high = number(shape.low), number(shape.high)
    beyond = f"; {percent(shape.outside)} lie beyond" if shape.outside > 0 else ""
    return page.Histogram(
        path=shape.path,
        zero_at="" if shape.zero_at is None else f"{shape.zero_at:.1f}",
        low=low,
        high=high,
        caption=f"Values other than exact zeros, bars of equal width{beyond}",
        alt=f"Histogram of {row['tap']} from {low} to {high}: mean {number(row['mean'])}, "
        f"median {number(row['q50'])}, quartiles {number(row['q25'])} and {number(row['q75'])}",
    )
