"""Groups of images side by side, in words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from fmreport.analysis.facets import FEWEST
from fmreport.figures.facets import apart
from fmreport.report import page
from fmreport.report.outliers import LABELS, places, shown_value
from fmreport.report.rows import records
from fmreport.report.wording import are, count, percent, plural
from fmreport.store import Run

SHOWN = 20
"""Groups that have a row, at most."""
SIGNIFICANT = 0.05


def told(run: Run, figure: page.Figure | None) -> page.Facets | None:
    """The section of a run; None where the config declares no groups, or all images are of one."""
    table = run.analyses["facets"]
    if not len(table):
        return None
    order = apart(table)
    first = table[table["facet"].isin(order[:SHOWN])]
    rows = {str(facet): rows for facet, rows in first.groupby("facet", sort=False)}
    where = places(run)
    note = f"The {SHOWN} of {len(order):,} groups that differ most; all are in facets.csv."
    return page.Facets(
        sentences=tuple(_sentences(table, len(order))),
        figure=figure,
        rows=tuple(_row(name, rows[name], where) for name in order[:SHOWN]),
        note=note if len(order) > SHOWN else "",
    )


def _sentences(table: pd.DataFrame, facets: int) -> Iterator[str]:
    tested = int(table["p"].notna().sum())
    if not tested:
        yield (
            f"The config declares {plural(facets, 'group')}, none with {FEWEST} images or more beside as many others: "
            "too few to tell whether they differ."
        )
        return
    differ = int(table.loc[table["p"] < SIGNIFICANT, "facet"].nunique())
    yield (
        f"Of {plural(facets, 'group')} that the config declares {are(differ)} unlike the other images at some tap "
        f"(p below {SIGNIFICANT}, corrected for {count(tested)} comparisons: one in twenty runs has any by chance)."
    )
    yield (
        "Each group is held against all other images by a rank test. A group may differ for many reasons, such as its "
        "camera: nothing here says which."
    )


def _row(name: str, rows: pd.DataFrame, where: Mapping[str, tuple[str, str]]) -> page.Facet:
    images = count(int(rows["images"].max()))
    rows = rows[rows["p"].notna()]
    if not len(rows):
        return page.Facet(name, images, "", "", "", f"fewer than {FEWEST} images, or others: not compared", "")
    away = (rows["higher"] - 0.5).abs()
    most = records(rows.assign(away=-away).sort_values(["p", "away"], kind="stable").head(1))[0]
    tap = str(most["tap"])
    return page.Facet(name, images, tap, *where[tap], _in_words(most), _p(float(most["p"])))


def _in_words(row: Mapping[str, Any]) -> str:
    """`Gini index 0.412 (0.390 to 0.430), others 0.350; higher in 93.0% of pairs`."""
    quantity, higher = str(row["quantity"]), float(row["higher"])
    mean, lower, upper, others = (
        shown_value(quantity, float(row[column])) for column in ("mean", "lower", "upper", "others")
    )
    interval = "" if math.isnan(float(row["lower"])) else f" ({lower} to {upper})"
    pairs = f"higher in {percent(higher)}" if higher >= 0.5 else f"lower in {percent(1 - higher)}"
    return f"{LABELS[quantity]} {mean}{interval}, others {others}; {pairs} of pairs"


def _p(value: float) -> str:
    return "<0.001" if value < 0.001 else f"{value:.3f}"
