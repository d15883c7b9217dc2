"""`kind: application`: a model of `keras.applications` by name."""

from __future__ import annotations

from typing import Any

import keras

from fmreport.config import ApplicationSection, Config
from fmreport.errors import SourceError, nearest
from fmreport.sources import Identity
from fmreport.sources.files import summary, weights_file
from fmreport.sources.keras_model import KerasModel


def constructors() -> dict[str, Any]:
    """Every architecture of `keras.applications` by name."""
    return {name: f for name, f in vars(keras.applications).items() if name[0].isupper() and callable(f)}


def open_model(config: Config) -> KerasModel:
    """Builds the architecture."""
    section, known = config.model, constructors()
    assert isinstance(section, ApplicationSection)
    if section.name not in known:
        raise SourceError(f"model.name: keras.applications has no {section.name}", fix=nearest(section.name, known))
    weights, digest = section.weights, ""
    if weights not in (None, "imagenet"):
        path, digest = weights_file(config, weights, None)
        weights = str(path)
    options: dict[str, Any] = {"weights": weights}
    if section.classes is not None:
        options["classes"] = section.classes
    size = config.preprocess.size
    if size is not None and section.weights is None:
        options["input_shape"] = (*size, 3)
    try:
        model = known[section.name](**options)
    except Exception as error:
        raise SourceError(
            f"model: keras.applications.{section.name} cannot be built with weights: {section.weights}: {summary(error)}",
            fix="imagenet weights need the network once; a weights file must fit the architecture and model.classes",
        ) from error
    identity = Identity("application", section.name, digest, f"keras {keras.__version__}", int(model.count_params()))
    return KerasModel(model, identity, feeds=section.inputs)
