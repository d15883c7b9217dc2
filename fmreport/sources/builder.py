"""`kind: builder`: a model made by the user's own function."""

from __future__ import annotations

from typing import Any

import keras

from fmreport.config import BuilderSection, Config
from fmreport.errors import SourceError
from fmreport.sources import Identity
from fmreport.sources.code import importable, load_object
from fmreport.sources.files import summary, weights_file
from fmreport.sources.keras_model import KerasModel, input_specs


def open_model(config: Config) -> KerasModel:
    """Calls `module:function`, importable from the config's folder, and loads the weights where there are some."""
    section = config.model
    assert isinstance(section, BuilderSection)
    with importable(config.folder):
        function = load_object(section.function, "model.function")
        try:
            model = function(**section.arguments)
        except Exception as error:
            raise SourceError(
                f"model.function: {section.function} failed: {type(error).__name__}: {error}",
                fix="call it by itself in Python and mend it",
            ) from error
    framework = _framework(model, section.function)
    digest = _load_weights(model, config, section) if section.weights else ""
    identity = Identity("builder", section.function, digest, framework, _parameters(model, config))
    return KerasModel(model, identity, feeds=section.inputs)


def _framework(model: Any, function: str) -> str:
    import tf_keras

    if isinstance(model, keras.Layer):
        return f"keras {keras.__version__}"
    if isinstance(model, tf_keras.layers.Layer):
        return f"tf_keras {tf_keras.__version__}"
    raise SourceError(
        f"model.function: {function} returned {type(model).__name__}, which is no Keras model",
        fix="return a keras.Model or tf_keras.Model",
    )


def _load_weights(model: Any, config: Config, section: BuilderSection) -> str:
    path, digest = weights_file(config, str(section.weights), section.sha256)
    _build(model, config)
    try:
        model.load_weights(path)
    except Exception as error:
        raise SourceError(
            f"model.weights: {section.weights} does not fit the model: {summary(error)}",
            fix="give a file that was written by this model's save_weights",
        ) from error
    return digest


def _build(model: Any, config: Config) -> None:
    """Calls a model that has no variables yet once, on a black image."""
    if model.built:
        return
    spec = input_specs(model)[0]
    size = config.preprocess.size or tuple(spec.shape[1:3])
    if None in size:
        raise SourceError(
            "the model has no size of its own",
            fix="write preprocess: {size: [224, 224]}, or build it in model.function",
        )
    model(keras.ops.zeros((1, *size, spec.shape[3] or 3)), training=False)


def _parameters(model: Any, config: Config) -> int:
    _build(model, config)
    return int(model.count_params())
