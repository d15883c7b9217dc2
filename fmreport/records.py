"""The frozen records that stages exchange, and the columns of the tables with their units."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Layer:
    """One row of the inventory: a named part of a model, with its taps, or the reason why it has none."""

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
    zeros: str
    """Whether exact zeros are made on purpose: `by design`, `by chance` or `unknown`."""
    zeros_reason: str
    """The operation that decides it, e.g. `Relu clips to zero`."""
    feeds: tuple[str, ...] = ()
    """Types of the layers that read this tensor."""

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


LAYERS = (
    Column("tap", "", "name of the tap: the layer's path, `:2` its second call, `@2` its second output"),
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
    Column("parameters", "count", "entries of the layer's variables"),
    Column("zeros", "", "whether exact zeros are made on purpose: by design, by chance (not by design), unknown"),
    Column("zeros_reason", "", "the operation that decides it"),
)


@dataclass(frozen=True, slots=True)
class ProbeFact:
    """What the manifest says of one probe."""

    name: str
    origin: str
    sha256: str
    size: tuple[int, int]
    """Height and width of the file's image, in pixels."""
    has_mask: bool = False
    mask_origin: str = ""
    """The mask file's path relative to the config; empty where there is none."""
    mask_sha256: str = ""
    """Of the mask file's bytes."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a run records about itself beside its tables: `manifest.json`."""

    name: str
    release: str
    title: str
    config: dict[str, Any]
    """The config as resolved: every default written out."""
    model: dict[str, Any]
    """`kind`, `source` (path, name or handle), `sha256`, `framework` (e.g. `keras 3.15.1`), `parameters`,
    `signature` (which of a saved model's functions was opened; empty for others)."""
    preprocess: dict[str, Any]
    """What was done to every image, every value resolved."""
    probes: tuple[ProbeFact, ...]
    displayed: tuple[str, ...]
    channel_rule: str
    """A sentence: how the shown channels were chosen, and on which images."""
    versions: dict[str, str]
    notes: tuple[str, ...] = field(default=())
    """Warnings a reader must see: skipped images, NaN or Inf, layers without a tap."""
