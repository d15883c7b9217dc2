"""The frozen records that stages exchange, and the columns of the tables with their units."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

EXACT, UPPER_BOUND, UNALIGNED = "exact", "upper bound", "unaligned"
GLOBAL, UNKNOWN, NONE = "global", "unknown", "none"


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """Which pixels of the input image an element of a tap sees, by paths that keep positions; (height, width) each.

    Everything is in pixels of the image as the model is fed it. Windows reach beyond its borders, as padding does.
    """

    status: str
    """`exact`; `upper bound`: fewer may be seen; `unaligned`: paths are centred on different pixels; `global`: by
    another path every pixel is seen; `unknown`; `none`: the tap does not depend on the image."""
    reason: str = ""
    """The operation and layer that decide it."""
    normalised: str = ""
    """The first normalisation over positions, which is left out of the windows; empty where there is none."""
    size: tuple[int, int] | None = None
    """Of the path that sees most; None where no path keeps positions."""
    union: tuple[int, int] | None = None
    """Of all paths together: larger than `size` where they are not aligned."""
    stride: tuple[float, float] | None = None
    """From one element to the next, on average."""
    padding: tuple[int, int] | None = None
    """Before the image begins, at the first element."""
    centre: tuple[float, float] | None = None
    """Of what the first element sees; pixel 0 is centred on 0."""
    disagreement: tuple[float, float] | None = None
    """Between the centres of the paths that are furthest apart."""


@dataclass(frozen=True, slots=True)
class Quantisation:
    """How whole numbers stand for the values of a tap: `scale * (q - zero_point)`."""

    scale: float
    """From one number to the next."""
    zero_point: int
    """The number that stands for 0."""
    lowest: int
    """The smallest number of the format: what would lie below it is held as this one."""
    highest: int

    def real(self, numbers: np.ndarray) -> np.ndarray:
        """float32 values that whole numbers stand for."""
        # In float64, as a difference of 16-bit numbers times a scale need not be exact in between.
        made: np.ndarray = (self.scale * (numbers.astype(np.float64) - self.zero_point)).astype(np.float32)
        return made

    def whole(self, values: np.ndarray) -> np.ndarray:
        """The nearest numbers, as float64, within those that the format has; NaN is 0."""
        known = np.where(np.isnan(values), 0.0, values.astype(np.float64))
        found = np.round(known / self.scale) + self.zero_point
        made: np.ndarray = np.clip(found, self.lowest, self.highest)
        return made

    @property
    def ends(self) -> tuple[float, float]:
        """Values of the smallest and of the largest number, as float32 holds them."""
        low, high = self.real(np.array([self.lowest, self.highest]))
        return float(low), float(high)


@dataclass(frozen=True, slots=True)
class Work:
    """What a part of a model does for one image."""

    macs: int
    """Multiply-adds of convolutions and matrix products; each is two floating-point operations."""
    products: int
    """Numbers that these return."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One row of the inventory: a named part of a model, with its taps, or the reason why it has none.

    What several rows hold, such as a layer and the one that it lies in, is the own of the first that holds it, so that
    the own numbers of all rows add up to the model's.
    """

    path: str
    """Names from the outermost model down, joined by `/`, the model's own name left out."""
    type: str
    """The class of the layer, e.g. `Conv2D`."""
    parameters: int
    """Entries of all its variables, those of nested layers included."""
    trainable_parameters: int
    taps: tuple[str, ...] = ()
    reason: str = ""
    """Why nothing is captured; empty where `taps` is not."""
    output: Tap | None = None
    """The last of its taps."""
    own_parameters: int = 0
    own_trainable_parameters: int = 0
    own_work: Work | None = Work(0, 0)
    """Of all its calls; None where that is not known."""


@dataclass(frozen=True, slots=True)
class Tap:
    """One output of one call of a layer, as channels-last activations `(B, *spatial, C)`."""

    name: str
    """The layer's path; `path:2` for its second call where there are several, `path@2` for its second output."""
    layer: str
    type: str
    order: int
    """Position among all taps in the order in which the model runs, from 1."""
    index: int
    """Position among the taps of the same type, from 1: `Conv2D` 43 is the 43rd convolution to run."""
    shape: tuple[int, ...]
    """`(*spatial, C)`: without the batch, channels last whatever the model's own layout."""
    dtype: str
    parameters: int
    trainable_parameters: int
    zeros: str
    """Whether exact zeros are made on purpose: `by design`, `by chance` or `unknown`."""
    zeros_reason: str
    """The operation that decides it, e.g. `Relu clips to zero`."""
    feeds: tuple[str, ...] = ()
    """Types of the layers that read this tensor."""
    work: Work | None = None
    """Of the call that made it, nested layers included; None where that is not known."""
    receptive_field: ReceptiveField = ReceptiveField(UNKNOWN)
    read_by: tuple[str, ...] = ()
    """Paths of the layers that read this tensor; empty where the model returns it, and where nobody does."""
    is_map: bool = True
    """Whether its spatial axes are rows and columns; False also where there are not two."""
    returned: int = 0
    """Which of the tensors that the model returns this is, from 1; 0 where it returns others."""
    quantisation: Quantisation | None = None
    """Of values that the model holds as whole numbers."""

    @property
    def channels(self) -> int:
        """Size of the last axis."""
        return self.shape[-1]

    @property
    def grid(self) -> tuple[int, ...]:
        """Spatial sizes: `(H, W)` for a map, `()` for a vector."""
        return self.shape[:-1]

    @property
    def elements(self) -> int:
        """Values per image."""
        return int(np.prod(self.shape))


@dataclass(frozen=True, slots=True)
class Target:
    """What a model decides: a class, which is a channel of one of its taps."""

    tap: Tap
    """`(K,)` of a vector, or `(H, W, K)`."""
    channel: int | None
    """From 0; None: the highest of each image."""
    threshold: float = 0.5
    """Of a map with one channel: foreground lies above it."""

    @property
    def is_map(self) -> bool:
        """Whether each position is decided on its own; a map of one position decides as a vector does."""
        return self.tap.elements > self.tap.channels

    @property
    def sentence(self) -> str:
        """The decision, as part of a sentence."""
        which = "the highest class" if self.channel is None else f"class {self.channel}"
        return f"{which} of {self.tap.name}"

    @property
    def score(self) -> str:
        """The one number per image that stands for it, as part of a sentence."""
        return f"{self.sentence}{', mean over its positions' if self.is_map else ''}"


IMAGE = "(image)"
"""Name under which the image itself is measured, before all taps: layer 0."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One input image as a file holds it, with its mask where there is one."""

    name: str
    image: np.ndarray
    """`(H, W, 3)` float32 RGB, 0-255."""
    origin: str
    """Where it came from: a path relative to the config, or `skimage:cat`."""
    sha256: str
    """Of the file's bytes (of the pixels where there is no file)."""
    mask: np.ndarray | None = None
    """`(H, W)` uint8: 0 background, 1 foreground, 255 ignored; the size of `image`."""


@dataclass(frozen=True, slots=True)
class Tiles:
    """The maps of one tap that figures show: P displayed probes x K channels of h x w pixels, 8 bits each."""

    tap: str
    probes: tuple[str, ...]
    channels: np.ndarray
    """(K,) channel numbers from 0, best first, random ones last."""
    chosen: np.ndarray
    """(K,) True where the rule chose the channel, False where it was drawn at random."""
    values: np.ndarray
    """(P, K, h, w) uint8; 0 stands for `low`, 255 for `high`."""
    low: np.ndarray
    """(P, K) float32, the smallest value of the native map."""
    high: np.ndarray
    """(P, K) float32, the largest value of the native map."""
    grid: tuple[int, int]
    """Native (height, width); larger than (h, w) where the tile was area-averaged to fit."""

    def activations(self) -> np.ndarray:
        """(P, K, h, w) float32 activations, to one part in 255 of each map's range."""
        low, high = self.low[..., None, None], self.high[..., None, None]
        activations: np.ndarray = low + (high - low) * (self.values.astype(np.float32) / 255)
        return activations


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    name: str
    unit: str
    """`1` for fractions and indices, `count`, `activation` for the model's own unit, `` for text."""
    meaning: str
    source: str = ""
    """Where the measure is defined in the literature."""
    method: str = ""
    """Its entry in docs/methods.md: the heading in lower case, hyphens for spaces."""


def explained(method: str, *columns: Column) -> tuple[Column, ...]:
    """The columns, each with its entry in docs/methods.md: `method`, unless it names one of its own."""
    return tuple(column if column.method else replace(column, method=method) for column in columns)


_OWN = "; what lies in another row before it is left out, so that the column adds up to the model's"
_SEEN = "of what an element sees of the image by convolutions and pooling, normalisations left out"
_ARAUJO = "Araujo, Norris & Sim 2019, doi 10.23915/distill.00021"

TAP = Column(
    "tap", "", "name of the tap: the layer's path, `:2` its second call, `@2` its second output", "", "taps-and-tables"
)
TAP_OR_IMAGE = Column("tap", "", f"name of the tap; {IMAGE}: the colours of the image itself", "", "taps-and-tables")
QUANTISED = explained(
    "saturation",
    Column("scale", "activation", "of a quantised tap: from one of its numbers to the next"),
    Column("zero_point", "number", "of a quantised tap: the number that stands for 0"),
    Column("lowest", "activation", "of a quantised tap: the value of the smallest number of its format"),
    Column("highest", "activation", "of a quantised tap: the value of the largest number of its format"),
)
"""Columns of the table `layers` where some tap is quantised."""
LAYERS = explained(
    "taps-and-tables",
    TAP,
    Column("layer", "", "path of the layer"),
    Column("type", "", "class of the layer; Scope: a part of a saved graph that holds layers"),
    Column("order", "count", "position among all taps of the model, in the order in which it runs, from 1"),
    Column("index", "count", "position among the model's taps of the same type, from 1"),
    Column("shape", "", "sizes of one image's activations, channels last"),
    Column("height", "pixel", "rows of the map; empty where the tap is no map"),
    Column("width", "pixel", "columns of the map; empty where the tap is no map"),
    Column("channels", "count", "size of the last axis"),
    Column("elements", "count", "values per image"),
    Column("dtype", "", "number format of the activations"),
    *explained(
        "resolution",
        Column("bytes", "byte", "memory of one image's activations, in that format"),
        Column("nyquist", "cycles per image", "finest detail that the map can hold: half of its shorter side"),
        Column("positions_kept", "1", "positions of the map per pixel of the image"),
    ),
    *explained(
        "parameters",
        Column("parameters", "count", "entries of the layer's variables, those of layers in it included"),
        Column("trainable_parameters", "count", "those of them that training changes"),
    ),
    *explained(
        "multiply-adds",
        Column(
            "macs", "count", "multiply-adds of the layer's convolutions and matrix products per image; empty: not known"
        ),
        Column("products", "count", "numbers that these return per image"),
    ),
    *explained(
        "receptive-field",
        Column("rf_status", "", "receptive field: exact, upper bound, unaligned, global, unknown or none"),
        Column("rf_height", "pixel", f"rows {_SEEN}; of the path that sees most, where paths are not aligned", _ARAUJO),
        Column("rf_width", "pixel", f"columns {_SEEN}; as for rows", _ARAUJO),
        Column("rf_union_height", "pixel", "rows that all paths see together"),
        Column("rf_union_width", "pixel", "columns that all paths see together"),
        Column("rf_stride_y", "pixel", "rows of the image from one row of the map to the next", _ARAUJO),
        Column("rf_stride_x", "pixel", "columns of the image from one column of the map to the next", _ARAUJO),
        Column("rf_padding_y", "pixel", "rows that the first row of the map sees above the image", _ARAUJO),
        Column("rf_padding_x", "pixel", "columns that the first column of the map sees left of the image", _ARAUJO),
        Column("rf_centre_y", "pixel", "row of the image on which the first row of the map is centred, from 0"),
        Column("rf_centre_x", "pixel", "column of the image on which the first column of the map is centred, from 0"),
        Column("rf_disagreement_y", "pixel", "rows between the centres of the paths furthest apart, on average"),
        Column("rf_disagreement_x", "pixel", "columns between the centres of the paths furthest apart, on average"),
        Column("rf_reason", "", "what decides the status of the receptive field"),
        Column("rf_normalised", "", "the first normalisation over positions, which is left out of the receptive field"),
    ),
    *QUANTISED,
    *explained(
        "zeros-by-design",
        Column("zeros", "", "whether exact zeros are made on purpose: by design, by chance (not by design), unknown"),
        Column("zeros_reason", "", "the operation that decides it"),
    ),
)
INVENTORY = explained(
    "taps-and-tables",
    Column(
        "path", "", "path of the layer: names from the outermost model down; empty: what stands outside of all layers"
    ),
    Column("taps", "", "names of the layer's taps, separated by spaces"),
    Column("reason", "", "why nothing is captured of a layer that has no tap"),
    Column("read_by", "", "paths of the layers that read what it hands on, separated by spaces"),
    *explained(
        "parameters",
        Column("own_parameters", "count", f"entries of the layer's own variables{_OWN}"),
        Column("own_trainable_parameters", "count", f"those of them that training changes{_OWN}"),
    ),
    *explained(
        "multiply-adds",
        Column("own_macs", "count", f"multiply-adds per image of all calls of the layer{_OWN}; empty: not known"),
        Column("own_products", "count", f"numbers that these return per image{_OWN}"),
    ),
)
BLOCKS = explained(
    "parts-of-the-model",
    Column("block", "", "part of the model: what the paths of its layers begin with, or the size of their maps"),
    Column("layers", "count", "layers in it"),
    Column("first", "count", "position of its first tap among all taps of the model"),
)


ATTRIBUTION = (
    TAP,
    Column("probe", "", "name of the probe", method="taps-and-tables"),
    *explained(
        "attribution",
        Column("class", "count", "place of the class that is asked about among the target's channels, from 0"),
        Column("score", "activation", "what is attributed: the class's value, of a map its mean over positions"),
        Column("grad_cam", "activation", "largest value of Grad-CAM", "Selvaraju et al. 2017, arXiv 1610.02391"),
        Column(
            "hirescam",
            "activation",
            "largest value of HiResCAM, the gradient-weighted activation",
            "Draelos & Carin 2020, arXiv 2011.08891",
        ),
        Column("gradient", "1", "largest magnitude of the score's gradient by an activation of the tap"),
        Column(
            "mean_gradient",
            "1",
            "largest magnitude of its mean over positions, of any channel that is not 0 there; rounding counts as 0",
        ),
        Column("reason", "", "why there is no gradient"),
    ),
)


OPTIONAL = (
    "class", "order", "first", "height", "width", "channels", "macs", "products", "own_macs", "own_products",
    "rf_height", "rf_width", "rf_union_height", "rf_union_width", "rf_padding_y", "rf_padding_x", "zero_point",
)  # fmt: skip
"""Columns of whole numbers that are empty where there is none."""
