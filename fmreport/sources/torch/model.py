"""A PyTorch model as a `TappableModel`: hooks take what modules return, and operations are followed where asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import tensorflow as tf
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from fmreport.errors import SourceError
from fmreport.sources import Identity
from fmreport.sources.architecture import summary
from fmreport.sources.blueprint.graph import Blueprint
from fmreport.sources.blueprint.listing import Drawing
from fmreport.sources.hosted import Arrays, HostedModel
from fmreport.sources.inputs import settled
from fmreport.sources.randomised import Weight
from fmreport.sources.torch.drawing import Drawer
from fmreport.sources.torch.numbers import Held, array, tensor, weights_of
from fmreport.sources.torch.recording import Operation, Recording, Where, modules, record, tensors

VIEW = "view size is not compatible"
"""What PyTorch says where a model counts on channels that come first in memory."""
NO_MEMORY = ("not enough memory", "out of memory")


class TorchModel(HostedModel):
    """Run by PyTorch where its weights lie."""

    def __init__(
        self,
        model: Any,
        identity: Identity,
        specs: Sequence[tf.TensorSpec],
        feeds: Mapping[str, str],
        *,
        notes: tuple[str, ...] = (),
    ) -> None:
        super().__init__(identity, settled([0] * len(specs), specs, feeds), notes)
        self._model, self._told = model, self.notes
        first = next(iter(weights_of(model).values()), None)
        self._device = first.device if first is not None else torch.device("cpu")
        self._memory_format = torch.channels_last

    def _draw(self, blueprint: Blueprint, fed: Sequence[Any], arrays: Sequence[np.ndarray]) -> Drawing:
        try:
            recording, given = self._recorded(arrays)
        except SourceError as error:
            if VIEW not in str(error.__cause__):
                raise
            # Written for channels that come first in memory as well.
            self._memory_format = torch.contiguous_format
            recording, given = self._recorded(arrays)
        self.notes = (*self._told, *notes(recording))
        return Drawer(self._model, recording, blueprint).draw(list(zip(given, fed, strict=True)))

    def _recorded(self, arrays: Sequence[np.ndarray]) -> tuple[Recording, list[Any]]:
        given = self._given(arrays)
        with self._running_mode():
            try:
                return record(self._model, lambda: self._model(*given)), given
            except (Exception, SystemExit) as error:
                raise self._failed(error) from error

    def _running(self, wanted: Sequence[Hashable]) -> Callable[[Sequence[np.ndarray]], Arrays]:
        places = [each for each in wanted if isinstance(each, Where)]

        def run(arrays: Sequence[np.ndarray]) -> Arrays:
            found: dict[Hashable, Any] = {}
            given = self._given(arrays)
            try:
                with self._running_mode(), _Taps(self._model, places, found):
                    self._model(*given)
            except (Exception, SystemExit) as error:
                if any(words in str(error) for words in NO_MEMORY):
                    raise MemoryError(summary(error)) from error
                raise self._failed(error) from error
            if lost := [each for each in places if each not in found]:
                raise SourceError(
                    f"{lost[0].path or lost[0].operation} does not run for these images",
                    fix="leave it out under exclude; a model that runs other layers each time cannot be tapped there",
                )
            return {place: array(taken) for place, taken in found.items()}

        return run

    def _given(self, arrays: Sequence[np.ndarray]) -> list[Any]:
        """What the model takes, where its weights lie."""
        given = [tensor(each).to(self._device) for each in arrays]
        return [each.contiguous(memory_format=self._memory_format) if each.dim() == 4 else each for each in given]

    @contextmanager
    def _running_mode(self) -> Iterator[None]:
        """Inside the context modules do as they do outside of training; after it they are as they were."""
        training = [module for module in self._model.modules() if module.training]
        for module in training:
            module.training = False
        try:
            with torch.no_grad():
                yield
        finally:
            for module in training:
                module.training = True

    def _weights(self) -> Iterable[Weight]:
        return [Held(each) for each in weights_of(self._model).values()]

    def _failed(self, error: BaseException) -> SourceError:
        return SourceError(
            f"{self.identity.source} fails while it runs: {type(error).__name__}: {summary(error)}",
            fix="set preprocess.size to a size that the model takes, and feed other inputs by model.inputs",
        )


def notes(recording: Recording) -> Iterator[str]:
    """What a reader must know of numbers that follow from more than the weights and the image."""
    operations = [each for each in recording.events if isinstance(each, Operation)]
    of_batch = [
        each.path or each.type
        for each in operations
        if "batch_norm" in each.type and each.arguments.get("training") and len(each.results[0]) > 1
    ]
    if of_batch:
        yield (
            f"{of_batch[0]} normalises by the statistics of a batch, not by those of training: numbers of an image "
            "depend on which others are measured with it"
        )
    if random := [each.path or each.type for each in operations if each.is_random]:
        yield f"{random[0]} draws random numbers while the model runs: they are others for another batch or order"


class _Taps(TorchDispatchMode):
    """Inside the context what is wanted is taken when it is made, before anything writes over it."""

    def __init__(self, model: Any, wanted: Sequence[Where], found: dict[Hashable, Any]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._model, self._found, self._hooks = model, found, ExitStack()
        self._calls: dict[str, dict[int, list[Where]]] = {}
        self._operations: dict[str, dict[int, list[Where]]] = {}
        for each in wanted:
            numbered = (
                self._operations.setdefault(each.operation, {})
                if each.operation
                else (self._calls.setdefault(each.path, {}))
            )
            numbered.setdefault(each.number, []).append(each)
        self._ran, self._is_taking = Counter[str](), False

    def __enter__(self) -> Any:
        for path, module in modules(self._model):
            if path in self._calls:
                self._hooks.callback(module.register_forward_hook(self._hook(self._calls[path])).remove)
        return super().__enter__() if self._operations else self  # type: ignore[no-untyped-call]

    def __exit__(self, *error: Any) -> None:
        if self._operations:
            super().__exit__(*error)  # type: ignore[no-untyped-call]
        self._hooks.close()
        for name, wanted in self._operations.items():
            for each in (each for several in wanted.values() for each in several if each.of != self._ran[name]):
                self._found.pop(each, None)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = func._schema.name.partition("::")[2]
        if name in self._operations and not self._is_taking:
            self._ran[name] += 1
            self._take(self._operations[name].get(self._ran[name], ()), result)
        return result

    def _hook(self, wanted: Mapping[int, list[Where]]) -> Any:
        called = 0

        def hook(_: Any, __: Any, output: Any) -> None:
            nonlocal called
            called += 1
            self._take(wanted.get(called, ()), output)

        return hook

    def _take(self, wanted: Iterable[Where], made: Any) -> None:
        # What is done here is none of the model's own operations.
        self._is_taking = True
        for each in wanted:
            taken = tensors(made)[each.place]
            self._found[each] = taken.clone() if each.is_overwritten else taken
        self._is_taking = False
