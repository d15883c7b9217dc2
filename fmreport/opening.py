"""What a config asks of its model: opened, with its preprocessing, its taps and its target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fmreport import layers, probes, sources, target
from fmreport.config import Config
from fmreport.errors import ProbeError
from fmreport.records import Layer, Tap, Target

KNOWN_RECIPES = {"bit": "bit"}
"""The recipe of every model of a kind; those of TensorFlow Hub differ from module to module."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A model as a config asks for it."""

    model: sources.TappableModel
    preprocess: probes.Preprocess
    inventory: tuple[Layer, ...]
    taps: tuple[Tap, ...]
    """Those that are selected."""
    target: Target | None


def opened(config: Config, advance: Callable[[int, int], None] | None = None) -> Opened:
    """Opens the model; imports its framework. `advance(done, total)` follows a download, in megabytes."""
    model = sources.open_source(config, advance)
    preprocess = preprocessing(config, model)
    inventory, every = model.inventory(preprocess.size)
    return Opened(model, preprocess, inventory, layers.select(config, every), target.resolve(config, every))


def preprocessing(config: Config, model: sources.TappableModel) -> probes.Preprocess:
    """The config's preprocessing, completed by what the model is known to need."""
    image, known = model.image_input, known_recipe(config)
    made = probes.resolve(config.preprocess, default_like=known, model_size=image.size, model_channels=image.channels)
    if image.bounds is not None:
        try:
            made.check_integers(*image.bounds)
        except ProbeError as error:
            raise ProbeError(f"{config.where('preprocess')}: preprocess: {error}", fix=error.fix) from error
    return made


def known_recipe(config: Config) -> str | None:
    """The recipe that the model is known to need; raises where the config names an unknown one or an unknown model."""
    try:
        if config.preprocess.like is not None:
            probes.recipe(config.preprocess.like)
        if config.model.kind == "application":
            return probes.recipe_for_application(config.model.name)
        return KNOWN_RECIPES.get(config.model.kind)
    except ProbeError as error:
        at = ("model", "name") if config.preprocess.like is None else ("preprocess", "like")
        raise ProbeError(f"{config.where(*at)}: {error}", fix=error.fix) from error
