"""`kind: keras`: a `.keras`, `.h5` or `.hdf5` file or a Keras SavedModel folder, of any age."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras

from fmreport.config import Config, KerasSection
from fmreport.errors import SourceError
from fmreport.sources import Identity
from fmreport.sources.code import importable, load_object
from fmreport.sources.files import H5, attributes, model_file, summary
from fmreport.sources.keras_model import KerasModel


def open_model(config: Config) -> KerasModel:
    """Opens with Keras 3, then with tf_keras; runs no code from the file unless it is trusted."""
    section = config.model
    assert isinstance(section, KerasSection)
    path, digest = model_file(config, section)
    with importable(config.folder):
        custom = {name.rpartition(":")[2]: load_object(name, "model.custom_objects") for name in section.custom_objects}
        model, framework = _load(path, section.path, custom, trusted=section.trusted)
    identity = Identity("keras", section.path, digest, framework, int(model.count_params()))
    return KerasModel(model, identity, feeds=section.inputs)


def _load(path: Path, shown: str, custom: dict[str, Any], *, trusted: bool) -> tuple[Any, str]:
    """The model and its framework; one error with both reasons where neither Keras opens it."""
    if path.suffix in H5 and not attributes(path, shown).get("model_config"):
        raise SourceError(
            f"model.path: {shown} holds weights without an architecture",
            fix="use kind: builder or kind: application, and give this file as its weights",
        )
    reasons = []
    try:
        return keras.saving.load_model(
            path, custom_objects=custom, compile=False, safe_mode=not trusted
        ), f"keras {keras.__version__}"
    except Exception as error:  # noqa: BLE001 - a loader may raise anything on a file of unknown age
        reasons.append(f"keras {keras.__version__}: {summary(error)}")
    try:
        import tf_keras

        if path.suffix != ".keras":
            model = tf_keras.models.load_model(str(path), custom_objects=custom, compile=False)
        else:
            model = tf_keras.models.load_model(str(path), custom_objects=custom, compile=False, safe_mode=not trusted)
        if not isinstance(model, tf_keras.layers.Layer):
            raise TypeError("it is a SavedModel without Keras metadata, which has no Keras layers")
        return model, f"tf_keras {tf_keras.__version__}"
    except Exception as error:  # noqa: BLE001 - as above
        reasons.append(f"tf_keras: {summary(error)}")
    raise SourceError(
        f"model.path: {shown} cannot be opened.\n  " + "\n  ".join(reasons),
        fix="name its own classes in model.custom_objects, check that the file is whole, or save it again as .keras",
    )
