"""What a PyTorch model does with a batch: every operation, and every call of a module around it.

Operations are those that PyTorch dispatches, so that nothing is asked of the model but to run. Tensors are kept while
they are recorded: each is told by where it lies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

TORCH = "torch.nn."
"""Where the classes of PyTorch's own layers are."""
PLAIN = ("torch.nn.modules.module.Module", "torch.nn.modules.container.Sequential")
"""Those that do nothing by themselves."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation."""

    number: int
    """Of all that were run, from 0."""
    type: str
    """Its name as PyTorch spells it, without what says how it is called."""
    arguments: Mapping[str, Any]
    results: Sequence[Any]
    """Tensors."""
    changed: Sequence[Any]
    """Tensors among its arguments that it writes to."""
    path: str
    """Of the innermost module in whose call it ran; empty: the model itself."""
    is_random: bool = False
    """Whether it draws random numbers."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a module, which ended."""

    path: str
    number: int
    """Of the calls of this module, from 1."""
    kind: str
    """The module's class."""
    is_layer: bool
    """Whether that is one of PyTorch's own, and no other was called inside."""
    first: int
    """Number of the first operation in it."""
    end: int
    """Number behind the last one."""
    outputs: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Where:
    """Where a tensor comes up again whenever the model runs."""

    path: str
    """Of the module; for an operation, that of the module around it."""
    number: int
    """Of the calls of the module, or of the operations of this name, from 1."""
    place: int
    """Among the tensors that it returns, from 0."""
    operation: str = ""
    """Its name; empty: a module."""
    of: int = 0
    """How many operations of the name the model runs: where others come in between, this one is not told again."""
    is_overwritten: bool = False
    """Whether the model writes over it afterwards."""


@dataclass(slots=True)
class Recording:
    """Operations and calls in the order in which they ended."""

    events: list[Operation | Call] = field(default_factory=list)
    returned: Sequence[Any] = ()
    """Tensors that the model returns."""


def tensors(values: Any) -> list[Any]:
    """The tensors in whatever is nested."""
    return [each for each in tree_leaves(values) if isinstance(each, torch.Tensor)]


def kind_of(module: Any) -> tuple[str, bool]:
    """The class of a module, or of the one that it was exported of; and whether that is a kind of PyTorch's own."""
    told = getattr(module, "type_name", None)
    if callable(told) and (known := told()):
        return str(known).rpartition(".")[2], str(known).startswith(TORCH)
    classes = [f"{each.__module__}.{each.__qualname__}" for each in type(module).__mro__]
    return type(module).__name__, any(name.startswith(TORCH) and name not in PLAIN for name in classes)


def path_of(name: str) -> str:
    """The path of a module that PyTorch calls `layer1.0.conv1`."""
    return name.replace(".", "/")


def modules(model: Any) -> Iterator[tuple[str, Any]]:
    """Modules that a hook can be put on, by their paths; the model itself is none of them."""
    if isinstance(model, torch.jit.ScriptModule):
        return
    for name, module in model.named_modules():
        if name:
            yield path_of(name), module


def record(model: Any, run: Callable[[], Any]) -> Recording:
    """What `run` makes the model do."""
    made = Recording()
    with _Recorder(made, model) as recorder, recorder.hooks():
        made.returned = tensors(run())
    return made


def _keeps(arguments: Mapping[str, Any]) -> bool:
    """Whether an operation that may leave something out by chance leaves out nothing."""
    return arguments.get("train") is False or arguments.get("dropout_p") == 0


class _Recorder(TorchDispatchMode):
    def __init__(self, recording: Recording, model: Any) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._made, self._model = recording, model
        self._open: list[tuple[str, int, bool]] = []
        self._operations = 0
        self._calls: dict[str, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        schema = func._schema
        named = dict(zip((each.name for each in schema.arguments), args, strict=False)) | (kwargs or {})
        written = [each.name for each in schema.arguments if each.alias_info is not None and each.alias_info.is_write]
        changed = [tensor for name in written for tensor in tensors(named.get(name))]
        path = self._open[-1][0] if self._open else ""
        kind = schema.name.partition("::")[2]
        random = torch.Tag.nondeterministic_seeded in func.tags and not _keeps(named)
        self._made.events.append(Operation(self._operations, kind, named, tensors(result), changed, path, random))
        self._operations += 1
        return result

    @contextmanager
    def hooks(self) -> Iterator[None]:
        """Inside the context calls of modules are recorded."""
        with ExitStack() as hooks:
            for path, module in modules(self._model):
                hooks.callback(module.register_forward_pre_hook(self._begin(path)).remove)
                hooks.callback(module.register_forward_hook(self._end(path)).remove)
            yield

    def _begin(self, path: str) -> Any:
        def begin(*_: Any) -> None:
            if self._open:
                outer, first, _inner = self._open[-1]
                self._open[-1] = outer, first, True
            self._open.append((path, self._operations, False))

        return begin

    def _end(self, path: str) -> Any:
        def end(module: Any, _: Any, output: Any) -> None:
            _, first, inner = self._open.pop()
            self._calls[path] = self._calls.get(path, 0) + 1
            kind, own = kind_of(module)
            is_layer, made = own and not inner, tensors(output)
            call = Call(path, self._calls[path], kind, is_layer, first, self._operations, made)
            self._made.events.append(call)

        return end
