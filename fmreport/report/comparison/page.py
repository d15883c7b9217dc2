"""The one frozen page of a comparison: every value ready to be shown. A is the first run, B the second, everywhere."""

from __future__ import annotations

from dataclasses import dataclass

from fmreport.report import page


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two runs."""

    letter: str
    name: str
    """Name and release."""
    facts: tuple[page.Fact, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """A setting that is not the same."""

    key: str
    a: str
    b: str
    counts: bool
    """Whether it bears on numbers."""


@dataclass(frozen=True, slots=True)
class Part:
    """What of one kind was not the same before any image was seen."""

    title: str
    rows: tuple[Difference, ...]
    equal: str
    """A sentence where there is no row."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table of taps: a pair, or a tap of one side alone."""

    position_a: str
    position_b: str
    name_a: str
    """Empty where B has the same name, or where A has no such tap."""
    name: str
    href: str
    """Address of its section; empty where it has none."""
    label: str
    """Of the section, for links in print."""
    type: str
    how: str
    """`renamed`, `moved`, `added`, `removed` and so on; empty: the same path."""
    numbers: str
    """`equal`, `equal but for rounding`, `changed`; empty of a tap of one side alone."""
    drift: str
    """Its relative error; a dash where it is not known."""
    cells: tuple[str, ...]
    """Changes of the measures that the heads name."""
    said: str
    """What else is to be said: facts and channels, in a few words."""


@dataclass(frozen=True, slots=True)
class Table:
    """All taps of both runs."""

    drift: bool
    """Whether the drift of any is known."""
    heads: tuple[page.Fact, ...]
    """Label and meaning of each measure."""
    rows: tuple[Row, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Measure:
    """One row of the numbers of a pair of taps."""

    label: str
    meaning: str
    a: str
    b: str
    change: str
    interval: str
    """Its 95% interval, or the range over images, or why there is none."""
    clear: bool
    """Whether the interval leaves out 0."""


@dataclass(frozen=True, slots=True)
class Histograms:
    """The distributions of both sides on one axis."""

    a: str
    """SVG path data in a box of 600 x 100; empty where there is no value but zero."""
    b: str
    zero_at: str
    low: str
    high: str
    caption: str
    alt: str


@dataclass(frozen=True, slots=True)
class Tap:
    """A pair of taps that changed: what, by how much, and its maps side by side."""

    position: str
    name: str
    anchor: str
    href: str
    label: str
    title: str
    """Its name, or both names."""
    kind: str
    """Type and shape, of both sides where they differ."""
    begins: str
    """That changes begin here, and what of what it reads is another; empty where they do not."""
    facts: tuple[page.Fact, ...]
    measures: tuple[Measure, ...]
    measures_note: str
    histograms: Histograms | None
    maps: page.Maps | None
    sides: tuple[tuple[str, str], ...]
    """Letter and probe of every row of the maps."""
    no_maps: str
    """Why there are none; empty where there are."""
    unit: float
    """Width of a printed map, in millimetres."""


@dataclass(frozen=True, slots=True)
class Page:
    """The whole comparison. Fields that a report has, too, are of its templates' parts."""

    title: str
    run: str
    """Name and release of both."""
    edition: str
    """The same, at the head of the page."""
    language: str
    authors: tuple[page.Author, ...]
    author_names: tuple[str, ...]
    abstract: str
    licence: str
    doi: str
    keys: tuple[page.KeyFigure, ...]
    glance: tuple[page.Fact, ...]
    same: bool
    sides: tuple[Side, Side]
    verdict: tuple[str, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    parts: tuple[Part, ...]
    probes_line: str
    figure: page.Figure
    drift: page.Figure | None
    """None where no number has drifted, or nothing is known of it."""
    table: Table
    taps: tuple[Tap, ...]
    taps_note: str
    """Which of the changed taps have a section; empty where all have."""
    reading: tuple[str, ...]
    """How to read the sections."""
    photos: tuple[page.Photo, ...]
    """One for every row of the maps: each photograph once for A and once for B."""
    probe_count: int
    film: bytes
    photo_fit: str
    gains: tuple[tuple[str, str, str], ...]
    colours: tuple[page.ColourMaps, ...]
    scale: str
    ramp: bytes
    filmstrip: tuple[page.Stage, ...]
    """None: a comparison has no filmstrip."""
    attachments: tuple[page.Attachment, ...]
