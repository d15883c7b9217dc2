"""The one frozen page that templates receive: every value ready to be shown, nothing left to compute."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from markupsafe import Markup


def href(anchor: str) -> str:
    """The link to an anchor on the same page."""
    return "#" + quote(anchor, safe="/:@~")


def gain_name(gain: tuple[str, str]) -> str:
    """The name of a pair of factors, as a class of CSS."""
    return "-".join(("gain", *gain)).replace(".", "_").replace("+", "")


@dataclass(frozen=True, slots=True)
class Author:
    """Who stands behind the run."""

    name: str
    orcid: str
    """Empty where it is not given."""


@dataclass(frozen=True, slots=True)
class KeyFigure:
    """One of the three most telling numbers."""

    value: str
    label: str
    detail: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about the model, made from the tables by a rule."""

    subject: str
    verdict: str
    sentence: str
    rule: str
    links: tuple[tuple[str, str, str], ...]
    """Name, address and label of the taps where the evidence is."""
    caveat: str
    positive: bool
    """Whether something was found."""
    method: str
    """Address of the entry on its rule."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A term and what the run says of it."""

    term: str
    value: str
    code: bool = False
    """Whether the value is a name, path or hash, to be set in a fixed pitch."""


@dataclass(frozen=True, slots=True)
class Photo:
    """The picture of one probe."""

    id: str
    """`photo-0`, ...: where a page holds the picture once."""
    name: str
    origin: str
    size: str
    """Of the file's image, height × width."""
    mask: str
    """A sentence on the mask; empty where there is none."""
    jpeg: bytes
    width: int
    height: int
    outline: str
    """SVG path data of the mask's edge in `outline_box`; empty where there is no mask."""
    outline_box: str
    note: str
    """Size and mask as one line."""
    alt: str
    displayed: bool


@dataclass(frozen=True, slots=True)
class OddImage:
    """An image unlike the rest."""

    name: str
    group: str
    """As the config declares it; empty where it declares none."""
    jpeg: bytes
    """Empty where the run keeps no picture of it."""
    width: int
    height: int
    alt: str
    taps: str
    """At how many taps, in words."""
    tap: str
    """Where it is furthest from the others."""
    href: str
    """Address of that tap; empty for the image itself."""
    label: str
    """The same, for links in print."""
    told: str
    """In what, and how far, beside the median of all."""


@dataclass(frozen=True, slots=True)
class OddTap:
    """A tap at which some images are unlike the rest."""

    name: str
    href: str
    label: str
    count: str
    """How many."""
    images: tuple[tuple[str, str], ...]
    """The name of each that is shown, and what is told of it."""


@dataclass(frozen=True, slots=True)
class Outliers:
    """Images unlike the rest."""

    sentences: tuple[str, ...]
    """What was found, what was to be expected, and how to read it."""
    images: tuple[OddImage, ...]
    """The oddest over all taps."""
    taps: tuple[OddTap, ...]
    taps_note: str
    """What is left out of them; empty where there are none."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One plot over all taps."""

    name: str
    title: str
    caption: str
    alt: str
    svg: bytes
    """A whole SVG file, for print."""
    inline: Markup
    """The `<svg>` element with colours by role, for a page that has its own."""
    inline_column: Markup
    """The same, laid out for a column."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of the filmstrip."""

    lines: tuple[str, ...]
    """What stands below it."""
    href: str
    """Address of its tap; empty for the photograph and the mask."""
    alt: str
    picture: bytes
    """JPEG of a photograph; PNG in grey of a map or a mask."""
    kind: str
    """`photograph`, `signed` or `unsigned`."""
    across: str
    down: str
    """Width and height as fractions of the longest side in the strip."""
    enlarged: bool
    """Whether it is so small that it is shown larger, too."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Neighbours in the filmstrip that belong together."""

    name: str
    frames: tuple[Frame, ...]


@dataclass(frozen=True, slots=True)
class Facet:
    """A group of images, held against all others."""

    name: str
    images: str
    """How many."""
    tap: str
    """Where it differs most from the others; empty where that is not known."""
    href: str
    """Address of that tap; empty for the image itself."""
    label: str
    """The same, for links in print."""
    told: str
    """In what it differs there, and how far."""
    p: str
    """Corrected for all comparisons."""


@dataclass(frozen=True, slots=True)
class Facets:
    """Groups of images, side by side."""

    sentences: tuple[str, ...]
    figure: Figure | None
    rows: tuple[Facet, ...]
    """Those that differ most first."""
    note: str
    """Which groups these are, where not all are among them; empty where all are."""


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column of the layer table."""

    label: str
    meaning: str
    numeric: bool


@dataclass(frozen=True, slots=True)
class Cell:
    """One value of the layer table."""

    text: str
    sort: str
    """What it is sorted by: a number in ASCII, or text; empty where undefined, which sorts last."""
    numeric: bool = True
    reason: str = ""
    """Why it is undefined, or what qualifies it."""
    bar: str = ""
    """Length of the bar under a fraction, in whole percent; empty: no bar."""


@dataclass(frozen=True, slots=True)
class Row:
    """One tap of the layer table."""

    name: str
    href: str
    type: str
    label: str
    """Of the tap's section, for links in print."""
    before: tuple[Cell, ...]
    """Cells before the name, then those behind it."""
    cells: tuple[Cell, ...]
    silent: bool
    """Whether channels of it are silent."""
    design: bool
    """Whether it makes zeros by design."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the model in the layer table: what it holds and does together, then its taps."""

    name: str
    label: str
    """Of its row, for the control that folds it."""
    layers: str
    """How many, in words."""
    taps: str
    """How many of this run, in words."""
    cells: tuple[Cell, ...]
    """Output, parameters, multiply-adds, what is seen."""
    rows: tuple[Row, ...]
    folded: bool
    """Whether its taps are out of sight at first."""


@dataclass(frozen=True, slots=True)
class Table:
    """The layer table."""

    columns: tuple[TableColumn, ...]
    parts: tuple[Part, ...]
    """All parts of the model, with the taps of this run."""
    rows: tuple[Row, ...]
    """The taps of all parts, in the order of the run."""
    total: tuple[Cell, ...]
    """Of the whole model: parameters and multiply-adds."""
    parts_notes: tuple[str, ...]
    """What a part is, and what stands in its row."""
    notes: tuple[str, ...]
    """What stands in the rows of taps."""
    types: tuple[str, ...]
    """Types of layers among the taps, each once."""


@dataclass(frozen=True, slots=True)
class Stat:
    """One number of a tap."""

    label: str
    value: str
    meaning: str
    reason: str = ""
    """Why it is undefined, or what qualifies it."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """The distribution of a tap's values other than zero."""

    path: str
    """SVG path data in a box of 600 x 100."""
    zero_at: str
    """Where 0 lies, 0 to 600; empty where it lies outside."""
    low: str
    high: str
    caption: str
    alt: str


@dataclass(frozen=True, slots=True)
class ChannelLabel:
    """What stands above one column of maps."""

    number: str
    range: str
    tag: str
    """`silent`, `constant`, `not finite` or empty."""
    random: bool
    title: str
    """The same in a sentence."""


@dataclass(frozen=True, slots=True)
class Channel:
    """The maps of one channel, one below the other as the photographs beside them."""

    label: ChannelLabel
    anchor: str
    href: str
    rank: str
    """Its place by the rule that chose it, in words."""
    alt: str
    png: bytes
    """In grey, for the page to colour."""
    width: int
    height: int
    gain: tuple[str, str]
    """The factors from the values as held to its own scale and to that of the tap."""

    @property
    def gain_name(self) -> str:
        """What the factor is called in `Page.gains`."""
        return gain_name(self.gain)


@dataclass(frozen=True, slots=True)
class Strip:
    """The maps of one probe in one block, side by side: one picture."""

    photo: str
    """Id of the probe's photograph."""
    probe: str
    photo_jpeg: bytes
    png: bytes
    width: int
    height: int
    alt: str


@dataclass(frozen=True, slots=True)
class Block:
    """As many channels as stand side by side; one strip per probe below the channels' labels."""

    labels: tuple[ChannelLabel, ...]
    strips: tuple[Strip, ...]
    channels: tuple[Channel, ...]
    """The same maps as data, column by column."""
    photos: str
    """The photographs beside them, by name."""
    photo: str
    """Id of the only one of them; empty where they are all that are displayed."""


@dataclass(frozen=True, slots=True)
class Legend:
    """What the two ends of the colours stand for."""

    low: str
    high: str
    alt: str


@dataclass(frozen=True, slots=True)
class Maps:
    """The mosaic of a tap: columns are channels, rows are probes."""

    grid: int
    """Columns of the layout: one for the photograph, then those of the channels."""
    tile: int
    """Longest side of a map as stored here, in pixels."""
    blocks: tuple[Block, ...]
    height_per_width: float
    """Of one map."""
    signed: bool
    """Whether the colours run both ways from 0."""
    alt: str
    """What the mosaic shows, in numbers."""
    bar: bytes
    """PNG of the colours."""
    bar_alt: str
    bar_low: str
    bar_high: str
    by_channel: Legend
    by_tap: Legend
    caption: str
    has_random: bool


@dataclass(frozen=True, slots=True)
class Attributed:
    """What the target's score owes to a tap on one probe."""

    probe: str
    score: str
    """The score, with the class where that is each image's own."""
    block: Block
    """Of one strip; its columns are methods."""


@dataclass(frozen=True, slots=True)
class Attribution:
    """What the target's score owes to a tap, probe by probe."""

    grid: int
    """Columns of each block: one for the photograph, then those of the methods."""
    probes: tuple[Attributed, ...]
    height_per_width: float
    """Of one map."""
    bar: bytes
    bar_alt: str
    bar_low: str
    bar_high: str
    caption: str


@dataclass(frozen=True, slots=True)
class Field:
    """What one element in the middle of a map sees, drawn on a photograph; all in pixels of the model's input."""

    photo: str
    """Id of the photograph."""
    width: int
    height: int
    """Of the input."""
    left: float
    top: float
    across: float
    down: float
    """Of the rectangle, cut at the edges of the input."""
    alt: str
    caption: str


@dataclass(frozen=True, slots=True)
class TapSection:
    """One tap: its numbers, its histogram, its maps."""

    position: int
    name: str
    anchor: str
    href: str
    label: str
    shape: str
    type: str
    sees: str
    """What an element sees of the image, in words."""
    zeros: str
    """A sentence: how many exact zeros, and whether they are made on purpose."""
    warnings: tuple[str, ...]
    stats: tuple[Stat, ...]
    histogram: Histogram | None
    field: Field | None
    """None where what an element sees is not known, or where nothing is displayed."""
    channels: tuple[Fact, ...]
    """The channels that stand out, by what for."""
    maps: Maps | None
    no_maps: str
    """Why there are no maps; empty where there are."""
    attribution: Attribution | None
    no_attribution: str
    """Why a tap with maps has none; empty where it has, and where nothing was asked."""
    before: str
    """Address of the tap before this one; empty for the first."""
    after: str
    """Address of the one after it; empty for the last."""


@dataclass(frozen=True, slots=True)
class MissingLayer:
    """A layer without a tap."""

    path: str
    type: str
    parameters: str
    reason: str


@dataclass(frozen=True, slots=True)
class Definition:
    """What a column of the tables means."""

    name: str
    unit: str
    meaning: str
    source: str
    text: str
    """Meaning and source as one line."""
    tables: str
    method: str
    """Title of its entry among the methods."""
    href: str
    """Its address."""


@dataclass(frozen=True, slots=True)
class Methods:
    """One group of entries on how numbers are made."""

    title: str
    anchor: str
    """Id of the place where its entries begin."""
    html: Markup


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that travels inside the PDF."""

    file: str
    mime: str
    relationship: str
    """To the report, as PDF/A names it: `data` or `supplement`."""
    description: str


@dataclass(frozen=True, slots=True)
class ColourMaps:
    """A choice of colours: the curves of red, green and blue by which a page colours grey maps."""

    key: str
    label: str
    unsigned: tuple[str, str, str]
    signed: tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class CopyText:
    """A table as text, to be copied."""

    label: str
    file: str
    """What it is called when saved."""
    text: str


@dataclass(frozen=True, slots=True)
class Page:
    """The whole report."""

    title: str
    run: str
    """Name and release."""
    edition: str
    """The same with the date, where there is one, and the beginning of the run's ID."""
    language: str
    authors: tuple[Author, ...]
    author_names: tuple[str, ...]
    abstract: str
    licence: str
    doi: str
    keys: tuple[KeyFigure, ...]
    glance: tuple[Fact, ...]
    """What was looked at, in a line."""
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    facts: tuple[Fact, ...]
    preprocess: str
    versions: tuple[Fact, ...]
    version_line: str
    """The same as one line."""
    photos: tuple[Photo, ...]
    more_photos: bool
    """Whether some are of probes that are not displayed."""
    mask_note: str
    """What the outlines are; empty where there is none."""
    probe_count: int
    """How many pictures are displayed."""
    gains: tuple[tuple[str, str, str], ...]
    """Every `Channel.gain` of the page once, behind a name for it."""
    colours: tuple[ColourMaps, ...]
    scale: str
    """`channel` or `tap`: what the colours span at first."""
    spans: tuple[tuple[str, str], ...]
    """What that means, a sentence for each."""
    held: str
    """What of the values a page that colours maps does not hold."""
    film: bytes
    """JPEG of all displayed photographs, one below the other, each placed as the model's input was."""
    ramp: bytes
    """PNG of all grey values that maps hold, which a page colours as it does the maps."""
    photo_fit: str
    """How a photograph fills its place beside printed maps, as the model's input did: `stretch`, `crop` or `pad`."""
    probes_note: str
    """A sentence on the probes whose pictures are not shown; empty where all are."""
    outliers: Outliers
    facets: Facets | None
    """None where the config declares no groups."""
    lead: Figure
    """The plot that stands beside the findings."""
    strip: Figure
    """The filmstrip as a plot."""
    filmstrip: tuple[Stage, ...]
    """The same for a page that colours maps; empty where there are none."""
    more_figures: tuple[Figure, ...]
    """The plots that stand in no place of their own."""
    table: Table
    copies: tuple[CopyText, ...]
    """The tables of taps and of parts as text."""
    maps_intro: tuple[str, ...]
    """How to read the maps, a sentence each."""
    stats_intro: tuple[Fact, ...]
    """What the numbers of a tap mean, by their labels."""
    taps: tuple[TapSection, ...]
    contents: tuple[tuple[str, str], ...]
    """What printed contents name of the taps: label of a section, and the tap or, with `/…`, the part of the model that
    begins there."""
    contents_note: str
    """What such a part is, and where the other taps are found; empty where all are named."""
    inventory: str
    """A sentence: how many layers there are and how many have a tap."""
    missing: tuple[MissingLayer, ...]
    definitions: tuple[Definition, ...]
    methods_introduction: Markup
    methods: tuple[Methods, ...]
    empty_note: str
    """A sentence: what an empty field of the tables means."""
    attachments: tuple[Attachment, ...]
    attachments_note: str
    """A sentence: which files these are, and where the other tables lie."""
