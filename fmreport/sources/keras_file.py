"""`kind: keras`: a `.keras`, `.h5` or `.hdf5` file or a Keras SavedModel folder, of any age."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import keras

from fmreport.config import Config, KerasSection
from fmreport.config.base import portable
from fmreport.errors import SourceError
from fmreport.sources import Identity
from fmreport.sources.architecture import H5, attributes, summary
from fmreport.sources.code import importable, load_object
from fmreport.sources.files import bytes_of, model_file, where
from fmreport.sources.keras_listing import variables
from fmreport.sources.keras_model import KerasModel
from fmreport.sources.listing import entries
from fmreport.sources.quiet import quiet

UNKNOWN_CLASS = re.compile(
    r"(?:Unknown (?:layer|object|\w+ function)|Could not locate (?:class|function)):? '?([\w>]+)'?"
)


def open_model(config: Config) -> KerasModel:
    """Opens with Keras 3, then with tf_keras; runs no code from the file unless it is trusted."""
    section = config.model
    assert isinstance(section, KerasSection)
    path, digest = model_file(config, section)
    if path.suffix in H5 and "model_config" not in attributes(path, f"{where(config, 'path')}: {section.path}"):
        raise SourceError(
            f"{where(config, 'path')}: {section.path} holds weights without an architecture",
            fix="use kind: builder or kind: application, and give this file as its weights",
        )
    with importable(config.folder):
        custom: dict[str, Any] = {}
        for i, name in enumerate(section.custom_objects):
            setting = f"{config.where('model', 'custom_objects', i)}: model.custom_objects[{i}]"
            custom[re.split("[:.]", name)[-1]] = load_object(name, setting, config.folder)
        model, framework = _load(path, custom, section, where(config, "path"))
    shown = portable(section.path, config.folder)
    identity = Identity("keras", shown, digest, framework, entries(variables(model)), bytes_of(path))
    return KerasModel(model, identity, feeds=section.inputs, size=config.preprocess.size)


def _load(path: Path, custom: dict[str, Any], section: KerasSection, setting: str) -> tuple[Any, str]:
    """The model and its framework; one error with both reasons where neither Keras opens it."""
    reasons = []
    for load in (_with_keras, _with_tf_keras):
        try:
            return load(path, custom, trusted=section.trusted)
        except Exception as error:  # noqa: BLE001 - a loader may raise anything on a file of unknown age
            reasons.append((load, error))
    lines = [f"{'Keras 3' if load is _with_keras else 'tf_keras'} says: {summary(error)}" for load, error in reasons]
    unknown = next((found[1] for _, error in reasons if (found := UNKNOWN_CLASS.search(str(error)))), None)
    fix = "check that the file is whole, or save it again as .keras with the versions that made it"
    if unknown:
        name = unknown.rpartition(">")[2]
        fix = (
            f'write under model: custom_objects: ["my_module:{name}"], with my_module.py beside the config or installed'
        )
    raise SourceError(f"{setting}: {section.path} cannot be opened.\n  " + "\n  ".join(lines), fix=fix)


def _with_keras(path: Path, custom: dict[str, Any], *, trusted: bool) -> tuple[Any, str]:
    model = keras.saving.load_model(path, custom_objects=custom, compile=False, safe_mode=not trusted)
    return model, f"keras {keras.__version__}"


def _with_tf_keras(path: Path, custom: dict[str, Any], *, trusted: bool) -> tuple[Any, str]:
    import tf_keras

    # It takes safe_mode for its own .keras files only; what the others hold was looked through before.
    options = {"safe_mode": not trusted} if path.suffix == ".keras" else {}
    with quiet():
        model = tf_keras.models.load_model(str(path), custom_objects=custom, compile=False, **options)
    if not isinstance(model, tf_keras.layers.Layer):
        raise TypeError("it is a SavedModel without Keras layers, which kind: savedmodel opens")
    return model, f"tf_keras {tf_keras.__version__}"
