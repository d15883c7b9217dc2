"""What a saved graph left in the graph that it was imported into, as a listing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fmreport.sources.graph.kinds import OPAQUE, kind_of
from fmreport.sources.graph.live import Live
from fmreport.sources.graph.naming import paths
from fmreport.sources.graph.places import Place
from fmreport.sources.graph.scopes import SCOPE, Part, parts, root
from fmreport.sources.layout import Layout
from fmreport.sources.listing import Listing, Output, Silent, Variable, why_not
from fmreport.sources.recorder import Call

SEVERAL = "its results are those of several layers inside it"
"""Why a scope is not tapped that has no result of its own."""


class Format:
    """What an operation says of its layout, as a layer would."""

    def __init__(self, op: Any) -> None:
        said = op.get_attr("data_format").decode() if "data_format" in op.node_def.attr else ""
        self.data_format = {"NC": "channels_first", "NH": "channels_last", "ND": "channels_last"}.get(said[:2])


class Reading:
    """Which variables operations read, by way of everything that the image does not reach."""

    def __init__(self, live: Iterable[str], variables: Mapping[str, Variable]) -> None:
        """`live` names what the image reaches; `variables` are by the operation that stands for each."""
        self._live = frozenset(live)
        self.variables = variables
        self._known: dict[str, dict[str, Variable]] = {}

    def of(self, operations: Sequence[Any]) -> dict[str, Variable]:
        """Each variable once, by the operation that stands for it."""
        return {name: v for op in operations for name, v in self._read(op).items()}

    def _read(self, op: Any) -> dict[str, Variable]:
        if op.name not in self._known:
            found: dict[str, Variable] = {}
            seen, waiting = {op.name}, list(op.inputs)
            while waiting:
                behind = waiting.pop().op
                if behind.name in seen or behind.name in self._live:
                    continue
                seen.add(behind.name)
                if behind.name in self.variables:
                    found[behind.name] = self.variables[behind.name]
                waiting += behind.inputs
            self._known[op.name] = found
        return self._known[op.name]


def listing(
    live: Live, places: Mapping[str, Place], reading: Reading, layout: Layout, *, batch: int, each: bool
) -> Listing:
    """Every output of every layer and scope; with `each`, of every operation too."""
    for op in live.operations:
        layout.add(Call(Format(op), (), list(op.inputs), list(op.outputs)))
    found = _in_order(parts(live, places, each=each), live)
    variables = {i: reading.of(part.operations) for i, part in enumerate(found)}
    named = paths(found, variables)
    times, numbers = Counter(named), Counter[str]()
    outputs, readers = [], dict[str, set[str]]()
    held: dict[tuple[str, str], Silent] = {}
    for i, (part, path) in enumerate(zip(found, named, strict=True)):
        numbers[path] += 1
        name = f"{path}:{numbers[path]}" if times[path] > 1 else path
        kind = _kind(part, len(variables[i]), live)
        names = tuple(op.name for op in part.operations)
        tensors = _outputs(part, live)
        several = SEVERAL if len(tensors) > 1 and not part.is_layer else ""
        for number, tensor in enumerate(tensors, start=1):
            full = f"{name}@{number}" if len(tensors) > 1 else name
            first, reason = layout.channels_first(tensor), several or why_not(tensor, batch)
            outputs.append(Output(full, path, kind, variables[i], names, tensor, first, reason))
        if part.is_layer:
            own = {op.name for op in part.operations}
            for tensor in (t for op in part.operations for t in live.reads[op.name] if t.op.name not in own):
                readers.setdefault(tensor.name, set()).add(kind)
        for op in part.operations if part.is_layer else ():
            if op.type in OPAQUE:
                held.setdefault((path, OPAQUE[op.type]), opaque(path, op.type, OPAQUE[op.type]))
    rest = [*held.values(), *_idle(live, places, found)]
    return Listing(outputs, readers, rest, reading.variables, sorted(live.outputs))


def _kind(part: Part, variables: int, live: Live) -> str:
    if not part.is_layer:
        return SCOPE
    return kind_of(part.operations, variables, incoming=len(live.incoming(part.operations)))


def _in_order(found: Sequence[Part], live: Live) -> list[Part]:
    """By the last operation of each that is read from outside; what lies inside another one first."""
    position = {op.name: i for i, op in enumerate(live.operations)}

    def rank(part: Part) -> tuple[int, int, int]:
        made = [position[tensor.op.name] for tensor in _outputs(part, live)]
        last = made[-1] if made else position[part.operations[-1].name]
        return last, not part.is_layer, -len(part.levels)

    return sorted(found, key=rank)


def _outputs(part: Part, live: Live) -> list[Any]:
    """Tensors of a part that are read outside of it, those that can hold activations where there are some."""
    own = {op.name for op in part.operations}
    read = [
        tensor
        for op in part.operations
        for tensor in op.outputs
        if tensor.name in live.outputs or live.readers.get(tensor.name, set()) - own
    ]
    return [tensor for tensor in read if tensor.dtype.is_floating] or read


def opaque(path: str, type_: str, what: str) -> Silent:
    """What stands for all layers inside of an operation, such as `a loop`."""
    return Silent(f"{path}/*", type_, {}, f"opaque: what {what} holds cannot be tapped")


def _idle(live: Live, places: Mapping[str, Place], found: Sequence[Part]) -> list[Silent]:
    """Scopes in which nothing happens to what is read, such as a dropout outside of training."""
    layers = {part.levels for part in found if part.is_layer}
    busy = {part.levels[:depth] for part in found for depth in range(1, len(part.levels) + 1)}
    rows, common = {}, root(live.operations, places)
    for op in live.idle:
        scope = places[op.name].levels[common:-1]
        while len(scope) > 1 and scope[:-1] not in busy:
            scope = scope[:-1]
        if scope and scope not in busy and scope[:-1] not in layers:
            rows["/".join(scope).replace(".", "/")] = op.type
    return [Silent(path, kind, {}, "it returns what it reads") for path, kind in rows.items()]
