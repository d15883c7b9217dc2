"""`kind: builder`: a model made by the user's own function."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from fmreport.config import BuilderSection, Config
from fmreport.errors import SourceError
from fmreport.sources import Identity
from fmreport.sources.architecture import summary
from fmreport.sources.code import importable, load_object
from fmreport.sources.files import bytes_of, weights_file, where
from fmreport.sources.inputs import inputs_of
from fmreport.sources.keras_listing import variables
from fmreport.sources.keras_model import KerasModel
from fmreport.sources.listing import entries


def open_model(config: Config) -> KerasModel:
    """Calls `module:function`, importable from the config's folder, and loads the weights where there are some."""
    section = config.model
    assert isinstance(section, BuilderSection)
    setting = where(config, "function")
    with importable(config.folder):
        function = load_object(section.function, setting, config.folder)
        if not callable(function):
            raise SourceError(
                f"{setting}: {section.function} is {type(function).__name__}, not a function",
                fix="name a function that returns a model",
            )
        try:
            model = function(**section.arguments)
        except (Exception, SystemExit) as error:
            raise SourceError(
                f"{setting}: {section.function} failed: {type(error).__name__}: {summary(error)}",
                fix="call it by itself in Python and mend it; what it is called with stands in model.arguments",
            ) from error
        framework = _framework(model, setting, section)
        _build(model, config)
    digest, weighs = _load_weights(model, config, section) if section.weights else ("", 0)
    identity = Identity("builder", section.function, digest, framework, entries(variables(model)), weighs)
    return KerasModel(model, identity, feeds=section.inputs, size=config.preprocess.size)


def _framework(model: Any, setting: str, section: BuilderSection) -> str:
    import tf_keras

    for library in (keras, tf_keras):
        if isinstance(model, library.layers.Layer):
            return f"{library.__name__} {library.__version__}"
    raise SourceError(
        f"{setting}: {section.function} returned {type(model).__name__}, which is no Keras model",
        fix="return a keras.Model or tf_keras.Model",
    )


def _build(model: Any, config: Config) -> None:
    """Calls a model that has no variables yet once, on a black image."""
    if model.built:
        return
    inputs = inputs_of(model, {}, config.preprocess.size)
    height, width = inputs.image.size or (None, None)
    if height is None or width is None:
        raise SourceError(
            f"{where(config, 'function')}: the model has no variables yet, and no size to build it for",
            fix="write preprocess: {size: [224, 224]}, or call the model once in model.function",
        )
    shape = (height, width, inputs.image.channels or 3)
    try:
        if type(model).__name__ == "Sequential":
            model.build((None, *shape))  # a call would bind it to its batch
        else:
            model(tf.zeros((1, *shape)), training=False)
    except Exception as error:
        raise SourceError(
            f"{where(config, 'function')}: the model does not take a {height} x {width} image: {summary(error)}",
            fix="try another preprocess.size, or call the model once in model.function",
        ) from error


def _load_weights(model: Any, config: Config, section: BuilderSection) -> tuple[str, int]:
    path, digest = weights_file(config, str(section.weights), section.sha256)
    try:
        model.load_weights(path)
    except Exception as error:
        raise SourceError(
            f"{where(config, 'weights')}: {section.weights} does not fit the model: {summary(error)}",
            fix="give a file that was written by this model's save_weights",
        ) from error
    return digest, bytes_of(path)
