"""Images unlike the rest, in words and pictures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from fmreport import mapped
from fmreport.analysis.outliers import CONSTANT, EXPECTED, FEWEST, NOT_FINITE, OVERALL, oddest
from fmreport.figures import photographs
from fmreport.records import IMAGE
from fmreport.report import page
from fmreport.report.rows import records
from fmreport.report.taps import anchors
from fmreport.report.wording import are, number, percent, plural
from fmreport.store import Run

SIDE = 200
"""Longest side in pixels of a picture."""
OF_TAP = 3
"""Images that are named at each tap, at most."""
LABELS = {
    "mean": "mean",
    "std": "standard deviation",
    "zero_fraction": "exact zeros",
    "population_sparseness": "population sparseness",
    "gini": "Gini index",
    "high_frequency": "high frequencies",
}
SHARES = ("zero_fraction", "high_frequency")
"""Quantities that are told in percent."""
READING = (
    "An image is compared with all others at each tap, by six numbers: mean, standard deviation, exact zeros, "
    "population sparseness, Gini index and share of high frequencies. z is how far it is from their median, in robust "
    "standard deviations. Unlike the rest is not wrong: look at the pictures."
)


def told(run: Run) -> page.Outliers:
    """The section of a run; a sentence why there is none, where there are too few images."""
    table, images = run.analyses["outliers"], len(run.facts.probes)
    if not len(table):
        return page.Outliers((_nothing(run, images),), (), (), "")
    where = places(run)
    made = tuple(_images(run, table, where))
    taps = tuple(_taps(table, where))
    named = f"Named are the {OF_TAP} oddest images of each tap; the table outliers.csv has up to ten."
    return page.Outliers(tuple(_found(run, table, images, len(made))), made, taps, named)


def _nothing(run: Run, images: int) -> str:
    if "outliers" not in run.facts.measures:
        return "Not looked for: the run was made by an older version of fmreport."
    if images < FEWEST:
        few = "image is" if images == 1 else "images are"
        return f"{images:,} {few} too few to tell which is unlike the rest: that takes {FEWEST}."
    return f"None of {images:,} images is unlike the rest at any tap. {_expected(run)}"


def _expected(run: Run) -> str:
    taps = len(run.layers) + 1
    return (
        f"Of alike images with normal values, {EXPECTED * taps:.1f} would be expected there over all {taps:,} "
        f"taps, the image itself included."
    )


def _found(run: Run, table: pd.DataFrame, images: int, shown: int) -> Iterator[str]:
    odd, times = int(table["odd"].iloc[0]), int(table.drop_duplicates("tap")["beyond"].sum())
    limit = float(table["limit"].iloc[0])
    if images < FEWEST:
        yield (
            f"{are(odd)} the only ones with NaN or infinite values at a tap. Whether images are unlike the rest in "
            f"other ways is told from {FEWEST} images on; here are {images:,}."
        )
        return
    yield (
        f"Of {images:,} images {are(odd)} unlike the rest (|z| above {limit:.1f}) at one tap or more, {times:,} times "
        f"in all. {_expected(run)}"
    )
    seen = mapped.of_facts(run.facts)
    some = f" High frequencies, and the image itself, are of {seen.told}." if seen.some else ""
    yield READING + some + (f" Shown are the {shown} oddest." if shown < odd else "")


def places(run: Run) -> dict[str, tuple[str, str]]:
    """Address and printed label of each tap."""
    addresses = anchors(list(run.layers["tap"]))
    return {
        tap: (page.href(addresses[tap]), f"tap-{position}") for position, tap in enumerate(run.layers["tap"], 1)
    } | {IMAGE: ("", "")}


def _images(run: Run, table: pd.DataFrame, where: Mapping[str, tuple[str, str]]) -> Iterator[page.OddImage]:
    names = oddest(table)[:OVERALL]
    facts = run.facts.named(set(names))
    pictures, taps = run.pictures(), len(run.layers) + 1
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in records(table):
        rows.setdefault(str(row["probe"]), []).append(row)
    for name in names:
        worst = max(rows[name], key=_furthest)
        picture = pictures.get(name)
        yield page.OddImage(
            name=name,
            group=facts[name].group if name in facts else "",
            jpeg=b"" if picture is None else photographs.jpeg(picture, SIDE),
            width=0 if picture is None else picture.shape[1],
            height=0 if picture is None else picture.shape[0],
            alt=f"Probe {name}, unlike the rest: {told_of(worst)} at {worst['tap']}",
            taps=f"at {worst['taps_beyond']:,} of {taps:,} taps",
            tap=str(worst["tap"]),
            href=where[str(worst["tap"])][0],
            label=where[str(worst["tap"])][1],
            told=told_of(worst),
        )


def _furthest(row: Mapping[str, Any]) -> tuple[bool, bool, float]:
    z = float(row["z"])
    return row["quantity"] == NOT_FINITE, row["quantity"] == CONSTANT, 0.0 if math.isnan(z) else abs(z)


def _taps(table: pd.DataFrame, where: Mapping[str, tuple[str, str]]) -> Iterator[page.OddTap]:
    for tap, rows in table.groupby("tap", sort=False):
        first = records(rows.head(OF_TAP))
        named = tuple((str(row["probe"]), told_of(row)) for row in first)
        yield page.OddTap(str(tap), *where[str(tap)], f"{int(rows['beyond'].iloc[0]):,}", named)


def told_of(row: Mapping[str, Any]) -> str:
    """In what an image is unlike the rest: `exact zeros 98.0%, median 41.2% (z 12.3)`."""
    quantity = str(row["quantity"])
    if quantity == NOT_FINITE:
        return f"{plural(int(row['value']), 'value')} NaN or infinite"
    if quantity == CONSTANT:
        return "all its values are equal"
    label = LABELS[quantity]
    value, median = (shown_value(quantity, float(row[name])) for name in ("value", "median"))
    return f"{label} {value}, median {median} (z\u00a0{number(float(row['z']))})"


def shown_value(quantity: str, value: float) -> str:
    """A value of one of `LABELS`, as it is read."""
    return percent(value) if quantity in SHARES else number(value)
