"""`kind: application`: a model of `keras.applications` by name."""

from __future__ import annotations

from typing import Any

import keras

from fmreport.config import ApplicationSection, Config
from fmreport.errors import SourceError, nearest
from fmreport.sources import Identity
from fmreport.sources.architecture import summary
from fmreport.sources.files import bytes_of, weights_file, where
from fmreport.sources.keras_listing import variables
from fmreport.sources.keras_model import KerasModel
from fmreport.sources.listing import entries

OWN_SIZES = {"MobileNetV3Small": (224, 224), "MobileNetV3Large": (224, 224)}
"""Of the architectures that leave it open, as published; the others take their own where they are asked for none."""


def constructors() -> dict[str, Any]:
    """Every architecture of `keras.applications` by name."""
    return {name: f for name, f in vars(keras.applications).items() if name[0].isupper() and callable(f)}


def open_model(config: Config) -> KerasModel:
    """Builds the architecture, for `preprocess.size` where that is given, else for its own size."""
    section, known = config.model, constructors()
    assert isinstance(section, ApplicationSection)
    if section.name not in known:
        raise SourceError(
            f"{where(config, 'name')}: keras.applications has no {section.name}", fix=nearest(section.name, known)
        )
    weights, digest, path = section.weights, "", None
    if weights not in (None, "imagenet"):
        path, digest = weights_file(config, str(weights), None)
        weights = str(path)
    options: dict[str, Any] = {"weights": weights}
    if section.classes is not None:
        options["classes"] = section.classes
    size = config.preprocess.size or OWN_SIZES.get(section.name)
    # With imagenet's own head the size is fixed, and a config that asks for another is told so later.
    if size is not None and (weights != "imagenet" or section.name in OWN_SIZES):
        options["input_shape"] = (3, *size) if keras.config.image_data_format() == "channels_first" else (*size, 3)
    try:
        model = known[section.name](**options)
    except Exception as error:
        asked = f"{f'for {size[0]} x {size[1]} ' if size else ''}with weights: {section.weights or 'null'}"
        raise SourceError(
            f"{where(config, 'name')}: keras.applications.{section.name} cannot be built {asked}: {summary(error)}",
            fix=_fix(section),
        ) from error
    size_of_weights = bytes_of(path) if path else 0
    framework = f"keras {keras.__version__}"
    identity = Identity("application", section.name, digest, framework, entries(variables(model)), size_of_weights)
    return KerasModel(model, identity, feeds=section.inputs)


def _fix(section: ApplicationSection) -> str:
    if section.weights is None:
        return "leave preprocess.size out for the architecture's own size, or name one that it takes"
    if section.weights == "imagenet":
        return "imagenet weights need the network once; weights: null does without"
    return "the weights file must fit the architecture, its classes (model.classes) and its head"
