"""The user's own Python: importing what a config names."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from fmreport.errors import SourceError


@contextmanager
def importable(folder: Path) -> Iterator[None]:
    """Makes the modules of a folder importable for a while."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def load_object(name: str, where: str) -> Any:
    """What `module:attribute` names."""
    module, _, attribute = name.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise SourceError(
            f"{where}: {name} cannot be imported: {error}",
            fix="write module:name, with the module beside the config or installed",
        ) from error
