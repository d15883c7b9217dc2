"""What was recorded of a PyTorch model, drawn operation by operation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import tensorflow as tf
import torch
from torch.utils._pytree import tree_map

from fmreport.sources.blueprint.graph import HELD, Blueprint, Undrawn
from fmreport.sources.blueprint.listing import Drawing, Step
from fmreport.sources.graph.kinds import heavy
from fmreport.sources.listing import Silent
from fmreport.sources.torch.numbers import array, dtype_of, weights_of
from fmreport.sources.torch.operations import HANDS_ON, RULES, SHAPELESS, Drawn
from fmreport.sources.torch.recording import Call, Operation, Recording, Where, kind_of, modules, path_of, tensors

UNCALLED = "it is not called"
OTHERS = "it returns no tensor that is made of the image"
KINDS = {
    "Flatten": "Flatten",
    **dict.fromkeys(("InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d"), "GroupNormalization"),
    "LocalResponseNorm": "LocalResponseNormalization",
    "MultiheadAttention": "MultiHeadAttention",
    "PixelShuffle": "DepthToSpace",
}
"""What Keras calls layers whose operations do not tell it."""
HOLDERS = ("ModuleDict", "ModuleList")
"""Modules that only hold others, and are never called."""


class Drawer:
    """Draws one recording."""

    def __init__(self, model: Any, recording: Recording, blueprint: Blueprint) -> None:
        self._model, self._recording, self._blueprint = model, recording, blueprint
        self._weights = {each._cdata: (name, each) for name, each in weights_of(model).items()}
        self._live: dict[int, Any] = {}
        """What stands for a tensor that is made of the image, by where the tensor lies."""
        self._idle: dict[int, Any] = {}
        """The same of others."""
        self._behind: dict[int, list[Any]] = {}
        """Weights, as they are drawn, of which others are made."""
        self._later: dict[int, tuple[str, list[Any]]] = {}
        """What an operation makes beside what is drawn, and what it reads."""
        self._drawn: list[list[Any]] = []
        """What was drawn for each operation."""
        self._steps: list[Step] = []
        self._silent: list[Silent] = []
        self._held: dict[str, Where] = {}
        self._written = last_written(recording)
        self._times = Counter(each.type for each in recording.events if isinstance(each, Operation))
        self._ran = Counter[str]()

    def draw(self, fed: Sequence[tuple[Any, Any]]) -> Drawing:
        """From pairs of a tensor that the model was fed and what stands for it."""
        self._live |= {tensor._cdata: drawn for tensor, drawn in fed}
        calls = [each for each in self._recording.events if isinstance(each, Call)]
        inside = {number for call in calls if call.is_layer for number in range(call.first, call.end)}
        for at, event in enumerate(self._recording.events):
            if isinstance(event, Call):
                self._end(event, at)
                continue
            self._ran[event.type] += 1
            with self._blueprint.step() as operations:
                self._operation(event)
            self._drawn.append([op for op in operations if op.type not in HELD])
            if self._drawn[-1] and event.number not in inside:
                self._note(event, at)
        returned = [self._live[each._cdata] for each in self._recording.returned if each._cdata in self._live]
        called = {call.path for call in calls}
        # Weights that nothing reads are weights all the same.
        drawn = {name: self._tensor(each).op.name for name, each in self._weights.values()}
        rest = self._silent
        for path, module in modules(self._model):
            if path not in called and type(module).__name__ not in HOLDERS:
                own = {
                    drawn[name]: self._blueprint.variables[drawn[name]]
                    for name in drawn
                    if path_of(name).startswith(f"{path}/")
                }
                rest.append(Silent(path, kind_of(module)[0], own, UNCALLED))
        return Drawing(self._steps, self._blueprint.variables, self._held, returned, rest)

    def _operation(self, event: Operation) -> None:
        """Draws an operation that reads what is made of the image, and notes what weights go into others."""
        given = tensors(event.arguments)
        read = [self._tensor(each) for each in given if self._is_live(each)]
        if read and event.type not in SHAPELESS:
            made = self._results(event, read)
            self._live |= {each._cdata: drawn for each, drawn in zip(event.results, made, strict=False)}
            left = event.results[len(made) :]
            self._later |= {each._cdata: (event.type, read) for each in left}
            self._through_views(event)
            return
        behind = {weight.name: weight for each in given for weight in self._sources(each)}
        self._behind |= {each._cdata: list(behind.values()) for each in event.results}

    def _results(self, event: Operation, read: Sequence[Any]) -> list[Any]:
        """What stands for its results, those left aside that nobody knows how to draw and most never read."""
        kind, like = event.type.removesuffix("_"), event.results
        first = self._tensor(next(iter(tensors(event.arguments))))
        alike = like and tuple(first.shape) == tuple(like[0].shape) and first.dtype == dtype_of(like[0])
        if kind in HANDS_ON and alike:
            return [first]
        arguments = tree_map(
            lambda each: self._tensor(each) if isinstance(each, torch.Tensor) else each, dict(event.arguments)
        )
        try:
            if kind not in RULES:
                raise Undrawn
            made = RULES[kind](Drawn(kind, arguments, like))
            outputs = list(made) if isinstance(made, list | tuple) else [made]
            if [tuple(each.shape) for each in outputs] != [tuple(each.shape) for each in like[: len(outputs)]]:
                raise Undrawn
            pairs = zip(outputs, like, strict=False)
            return [each if each.dtype == (dtype := dtype_of(t)) else tf.cast(each, dtype) for each, t in pairs]
        # Whatever a rule has not foreseen is not known, and is said so: a fact stops no report.
        except Exception:  # noqa: BLE001
            shapes = [(tuple(each.shape), dtype_of(each)) for each in like]
            return self._blueprint.opaque(name_of(event.type), list(read), shapes) if shapes else []

    def _through_views(self, event: Operation) -> None:
        """What is written to a part is in the whole as well."""
        for each in event.changed:
            whole = each._base
            if whole is not None and each._cdata in self._live:
                read = [self._live[each._cdata]] + ([self._tensor(whole)] if self._is_live(whole) else [])
                self._live[whole._cdata] = self._blueprint.opaque(
                    name_of(event.type), read, [(tuple(whole.shape), dtype_of(whole))]
                )[0]

    def _note(self, event: Operation, at: int) -> None:
        """An operation that stands in no layer is one itself."""
        outputs = []
        for i, result in enumerate(event.results):
            drawn = self._live.get(result._cdata)
            if drawn is not None:
                outputs.append(drawn)
                overwritten = self._written(result, at)
                number, times = self._ran[event.type], self._times[event.type]
                where = Where(event.path, number, i, event.type, times, overwritten)
                self._held.setdefault(drawn.name, where)
        owner = self._owner(event) if not event.path else ""
        path = owner or "/".join(filter(None, (event.path, name_of(event.type))))
        if outputs:
            self._steps.append(Step(path, self._drawn[-1], outputs))

    def _end(self, call: Call, at: int) -> None:
        outputs = []
        for i, each in enumerate(call.outputs):
            drawn = self._live.get(each._cdata)
            if drawn is not None:
                outputs.append(drawn)
                # Sooner than the operation that made it: a hook costs less than to follow operations.
                if drawn.name not in self._held or self._held[drawn.name].operation:
                    self._held[drawn.name] = Where(call.path, call.number, i, is_overwritten=self._written(each, at))
        operations = [op for several in self._drawn[call.first : call.end] for op in several]
        told = call.is_layer and operations and len(heavy(operations)) < 2 and call.kind not in KINDS
        kind = "" if told else KINDS.get(call.kind, call.kind)
        if outputs:
            self._steps.append(Step(call.path, operations, outputs, kind, is_scope=not call.is_layer))
        else:
            self._silent.append(Silent(call.path, KINDS.get(call.kind, call.kind), {}, OTHERS))

    def _owner(self, event: Operation) -> str:
        """The path of the module whose weights an operation reads, where no module is seen to be called."""
        names = [self._weights[each._cdata][0] for each in tensors(event.arguments) if each._cdata in self._weights]
        return path_of(names[0].rpartition(".")[0]) if names else ""

    def _is_live(self, tensor: Any) -> bool:
        return tensor._cdata in self._live or tensor._cdata in self._later

    def _tensor(self, tensor: Any) -> Any:
        """What stands for a tensor: made of the image, a weight, or numbers of no interest."""
        key = tensor._cdata
        if key in self._live:
            return self._live[key]
        if key in self._later:
            kind, read = self._later[key]
            self._live[key] = self._blueprint.opaque(kind, read, [(tuple(tensor.shape), dtype_of(tensor))])[0]
            return self._live[key]
        if key not in self._idle:
            self._idle[key] = self._made(tensor)
        return self._idle[key]

    def _made(self, tensor: Any) -> Any:
        if tensor._cdata in self._weights:
            name, weight = self._weights[tensor._cdata]
            trainable = isinstance(weight, torch.nn.Parameter) and weight.requires_grad
            return self._blueprint.weight(name, tuple(weight.shape), dtype_of(weight), trainable=trainable)
        behind = self._behind.get(tensor._cdata, [])
        if not behind:
            return self._blueprint.constant(array(tensor))
        return self._blueprint.derived(behind, tuple(tensor.shape), dtype_of(tensor))

    def _sources(self, tensor: Any) -> Iterator[Any]:
        if tensor._cdata in self._weights:
            yield self._tensor(tensor)
        else:
            yield from self._behind.get(tensor._cdata, [])


def last_written(recording: Recording) -> Callable[[Any, int], bool]:
    """A function that tells whether the model writes over a tensor after the event of a number."""
    last: dict[int, int] = {}
    for at, event in enumerate(recording.events):
        if isinstance(event, Operation):
            last |= {each.untyped_storage()._cdata: at for each in event.changed}
    return lambda tensor, at: last.get(tensor.untyped_storage()._cdata, -1) > at


def name_of(kind: str) -> str:
    """An operation's name without what says how it is done."""
    name = kind.strip("_").removeprefix("native_").removesuffix("_with_indices")
    return "convolution" if name == "convolution_overrideable" else name
