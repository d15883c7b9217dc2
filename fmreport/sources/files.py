"""Model files before any framework is loaded: where they lie, their hash, and whether they hold code."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import h5py

from fmreport.config import Config, KerasSection
from fmreport.errors import SourceError

BUILTIN = "builtin:"
MODEL_HOLDERS = "a .keras, .h5 or .hdf5 file or a folder with saved_model.pb"
COPY_AGAIN = "copy the file again from its origin"
H5 = (".h5", ".hdf5")


def check(config: Config) -> None:
    """Raises `SourceError` for a model file that is missing, not the pinned one, damaged, or holds untrusted code."""
    if isinstance(config.model, KerasSection):
        model_file(config, config.model)
    elif config.model.weights not in (None, "imagenet"):
        weights_file(config, str(config.model.weights), getattr(config.model, "sha256", None))


def model_file(config: Config, section: KerasSection) -> tuple[Path, str]:
    """The file or folder of a saved model, and its SHA-256."""
    path = _locate(config, section.path)
    digest = hash_of(path)
    check_hash(digest, section.sha256, section.path)
    if not section.trusted:
        refuse_code(path, section.path)
    return path, digest


def weights_file(config: Config, text: str, pinned: str | None) -> tuple[Path, str]:
    """A weights file, and its SHA-256."""
    path = config.resolve(text)
    if not path.is_file():
        raise SourceError(f"model.weights: {text} does not exist", fix=f"paths are relative to {config.source.name}")
    digest = hash_of(path)
    check_hash(digest, pinned, text)
    return path, digest


def _locate(config: Config, text: str) -> Path:
    if not text.startswith(BUILTIN):
        path = config.resolve(text)
        if not path.exists():
            raise SourceError(
                f"model.path: {text} does not exist",
                fix=f"paths are relative to {config.source.name}; give {MODEL_HOLDERS}",
            )
        return path
    folder = Path(str(resources.files("fmreport.zoo") / "weights"))
    known = sorted(p.stem for p in folder.glob("*.keras"))
    name = text.removeprefix(BUILTIN)
    if name not in known:
        raise SourceError(f"model.path: no built-in model is called {name}", fix=f"built in: {', '.join(known)}")
    return folder / f"{name}.keras"


def refuse_code(path: Path, shown: str) -> None:
    """Stops at a Lambda layer, which is code of whoever made the file, before anything is loaded."""
    for text in _configs(path, shown):
        names = re.findall(r'"class_name":\s*"Lambda",\s*"config":\s*\{\s*"name":\s*"([^"]*)"', text)
        if names or re.search(r'"class_name":\s*"(Lambda|__lambda__)"', text):
            raise SourceError(
                f"model.path: {shown} holds Lambda layers ({', '.join(sorted(set(names))) or 'unnamed'}), which are code inside the file",
                fix="if you trust whoever made the file, write `trusted: true` under model",
            )


def _configs(path: Path, shown: str) -> Iterator[str]:
    """The architecture as JSON text, wherever the format keeps it."""
    if path.is_dir():
        metadata = path / "keras_metadata.pb"
        if not (path / "saved_model.pb").exists():
            raise SourceError(f"model.path: {shown} is a folder without saved_model.pb", fix=f"give {MODEL_HOLDERS}")
        if metadata.exists():
            yield metadata.read_bytes().decode("utf-8", "replace")
    elif path.suffix == ".keras":
        try:
            with zipfile.ZipFile(path) as archive:
                if damaged := archive.testzip():
                    raise SourceError(f"model.path: {shown} is damaged at {damaged}", fix=COPY_AGAIN)
                yield json.dumps(json.loads(archive.read("config.json")))
        except (zipfile.BadZipFile, KeyError, ValueError, EOFError, OSError) as error:
            raise SourceError(
                f"model.path: {shown} is no whole .keras file: {summary(error)}", fix=COPY_AGAIN
            ) from error
    elif path.suffix in H5:
        config = attributes(path, shown).get("model_config", b"")
        text = config.decode("utf-8", "replace") if isinstance(config, bytes) else str(config)
        yield json.dumps(json.loads(text)) if text else ""
    else:
        raise SourceError(f"model.path: {shown} is no Keras model by its name", fix=f"give {MODEL_HOLDERS}")


def attributes(path: Path, shown: str = "") -> dict[str, Any]:
    try:
        with h5py.File(path) as file:
            return dict(file.attrs)
    except OSError as error:
        raise SourceError(f"model.path: {shown} is no whole HDF5 file: {summary(error)}", fix=COPY_AGAIN) from error


def hash_of(path: Path) -> str:
    """SHA-256 of a file; of a folder, over the names and bytes of all its files in order."""
    digest = hashlib.sha256()
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    for file in files:
        if path.is_dir():
            digest.update(file.relative_to(path).as_posix().encode() + b"\0")
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def check_hash(actual: str, pinned: str | None, what: str) -> None:
    """Stops a run whose model is not the pinned one."""
    if pinned is not None and actual != pinned.lower():
        raise SourceError(
            f"model.sha256: {what} has SHA-256 {actual}, the config pins {pinned}",
            fix="restore the file that was meant, or write the new hash into the config",
        )


def summary(error: Exception) -> str:
    """The first telling line of an error, short enough for a terminal."""
    line = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return (line or type(error).__name__)[:300]
