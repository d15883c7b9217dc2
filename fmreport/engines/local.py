"""The engine that is this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fmreport.engines import Plan, Started
from fmreport.extract import InProcess


@contextmanager
def start(plan: Plan) -> Iterator[Started]:
    """Works where the model is open already."""
    yield Started(InProcess(plan.extraction, plan.say))
