"""The layer table, the layers without a tap, and what every column means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from fmreport.report import page
from fmreport.report.taps import anchors, href, records
from fmreport.report.wording import DASH, ZEROS_NOTE, are, by_design, count, number, percent, plural, sizes, undefined
from fmreport.store import Run

_COLUMNS = (
    ("#", "order", True),
    ("tap", "tap", False),
    ("type", "type", False),
    ("shape", "shape", True),
    ("zeros", "zero_fraction", True),
    ("by design", "zeros", False),
    ("silent", "silent", True),
    ("Gini", "gini", True),
    ("Hoyer", "hoyer_limit", True),
    ("mean", "mean", True),
    ("std", "std", True),
    ("min", "minimum", True),
    ("max", "maximum", True),
)
"""Label, column of the tables, and whether it is a number."""
_BARS = ("zero_fraction", "gini", "hoyer_limit")
NOT_SELECTED = "not selected by the config"
_TABLES = ("layers", "summary", "samples", "channels", "histograms", "inventory")


def layer_table(run: Run) -> page.Table:
    """One row per tap, in run order."""
    columns = []
    for label, name, numeric in _COLUMNS:
        meaning = _plain(run.columns[name].meaning) if name in run.columns else ""
        if name == "order":
            meaning = "position in this report, in the order in which the model runs"
        columns.append(page.TableColumn(label, meaning, numeric))
    summary = {row["tap"]: row for row in records(run.summary)}
    rows = [{**summary[layer["tap"]], **layer} for layer in records(run.layers)]
    addresses = anchors([row["tap"] for row in rows])
    made = tuple(_row(row, position, addresses[row["tap"]]) for position, row in enumerate(rows, 1))
    return page.Table(tuple(columns), made, tuple(_notes(made)))


def _row(row: Mapping[str, Any], position: int, anchor: str) -> page.Row:
    design = by_design(row["zeros"])
    cells = (
        page.Cell(f"{row['type']} {row['index']}", f"{row['type']} {int(row['index']):06d}", numeric=False),
        page.Cell(sizes(str(row["shape"])), str(row["elements"])),
        _value("zero_fraction", row),
        page.Cell(design, design, numeric=False, reason=row["zeros_reason"]),
        page.Cell(count(row["silent"]), str(row["silent"])),
        *(_value(name, row) for name in ("gini", "hoyer_limit", "mean", "std", "minimum", "maximum")),
    )
    return page.Row(
        name=row["tap"],
        href=href(anchor),
        label=f"tap-{position}",
        before=(page.Cell(str(position), str(position)),),
        cells=cells,
    )


def _value(name: str, row: Mapping[str, Any]) -> page.Cell:
    value = float(row[name])
    if np.isnan(value):
        return page.Cell(DASH, "", reason=undefined(name, row))
    text = percent(value) if name == "zero_fraction" else number(value)
    if name in ("gini", "hoyer_limit"):
        text = f"{value:.3f}"
    bar = f"{100 * min(max(value, 0), 1):.1f}%" if name in _BARS else ""
    return page.Cell(text, repr(value), bar=bar)


def _notes(rows: tuple[page.Row, ...]) -> Iterator[str]:
    yield ZEROS_NOTE
    reasons: dict[str, int] = {}
    for row in rows:
        for cell in row.cells:
            if cell.text == DASH:
                reasons[cell.reason] = reasons.get(cell.reason, 0) + 1
    if reasons:
        yield f"{DASH} stands for what is undefined: {', '.join(f'{why} ({n})' for why, n in reasons.items())}."


def missing(run: Run) -> tuple[str, tuple[page.MissingLayer, ...]]:
    """A sentence on the inventory, and every layer without a tap in this run with its reason."""
    tapped = set(run.layers["layer"])
    rows = []
    for row in records(run.inventory):
        if row["path"] not in tapped:
            reason = f"cannot be tapped ({row['reason']})" if row["reason"] else NOT_SELECTED
            rows.append(page.MissingLayer(row["path"], row["type"], count(row["parameters"]), reason))
    total = len(run.inventory)
    left = sum(row.reason == NOT_SELECTED for row in rows)
    parts = [f"{are(total - len(rows))} tapped in this run"]
    parts += [f"{are(left)} {NOT_SELECTED}"] if left else []
    parts += [f"{len(rows) - left:,} cannot be tapped"] if len(rows) > left else []
    return f"The model has {plural(total, 'layer')}: {', '.join(parts)}.", tuple(rows)


def definitions(run: Run) -> tuple[page.Definition, ...]:
    """Every described column, with the tables that have it."""
    holders = {name: set(getattr(run, name).columns) for name in _TABLES}
    return tuple(
        page.Definition(
            column.name,
            {"1": "fraction or index", "": "text"}.get(column.unit, column.unit),
            _plain(column.meaning),
            column.source,
            f"{_plain(column.meaning)} ({column.source})" if column.source else _plain(column.meaning),
            ", ".join(name for name in _TABLES if column.name in holders[name]),
        )
        for column in run.columns.values()
    )


def _plain(meaning: str) -> str:
    """Without the marks of code, which mean nothing outside Markdown."""
    return meaning.replace("`", "")
