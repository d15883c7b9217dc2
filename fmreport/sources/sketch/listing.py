"""What was drawn of a model, as a listing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
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
    reads: Sequence[Any]
    """Tensors made of the image that it is given."""
    type: str = ""
    """The class of the layer; empty: its operations tell it."""
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
    """What the model's own framework calls each tensor, by its name in the sketch."""
    returned: Sequence[Any]
    """Tensors that the model returns."""
    rest: Sequence[Silent] = ()
    """Layers that are not called."""
    quantised: Mapping[str, Quantisation] = field(default_factory=dict)
    """How tensors of whole numbers, by their names in the sketch, hold the values that they stand for."""


def listing(drawing: Drawing, images: Any, layout: Layout, batch: int) -> Listing:
    """Every output of every step; `images` are what the sketch begins with."""
    for step in drawing.steps:
        _lay_out(step, layout)
    reading = Reading(_reached(images), drawing.variables)
    times, numbers = Counter(step.path for step in drawing.steps), Counter[str]()
    outputs, readers, idle = [], dict[str, set[str]](), list[Silent]()
    for step in drawing.steps:
        numbers[step.path] += 1
        variables = reading.of(step.operations)
        kind = step.type or kind_of(step.operations, len(variables), incoming=len(step.reads))
        if not step.operations:
            idle.append(Silent(step.path, kind, {}, PASSES_ON))
            continue
        name = f"{step.path}:{numbers[step.path]}" if times[step.path] > 1 else step.path
        names = tuple(op.name for op in step.operations)
        for number, tensor in enumerate(step.outputs, start=1):
            full = f"{name}@{number}" if len(step.outputs) > 1 else name
            reason = why_not(tensor, batch)
            outputs.append(
                Output(full, step.path, kind, variables, names, tensor, layout.channels_first(tensor), reason)
            )
        for tensor in () if step.is_scope else step.reads:
            readers.setdefault(tensor.name, set()).add(kind)
    called = {output.path for output in outputs}
    rest = {each.path: each for each in (*idle, *drawing.rest) if each.path not in called}
    return Listing(outputs, readers, list(rest.values()), drawing.variables, [t.name for t in drawing.returned])


def _lay_out(step: Step, layout: Layout) -> None:
    """Settles which axis of what a step makes holds channels; a scope makes nothing by itself."""
    if step.is_scope:
        return
    returned = {tensor.op.name for tensor in step.outputs}
    for op in step.operations:
        # What a layer returns, such as a normalisation, may be laid out as what it was given, whatever lies between.
        given = [*op.inputs, *step.reads] if op.name in returned else list(op.inputs)
        layout.add(Call(Format(op), (), given, list(op.outputs)))


def _reached(images: Any) -> Iterable[str]:
    """Names of the operations to which values of the image lead."""
    reached = {images.op.name}
    for op in images.graph.get_operations():
        if op.type not in ASKS_SHAPE and any(tensor.op.name in reached for tensor in op.inputs):
            reached.add(op.name)
    return reached
