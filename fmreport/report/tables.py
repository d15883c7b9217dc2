"""The layer table, the layers without a tap, and what every column means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from fmreport.analysis import ANALYSES
from fmreport.blocks import parts
from fmreport.inventory import summed
from fmreport.records import Column
from fmreport.report import methods, page
from fmreport.report.rows import records
from fmreport.report.taps import anchors
from fmreport.report.wording import (
    DASH,
    ZEROS_NOTE,
    are,
    at_least,
    by_design,
    count,
    is_known,
    legend,
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
_OF_TAP, _OF_PART = slice(3, 5), slice(1, 4)
"""Where the multiply-adds and what is seen stand among the cells of a tap and of a part."""
LOOPS = "a part of it runs in a loop, a branch or a program of its own"
UNFOLDED = 40
"""Taps of a table that is shown with all its rows; of a longer one the parts are shown first."""
NOT_SELECTED = "not selected by the config"
PARTS_NOTE = (
    "A part is layers that belong together by name or, where names do not tell, by the size of their maps. Its "
    "parameters and MACs are of all its layers, also of those that are not tapped in this run; its shape and what it "
    "sees are those of what it hands on."
)
_TABLES = ("layers", "summary", "samples", "channels", "histograms", "inventory", "blocks")
"""Those beside the tables of analyses and of controls."""


def layer_table(run: Run) -> page.Table:
    """One row per tap, in run order."""
    columns = []
    for label, name, numeric in _COLUMNS:
        column = run.columns["layers"].get(name) or run.columns["summary"][name]
        meaning = _plain(column.meaning)
        if name == "order":
            meaning = "position in this report, in the order in which the model runs"
        columns.append(page.TableColumn(label, meaning, numeric))
    summary = {row["tap"]: row for row in records(run.summary)}
    rows = [{**summary[layer["tap"]], **layer} for layer in records(run.layers)]
    addresses = anchors([row["tap"] for row in rows])
    made = tuple(_row(row, position, addresses[row["tap"]]) for position, row in enumerate(rows, 1))
    shown = tuple(_parts(run, made))
    total = (_whole(summed(run.inventory)["parameters"]), _total(run.inventory))
    of_parts = [cell.text for part in shown for cell in part.cells[_OF_PART]]
    of_taps = [cell.text for row in made for cell in row.cells[_OF_TAP]]
    return page.Table(
        columns=tuple(columns),
        parts=shown,
        rows=made,
        total=total,
        parts_notes=(PARTS_NOTE, legend([*of_parts, total[1].text])),
        notes=(legend([*of_parts, *of_taps, total[1].text]), ZEROS_NOTE, *_undefined(made)),
        types=tuple(dict.fromkeys(row.type for row in made)),
    )


def as_text(run: Run) -> pd.DataFrame:
    """What the layer table shows of every tap, with the values as they are and not as they are shown."""
    names = [name for _, name, _ in _COLUMNS if name != "order"]
    of_summary = [name for name in names if name in run.summary and name != "tap"]
    joined = run.layers.merge(run.summary[["tap", *of_summary]], on="tap")
    return joined[["tap", "layer", *(name for name in names if name != "tap")]]


def multiply_adds(inventory: pd.DataFrame) -> str:
    """Of the whole model for one image: `4.09 G`; `≥ 6.30 M` where a part of it is not known."""
    return at_least(int(inventory["own_macs"].sum()), whole=summed(inventory)["macs"] is not None)


def _total(inventory: pd.DataFrame) -> page.Cell:
    """The multiply-adds of the whole model."""
    shown, known = multiply_adds(inventory), int(inventory["own_macs"].sum())
    if summed(inventory)["macs"] is not None or not known:
        return _whole(summed(inventory)["macs"])
    return page.Cell(shown, str(known), reason=f"at least {known:,}: {LOOPS}")


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
            taps=f"{plural(len(own), 'tap')} in this run" if own else "no tap in this run",
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
        return page.Cell("?", "", reason=f"not known: {LOOPS}")
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
        href=page.href(anchor),
        type=str(row["type"]),
        label=f"tap-{position}",
        before=(page.Cell(str(position), str(position)),),
        cells=cells,
        silent=bool(row["silent"]),
        design=design == "yes",
    )


def _value(name: str, row: Mapping[str, Any]) -> page.Cell:
    value = float(row[name])
    if np.isnan(value):
        return page.Cell(DASH, "", reason=undefined(name, row))
    shown = percent(value) if name == "zero_fraction" else number(value)
    if name == "gini":
        shown = f"{value:.3f}"
    bar = f"{100 * min(max(value, 0), 1):.0f}" if name in _BARS else ""
    return page.Cell(shown, repr(value), bar=bar)


def _undefined(rows: tuple[page.Row, ...]) -> Iterator[str]:
    """What the dashes are, where there are any."""
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
    """Every column of every table, one row for tables in which it means the same."""
    tables = [*_TABLES, *ANALYSES, "controls", *(["attribution"] if run.facts.target else [])]
    holders: dict[Column, list[str]] = {}
    for table in tables:
        known = run.columns[table]
        for name in run.names(table):
            if name in known:
                holders.setdefault(known[name], []).append(table)
    return tuple(_definition(column, held) for column, held in holders.items())


def _definition(column: Column, holders: Sequence[str]) -> page.Definition:
    meaning = _plain(column.meaning)
    return page.Definition(
        name=column.name,
        unit={"1": "fraction or index", "": "text"}.get(column.unit, column.unit),
        meaning=meaning,
        source=column.source,
        text=f"{meaning} ({column.source})" if column.source else meaning,
        tables=", ".join(holders),
        method=methods.load().titles[column.method],
        href=methods.href(column.method),
    )


def _plain(meaning: str) -> str:
    """Without the marks of code, which mean nothing outside Markdown."""
    return meaning.replace("`", "")
