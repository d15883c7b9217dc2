"""What a trace of a Keras model left behind, as taps and as the inventory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from fmreport.records import Layer, Tap
from fmreport.sources.layout import Layout
from fmreport.sources.paths import Paths
from fmreport.sources.recorder import Call
from fmreport.sources.zeros import zeros_of

RANKS = range(2, 6)
INPUT = "an input: it holds what the model is fed"
UNSEEN = (
    "no call returned a tensor: it does not run in inference, or only inside a function, a loop, another layer's code "
    "or a saved graph"
)


@dataclass(frozen=True, slots=True)
class Output:
    """One tensor that a layer returned, as the graph holds it."""

    name: str
    """What a tap on it is called."""
    path: str
    layer: Any
    tensor: Any
    channels_first: bool
    reason: str
    """Why it cannot be tapped; empty where it can."""

    @property
    def type(self) -> str:
        """The class of the layer."""
        return type(self.layer).__name__

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


class Listing:
    """Every output of every call, in the order in which they were made; calls hold and name the rest."""

    def __init__(self, model: Any, calls: Sequence[Call], layout: Layout, batch: int) -> None:
        self._paths = Paths(model)
        named = [(self._paths.of(call.holders, call.layer), call) for call in calls]
        times, numbers = Counter(path for path, _ in named), Counter[str]()
        self.outputs: list[Output] = []
        for path, call in named:
            layout.add(call)
            numbers[path] += 1
            name = f"{path}:{numbers[path]}" if times[path] > 1 else path
            for i, tensor in enumerate(call.outputs, start=1):
                full = f"{name}@{i}" if len(call.outputs) > 1 else name
                first, reason = layout.channels_first(tensor), _why_not(tensor, batch)
                self.outputs.append(Output(full, path, call.layer, tensor, first, reason))
        self._readers: dict[str, set[str]] = {}
        for _, call in named:
            for tensor in call.inputs:
                self._readers.setdefault(tensor.name, set()).add(type(call.layer).__name__)

    def taps(self) -> tuple[Tap, ...]:
        """What can be tapped, in the order in which the model runs."""
        taps: list[Tap] = []
        indices = Counter[str]()
        known: dict[str, tuple[str, str]] = {}
        made: set[str] = set()
        for output in self.outputs:
            # A model inside a model returns the tensor of its last layer, which alone says what reads it.
            feeds = () if output.tensor.name in made else sorted(self._readers.get(output.tensor.name, ()))
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
                parameters=parameters(output.layer)[0],
                zeros=zeros,
                zeros_reason=zeros_reason,
                feeds=tuple(feeds),
            )
            taps.append(tap)
        return tuple(taps)

    def layers(self) -> tuple[Layer, ...]:
        """Called layers in the order in which they run, then the others; each with its taps or the reason for none."""
        by_path: dict[str, list[Output]] = {}
        for output in self.outputs:
            by_path.setdefault(output.path, []).append(output)
        rows = []
        for path, outputs in by_path.items():
            tapped = tuple(output.name for output in outputs if not output.reason)
            rows.append(_row(path, outputs[0].layer, tapped, "" if tapped else outputs[0].reason))
        for path, layer in self._paths.others():
            rows.append(_row(path, layer, (), INPUT if type(layer).__name__ == "InputLayer" else UNSEEN))
        return tuple(rows)


def weights(layer: Any) -> list[Any]:
    """All variables of a layer; none of a model that was never built."""
    try:
        return list(getattr(layer, "weights", ()))
    except ValueError:  # tf_keras, of a model inside that was never built
        return []


def parameters(layer: Any) -> tuple[int, int]:
    """Entries of all variables of a layer and of those that are trainable."""
    variables = weights(layer)
    trainable = {id(each) for each in getattr(layer, "trainable_weights", ())}
    sizes = [(int(tf.TensorShape(each.shape).num_elements() or 0), id(each) in trainable) for each in variables]
    return sum(size for size, _ in sizes), sum(size for size, learns in sizes if learns)


def _row(path: str, layer: Any, taps: tuple[str, ...], reason: str) -> Layer:
    return Layer(path, type(layer).__name__, *parameters(layer), taps, reason)


def _why_not(tensor: Any, batch: int) -> str:
    if not tensor.dtype.is_floating:
        return f"its values are {tensor.dtype.name}, not floating point"
    if tensor.shape.rank is None or tensor.shape.rank not in RANKS:
        return f"its output has {tensor.shape.rank} axes; {RANKS[0]} to {RANKS[-1]} are measured"
    if tensor.shape[0] != batch:
        return "the first axis of its output is not the batch"
    if None in tensor.shape[1:]:
        return f"its output {tuple(tensor.shape[1:])} has no fixed size"
    if 0 in tensor.shape[1:]:
        return f"its output {tuple(tensor.shape[1:])} is empty"
    return ""
