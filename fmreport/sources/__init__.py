"""A model, from anywhere, as a `TappableModel`."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol, TypeVar

from fmreport.config import Config
from fmreport.errors import SourceError
from fmreport.facts import Platform
from fmreport.records import Layer, Tap

T = TypeVar("T")

SOURCES = {
    "keras": "fmreport.sources.keras_file:open_model",
    "application": "fmreport.sources.application:open_model",
    "builder": "fmreport.sources.builder:open_model",
    "savedmodel": "fmreport.sources.savedmodel:open_model",
    "hub": "fmreport.sources.hub:open_model",
    "bit": "fmreport.sources.bit:open_model",
    "onnx": "fmreport.sources.onnx.opening:open_model",
    "torch": "fmreport.sources.torch.opening:open_model",
    "tflite": "fmreport.sources.tflite.opening:open_model",
}
"""Every source by its `kind`; what a row names is imported on use."""
EXTRAS = {"onnx": ("onnx", "onnxruntime"), "torch": ("torch", "safetensors"), "tflite": ("ai_edge_litert",)}
"""Packages of the sources that need an extra of their own name."""
DOWNLOADS = ("hub",)
"""Those that take `advance`, because they download here."""


@dataclass(frozen=True, slots=True)
class InputSpec:
    """What a model takes: `(H, W, C)` of an image as it will be fed, None where free; None for what is no image."""

    name: str
    size: tuple[int | None, int | None] | None
    channels: int | None
    bounds: tuple[float, float] | None = None
    """Smallest and largest number, of a model that takes integers."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Which model this is."""

    kind: str
    source: str
    """Path as written in the config, name or function."""
    sha256: str
    """Of the file (of all files of a folder); empty where the weights come from no file."""
    framework: str
    parameters: int
    bytes: int = 0
    """Of the file, or of all files of the folder; 0 where the weights come from no file."""
    signature: str = ""
    """Which of the model's functions was opened: a signature, or `__call__`; empty where it has only one way in."""


class TappableModel(Protocol):
    """A model whose layers can be listed and tapped."""

    identity: Identity
    image_input: InputSpec
    """The input that probes are fed to; where several are, they take the same image."""
    notes: tuple[str, ...]
    """What a reader of the report must know of the model."""
    batch: int | None
    """The only batch size that the model takes; None where it takes any."""
    hosted: bool
    """Whether another framework computes, which hands over all taps of a function together."""

    def inventory(self, size: tuple[int, int]) -> tuple[tuple[Layer, ...], tuple[Tap, ...]]:
        """Every layer and every tap for images of `size` (H, W), in the order in which the model runs."""

    def tapped(
        self,
        taps: Sequence[Tap],
        then: Callable[..., T],
        *,
        size: tuple[int, int],
        batch: int,
        beside: Sequence[tuple[int, ...]] = (),
    ) -> Callable[..., T]:
        """A function from images `(batch, H, W, C)` float32 to `then` of the taps' activations.

        `then` is called once, while the function is built, with `(batch, *spatial, C)` tensors by the taps' names, and
        becomes part of the model's own graph. It may return tensors in nested dicts and lists; the function returns
        them as NumPy arrays. `beside` are shapes of float32 arrays that the function takes after the images, and that
        `then` gets as tensors after the activations; the model does not see them.
        """

    def randomised(self, seed: int) -> AbstractContextManager[None]:
        """Inside the context every weight holds its own entries in another order, which `seed` settles.

        After it, however it ends, each holds what it held before, bit for bit. A weight is a floating-point variable,
        trained or not (moving variances stay positive, because they are permuted among themselves), or, in a graph
        without variables, a constant; one that several layers share is permuted once, and one whose entries are all
        equal stays as it is, as whole numbers, strings and the state of random generators do.

        Functions of `tapped` read the weights when they run: built before or inside the context, they give values of
        permuted weights inside it and of the model's own after it. Inside another context, it permutes what that one
        left, and puts that back. The originals are kept in memory meanwhile, which takes as much as the weights do.
        Raises `SourceError` where no weight has two different entries.
        """


def open_source(config: Config, advance: Callable[[int, int], None] | None = None) -> TappableModel:
    """The model of a config; imports its framework. `advance(done, total)` follows a download, in megabytes."""
    # Read by Keras and by TensorFlow's own start, whose log is no concern of whoever wants a report.
    backend = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if "keras" in sys.modules:
        backend = sys.modules["keras"].config.backend()
    if backend != "tensorflow":
        raise SourceError(
            f"Keras runs on {backend}, and models are tapped in TensorFlow's graphs",
            fix="set the environment variable KERAS_BACKEND to tensorflow, or leave it out",
        )
    _check_extra(config.model.kind)
    module, _, attribute = SOURCES[config.model.kind].partition(":")
    try:
        with _quiet():
            opener = getattr(import_module(module), attribute)
            deterministic = import_module("fmreport.sources.settling").deterministic
    except ImportError as error:
        raise SourceError(
            f"TensorFlow or Keras cannot be imported: {error}",
            fix="install fmreport again, in an environment of its own",
        ) from error
    with deterministic(config.seed):
        model: TappableModel = opener(config, advance) if config.model.kind in DOWNLOADS else opener(config)
    return model


def _check_extra(kind: str) -> None:
    """Raises where a package is missing that an extra brings."""
    for package in EXTRAS.get(kind, ()):
        if find_spec(package) is None:
            raise SourceError(
                f"model.kind: {kind} needs {package}, which is not installed", fix=f"pip install 'fmreport[{kind}]'"
            )


def platform() -> Platform:
    """What models are run with here, as far as it may decide the last digits of numbers; a model must be open."""
    found: Platform = import_module("fmreport.sources.settling").platform()
    return found


def own_code(config: Config) -> dict[str, Path]:
    """The modules beside the config that it names, and what they take from others beside it, by their paths there."""
    from fmreport.sources.code import files_of

    names = [*getattr(config.model, "custom_objects", ())]
    names += [config.model.function] if config.model.kind in ("builder", "torch") and config.model.function else []
    return {path.relative_to(config.folder).as_posix(): path for path in files_of(names, config.folder)}


@contextmanager
def _quiet() -> Iterator[None]:
    """Holds back what libraries write to the process's stderr while they start, and lets it out if they fail."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(kept, held.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def check(config: Config) -> None:
    """Raises `SourceError` for what can be known to be wrong with a model's files before its framework is loaded."""
    from fmreport.sources import files

    files.check(config)
    _check_extra(config.model.kind)
