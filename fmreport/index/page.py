"""The one frozen page that the template receives: every value ready to be shown, nothing left to compute."""

from __future__ import annotations

from dataclasses import dataclass

from fmreport.report.page import Fact, TableColumn


@dataclass(frozen=True, slots=True)
class Cell:
    """One value of a run."""

    text: str
    sort: str
    """What it is sorted by: a number in ASCII, or text; empty where undefined, which sorts last."""
    numeric: bool = True
    reason: str = ""
    """Why it is undefined, or its exact value."""
    href: str = ""
    """What it links to; empty: nothing."""
    label: str = ""
    """What the link is called where its text alone does not say it."""
    kind: str = ""
    """`words` where lines may break, `code` for a hash."""


@dataclass(frozen=True, slots=True)
class Trend:
    """A quantity over the releases of one model: the newest value, and where there are several a line."""

    text: str
    """The newest value."""
    path: str
    """SVG path data in a box of `Page.box`; empty where there are fewer than two values."""
    x: str
    y: str
    """Of the newest value, where there is a line."""
    alt: str


@dataclass(frozen=True, slots=True)
class Row:
    """One run."""

    position: str
    """Among the releases of its model, from 1."""
    name: str
    """Of the model."""
    release: str
    href: str
    """Of its report; empty where it has none."""
    cells: tuple[Cell, ...]
    search: str
    """Everything by which it can be found."""
    latest: bool
    noted: bool
    """Whether its report has notes."""


@dataclass(frozen=True, slots=True)
class Model:
    """All runs of one name, from first to last release."""

    name: str
    label: str
    """Of its row, for links and for the control that folds it."""
    releases: str
    """How many, and from which to which."""
    count: str
    trends: tuple[Trend, ...]
    """One for each of the columns behind the first ones."""
    rows: tuple[Row, ...]
    folded: bool
    """Whether its runs are out of sight at first."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A folder whose manifest could not be read."""

    folder: str
    reason: str


@dataclass(frozen=True, slots=True)
class Page:
    """The whole index."""

    glance: tuple[Fact, ...]
    columns: tuple[TableColumn, ...]
    first: int
    """How many of them, behind the name, stand before the quantities."""
    box: str
    """The view box of every trend."""
    models: tuple[Model, ...]
    problems: tuple[Problem, ...]
    meanings: tuple[Fact, ...]
    """The quantities and what they mean."""
    notes: tuple[str, ...]
    """What the table shows, a sentence each."""
    runs: str
    """How many, in words."""
