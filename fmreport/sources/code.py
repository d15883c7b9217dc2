"""The user's own Python: importing what a config names."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module, invalidate_caches
from importlib.machinery import PathFinder
from operator import attrgetter
from pathlib import Path
from types import ModuleType
from typing import Any

from fmreport.errors import SourceError, nearest
from fmreport.sources.architecture import summary


@contextmanager
def importable(folder: Path) -> Iterator[None]:
    """Makes the modules of a folder importable for a while, before all others."""
    sys.path.insert(0, str(folder))
    invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def load_object(name: str, where: str, folder: Path) -> Any:
    """What `module:attribute` names; `where` is the setting that names it, `folder` is one made importable."""
    module, _, attribute = name.partition(":")
    _forget_namesake(module.partition(".")[0], folder)
    try:
        loaded = import_module(module)
    except ModuleNotFoundError as error:
        beside = sorted(each.stem for each in folder.glob("*.py"))
        missing = f"{module} is no module" if error.name == module else f"{module} needs {error.name}, which is missing"
        raise SourceError(
            f"{where}: {name} cannot be imported: {missing}",
            fix=f"put the module beside the config or install it; beside it are {nearest(module, beside)}",
        ) from error
    except (Exception, SystemExit) as error:
        raise SourceError(
            f"{where}: {name} cannot be imported: {type(error).__name__}: {summary(error)}",
            fix=f"import {module} by itself in Python and mend it",
        ) from error
    try:
        return attrgetter(attribute)(loaded)
    except AttributeError as error:
        raise SourceError(
            f"{where}: the module {module} holds no {attribute}",
            fix=nearest(attribute, [each for each in vars(loaded) if not each.startswith("_")]),
        ) from error


def _forget_namesake(package: str, folder: Path) -> None:
    """Drops a module of that name which another config's folder gave, so that this folder's own is imported."""
    spec = PathFinder.find_spec(package, [str(folder)])
    loaded = getattr(sys.modules.get(package), "__file__", None)
    if spec is not None and spec.origin is not None and loaded not in (None, spec.origin):
        for name in [each for each in sys.modules if each == package or each.startswith(f"{package}.")]:
            del sys.modules[name]


def files_of(names: Sequence[str], folder: Path) -> list[Path]:
    """The files in a folder that hold the named objects (`module:attribute`), and what these modules take from others.

    They must have been imported; what is installed lies elsewhere, and its version tells of it.
    """
    waiting, found = [name.partition(":")[0] for name in names], dict[str, Path]()
    while waiting:
        name = waiting.pop()
        module = sys.modules.get(name)
        path = Path(getattr(module, "__file__", None) or "")
        inside = path.is_relative_to(folder) and "site-packages" not in path.parts
        if module is None or name in found or not inside:
            continue
        found[name] = path
        package = name.rpartition(".")[0]
        taken = [each.__name__ if inspect.ismodule(each) else each.__module__ for each in _named(module)]
        waiting += [package, *taken] if package else taken
    return sorted(set(found.values()))


def _named(module: ModuleType) -> list[Any]:
    """Modules, classes and functions that a module's names stand for."""
    kinds = (inspect.ismodule, inspect.isclass, inspect.isfunction)
    return [each for each in vars(module).values() if any(kind(each) for kind in kinds)]
