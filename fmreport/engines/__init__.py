"""Who works on the shards of a run: the same bytes come of it, whoever does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol

from fmreport.config import Config
from fmreport.errors import EngineError
from fmreport.extract import Engine, Extraction
from fmreport.facts import Platform

ENGINES = {
    "local": "fmreport.engines.local:start",
    "ray": "fmreport.engines.cluster:start",
}
"""Every engine by its `kind`; what a row names is imported on use."""
EXTRAS = {"ray": "ray"}
"""Packages that an engine needs beyond those that fmreport comes with, and the extra that brings each."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done."""

    config: Config
    extraction: Extraction
    say: Callable[[str], None]
    """Told what a user should know while it is done."""


@dataclass(frozen=True, slots=True)
class Started:
    """An engine that works."""

    engine: Engine
    platform: Platform | None = None
    """What it computes with, where that is not this process."""


class Start(Protocol):
    """What a row of `ENGINES` names."""

    def __call__(self, plan: Plan) -> AbstractContextManager[Started]:
        """The engine, until the context ends."""


@contextmanager
def started(plan: Plan) -> Iterator[Started]:
    """The engine that a config asks for, until the context ends; raises `EngineError` where it cannot be had."""
    module, _, attribute = ENGINES[plan.config.engine.kind].partition(":")
    try:
        start: Start = getattr(import_module(module), attribute)
    except ImportError as error:
        extra = EXTRAS.get(error.name or "")
        if extra is None:
            raise
        raise EngineError(
            f"{plan.config.where('engine', 'kind')}: engine.kind: {plan.config.engine.kind} needs a package that is "
            f"not installed: {error.name}",
            fix=f"pip install 'fmreport[{extra}]'",
        ) from error
    with start(plan) as made:
        yield made
