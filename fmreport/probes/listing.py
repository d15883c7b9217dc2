"""What a source of probes comes to before anything is decoded, and the sources that there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from fmreport.config.addresses import scheme
from fmreport.config.base import portable
from fmreport.config.probes import Probes, TableProbes
from fmreport.errors import ProbeError
from fmreport.facts import FileFact
from fmreport.probes.places import digest, placed
from fmreport.probes.probeset import ProbeFile

SOURCES = {
    "skimage": "fmreport.probes.skimage:listed",
    "files": "fmreport.probes.files:listed",
    "csv": "fmreport.probes.tables:listed_csv",
    "parquet": "fmreport.probes.tables:listed_parquet",
    "tfds": "fmreport.probes.tfds:listed",
}
"""Every source of probes by its `kind`; what a row names is imported on use."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The probes of one section of the config."""

    files: tuple[ProbeFile, ...] = ()
    problems: tuple[ProbeError, ...] = ()
    """What cannot be listed; each begins with the setting that is at fault, as `images: no file matches ...`."""


def listed(source: Probes, base: Path) -> Listing:
    """The probes of a source, with nothing decoded; paths count from `base`, the config's folder.

    An error that the source raises is its only problem.
    """
    module, _, attribute = SOURCES[source.kind].partition(":")
    function: Callable[[Any, Path], Listing] = getattr(import_module(module), attribute)
    try:
        return function(source, base)
    except ProbeError as error:
        return Listing(problems=(error,))


def table_facts(sources: Sequence[Probes], base: Path) -> list[tuple[str, FileFact]]:
    """The tables that sources read their probes from: each as the config calls it, without credentials, and its bytes.

    Raises `ProbeError` where one cannot be read.
    """
    return [_table(source.path, base) for source in sources if isinstance(source, TableProbes)]


def _table(text: str, base: Path) -> tuple[str, FileFact]:
    file = placed(text, base)
    shown = file.path if scheme(text) else portable(text, base)
    try:
        with file.open() as handle:
            sha256, size = digest(handle)
            return shown, FileFact(file.media_type, size, sha256)
    except OSError as error:
        message = f"{shown} cannot be opened: {error.strerror or error}"
        raise ProbeError(message, fix="check the path and its permissions") from error
