"""All taps of two runs as one table, and the same rows as the axis of a plot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fmreport.compare.align import SAME
from fmreport.compare.comparing import Images
from fmreport.compare.comparison import CHANGED, EQUAL, Comparison, Lone, Onset, TapChange
from fmreport.compare.wide import Wide
from fmreport.figures import drift_by_depth
from fmreport.figures.both_by_depth import Course, Rows
from fmreport.records import Column
from fmreport.report import page
from fmreport.report.comparison import words
from fmreport.report.comparison.page import Row, Table
from fmreport.report.wording import DASH
from fmreport.store import Run

HEADS = ("zero_fraction", "gini", "centroid_share", "edge", "mask")
"""Measures whose changes the table shows."""
PLOTTED = (("zero_fraction", "exact zeros"), ("gini", "Gini index"), ("centroid_share", "fineness"))
"""Measures of single images, and what their panels are called."""
READ = (("edge", "edges, R²"), ("mask", "mask, R²"))
"""Quantities of the table `progression`."""
SAME_BITS = "="
"""Stands for no change at all."""


Meanings = Mapping[str, Column]
"""Columns by name, for what measures mean."""


@dataclass(frozen=True, slots=True)
class Place:
    """One row: a pair, or a tap that only one side has."""

    tap: TapChange | None
    lone: Lone | None
    a: str
    """Name in A; empty where it has no such tap."""
    b: str


def places(a: Run, b: Run, found: Comparison) -> list[Place]:
    """Every tap once, in the order of B; those of A alone behind what stands before them in A."""
    of_b = {tap.pair.b: tap for tap in found.taps}
    to_b = {tap.pair.a: tap.pair.b for tap in found.taps}
    added, removed = ({lone.name: lone for lone in side if lone.tapped} for side in (found.added, found.removed))
    behind: dict[str, list[Place]] = {}
    last = ""
    for name in a.layers["tap"]:
        if name in removed:
            behind.setdefault(last, []).append(Place(None, removed[name], name, ""))
        else:
            last = to_b[name]
    rows = behind.get("", [])
    for name in b.layers["tap"]:
        tap = of_b.get(name)
        rows.append(Place(tap, None if tap else added[name], tap.pair.a if tap else "", name))
        rows += behind.get(name, [])
    return rows


def table(rows: Sequence[Place], meanings: Meanings, shown: Mapping[str, str], runs: tuple[Run, Run]) -> Table:
    """The table; `shown` are the addresses of the taps of B that have a section."""
    held = {change.measure for row in rows if row.tap for change in row.tap.measures}
    heads = [name for name in HEADS if name in held]
    numbers = [{tap: str(i) for i, tap in enumerate(run.layers["tap"], 1)} for run in runs]
    return Table(
        heads=tuple(page.Fact(words.label(name), meaning(name, meanings)) for name in heads),
        drift=any(row.tap is not None and row.tap.drift is not None for row in rows),
        rows=tuple(_row(row, heads, shown, numbers) for row in rows),
        notes=tuple(_notes(rows, heads)),
    )


def meaning(name: str, meanings: Meanings) -> str:
    """What a measure is, in the words of its column."""
    if name in ("edge", "mask"):
        return f"held-out R² with which the {name} map can be read from the tap"
    return meanings[name].meaning.replace("`", "") if name in meanings else ""


def _row(row: Place, heads: Sequence[str], shown: Mapping[str, str], numbers: Sequence[Mapping[str, str]]) -> Row:
    positions = numbers[0].get(row.a, ""), numbers[1].get(row.b, "")
    if row.lone is not None:
        how = "added" if row.b else "removed"
        return Row(*positions, "", row.lone.name, "", "", row.lone.type, how, "", "", ("",) * len(heads), "")
    assert row.tap is not None
    tap, pair = row.tap, row.tap.pair
    types = tap.type_b if tap.type_a == tap.type_b else f"{tap.type_a} → {tap.type_b}"
    told = {change.measure: change for change in tap.measures}
    cells = []
    for name in heads:
        each = told.get(name)
        nothing = SAME_BITS if tap.state == EQUAL else DASH
        cells.append(nothing if each is None else SAME_BITS if each.state == EQUAL else words.change(each))
    return Row(
        *positions,
        name_a=pair.a if pair.a != pair.b else "",
        name=pair.b,
        href=shown.get(pair.b, ""),
        label=f"tap-{tap.position_b}" if pair.b in shown else "",
        type=types,
        how="" if pair.how == SAME else pair.how,
        numbers=tap.state,
        drift=SAME_BITS if tap.drift is not None and tap.drift.relative == 0 else words.relative(tap.drift),
        cells=tuple(cells),
        said=words.said(tap),
    )


def _notes(rows: Sequence[Place], heads: Sequence[str]) -> Iterator[str]:
    yield "In the order of B; what only A has stands behind what comes before it there. Changes are B less A."
    if heads:
        yield (
            f"{SAME_BITS}: equal to the last bit. {DASH}: undefined there. All other measures of a tap that changed, "
            "with intervals, are in its section and in diff.json."
        )
    if any(row.tap and row.tap.drift for row in rows):
        yield (
            "Drift: relative error, the norm of B less A over that of A, estimated from random sums with a standard "
            "error of 9%; ∞ where A is 0."
        )
    if any(row.tap and row.tap.pair.how != SAME for row in rows):
        yield "What pairs taps of different names stands in their sections and in diff.json, under evidence."


def courses(a: Run, b: Run, rows: Sequence[Place]) -> tuple[Rows, list[Course]]:
    """The rows as the axis of a plot, and the measures of both sides along it."""
    images = Images.of(a, b)
    sides = ((a, [row.a for row in rows], images.a), (b, [row.b for row in rows], images.b))
    made = []
    for name, label in PLOTTED:
        one, other = (_means(run, names, probes, name) for run, names, probes in sides)
        made.append(Course(label, one, other, share=True))
    for name, label in READ:
        one, other = (_read(run, names, name) for run, names, _ in sides)
        made.append(Course(label, one, other, share=False))
    axis = Rows(
        taps=tuple(row.b or row.a for row in rows),
        changed=tuple(row.tap is not None and row.tap.state == CHANGED for row in rows),
        lone=tuple(row.lone is not None for row in rows),
    )
    return axis, [course for course in made if np.isfinite([course.a, course.b]).any()]


def drift(rows: Sequence[Place], onset: Onset) -> drift_by_depth.Course | None:
    """The drift along the rows; None where no number has drifted, or nothing is known of it."""
    found = [None if row.tap is None else row.tap.drift for row in rows]
    relative = _floats([None if each is None else np.inf if each.infinite else each.relative for each in found])
    if not (relative > 0).any():
        return None
    return drift_by_depth.Course(
        taps=tuple(row.b or row.a for row in rows),
        relative=relative,
        largest=_floats([None if each is None else each.largest for each in found]),
        tolerance=onset.tolerance,
        start=next((place for place, row in enumerate(rows) if row.b and row.b == onset.start), None),
    )


def _floats(values: Sequence[float | None]) -> NDArray[np.float64]:
    """NaN where there is none."""
    return np.array([np.nan if value is None else value for value in values], np.float64)


def _means(run: Run, taps: Sequence[str], probes: Sequence[str], measure: str) -> NDArray[np.float64]:
    """(N,) the mean over images; NaN where a tap is empty, or the measure undefined in all of them."""
    found = Wide(run.samples_of, taps, probes).of(measure)
    if found is None:
        return np.full(len(taps), np.nan)
    there = np.isfinite(found)
    count = there.sum(axis=1)
    total = np.where(there, found, 0).sum(axis=1)
    means: NDArray[np.float64] = np.divide(total, count, out=np.full(len(taps), np.nan), where=count > 0)
    return means


def _read(run: Run, taps: Sequence[str], quantity: str) -> NDArray[np.float64]:
    progression = run.table("progression")
    held = progression[progression["quantity"] == quantity].set_index("tap")["value"].to_dict()
    return np.array([held.get(tap, np.nan) for tap in taps], np.float64)
