"""`kind: savedmodel`: a SavedModel of TensorFlow 1 or 2, or a frozen graph."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from fmreport.config import Config, GraphSection, SavedModelSection
from fmreport.config.base import portable
from fmreport.errors import SourceError, nearest
from fmreport.sources import Identity
from fmreport.sources.architecture import mend, summary
from fmreport.sources.files import bytes_of, saved_graph, where
from fmreport.sources.graph.flat import of_function
from fmreport.sources.graph.frozen import frozen
from fmreport.sources.graph.model import GraphModel
from fmreport.sources.graph.refused import refuse_operations
from fmreport.sources.quiet import quiet

WHOLE = "check that the folder is whole: saved_model.pb and variables/ as they were saved"
HUB_MODULE = "tfhub_module.pb"
"""The file that tells a module of TF1 Hub from a SavedModel."""
CALL = "__call__"
"""Stands for the model's own call."""
SIGNATURES = ("serving_default", "default", "serve")


def open_model(config: Config) -> GraphModel:
    """The model of a folder with saved_model.pb, or of a `.pb` file."""
    section = config.model
    assert isinstance(section, SavedModelSection)
    path, digest = saved_graph(config, section)
    setting = f"{where(config, 'path')}: {section.path}"
    identity = Identity("savedmodel", portable(section.path, config.folder), digest, "", 0, bytes_of(path))
    if path.is_dir():
        if section.outputs:
            raise SourceError(
                f"{where(config, 'outputs')}: {section.path} is a SavedModel, whose functions say what they return",
                fix="leave it out; signature: names another function",
            )
        return opened(config, section, path, identity, setting)
    if section.signature is not None:
        raise SourceError(
            f"{where(config, 'signature')}: {section.path} is a frozen graph, which has no functions",
            fix="leave it out; outputs: names the operations in which the graph ends",
        )
    notes = refuse_operations(path, setting, trusted=section.trusted)
    return GraphModel(frozen(path, section.outputs, setting), identity, section, notes)


def opened(
    config: Config, section: GraphSection, folder: Path, identity: Identity, setting: str, *, restore: str = WHOLE
) -> GraphModel:
    """The model of a SavedModel folder; `setting` names it in messages, with where it is written.

    `restore` says what to do where the folder is damaged.
    """
    notes = refuse_operations(folder / "saved_model.pb", setting, trusted=section.trusted)
    try:
        with quiet():
            loaded = tf.compat.v1.saved_model.load_v2(str(folder), tags=_tags(folder))
    except Exception as error:
        raise SourceError(f"{setting} cannot be opened: {summary(error)}", fix=mend(error, restore)) from error
    place, size = f"{config.where('model', 'signature')}: model.signature", config.preprocess.size
    signature, function = _function(loaded, section.signature, size, place)
    try:
        with quiet():
            graph = of_function(function, loaded)
    except Exception as error:
        raise SourceError(
            f"{setting}: its functions cannot be inlined: {summary(error)}",
            fix="name another function under model.signature, or save the model as .keras",
        ) from error
    return GraphModel(graph, replace(identity, signature=signature), section, notes)


def _tags(folder: Path) -> list[str] | None:
    """The tags of the graph that is for use, where several graphs are told apart by tags; None for the only one."""
    # Before TensorFlow 2, a hub module had one graph for use, without tags, and others for training.
    if (folder / HUB_MODULE).is_file():
        return []
    saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    graphs = [sorted(graph.meta_info_def.tags) for graph in saved.meta_graphs]
    serving = [tags for tags in graphs if "serve" in tags and "train" not in tags]
    return min(serving, key=len) if len(graphs) > 1 and serving else None


def _function(loaded: Any, name: str | None, size: tuple[int, int] | None, setting: str) -> tuple[str, Any]:
    """The function that is opened, behind its name: the one named, else the call outside of training, else a signature.

    Of several calls, the first that takes images of `size` (H, W). Raises `SourceError` where there is none of that
    name, or no reason to choose one.
    """
    signatures = dict(loaded.signatures)
    called = loaded.__call__ if callable(loaded) else None
    call = [f for f in getattr(called, "concrete_functions", ()) if not _trains(f)]
    call = [f for f in call if _takes(f, size)] or call
    named = signatures | ({CALL: call[0]} if call else {})
    if name is not None:
        if name not in named:
            raise SourceError(f"{setting}: the model has no signature {name}", fix=nearest(name, sorted(named)))
        return name, named[name]
    for choice in (CALL, *SIGNATURES):
        if choice in named and _makes_numbers(named[choice]):
            return choice, named[choice]
    if len(signatures) == 1:
        return next(iter(signatures.items()))
    raise SourceError(
        f"{setting}: the model has {len(signatures)} signatures, and none is called {' or '.join(SIGNATURES)}",
        fix=f"write signature: under model, with {nearest('', sorted(named))}" if named else "nothing in it can be run",
    )


def _trains(function: Any) -> bool:
    """Whether a function was traced for training."""
    values, named = function.structured_input_signature
    names = list(getattr(getattr(function, "function_type", None), "parameters", ()))
    by_name = dict(zip(names, values, strict=False)) | named
    return by_name.get("training") is True


def _takes(function: Any, size: tuple[int, int] | None) -> bool:
    images = [tensor.shape for tensor in function.inputs if tensor.dtype != tf.resource and tensor.shape.rank == 4]
    return size is None or any(shape.is_compatible_with((None, *size, None)) for shape in images)


def _makes_numbers(function: Any) -> bool:
    return any(tensor.dtype.is_floating for tensor in function.inputs if tensor.dtype != tf.resource)
