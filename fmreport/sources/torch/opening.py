"""Opens the model that a config names."""

from __future__ import annotations

import inspect
import logging
import pickle
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tensorflow as tf
import torch

from fmreport.config import Config, TorchSection
from fmreport.config.base import portable
from fmreport.errors import SourceError, nearest
from fmreport.sources import Identity
from fmreport.sources.architecture import summary
from fmreport.sources.code import importable, load_object
from fmreport.sources.files import bytes_of, stored_file, weights_file, where
from fmreport.sources.inputs import CHANNELS
from fmreport.sources.torch.model import TorchModel
from fmreport.sources.torch.numbers import dtype_of, weights_of

SAFE = ".safetensors"
PARALLEL = "module."
"""What names of weights begin with that were saved of a model on several devices."""


def open_model(config: Config) -> TorchModel:
    """The module that a function returns, with weights where there are some, or that of a file."""
    section = config.model
    assert isinstance(section, TorchSection)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        if section.path is not None:
            return _stored(config, section, section.path)
        return _built(config, section, str(section.function))


def _built(config: Config, section: TorchSection, function: str) -> TorchModel:
    setting = f"{where(config, 'function')}: {function}"
    with importable(config.folder):
        make = load_object(function, where(config, "function"), config.folder)
        try:
            model = make(**section.arguments)
        except (Exception, SystemExit) as error:
            raise SourceError(
                f"{setting} failed: {type(error).__name__}: {summary(error)}",
                fix="call it by itself in Python and mend it; what it is called with stands in model.arguments",
            ) from error
    if not isinstance(model, torch.nn.Module):
        raise SourceError(
            f"{setting} returned {type(model).__name__}, which is no torch.nn.Module",
            fix="return a module; kind: builder opens Keras models",
        )
    _check_made(model, setting)
    digest, weighs = _load(model, config, section) if section.weights else ("", 0)
    identity = Identity("torch", function, digest, _framework(), _parameters(model), weighs)
    return TorchModel(model, identity, _specs(model, config), section.inputs)


def _check_made(model: Any, setting: str) -> None:
    """Raises where a module has no numbers yet."""
    for name, each in (*model.named_parameters(), *model.named_buffers()):
        if torch.nn.parameter.is_lazy(each):
            raise SourceError(
                f"{setting} returned a module whose {name} has no shape yet",
                fix="call the module once on an image in the function, so that its lazy layers are settled",
            )
        if each.is_meta:
            raise SourceError(
                f"{setting} returned a module whose {name} lies on the device meta, which holds no numbers",
                fix="build the module on the processor",
            )


def _stored(config: Config, section: TorchSection, path: str) -> TorchModel:
    file, digest = stored_file(config, section)
    setting = f"{where(config, 'path')}: {path}"
    try:
        with _unsaid():
            if file.suffix == ".pt2":
                program = torch.export.load(file)
                model: Any = torch.export.unflatten(program)
                specs = _exported(program)
            else:
                model = torch.jit.load(str(file), map_location="cpu")
                specs = _specs(model, config)
    except Exception as error:
        raise SourceError(
            f"{setting} cannot be opened: {summary(error)}",
            fix="export the model again, with torch.export.save for .pt2 or torch.jit.save for .pt; a file of weights "
            "stands under model.weights, beside model.function",
        ) from error
    shown = portable(path, config.folder)
    identity = Identity("torch", shown, digest, _framework(), _parameters(model), bytes_of(file))
    return TorchModel(model, identity, specs, section.inputs)


@contextmanager
def _unsaid() -> Iterator[None]:
    """Holds back what PyTorch logs and warns of beside the errors that it raises."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _framework() -> str:
    return f"torch {torch.__version__}"


def _parameters(model: Any) -> int:
    return sum(each.numel() for each in weights_of(model).values())


def _load(model: Any, config: Config, section: TorchSection) -> tuple[str, int]:
    """Loads weights; their file's SHA-256 and size."""
    path, digest = weights_file(config, str(section.weights), section.sha256)
    setting = f"{where(config, 'weights')}: {section.weights}"
    state = _state(path, setting, section)
    if not isinstance(state, dict) or not all(isinstance(each, torch.Tensor) for each in state.values()):
        held = ", ".join(map(str, list(state)[:5])) if isinstance(state, dict) else type(state).__name__
        raise SourceError(
            f"{setting} is no state dict: it holds {held}",
            fix="save what model.state_dict() returns, and nothing around it",
        )
    _check_fit(state, model.state_dict(), setting)
    model.load_state_dict(state)
    return digest, bytes_of(path)


def _check_fit(state: Mapping[str, Any], wanted: Mapping[str, Any], setting: str) -> None:
    """Raises where weights are not those of the module, and names them."""
    missing, others = [name for name in wanted if name not in state], [name for name in state if name not in wanted]
    if missing or others:
        found = ((missing, "are missing"), (others, "are of another model"))
        told = [f"{len(names)} {what} ({', '.join(names[:3])})" for names, what in found if names]
        fix = "give the weights of this model"
        if others and all(name.startswith(PARALLEL) for name in others):
            fix = f"save model.{PARALLEL}state_dict(): these weights are of a model in DataParallel"
        elif others and missing:
            fix = f"{others[0]}: {nearest(others[0], list(wanted))}"
        raise SourceError(f"{setting} does not fit the model: {' and '.join(told)}", fix=fix)
    for name, each in wanted.items():
        if tuple(each.shape) != tuple(state[name].shape):
            raise SourceError(
                f"{setting} does not fit the model: {name} has the shape {tuple(state[name].shape)} there, and "
                f"{tuple(each.shape)} in the model",
                fix="give the weights of this model, or build it as it was under model.arguments",
            )


def _state(path: Path, setting: str, section: TorchSection) -> Any:
    try:
        if path.suffix == SAFE:
            from safetensors.torch import load_file

            return load_file(path)
        with _unsaid():
            return torch.load(path, map_location="cpu", weights_only=not section.trusted)
    except pickle.UnpicklingError as error:
        raise SourceError(
            f"{setting} is a pickle that runs code, or is damaged: {summary(error)}",
            fix="save the weights as .safetensors or by torch.save(model.state_dict(), file); write trusted: true "
            "under model if the file's code may run",
        ) from error
    except (OSError, EOFError, RuntimeError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise _damaged(setting, error) from error
    except Exception as error:
        if type(error).__name__ != "SafetensorError":
            raise
        raise _damaged(setting, error) from error


def _damaged(setting: str, error: Exception) -> SourceError:
    return SourceError(f"{setting} cannot be read: {summary(error)}", fix="save the weights again")


def _specs(model: Any, config: Config) -> list[tf.TensorSpec]:
    """What a module takes by the names of `forward`'s arguments, each as images with channels first."""
    kernel = next((each for each in weights_of(model).values() if each.dim() == 4), None)
    channels = int(kernel.shape[1]) if kernel is not None and kernel.shape[1] in CHANNELS else 3
    weight = next(iter(weights_of(model).values()), None)
    dtype = "float32" if weight is None else dtype_of(weight)
    sides = config.preprocess.size or (None, None)
    return [tf.TensorSpec((None, channels, *sides), dtype, name) for name in _taken(model) or ["image"]]


def _taken(model: Any) -> list[str]:
    """Names of the arguments that a module must be given."""
    if isinstance(model, torch.jit.ScriptModule):
        forward: Any = model.forward
        return [each.name for each in forward.schema.arguments[1:] if not each.has_default_value()]
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    taken = inspect.signature(model.forward).parameters.values()
    return [each.name for each in taken if each.default is each.empty and each.kind not in several]


def _exported(program: Any) -> list[tf.TensorSpec]:
    """What an exported program takes; sizes that it left open are free."""
    specs = []
    for node in program.graph.nodes:
        if node.op == "placeholder" and node.name in program.graph_signature.user_inputs:
            shape = [int(side) if isinstance(side, int) else None for side in node.meta["val"].shape]
            specs.append(tf.TensorSpec(shape, str(node.meta["val"].dtype).removeprefix("torch."), node.name))
    return specs
