"""What was drawn of a model, as a listing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fmreport.records import Quantisation
from fmreport.sources.graph.kinds import ASKS_SHAPE, kind_of
from fmreport.sources.graph.listing import Format, Reading
from fmreport.sources.layout import Layout
from fmreport.sources.listing import Listing, Output, Silent, Variable, why_not
from fmreport.sources.recorder import Call

PASSES_ON = "it returns what it reads"


@dataclass(frozen=True, slots=True)
class Step:
    """One node of a model's own graph, or one call of a module, that the image goes through."""

    path: str
    operations: Sequence[Any]
    """What was drawn for it, calls inside it included."""
    outputs: Sequence[Any]
    """Tensors that it returns."""
    type: str = ""
    """The class of the layer; empty where its operations tell it, of which there are some then."""
    is_scope: bool = False
    """Whether layers are in it."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A whole model."""

    steps: Sequence[Step]
    """In the order in which they ended."""
    variables: Mapping[str, Variable]
    """The model's own by the operation that stands for each."""
    held: Mapping[str, Hashable]
    """What the model's own framework calls each tensor, by its name in the blueprint."""
    returned: Sequence[Any]
    """Tensors that the model returns."""
    rest: Sequence[Silent] = ()
    """Layers that are not called."""
    quantised: Mapping[str, Quantisation] = field(default_factory=dict)
    """How tensors of whole numbers, by their names in the blueprint, hold the values that they stand for."""


def listing(drawing: Drawing, images: Any, layout: Layout, batch: int) -> Listing:
    """Every output of every step; `images` are what the blueprint begins with."""
    reached = _reached(images)
    reading = Reading(reached, drawing.variables)
    times, numbers = Counter(step.path for step in drawing.steps), Counter[str]()
    outputs, readers, idle = [], dict[str, set[str]](), list[Silent]()
    for step in drawing.steps:
        numbers[step.path] += 1
        if not step.operations:
            idle.append(Silent(step.path, step.type, {}, PASSES_ON))
            continue
        reads = _reads(step, reached)
        if not step.is_scope:
            _lay_out(step, reads, layout)
        variables = reading.of(step.operations)
        # Not what is done to weights.
        working = [op for op in step.operations if op.name in reached]
        kind = step.type or kind_of(working, len(variables), incoming=len(reads))
        name = f"{step.path}:{numbers[step.path]}" if times[step.path] > 1 else step.path
        names = tuple(op.name for op in step.operations)
        for number, tensor in enumerate(step.outputs, start=1):
            full = f"{name}@{number}" if len(step.outputs) > 1 else name
            first, reason = layout.channels_first(tensor), why_not(tensor, batch)
            outputs.append(Output(full, step.path, kind, variables, names, tensor, first, reason))
        for tensor in () if step.is_scope else reads:
            readers.setdefault(tensor.name, set()).add(kind)
    called = {output.path for output in outputs}
    rest = {each.path: each for each in (*idle, *drawing.rest) if each.path not in called}
    return Listing(outputs, readers, list(rest.values()), drawing.variables, [t.name for t in drawing.returned])


def _reads(step: Step, reached: Container[str]) -> list[Any]:
    """Tensors made of the image that a step is given, each once."""
    own = {op.name for op in step.operations}
    given = (tensor for op in step.operations for tensor in op.inputs if tensor.op.name not in own)
    return list({tensor.name: tensor for tensor in given if tensor.op.name in reached}.values())


def _lay_out(step: Step, reads: Sequence[Any], layout: Layout) -> None:
    """Settles which axis of what a layer makes holds channels."""
    returned = {tensor.op.name for tensor in step.outputs}
    for op in step.operations:
        # What it returns, such as something normalised, may be laid out as what it was given, whatever lies between.
        given = [*op.inputs, *reads] if op.name in returned else list(op.inputs)
        layout.add(Call(Format(op), (), given, list(op.outputs)))


def _reached(images: Any) -> set[str]:
    """Names of the operations to which values of the image lead."""
    reached = {images.op.name}
    for op in images.graph.get_operations():
        if op.type not in ASKS_SHAPE and any(tensor.op.name in reached for tensor in op.inputs):
            reached.add(op.name)
    return reached
