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
from fmreport.opening import known_recipe, preprocessing
from fmreport.report import theme
from fmreport.report.listing import Listing


def check(config: Config) -> None:
    """Raises one error with everything that can be known to be wrong without the model's framework."""
    problems: list[FmreportError] = []
    for step in (check_template, _check_probes, known_recipe, sources.check):
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
