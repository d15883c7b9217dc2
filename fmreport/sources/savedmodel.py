"""`kind: savedmodel`: a SavedModel of TensorFlow 1 or 2, or a frozen graph."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import tensorflow as tf

from fmreport.config import Config, GraphSection, SavedModelSection
from fmreport.errors import SourceError, nearest
from fmreport.sources import Identity
from fmreport.sources.architecture import summary
from fmreport.sources.files import saved_graph, where
from fmreport.sources.graph.flat import of_function
from fmreport.sources.graph.frozen import frozen
from fmreport.sources.graph.model import GraphModel
from fmreport.sources.graph.refused import refuse_operations
from fmreport.sources.quiet import quiet

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
    identity = Identity("savedmodel", section.path, digest, "", 0)
    if path.is_dir():
        return opened(config, section, path, identity, setting)
    notes = refuse_operations(path, setting, trusted=section.trusted)
    return GraphModel(frozen(path, section.outputs, setting), identity, section, notes)


def opened(config: Config, section: GraphSection, folder: Path, identity: Identity, setting: str) -> GraphModel:
    """The model of a SavedModel folder; `setting` names it in messages, with where it is written."""
    notes = refuse_operations(folder / "saved_model.pb", setting, trusted=section.trusted)
    # Before TensorFlow 2, a hub module had one graph for use and others for training, told apart by tags.
    tags: list[str] | None = [] if (folder / HUB_MODULE).is_file() else None
    try:
        with quiet():
            loaded = tf.compat.v1.saved_model.load_v2(str(folder), tags=tags)
    except Exception as error:
        raise SourceError(
            f"{setting} cannot be opened: {summary(error)}",
            fix="check that the folder is whole: saved_model.pb and variables/ as they were saved",
        ) from error
    signature, function = _function(loaded, section.signature, f"{config.where('model', 'signature')}: model.signature")
    try:
        with quiet():
            graph = of_function(function, loaded)
    except Exception as error:
        raise SourceError(
            f"{setting}: its functions cannot be inlined: {summary(error)}",
            fix="name another function under model.signature, or save the model as .keras",
        ) from error
    return GraphModel(graph, replace(identity, signature=signature), section, notes)


def _function(loaded: Any, name: str | None, setting: str) -> tuple[str, Any]:
    """The function that is opened, behind its name: the one named, else the call outside of training, else a signature.

    Raises `SourceError` where there is none of that name, or no reason to choose one.
    """
    signatures = dict(loaded.signatures)
    called = loaded.__call__ if callable(loaded) else None
    call = [f for f in getattr(called, "concrete_functions", ()) if not _trains(f)]
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
    return any(value is True for value in tf.nest.flatten(function.structured_input_signature))


def _makes_numbers(function: Any) -> bool:
    return any(tensor.dtype.is_floating for tensor in function.inputs if tensor.dtype != tf.resource)
