"""Model files before any framework is loaded: where they lie, and their hash."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Callable, Sequence
from importlib import import_module, resources
from importlib.machinery import PathFinder
from pathlib import Path
from urllib.parse import urlsplit

from fmreport.config import (
    BuilderSection,
    Config,
    HubSection,
    KerasSection,
    OnnxSection,
    SavedModelSection,
    TfliteSection,
    TorchSection,
)
from fmreport.errors import FILES, SourceError, nearest
from fmreport.sources.architecture import H5, MODEL_HOLDERS, refuse_code, summary
from fmreport.sources.graph.refused import refuse_operations

BUILTIN = "builtin:"
ENDINGS = {"onnx": (".onnx",), "torch": (".pt2", ".pt"), "tflite": (".tflite",)}
"""How files of a kind end."""


def check(config: Config) -> None:
    """Raises `SourceError` for a file or module that is missing, damaged, not the pinned one, or untrusted code."""
    if isinstance(config.model, KerasSection):
        model_file(config, config.model)
        return
    if isinstance(config.model, SavedModelSection):
        saved_graph(config, config.model)
        return
    if isinstance(config.model, HubSection):
        hub_folder(config, config.model)
        return
    if isinstance(config.model, OnnxSection | TfliteSection):
        stored_file(config, config.model)
        return
    if isinstance(config.model, TorchSection) and config.model.path:
        stored_file(config, config.model)
        return
    if isinstance(config.model, BuilderSection | TorchSection):
        _find_module(config, str(config.model.function))
    by_name = config.model.kind == "application" and config.model.weights == "imagenet"
    if config.model.weights is not None and not by_name:
        weights_file(config, str(config.model.weights), getattr(config.model, "sha256", None))


def model_file(config: Config, section: KerasSection) -> tuple[Path, str]:
    """The file or folder of a saved model, and its SHA-256."""
    path = _locate(config, section.path)
    digest = checked_hash(config, "path", path, section.sha256)
    if not section.trusted:
        own = [name.replace(":", ".").rpartition(".")[2] for name in section.custom_objects]
        refuse_code(path, f"{where(config, 'path')}: {section.path}", own)
    return path, digest


def stored_file(config: Config, section: OnnxSection | TorchSection | TfliteSection) -> tuple[Path, str]:
    """The file of a model that another framework runs, and its SHA-256; with data beside it, that of all together."""
    path, endings = config.resolve(str(section.path)), " or ".join(ENDINGS[section.kind])
    shown = f"{where(config, 'path')}: {section.path}"
    if _is(path, Path.is_dir):
        raise SourceError(f"{shown} is a folder", fix=f"give the {endings} file in it")
    if not _is(path, Path.is_file):
        raise _missing(config, "path", str(section.path))
    if path.suffix.lower() not in ENDINGS[section.kind]:
        raise SourceError(f"{shown} is no {endings} file by its name", fix=_opener(path))
    # Only ONNX knows where a file says that it has data; without the package the model is not opened either.
    asks = section.kind == "onnx" and PathFinder.find_spec("onnx") is not None
    data = import_module("fmreport.sources.onnx.stored").beside(path, shown) if asks else ()
    return path, checked_hash(config, "path", path, section.sha256, beside=data)


def _opener(path: Path) -> str:
    """Which kind opens what ends like this."""
    kind = _kind_of(path)
    return f"kind: {kind} opens {path.suffix} files" if kind else "give the model's own file"


def _kind_of(path: Path) -> str:
    """The kind that opens what ends like this; empty where there is none."""
    kinds = {".keras": "keras", ".h5": "keras", ".hdf5": "keras", ".pb": "savedmodel"}
    kinds |= {ending: kind for kind, endings in ENDINGS.items() for ending in endings}
    return kinds.get(path.suffix.lower(), "")


def saved_graph(config: Config, section: SavedModelSection) -> tuple[Path, str]:
    """The folder with saved_model.pb, or the `.pb` file, of a graph, and its SHA-256."""
    path = _locate(config, section.path)
    shown = f"{where(config, 'path')}: {section.path}"
    if path.is_dir():
        _check_folder(path, shown, section.path)
    if path.is_file() and path.suffix != ".pb":
        raise SourceError(
            f"{shown} is no saved graph by its name",
            fix=f"{_opener(path)}; else give a folder with saved_model.pb or a frozen .pb file"
            if _kind_of(path)
            else "give a folder with saved_model.pb or a frozen .pb file; kind: keras opens .keras and .h5",
        )
    if path.is_file() and path.name == "saved_model.pb":
        raise SourceError(f"{shown} is a part of a SavedModel", fix=f"give its folder: {Path(section.path).parent}")
    digest = checked_hash(config, "path", path, section.sha256)
    refuse_operations(path / "saved_model.pb" if path.is_dir() else path, shown, trusted=section.trusted)
    return path, digest


def weights_file(config: Config, text: str, pinned: str | None) -> tuple[Path, str]:
    """A weights file, and its SHA-256."""
    path = config.resolve(text)
    if not _is(path, Path.is_file):
        raise _missing(config, "weights", text)
    return path, checked_hash(config, "weights", path, pinned)


def hub_folder(config: Config, section: HubSection) -> tuple[Path, str] | None:
    """The folder that a handle names, and its SHA-256; None for an address, of which only the form is checked."""
    setting = f"{where(config, 'handle')}: {section.handle}"
    if is_address(section.handle):
        _check_address(section.handle, setting)
        return None
    path = config.resolve(section.handle.removeprefix("file://"))
    if _is(path, Path.is_file):
        raise SourceError(
            f"{setting} is a file; a handle names a folder with saved_model.pb",
            fix="unpack it and give the folder; a .keras or .h5 file is opened by kind: keras, a .pb by savedmodel",
        )
    if not _is(path, Path.is_dir):
        raise SourceError(
            f"{setting} does not exist",
            fix=f"a folder is relative to {config.source.name}; an address begins with https://",
        )
    _check_folder(path, setting, section.handle)
    digest = checked_hash(config, "handle", path, section.sha256)
    refuse_operations(path / "saved_model.pb", setting, trusted=section.trusted)
    return path, digest


def is_address(handle: str) -> bool:
    """Whether a handle names no folder of this machine."""
    return not handle.startswith("file://") and re.match(r"\w[\w+.-]*://", handle) is not None


def where(config: Config, key: str) -> str:
    """Where a setting of the model was written, and its name."""
    return f"{config.where('model', key)}: model.{key}"


def hash_of(path: Path, beside: Sequence[Path] = ()) -> str:
    """SHA-256 of a file; of a folder, or with files beside it, over the names and bytes of all files in order."""
    digest, folder = hashlib.sha256(), path if path.is_dir() else path.parent
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else sorted([path, *beside])
    for file in files:
        if path.is_dir() or beside:
            digest.update(file.relative_to(folder).as_posix().encode("utf-8", "surrogateescape") + b"\0")
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def bytes_of(path: Path) -> int:
    """Bytes of a file; of a folder, of all its files."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def checked_hash(
    config: Config,
    key: str,
    path: Path,
    pinned: str | None,
    *,
    restore: str = "restore the file that was meant",
    beside: Sequence[Path] = (),
) -> str:
    """SHA-256 of what a setting names; raises where the config pins another, which `restore` says how to get at."""
    try:
        actual = hash_of(path, beside)
    except OSError as error:
        raise SourceError(
            f"{where(config, key)}: {path.name} cannot be read: {summary(error)}", fix="check its permissions"
        ) from error
    if pinned is not None and actual != pinned.lower():
        raise SourceError(
            f"{where(config, 'sha256')}: {_hashed(path, beside)} SHA-256 {actual}, the config pins {pinned}",
            fix=f"{restore}, or write the new hash into the config",
        )
    return actual


def _hashed(path: Path, beside: Sequence[Path]) -> str:
    if beside:
        return f"the file and {beside[0].name} beside it, by name and content, have together the"
    # Of a folder, whoever pins may have hashed the archive that it came in.
    return "the unpacked files, by name and content, have together the" if path.is_dir() else "the file has"


def _find_module(config: Config, function: str) -> None:
    """Raises where the function's package is neither beside the config nor installed; nothing of it is run."""
    package = function.partition(":")[0].partition(".")[0]
    if PathFinder.find_spec(package, [str(config.folder), *sys.path]) is None:
        beside = sorted(each.stem for each in config.folder.glob("*.py"))
        raise SourceError(
            f"{where(config, 'function')}: {function}: there is no module {package}",
            fix=f"put it beside the config or install it; beside it are {nearest(package, beside, most=FILES)}",
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
    beside = path.parent.iterdir() if path.parent.is_dir() else ()
    if config.model.kind == "bit":
        holders, names = "the published .npz file", sorted(p.name for p in beside if p.suffix == ".npz")
    else:
        kinds, holders = (".keras", *H5), MODEL_HOLDERS
        names = sorted(p.name for p in beside if p.suffix in kinds or (p / "saved_model.pb").is_file())
    near = f"beside it: {nearest(path.name, names, most=FILES)}" if names else f"give {holders}"
    return SourceError(
        f"{where(config, key)}: {text} does not exist", fix=f"paths are relative to {config.source.name}; {near}"
    )


def _check_folder(path: Path, shown: str, text: str) -> None:
    """Raises where a folder, written as `text`, holds no graph."""
    if not (path / "saved_model.pb").is_file():
        inside = sorted(each.parent.name for each in path.glob("*/saved_model.pb"))
        raise SourceError(
            f"{shown} is a folder without saved_model.pb",
            fix=f"give {text.rstrip('/')}/{inside[0]}" if inside else "give the folder that holds it",
        )


def _check_address(address: str, setting: str) -> None:
    """Raises where an address cannot be one that a model is downloaded from."""
    if not address.startswith(("http://", "https://")):
        raise SourceError(
            f"{setting} begins with neither https:// nor http:// nor file://, and is no folder",
            fix="download the model by other means, unpack it, and give the folder as the handle",
        )
    try:
        parts = urlsplit(address)
        whole = bool(parts.hostname) and parts.port != 0 and re.fullmatch(r"[!-~]+", address)
    except ValueError:
        whole = False
    if not whole:
        raise SourceError(
            f"{setting} is no whole address", fix="write one such as https://tfhub.dev/google/bit/m-r50x1/1"
        )
