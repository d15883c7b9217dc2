"""What was found in a model's graph, as taps and as the inventory; the same for every source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from fmreport.records import Layer, Tap
from fmreport.sources.zeros import zeros_of

RANKS = range(2, 6)


@dataclass(frozen=True, slots=True)
class Output:
    """One tensor that a layer returned, as the graph holds it."""

    name: str
    """What a tap on it is called."""
    path: str
    type: str
    """The class of the layer."""
    parameters: tuple[int, int]
    """Entries of all the layer's variables and of those that are trainable."""
    tensor: Any
    channels_first: bool
    reason: str
    """Why it cannot be tapped; empty where it can."""

    @property
    def activations(self) -> Any:
        """The tensor as `(B, *spatial, C)`."""
        rank = self.tensor.shape.rank
        return tf.transpose(self.tensor, (0, *range(2, rank), 1)) if self.channels_first else self.tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """`(*spatial, C)`."""
        batch_free = tuple(int(side) for side in self.tensor.shape[1:])
        return (*batch_free[1:], batch_free[0]) if self.channels_first else batch_free


@dataclass(frozen=True, slots=True)
class Listing:
    """Every output of every layer, in the order in which they were made, and what has none."""

    outputs: Sequence[Output]
    readers: Mapping[str, set[str]]
    """Types of the layers that read a tensor, by its name."""
    rest: Sequence[Layer]
    """Layers without an output."""

    def taps(self) -> tuple[Tap, ...]:
        """What can be tapped, in the order in which the model runs."""
        taps: list[Tap] = []
        indices = Counter[str]()
        known: dict[str, tuple[str, str]] = {}
        made: set[str] = set()
        for output in self.outputs:
            # A model inside a model returns the tensor of its last layer, which alone says what reads it.
            feeds = () if output.tensor.name in made else sorted(self.readers.get(output.tensor.name, ()))
            made.add(output.tensor.name)
            if output.reason:
                continue
            indices[output.type] += 1
            zeros, zeros_reason = zeros_of(output.tensor, known)
            tap = Tap(
                name=output.name,
                layer=output.path,
                type=output.type,
                order=len(taps) + 1,
                index=indices[output.type],
                shape=output.shape,
                dtype=output.tensor.dtype.name,
                parameters=output.parameters[0],
                zeros=zeros,
                zeros_reason=zeros_reason,
                feeds=tuple(feeds),
            )
            taps.append(tap)
        return tuple(taps)

    def layers(self) -> tuple[Layer, ...]:
        """Layers in the order in which they run, then the others; each with its taps or the reason for none."""
        by_path: dict[str, list[Output]] = {}
        for output in self.outputs:
            by_path.setdefault(output.path, []).append(output)
        rows = []
        for path, outputs in by_path.items():
            tapped = tuple(output.name for output in outputs if not output.reason)
            first = outputs[0]
            rows.append(Layer(path, first.type, *first.parameters, tapped, "" if tapped else first.reason))
        return (*rows, *self.rest)


def why_not(tensor: Any, batch: int) -> str:
    """Why a tensor cannot be measured for images in batches of `batch`; empty where it can."""
    if not tensor.dtype.is_floating:
        return f"its values are {tensor.dtype.name}, not floating point"
    if tensor.shape.rank is None or tensor.shape.rank not in RANKS:
        return f"its output has {tensor.shape.rank} axes; {RANKS[0]} to {RANKS[-1]} are measured"
    if tensor.shape[0] is None:
        return "its batch is not known before it runs"
    if tensor.shape[0] != batch:
        return "the first axis of its output is not the batch"
    if None in tensor.shape[1:]:
        return f"its output {tuple(tensor.shape[1:])} has no fixed size"
    if 0 in tensor.shape[1:]:
        return f"its output {tuple(tensor.shape[1:])} is empty"
    return ""
