"""What was found in a model's graph, as taps and as the inventory; the same for every source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from fmreport.records import Layer, Tap, Work
from fmreport.sources.facts.graph_facts import GraphFacts
from fmreport.sources.zeros import zeros_of

RANKS = range(2, 6)
MOVED = "fmreport_channels_last"
"""Name of the operation that moves channels behind, which is no part of the model."""


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable of a model."""

    name: str
    size: int
    trainable: bool


Variables = Mapping[Any, Variable]
"""Variables, each by what tells it from all others."""


@dataclass(frozen=True, slots=True)
class Output:
    """One tensor that a layer returned, as the graph holds it."""

    name: str
    """What a tap on it is called."""
    path: str
    type: str
    """The class of the layer."""
    variables: Variables
    """Those of the layer and of the layers in it."""
    operations: Sequence[str]
    """Names of the operations of the call that returned it, those of calls inside it included."""
    tensor: Any
    channels_first: bool
    reason: str
    """Why it cannot be tapped; empty where it can."""

    @property
    def activations(self) -> Any:
        """The tensor as `(B, *spatial, C)`."""
        rank = self.tensor.shape.rank
        return tf.transpose(self.tensor, (0, *range(2, rank), 1), name=MOVED) if self.channels_first else self.tensor

    @property
    def spatial(self) -> tuple[int, ...]:
        """The axes of the tensor that are neither the batch nor the channels."""
        rank = self.tensor.shape.rank
        return tuple(range(2, rank) if self.channels_first else range(1, rank - 1))

    @property
    def shape(self) -> tuple[int, ...]:
        """`(*spatial, C)`."""
        batch_free = tuple(int(side) for side in self.tensor.shape[1:])
        return (*batch_free[1:], batch_free[0]) if self.channels_first else batch_free


@dataclass(frozen=True, slots=True)
class Silent:
    """A layer without an output."""

    path: str
    type: str
    variables: Variables
    reason: str
    """Why there is none."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Every output of every layer, in the order in which they were made, and what has none."""

    outputs: Sequence[Output]
    """What lies inside another layer comes before it."""
    readers: Mapping[str, set[str]]
    """Types of the layers that read a tensor, by its name."""
    rest: Sequence[Silent]
    variables: Variables
    """Those of the whole model."""
    returned: Sequence[str] = ()
    """Names of the tensors that the model returns."""

    def owners(self) -> dict[str, str]:
        """The innermost layer of each operation, by its name."""
        found: dict[str, str] = {}
        for output in self.outputs:
            for name in output.operations:
                found.setdefault(name, output.path)
        return found

    def taps(self, facts: GraphFacts) -> tuple[Tap, ...]:
        """What can be tapped, in the order in which the model runs."""
        taps: list[Tap] = []
        indices = Counter[str]()
        returned = {name: number for number, name in enumerate(self.returned, start=1)}
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
                parameters=entries(output.variables),
                trainable_parameters=entries(output.variables, trainable=True),
                zeros=zeros,
                zeros_reason=zeros_reason,
                feeds=tuple(feeds),
                work=facts.work(output.operations),
                receptive_field=facts.receptive_field(output.tensor),
                read_by=facts.readers(output.tensor, output.path),
                is_map=len(output.shape) == 3 and facts.is_map(output.tensor, output.spatial),
                returned=returned.get(output.tensor.name, 0),
            )
            taps.append(tap)
        return tuple(taps)

    def layers(self, facts: GraphFacts, taps: Sequence[Tap]) -> tuple[Layer, ...]:
        """Layers in the order in which they run, then the others; each with its taps or the reason for none.

        What the model does and holds outside of all layers is a last row, whose path is empty.
        """
        owned = _Owned(facts, {tap.name: tap for tap in taps})
        by_path: dict[str, list[Output]] = {}
        for output in self.outputs:
            by_path.setdefault(output.path, []).append(output)
        rows = []
        for path, outputs in by_path.items():
            tapped = tuple(output.name for output in outputs if not output.reason)
            operations = dict.fromkeys(name for output in outputs for name in output.operations)
            reason = "" if tapped else outputs[0].reason
            rows.append(
                owned.layer(path, outputs[0].type, outputs[0].variables, operations, taps=tapped, reason=reason)
            )
        rows += [owned.layer(s.path, s.type, s.variables, (), reason=s.reason) for s in self.rest]
        outside = owned.layer("", "", self.variables, facts.operations, reason="it stands in no layer")
        return (*rows, outside) if outside.own_parameters or outside.own_work != Work(0, 0) else tuple(rows)


class _Owned:
    """Rows of the inventory, each with what no row before it holds."""

    def __init__(self, facts: GraphFacts, taps: Mapping[str, Tap]) -> None:
        self._facts, self._taps = facts, taps
        self._variables: set[Hashable] = set()

    def layer(
        self,
        path: str,
        type_: str,
        variables: Variables,
        operations: Iterable[str],
        *,
        taps: tuple[str, ...] = (),
        reason: str = "",
    ) -> Layer:
        """The row of a layer."""
        own = {key: variable for key, variable in variables.items() if key not in self._variables}
        self._variables |= own.keys()
        return Layer(
            path,
            type_,
            entries(variables),
            entries(variables, trainable=True),
            taps,
            reason,
            self._taps[taps[-1]] if taps else None,
            entries(own),
            entries(own, trainable=True),
            self._facts.own_work(path, operations),
        )


def entries(variables: Variables, *, trainable: bool = False) -> int:
    """Numbers that variables hold; with `trainable`, those that training changes."""
    return sum(variable.size for variable in variables.values() if variable.trainable or not trainable)


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
