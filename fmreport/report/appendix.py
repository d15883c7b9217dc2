"""The numbers of every tap in print: as many tables as it takes, each no wider than a page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from fmreport.records import IMAGE
from fmreport.report.rows import records
from fmreport.report.wording import (
    DASH,
    by_design,
    count,
    is_known,
    legend,
    number,
    percent,
    rounded,
    sees,
    sides,
    sizes,
    text,
)
from fmreport.store import Run

Form = Callable[[Any], str]


@dataclass(frozen=True, slots=True)
class Row:
    """One tap, or the image itself."""

    position: str
    """Its number in the run, from 1; 0 for the image."""
    name: str
    label: str
    """Of its half page; empty where it has none."""
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Some of the columns, of all taps."""

    title: str
    heads: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    """Which columns of which files these are, what its marks mean, and what is left out."""


@dataclass(frozen=True, slots=True)
class _Column:
    head: str
    """What stands above it."""
    table: str
    """The table that it is of."""
    name: str
    """What it is called there; of `progression`, which has a row per tap and quantity, both."""
    form: Form
    numeric: bool = True
    called: str = ""
    """What a note says of its name there; empty: the name."""


def _number(value: Any) -> str:
    return number(float(value)) if is_known(value) else DASH


def _short(value: Any) -> str:
    return number(float(value), 2) if is_known(value) else DASH


def _percent(value: Any) -> str:
    return percent(float(value)) if is_known(value) else DASH


def _count(value: Any) -> str:
    return count(float(value)) if is_known(value) else DASH


def _rounded(value: Any) -> str:
    return rounded(float(value)) if is_known(value) else "?"


def _third(value: Any) -> str:
    return f"{float(value):.3f}".replace("-", "−") if is_known(value) else DASH


def _sizes(value: Any) -> str:
    return sizes(str(value))


_OF_LAYERS = (
    _Column("type", "layers", "type", text, numeric=False),
    _Column("shape", "layers", "shape", _sizes),
    _Column("params", "layers", "parameters", _rounded),
    _Column("trained", "layers", "trainable_parameters", _rounded),
    _Column("MACs", "layers", "macs", _rounded),
    _Column("sees", "layers", "sees", text, called="rf_height, rf_width"),
    _Column("stride", "layers", "stride", text, called="rf_stride_y, rf_stride_x"),
    _Column("KiB", "layers", "bytes", lambda value: number(float(value) / 1024)),
    _Column("zeros by design", "layers", "zeros", by_design, numeric=False),
)
_OF_VALUES = (
    *(_Column(name, "summary", name, _number) for name in ("mean", "std")),
    _Column("min", "summary", "minimum", _number),
    *(_Column(name, "summary", name, _number) for name in ("q01", "q25", "q50", "q75", "q99")),
    _Column("max", "summary", "maximum", _number),
    *(_Column(head, "summary", name, _count) for head, name in (("NaN", "nan"), ("Inf", "inf"))),
    _Column("Otsu", "summary", "otsu", _third),
    _Column("of noise", "summary", "otsu_noise", _third),
    _Column("bimodality", "summary", "bimodality", _third),
)
_OF_SPARSITY = (
    _Column("zeros", "summary", "zero_fraction", _percent),
    _Column("mean of channels", "summary", "zero_fraction_macro", _percent),
    _Column("near zero", "summary", "near_zero_fraction", _percent),
    _Column("Gini", "summary", "gini", _third),
    _Column("Hoyer", "summary", "hoyer_limit", _third),
    _Column("popul.", "summary", "population_sparseness", _third),
    _Column("lifetime", "summary", "lifetime_sparseness", _third),
    _Column("channels", "layers", "channels", _count),
    _Column("silent", "summary", "silent", _count),
    _Column("near-silent", "summary", "near_silent", _count),
    _Column("always on", "summary", "always_on", _count),
    _Column("constant", "summary", "constant", _count),
    _Column("repeated", "redundancy", "duplicate", _count, called="its rows"),
)
_OF_READING = (
    *(
        _Column(shown, "progression", f"{quantity} {name}", form, called=called)
        for quantity, head in (("edge", "edges"), ("mask", "masks"), ("prediction", "itself"))
        for shown, name, form, called in (
            (head, "value", _third, f"value where the quantity is {quantity}"),
            ("95%", "interval", text, "lower to upper"),
        )
    ),
    _Column("null", "progression", "mask null", _third, called="null"),
    _Column("p", "progression", "mask p", _short, called="p"),
    _Column("region", "summary", "region_variance_ratio", _third),
    _Column("null", "summary", "region_variance_ratio_null", _third),
)
_OF_CHANNELS = (
    _Column("chosen", "selectivity", "chosen", _count),
    _Column("again", "selectivity", "chosen_again", _count),
    _Column("prevalence", "selectivity", "prevalence", _third),
    *(
        _Column(head, "selectivity", f"{score}{kind}", _third if kind != "_p" else _short)
        for score, shown in (("iou", "IoU"), ("auroc", "AUROC"), ("ap", "AP"))
        for kind, head in (("", shown), ("_null", "null"), ("_p", "p"))
    ),
    _Column("p of best", "selectivity", "iou_p_best", _short),
)
_OF_DETAIL = (
    _Column("Nyquist", "detail", "nyquist", _number),
    _Column("centroid", "detail", "centroid", _number),
    _Column("fineness", "detail", "centroid_share", _third),
    _Column("common", "detail", "centroid_common", _number),
    _Column("high", "detail", "high_frequency", _third),
    _Column("common", "detail", "high_frequency_common", _third),
    _Column("slope", "detail", "slope", _short),
    _Column("variation", "detail", "total_variation", _third),
    _Column("gradient", "detail", "gradient", _number),
    _Column("dimensions", "dimension", "participation_ratio", _number),
    _Column("eff. rank", "dimension", "effective_rank", _number),
    _Column("of images", "dimension", "pooled_participation_ratio", _number),
)
_TABLES = {
    "Shape, work and what is seen": _OF_LAYERS,
    "Values": _OF_VALUES,
    "Sparsity and channels": _OF_SPARSITY,
    "Edges, masks and regions": _OF_READING,
    "The channel that tells the foreground best": _OF_CHANNELS,
    "Fine detail and dimension": _OF_DETAIL,
}


def tables(run: Run, labels: Mapping[str, str]) -> tuple[Table, ...]:
    """All of them; `labels` are of the half pages, by tap. What is empty at every tap is left out, and named."""
    values = _values(run)
    positions = {tap: str(position) for position, tap in enumerate(run.layers["tap"], 1)}
    made = (_table(title, columns, values, {IMAGE: "0"} | positions, labels) for title, columns in _TABLES.items())
    return tuple(table for table in made if table.heads)


def _values(run: Run) -> dict[str, dict[str, dict[str, Any]]]:
    """Table, tap, column: the value."""
    found = {
        name: {row["tap"]: row for row in records(table)}
        for name, table in {
            "layers": run.layers,
            "summary": run.summary,
            **{name: run.analyses[name] for name in ("selectivity", "detail", "dimension")},
        }.items()
    }
    for row in found["layers"].values():
        row["sees"], row["stride"] = sees(row), _stride(row)
    found["progression"] = _progression(run.analyses["progression"])
    repeated = run.analyses["redundancy"].groupby("tap").size()
    found["redundancy"] = {tap: {"duplicate": int(repeated.get(tap, 0))} for tap in run.layers["tap"]}
    return found


def _stride(row: Mapping[str, Any]) -> str:
    known = row["rf_status"] not in ("none", "unknown") and is_known(row["rf_stride_y"])
    return sides(row["rf_stride_y"], row["rf_stride_x"]) if known else DASH


def _progression(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for row in records(table):
        named = {name: row[name] for name in ("value", "null", "p")} | {"interval": _interval(row)}
        found.setdefault(row["tap"], {}).update({f"{row['quantity']} {name}": value for name, value in named.items()})
    return found


def _interval(row: Mapping[str, Any]) -> str:
    return "" if np.isnan(row["lower"]) else f"{_third(row['lower'])} to {_third(row['upper'])}"


def _table(
    title: str,
    columns: Sequence[_Column],
    values: Mapping[str, Mapping[str, Mapping[str, Any]]],
    positions: Mapping[str, str],
    labels: Mapping[str, str],
) -> Table:
    # Layer 0 has a row where its colours were measured as a tap's channels are.
    taps = [tap for tap in positions if tap != IMAGE or any(IMAGE in values[column.table] for column in columns)]
    made = {
        column: [column.form(values[column.table].get(tap, {}).get(column.name)) for tap in taps] for column in columns
    }
    kept = [column for column in columns if any(cell not in ("", DASH, "?") for cell in made[column])]
    empty = [column for column in columns if column not in kept]
    cells = zip(*(made[column] for column in kept), strict=True) if kept else []
    rows = tuple(
        Row(positions[tap], tap, labels.get(tap, ""), of_tap) for tap, of_tap in zip(taps, cells, strict=bool(kept))
    )
    notes = [_named(kept)]
    if columns is _OF_LAYERS:
        notes.append(legend(cell for row in rows for cell in row.cells))
    if empty:
        notes.append(f"Left out, as undefined at every tap: {_called(empty)}.")
    return Table(
        title, tuple(column.head for column in kept), tuple(column.numeric for column in kept), rows, tuple(notes)
    )


def _named(columns: Sequence[_Column]) -> str:
    """Which columns of which files stand there."""
    of_file: dict[str, list[_Column]] = {}
    for column in columns:
        of_file.setdefault(column.table, []).append(column)
    return " ".join(f"Of {table}.csv: {_called(held)}." for table, held in of_file.items())


def _called(columns: Sequence[_Column]) -> str:
    names = ((column.head, column.called or column.name) for column in columns)
    return ", ".join(dict.fromkeys(head if head == name else f"{head} ({name})" for head, name in names))
