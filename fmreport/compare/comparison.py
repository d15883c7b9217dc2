"""What a comparison says: one frozen record, which `diff.json` holds field by field.

Everywhere A is the first run that was named and B the second, and a change is B less A.
"""

from __future__ import annotations

from dataclasses import dataclass

from fmreport.compare.align import Pair

FORMAT = 2
"""Version of the shape of `diff.json`: it grows where a field is added to it, renamed or left out."""
EQUAL, ROUNDING, CHANGED = "equal", "equal but for rounding", "changed"
"""What the numbers of a tap are."""
NOT_IN_A, NOT_IN_B, UNDEFINED = "not in A", "not in B", "undefined"


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two runs."""

    name: str
    release: str
    title: str
    model: str
    """Kind and source."""
    taps: int
    probes: int


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that was not the same before any image was seen."""

    part: str
    """`config`, `model`, `preprocessing` or `environment`."""
    key: str
    """Its address, e.g. `figures.channels`."""
    a: str | None
    """As JSON; None: not in A."""
    b: str | None
    counts: bool
    """Whether it says that something else was run: names, looks, and paths to the same file do not, nor does the
    environment."""


@dataclass(frozen=True, slots=True)
class Probes:
    """Which images the numbers of both sides are of."""

    shared: int
    """Images of both runs, told by their SHA-256."""
    only_a: tuple[str, ...]
    """Names of images of A alone."""
    only_b: tuple[str, ...]
    other_masks: tuple[str, ...]
    """Names in B of shared images whose mask is not the same."""
    paired: bool
    """Whether changes are those of single images; if not, they are between the means of different images."""
    same: bool
    """Whether both runs have the same images with the same masks, so that tables over all of them compare."""


@dataclass(frozen=True, slots=True)
class Change:
    """One measure of one pair of taps: a mean over images."""

    measure: str
    """Name of the column, or `edge` and `mask`: held-out R^2."""
    unit: str
    a: float | None
    """The mean over the images in which both sides have a value; None: there is none."""
    b: float | None
    change: float | None
    """B less A."""
    lower: float | None
    """Lower end of its 95% interval, images resampled; None where there are fewer than 10, or no two sides."""
    upper: float | None
    least: float | None
    """The least change of a single image, where there are fewer than 10."""
    most: float | None
    images: int
    missing: str
    """`not in A`, `not in B` or `undefined` (with the side); empty where there is a change to tell."""
    state: str
    """`equal`: to the last bit in every image; `equal but for rounding`; `changed`."""

    @property
    def clear(self) -> bool:
        """Whether its interval leaves out 0."""
        return self.lower is not None and self.upper is not None and (self.lower > 0 or self.upper < 0)


@dataclass(frozen=True, slots=True)
class FactChange:
    """A fact of a layer that needs no image and is not the same."""

    name: str
    """Column of the table `layers`."""
    a: str | None
    """None: not in A, or not known there."""
    b: str | None
    handed_on: tuple[str, ...]
    """Taps of B that the layer reads and whose fact changed alike, so that it is theirs; empty: it is its own."""


@dataclass(frozen=True, slots=True)
class ChannelChange:
    """Channels of one pair of taps that are in some state."""

    state: str
    """`silent`, `constant`, `nan` or `inf`."""
    a: int
    """How many of A."""
    b: int
    new: tuple[int, ...]
    """Numbers, from 0, of those of B that were not in A; none where A and B have not as many channels."""
    gone: tuple[int, ...]
    """Numbers of those of A that are no longer in B."""
    handed_on: tuple[str, ...]
    """Taps of B that the layer reads in which all the new ones are new, too; empty: they are its own."""


@dataclass(frozen=True, slots=True)
class Drift:
    """How far the numbers of a pair of taps of one shape lie apart, image by image and place by place."""

    relative: float | None
    """The norm of B less A over that of A, estimated from random sums; None: `why` says what it is, or why it is not
    known."""
    shift: float | None
    """The part of it that is of the means of channels, and exact: its square and that of the rest add up."""
    largest: float | None
    """At least one value changed by so much, of the largest magnitude of A; None: infinite or not known."""
    cka: float | None
    """How alike the images are to A and to B: 1 where they are as alike to the one as to the other; None where a side
    does not tell images apart, and below 4 images."""
    of: str
    """What `relative` is of: `values` (of maps), `means` (of channels in each image or group of them, where the tap is
    no map); empty where it is not known."""
    infinite: bool
    """Whether A is 0 everywhere and B is not."""
    why: str
    """Why there is no `relative`; empty where there is."""


@dataclass(frozen=True, slots=True)
class Onset:
    """Where numerical drift starts along the model, in the order of B."""

    tolerance: float
    """Relative error above which it has."""
    agree: float | None
    """The largest relative error of the taps before that; of all, where it does not start. None: of no tap."""
    until: str
    """The last of them; empty: there is none."""
    start: str
    """The first tap above; empty: none is."""
    steepest: str
    """The tap whose relative error is the largest multiple of that of the one before it, 1e-7 at least; empty: it grows
    nowhere."""
    growth: float | None
    """That multiple."""
    taps: int
    """Of how many taps the drift is known."""
    why: str
    """Why it is known of none; empty where it is."""


@dataclass(frozen=True, slots=True)
class TapChange:
    """A tap of A, the tap of B that stands for the same, and what became of it."""

    pair: Pair
    position_a: int
    """Position in its run, from 1."""
    position_b: int
    type_a: str
    type_b: str
    shape_a: str
    shape_b: str
    state: str
    """Of all its numbers together."""
    begins: bool
    """Whether its numbers are the first to change: those of all paired taps that its layer reads have not."""
    reads: tuple[str, ...]
    """What it reads that the other side has not, in words: `it reads x, which was added`."""
    facts: tuple[FactChange, ...]
    channels: tuple[ChannelChange, ...]
    measures: tuple[Change, ...]
    """None of them where the tap is equal."""
    activation: bool
    """Whether its own activation is another: its type, or what makes its zeros."""
    drift: Drift | None
    """None where drift is known of no tap: `onset` says why."""

    @property
    def differs(self) -> bool:
        """Whether there is more to say of it than that it is there, rounding left aside."""
        return bool(self.state == CHANGED or self.facts or self.channels)


@dataclass(frozen=True, slots=True)
class Lone:
    """A tap or layer of one side alone."""

    name: str
    type: str
    shape: str
    tapped: bool


@dataclass(frozen=True, slots=True)
class Counts:
    """How much of each there is; of taps, where nothing else is said."""

    pairs: int
    renamed: int
    """Those that moved as well among them."""
    moved: int
    added: int
    removed: int
    untapped_renamed: int
    """Layers without a tap."""
    untapped_added: int
    untapped_removed: int
    equal: int
    rounding: int
    changed: int
    activations: int
    """Taps whose own activation is another."""
    newly_silent: int
    """Channels, those left out that a layer is handed."""
    no_longer_silent: int
    intervals: int
    """95% intervals among all measures of all taps."""
    clear: int
    """Those that leave out 0."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs, and all that differs between them."""

    format: int
    a: Side
    b: Side
    same: bool
    """Whether there is no difference: neither in what was run nor, beyond rounding, in any number or layer."""
    verdict: tuple[str, ...]
    """What changed, in sentences, the most telling first."""
    warnings: tuple[str, ...]
    """What a reader must know before any number."""
    notes: tuple[str, ...]
    differences: tuple[Difference, ...]
    probes: Probes
    counts: Counts
    onset: Onset
    """Where numerical drift starts."""
    taps: tuple[TapChange, ...]
    """Every pair, in the order of B."""
    added: tuple[Lone, ...]
    removed: tuple[Lone, ...]
    untapped: tuple[Pair, ...]
    """Layers without a tap that were renamed or moved."""
