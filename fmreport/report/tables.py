"""The layer table, the layers without a tap, and what every column means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from fmreport.blocks import parts
from fmreport.inventory import summed
from fmreport.report import page
from fmreport.report.taps import anchors, href, records
from fmreport.report.wording import (
    DASH,
    SEES_NOTE,
    ZEROS_NOTE,
    are,
    by_design,
    count,
    is_known,
    number,
    percent,
    plural,
    rounded,
    seen_sentence,
    sees,
    sizes,
    text,
    undefined,
)
from fmreport.store import Run

_COLUMNS = (
    ("#", "order", True),
    ("tap", "tap", False),
    ("type", "type", False),
    ("shape", "shape", True),
    ("params", "parameters", True),
    ("MACs", "macs", True),
    ("sees", "rf_height", True),
    ("zeros", "zero_fraction", True),
    ("by design", "zeros", False),
    ("silent", "silent", True),
    ("Gini", "gini", True),
    ("mean", "mean", True),
    ("max", "maximum", True),
)
"""Label, column of the tables, and whether it is a number."""
_BARS = ("zero_fraction", "gini")
UNFOLDED = 40
"""Taps of a table that is shown with all its rows; of a longer one the parts are shown first."""
NOT_SELECTED = "not selected by the config"
_TABLES = ("layers", "summary", "samples", "channels", "histograms", "inventory", "blocks")
"""Those beside the tables of analyses."""


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
    whole = summed(run.inventory)
    total = (_whole(whole["parameters"]), _whole(whole["macs"]))
    return page.Table(tuple(columns), tuple(_parts(run, made)), made, total, tuple(_notes(made)))


def _parts(run: Run, rows: Sequence[page.Row]) -> Iterator[page.Part]:
    """Every part of the model, with the rows of its taps."""
    of_layer = dict(zip(run.inventory["path"].fillna(""), parts(run.inventory), strict=True))
    of_row = [of_layer[layer] for layer in run.layers["layer"]]
    for position, block in enumerate(records(run.blocks), 1):
        own = tuple(row for row, part in zip(rows, of_row, strict=True) if part == block["block"])
        yield page.Part(
            name=block["block"],
            label=f"part-{position}",
            layers=plural(int(block["layers"]), "layer"),
            cells=(
                page.Cell(sizes(text(block["shape"])), ""),
                _whole(block["parameters"]),
                _whole(block["macs"]),
                page.Cell(sees(block), "") if text(block["rf_status"]) else page.Cell("", ""),
            ),
            rows=own,
            folded=len(rows) > UNFOLDED,
        )


def _whole(value: Any) -> page.Cell:
    """A number that may be large, to three digits; exact where the reader asks."""
    if not is_known(value):
        return page.Cell("?", "", reason="not known: a part of it runs in a loop, a branch or a program of its own")
    return page.Cell(rounded(float(value)), str(int(value)), reason=count(float(value)))


def _seen(row: Mapping[str, Any]) -> page.Cell:
    """A receptive field; sorted by its height."""
    height = str(int(row["rf_height"])) if is_known(row["rf_height"]) else ""
    return page.Cell(sees(row), height, reason=seen_sentence(row))


def _row(row: Mapping[str, Any], position: int, anchor: str) -> page.Row:
    design = by_design(row["zeros"])
    cells = (
        page.Cell(f"{row['type']} {row['index']}", f"{row['type']} {int(row['index']):06d}", numeric=False),
        page.Cell(sizes(str(row["shape"])), str(row["elements"])),
        _whole(row["parameters"]),
        _whole(row["macs"]),
        _seen(row),
        _value("zero_fraction", row),
        page.Cell(design, design, numeric=False, reason=row["zeros_reason"]),
        page.Cell(count(row["silent"]), str(row["silent"])),
        *(_value(name, row) for name in ("gini", "mean", "maximum")),
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
    shown = percent(value) if name == "zero_fraction" else number(value)
    if name == "gini":
        shown = f"{value:.3f}"
    bar = f"{100 * min(max(value, 0), 1):.1f}%" if name in _BARS else ""
    return page.Cell(shown, repr(value), bar=bar)


def _notes(rows: tuple[page.Row, ...]) -> Iterator[str]:
    yield SEES_NOTE
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
    layers = [row for row in records(run.inventory) if text(row["path"])]
    for row in layers:
        if row["path"] not in tapped:
            reason = f"cannot be tapped ({row['reason']})" if text(row["reason"]) else NOT_SELECTED
            rows.append(page.MissingLayer(row["path"], row["type"], count(row["parameters"]), reason))
    total = len(layers)
    left = sum(row.reason == NOT_SELECTED for row in rows)
    parts = [f"{are(total - len(rows))} tapped in this run"]
    parts += [f"{are(left)} {NOT_SELECTED}"] if left else []
    parts += [f"{len(rows) - left:,} cannot be tapped"] if len(rows) > left else []
    return f"The model has {plural(total, 'layer')}: {', '.join(parts)}.", tuple(rows)


def definitions(run: Run) -> tuple[page.Definition, ...]:
    """Every described column, with the tables that have it."""
    tables = {name: getattr(run, name) for name in _TABLES} | run.analyses
    holders = {name: set(table.columns) for name, table in tables.items()}
    return tuple(
        page.Definition(
            column.name,
            {"1": "fraction or index", "": "text"}.get(column.unit, column.unit),
            _plain(column.meaning),
            column.source,
            f"{_plain(column.meaning)} ({column.source})" if column.source else _plain(column.meaning),
            ", ".join(name for name, held in holders.items() if column.name in held),
        )
        for column in run.columns.values()
    )


def _plain(meaning: str) -> str:
    """Without the marks of code, which mean nothing outside Markdown."""
    return meaning.replace("`", "")
