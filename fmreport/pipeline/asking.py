"""What a config asks for, before anything is measured."""

from __future__ import annotations

from collections.abc import Sequence

from fmreport import (
    layers,
    probes,
    sources,
)
from fmreport.config import Config
from fmreport.errors import FmreportError, ProbeError, RenderError, SelectorError
from fmreport.inventory import Inventory
from fmreport.report import theme
from fmreport.report.listing import Listing

KNOWN_RECIPES = {"bit": "bit"}
"""The recipe of every model of a kind; those of TensorFlow Hub differ from module to module."""


def check(config: Config) -> None:
    """Raises one error with everything that can be known to be wrong without the model's framework."""
    problems: list[FmreportError] = []
    for step in (check_template, _check_probes, _known_recipe, sources.check):
        try:
            step(config)
        except FmreportError as error:
            problems.append(error)
    if len(problems) == 1:
        raise problems[0]
    if problems:
        lines = "".join(f"\n- {problem}\n  {problem.fix}" for problem in problems)
        raise FmreportError(f"{len(problems)} problems:{lines}", fix="mend each of them")


def listing(config: Config) -> Listing:
    """Every layer and tap of a config's model, and which of them the config selects."""
    model = sources.open_source(config)
    size = preprocessing(config, model).size
    found, taps = model.inventory(size)
    try:
        inventory = Inventory(found, taps, frozenset(tap.name for tap in layers.select(config, taps)), size)
    except SelectorError as error:
        # The list is what its reader needs to mend the selector, so it is given all the same.
        inventory = Inventory(found, taps, frozenset(), size, error)
    return Listing(config.name, model.identity, inventory)


def preprocessing(config: Config, model: sources.TappableModel) -> probes.Preprocess:
    """The config's preprocessing, completed by what the model is known to need."""
    image, known = model.image_input, _known_recipe(config)
    made = probes.resolve(config.preprocess, default_like=known, model_size=image.size, model_channels=image.channels)
    if image.bounds is not None:
        try:
            made.check_integers(*image.bounds)
        except ProbeError as error:
            raise ProbeError(f"{config.where('preprocess')}: preprocess: {error}", fix=error.fix) from error
    return made


def _known_recipe(config: Config) -> str | None:
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


def displayed_of(config: Config, names: Sequence[str]) -> tuple[str, ...]:
    """The probes whose maps are shown; raises `ProbeError` with the place in the config."""
    try:
        return probes.displayed(names, config.display)
    except ProbeError as error:
        raise ProbeError(f"{config.where('display')}: {error}", fix=error.fix) from error


def check_template(config: Config) -> None:
    """Raises `RenderError`, with the place in the config, where the folder of templates is none."""
    if config.report.template:
        try:
            theme.check(config.resolve(config.report.template))
        except RenderError as error:
            raise RenderError(
                f"{config.where('report', 'template')}: report.template: {error}", fix=error.fix
            ) from error


def _check_probes(config: Config) -> None:
    found = probes.collect(config.probes, config.folder)
    displayed_of(config, found.names)
