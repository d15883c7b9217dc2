"""A run in the words of others: an RO-Crate with every run, and on request a model card and an ML-BOM."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from fmreport.exports import crate, ml_bom, model_card
from fmreport.facts import FileFact
from fmreport.store import Run


class Export(Protocol):
    """What a config may ask for: one module each."""

    FILE: str
    """What it is called in the run's folder."""

    def written(self, run: Run) -> bytes:
        """The file of a run."""


EXPORTS: Mapping[str, Export] = {"model_card": model_card, "ml_bom": ml_bom}
"""By the names that stand under `report.exports`."""
MADE = (crate.FILE, *(export.FILE for export in EXPORTS.values()))
"""All files that this stage makes."""
UNDATED = (
    f"No {crate.FILE} was written, because an RO-Crate has to be dated: give `date:` in the config, or set "
    "SOURCE_DATE_EPOCH."
)
"""What a user may do about a run without a crate."""


def asked(run: Run) -> Iterator[tuple[str, bytes]]:
    """Path and content of each file that the run's config asks for."""
    for name in run.facts.config["report"].get("exports", ()):
        yield EXPORTS[name].FILE, EXPORTS[name].written(run)


def crates(run: Run, outputs: Mapping[str, FileFact]) -> Iterator[tuple[str, bytes]]:
    """Path and content of the crate around all other files of a run, which `outputs` tells of; none without a date."""
    if run.facts.date:
        yield crate.FILE, crate.written(run, outputs)
