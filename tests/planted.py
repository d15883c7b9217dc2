"""A model whose activations are given: what every tap holds for every probe is an array."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import tensorflow as tf

from fmreport.analysis import Evidence
from fmreport.extract import Extraction
from fmreport.facts import ProbeFact
from fmreport.probes import Preprocess
from fmreport.probes.scenes import COLOURS, Scenes
from fmreport.records import IMAGE, Layer, Probe, Tap
from fmreport.sources import Identity, InputSpec
from fmreport.sources.randomised import permuted


def tap(name: str, shape: tuple[int, ...], order: int = 1, dtype: str = "float32") -> Tap:
    """A tap of that shape `(*spatial, C)`."""
    return Tap(name, name, "Conv2D", order, order, shape, dtype, 0, 0, "unknown", "")


@dataclass
class Planted:
    """`activations[tap]` is `(probes, *spatial, C)`; a probe's image holds nothing but its number."""

    activations: Mapping[str, np.ndarray]
    graph: bool = False
    """Whether functions are traced, as those of real models are; plain calls give the same and start sooner."""
    batch: int | None = None
    hosted: bool = False
    identity: Identity = field(default=Identity("planted", "planted", "", "tensorflow", 0))
    image_input: InputSpec = field(default=InputSpec("image", (1, 1), 3))
    asked: list[tuple[str, ...]] = field(default_factory=list)
    """The taps of every function that was asked for."""
    held: dict[str, tf.Variable] = field(init=False)
    """The activations as what a function reads when it runs, and so the weights of this model."""

    def __post_init__(self) -> None:
        self.held = {name: tf.Variable(values, trainable=False) for name, values in self.activations.items()}

    @property
    def taps(self) -> tuple[Tap, ...]:
        """In the order in which they are given."""
        named = enumerate(self.activations.items(), start=1)
        return tuple(tap(name, a.shape[1:], order, a.dtype.name) for order, (name, a) in named)

    def inventory(self, size: tuple[int, int]) -> tuple[tuple[Layer, ...], tuple[Tap, ...]]:
        """No layers."""
        return (), self.taps

    def tapped(
        self,
        taps: Sequence[Tap],
        then: Callable[..., Any],
        *,
        size: tuple[int, int],
        batch: int,
        beside: Sequence[tuple[int, ...]] = (),
    ) -> Callable[..., Any]:
        """As a `TappableModel` does it."""
        self.asked.append(tuple(tap.name for tap in taps))

        def call(images: Any, *others: Any) -> Any:
            images = tf.ensure_shape(images, (batch, *size, 3))
            numbers = tf.cast(images[:, 0, 0, 0], tf.int32)
            return then({t.name: tf.gather(self.held[t.name], numbers) for t in taps}, *others)

        function = tf.function(call, autograph=False) if self.graph else call
        return lambda *arrays: tf.nest.map_structure(lambda t: t.numpy(), function(*map(tf.constant, arrays)))

    def randomised(self, seed: int) -> AbstractContextManager[None]:
        """As a `TappableModel` does it: what a tap holds for all probes is permuted."""
        return permuted(self.held.values(), seed, self.identity.source)


@dataclass
class Numbers:
    """A `ProbeSet` of images that hold their own number."""

    names: tuple[str, ...]
    numbers: tuple[int, ...]
    alive: Callable[[np.ndarray], None] = lambda image: None
    """Is told of every image that is made."""

    @classmethod
    def upto(cls, count: int) -> Numbers:
        """Probes `p0`, `p1`, ..."""
        return cls(tuple(f"p{i}" for i in range(count)), tuple(range(count)))

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, place: int) -> Probe:
        image = np.full((1, 1, 3), self.numbers[place], np.float32)
        self.alive(image)
        return Probe(self.names[place], image, self.names[place], "")

    def named(self, names: Sequence[str]) -> Numbers:
        """Those of that name, in that order."""
        return Numbers(tuple(names), tuple(self.numbers[self.names.index(name)] for name in names), self.alive)


@dataclass(frozen=True)
class Planes:
    """The `Scenes` of such images, of one pixel that is kept; probes take turns in the groups."""

    group: Mapping[str, int]
    groups: int
    planes = ("kept", "edge", *COLOURS)
    masked_groups, masked, drawn, place = 0, (), 0, MappingProxyType({})
    seed = 0

    def only(self, names: Sequence[str]) -> Planes:
        """The same, and knows of no other probes than these."""
        return Planes({name: self.group[name] for name in names}, self.groups)

    def of(self, probe: Probe) -> np.ndarray:
        """The planes of a probe."""
        return np.concatenate([np.ones((1, 1, 1)), np.zeros((1, 1, 1)), probe.image], axis=-1).astype(np.float32)


def extraction(
    activations: Mapping[str, np.ndarray],
    *,
    batch: int = 2,
    graph: bool = False,
    order: Sequence[int] | None = None,
    groups: int = 0,
) -> Extraction:
    """An extraction of given activations; `order` gives the probes' numbers; with scenes where there are `groups`."""
    model = Planted(activations, graph=graph)
    count = len(next(iter(activations.values())))
    probes = Numbers.upto(count)
    if order is not None:
        probes = probes.named([f"p{i}" for i in order])
    turns = {name: i % max(groups, 1) for i, name in enumerate(probes.names)}
    scenes = Planes(turns, groups) if groups else None
    return Extraction(model, model.taps, probes, Preprocess((1, 1)), batch, scenes)  # type: ignore[arg-type]


def evidence(activations: Mapping[str, np.ndarray], *, groups: int = 0, **options: Any) -> Evidence:
    """What analyses get of given activations; every probe is a group of its own unless told otherwise."""
    groups = groups or len(next(iter(activations.values())))
    made = extraction(activations, groups=groups, **options)
    scenes = made.scenes
    assert scenes is not None
    sizes = np.bincount(list(scenes.group.values()), minlength=groups)
    grouped = made.measure([]).grouped
    return Evidence((IMAGE, *activations), grouped, sizes, scenes.masked_groups, scenes.planes[1:], scenes.seed)


@dataclass
class Pictures:
    """A `ProbeSet` of images `(probes, H, W, 3)`, whose first values must be their numbers, with masks or None."""

    images: np.ndarray
    masks: Sequence[np.ndarray | None]
    numbers: Sequence[int] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """`p0`, `p1`, ..."""
        return tuple(f"p{number}" for number in self.numbers or range(len(self.images)))

    @property
    def facts(self) -> tuple[ProbeFact, ...]:
        """As the manifest has them."""
        size = self.images.shape[1:3]
        return tuple(ProbeFact(p.name, p.name, "", size, p.mask is not None) for p in self)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, place: int) -> Probe:
        name = self.names[place]
        number = int(name[1:])
        return Probe(name, self.images[number], name, "", self.masks[number])

    def named(self, names: Sequence[str]) -> Pictures:
        """Those of that name, in that order."""
        return Pictures(self.images, self.masks, [int(name[1:]) for name in names])


def extraction_of(activations: Mapping[str, np.ndarray], pictures: Pictures, *, batch: int = 2) -> Extraction:
    """An extraction of given activations, with what the pictures show."""
    model, preprocess = Planted(activations), Preprocess(pictures.images.shape[1:3])
    scenes = Scenes(pictures, preprocess)  # type: ignore[arg-type]
    return Extraction(model, model.taps, pictures, preprocess, batch, scenes)  # type: ignore[arg-type]
