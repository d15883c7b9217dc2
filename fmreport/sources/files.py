"""Model files before any framework is loaded: where they lie, and their hash."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from importlib import resources
from importlib.machinery import PathFinder
from pathlib import Path

from fmreport.config import BuilderSection, Config, KerasSection
from fmreport.errors import SourceError, nearest
from fmreport.sources.architecture import H5, MODEL_HOLDERS, refuse_code, summary

BUILTIN = "builtin:"


def check(config: Config) -> None:
    """Raises `SourceError` for a file or module that is missing, damaged, not the pinned one, or untrusted code."""
    if isinstance(config.model, KerasSection):
        model_file(config, config.model)
        return
    if isinstance(config.model, BuilderSection):
        _find_module(config, config.model.function)
    if config.model.weights not in (None, "imagenet"):
        weights_file(config, str(config.model.weights), getattr(config.model, "sha256", None))


def model_file(config: Config, section: KerasSection) -> tuple[Path, str]:
    """The file or folder of a saved model, and its SHA-256."""
    path = _locate(config, section.path)
    digest = _hash(config, "path", path)
    _check_hash(config, digest, section.sha256)
    if not section.trusted:
        own = [name.replace(":", ".").rpartition(".")[2] for name in section.custom_objects]
        refuse_code(path, f"{where(config, 'path')}: {section.path}", own)
    return path, digest


def weights_file(config: Config, text: str, pinned: str | None) -> tuple[Path, str]:
    """A weights file, and its SHA-256."""
    path = config.resolve(text)
    if not _is(path, Path.is_file):
        raise _missing(config, "weights", text)
    digest = _hash(config, "weights", path)
    _check_hash(config, digest, pinned)
    return path, digest


def where(config: Config, key: str) -> str:
    """Where a setting of the model was written, and its name."""
    return f"{config.where('model', key)}: model.{key}"


def hash_of(path: Path) -> str:
    """SHA-256 of a file; of a folder, over the names and bytes of all its files in order."""
    digest = hashlib.sha256()
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    for file in files:
        if path.is_dir():
            digest.update(file.relative_to(path).as_posix().encode("utf-8", "surrogateescape") + b"\0")
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _find_module(config: Config, function: str) -> None:
    """Raises where the function's package is neither beside the config nor installed; nothing of it is run."""
    package = function.partition(":")[0].partition(".")[0]
    if PathFinder.find_spec(package, [str(config.folder), *sys.path]) is None:
        beside = sorted(each.stem for each in config.folder.glob("*.py"))
        raise SourceError(
            f"{where(config, 'function')}: {function}: there is no module {package}",
            fix=f"put it beside the config or install it; beside it are {nearest(package, beside)}",
        )


def _locate(config: Config, text: str) -> Path:
    if not text.startswith(BUILTIN):
        path = config.resolve(text)
        if not (_is(path, Path.is_file) or _is(path, Path.is_dir)):
            raise _missing(config, "path", text)
        return path
    folder = Path(str(resources.files("fmreport.zoo") / "weights"))
    known = sorted(p.stem for p in folder.glob("*.keras"))
    name = text.removeprefix(BUILTIN)
    if name not in known:
        raise SourceError(f"{where(config, 'path')}: no built-in model is called {name}", fix=nearest(name, known))
    return folder / f"{name}.keras"


def _is(path: Path, what: Callable[[Path], bool]) -> bool:
    """Whether a path is that; what is too long to be a name is nothing."""
    try:
        return what(path)
    except OSError:
        return False


def _missing(config: Config, key: str, text: str) -> SourceError:
    """Names the files nearby that may have been meant."""
    path = config.resolve(text)
    kinds = (".keras", *H5)
    beside = path.parent.iterdir() if path.parent.is_dir() else ()
    names = sorted(p.name for p in beside if p.suffix in kinds or (p / "saved_model.pb").is_file())
    near = f"beside it: {nearest(path.name, names)}" if names else f"give {MODEL_HOLDERS}"
    return SourceError(
        f"{where(config, key)}: {text} does not exist", fix=f"paths are relative to {config.source.name}; {near}"
    )


def _hash(config: Config, key: str, path: Path) -> str:
    try:
        return hash_of(path)
    except OSError as error:
        raise SourceError(
            f"{where(config, key)}: {path.name} cannot be read: {summary(error)}", fix="check its permissions"
        ) from error


def _check_hash(config: Config, actual: str, pinned: str | None) -> None:
    if pinned is not None and actual != pinned.lower():
        raise SourceError(
            f"{where(config, 'sha256')}: the file has SHA-256 {actual}, the config pins {pinned}",
            fix="restore the file that was meant, or write the new hash into the config",
        )
