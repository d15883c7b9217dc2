"""What a model file says of its layers, read before any framework is loaded, and the code that it asks for."""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py

from fmreport.errors import SourceError
from fmreport.sources.graph.refused import refuse_operations

COPY_AGAIN = "copy the file again from its origin"
MODEL_HOLDERS = "a .keras, .h5 or .hdf5 file or a folder with saved_model.pb"
H5 = (".h5", ".hdf5")
CODE = ("Lambda", "__lambda__")
"""Classes that hold Python bytecode in a file."""
TF_CALLS = ("TFOpLambda", "SlicingOpLambda")
"""Classes that call, as soon as they are read, whatever function of TensorFlow the file names."""
PURE = re.compile(
    r"(tf\.)?(compat\.v1\.)?((math|nn|linalg|signal|__operators__)\.\w+|image\.resize\w*|keras\.activations\.\w+|reshape|transpose"
    r"|concat|stack|unstack|split|cast|expand_dims|squeeze|tile|pad|identity|stop_gradient|zeros_like|ones_like|shape|rank|size"
    r"|broadcast_to|clip_by_value|where|gather|gather_nd|one_hot|reverse|slice|strided_slice|maximum|minimum|abs|exp|sqrt"
    r"|square|pow|add_n|add|subtract|multiply|divide|negative|sign|round|floor|tanh|sigmoid|reduce_\w+|einsum|matmul"
    r"|tensordot|equal|not_equal|greater|greater_equal|less|less_equal|cumsum|argmax|argmin|_operators\.\w+)"
)
"""Functions of TensorFlow that compute and do nothing else."""
TRAINING = ("compile_config", "training_config", "optimizer_config")
"""Parts that are not loaded, whatever they ask for."""
FRAMEWORKS = ("keras", "tf_keras", "builtins")
UNSAFE = re.compile(r"(tf_)?keras\.(src\.)?(utils|saving|callbacks|datasets|models\.load)")
"""Parts of a framework that do more than compute: they read and write files, and download them."""
DAMAGE = (zipfile.BadZipFile, zlib.error, KeyError, ValueError, TypeError, EOFError, OSError, RuntimeError)
"""What the readers of zip, HDF5 and JSON raise on a damaged file."""
PREAMBLES = ("Exception encountered when calling", "Graph execution error", "Detected at node", "<stack", "File ")
"""How lines begin that Keras and TensorFlow put before what went wrong."""


def refuse_code(path: Path, shown: str, allowed: Sequence[str]) -> None:
    """Stops at a file that asks for code: Lambda layers, and classes of other modules than Keras.

    `shown` is the file as a message names it; `allowed` are names of classes that the config hands over itself.
    """
    parts = [part for document in documents(path, shown) for part in _parts(document)]
    if path.is_dir():
        refuse_operations(path / "saved_model.pb", shown, trusted=False)
    if lambdas := [part for part in parts if part["class_name"] in CODE]:
        names = sorted({name for part in lambdas if (name := _name(part))}) or ["unnamed"]
        raise SourceError(
            f"{shown} holds Lambda layers ({', '.join(names)}), which are code inside the file",
            fix="if you trust whoever made the file, write `trusted: true` under model",
        )
    called = {str(_settings(part).get("function", "")) for part in parts if part["class_name"] in TF_CALLS}
    calls = sorted(name for name in called if not PURE.fullmatch(name))
    if calls:
        raise SourceError(
            f"{shown} calls {', '.join(calls)} of TensorFlow, which can do more than compute",
            fix="if you trust whoever made the file, write `trusted: true` under model",
        )
    wanted = [(str(part.get("module") or "builtins"), _class(part)) for part in parts]
    if foreign := sorted({f"{module}:{name}" for module, name in wanted if _foreign(module, name, allowed)}):
        raise SourceError(
            f"{shown} needs {', '.join(foreign)}, which Keras does not have",
            fix=f"write under model: custom_objects: {json.dumps(foreign)}, with that module beside the config or "
            "installed; `trusted: true` if you trust whoever made the file",
        )


def documents(path: Path, shown: str) -> list[Any]:
    """The JSON documents in which a model file describes its layers; raises `SourceError` for a damaged file."""
    if path.is_dir():
        if not (path / "saved_model.pb").is_file():
            raise SourceError(f"{shown} is a folder without saved_model.pb", fix=f"give {MODEL_HOLDERS}")
        # Before TensorFlow 2.5 there was no file for them: they stand in the graph's.
        files = (path / "keras_metadata.pb", path / "saved_model.pb")
        return [document for file in files if file.is_file() for document in _embedded(file.read_bytes())]
    if path.suffix not in (".keras", *H5):
        raise SourceError(f"{shown} is no Keras model by its name", fix=f"give {MODEL_HOLDERS}")
    try:
        if path.suffix != ".keras":
            text = attributes(path, shown).get("model_config", "null")
            return [json.loads(text)]
        if h5py.is_hdf5(path):
            raise SourceError(f"{shown} is an HDF5 file by its content", fix="rename it to end in .h5")
        with zipfile.ZipFile(path) as archive:
            if damaged := archive.testzip():
                raise SourceError(f"{shown} is damaged at {damaged}", fix=COPY_AGAIN)
            return [json.loads(archive.read("config.json"))]
    except DAMAGE as error:
        raise SourceError(f"{shown} is no whole {path.suffix} file: {summary(error)}", fix=COPY_AGAIN) from error


def attributes(path: Path, shown: str) -> dict[str, Any]:
    """The attributes at the root of an HDF5 file; raises `SourceError` for a damaged file."""
    if not h5py.is_hdf5(path):
        what = "is a .keras file by its content" if zipfile.is_zipfile(path) else "is no whole HDF5 file"
        fix = "rename it to end in .keras" if zipfile.is_zipfile(path) else COPY_AGAIN
        raise SourceError(f"{shown} {what}", fix=fix)
    try:
        with h5py.File(path) as file:
            return dict(file.attrs)
    except DAMAGE as error:
        raise SourceError(f"{shown} is no whole HDF5 file: {summary(error)}", fix=COPY_AGAIN) from error


def summary(error: BaseException) -> str:
    """The first telling line of an error, short enough for a terminal."""
    lines = [re.sub(r"\x1b\[\d+m", "", line).strip() for line in str(error).splitlines()]
    telling = [line for line in lines if line and not line.startswith(PREAMBLES)]
    line = telling[0].partition("Full object config")[0].strip() if telling else ""
    return (line or type(error).__name__)[:300]


def mend(error: BaseException, otherwise: str) -> str:
    """The next step after what TensorFlow says of a graph."""
    if "not registered" in str(error):
        return "install the package that brings this operation, or save the model without it"
    return otherwise


def _embedded(data: bytes) -> Iterator[Any]:
    """The JSON objects inside a binary file."""
    text, decoder, at = data.decode("latin-1"), json.JSONDecoder(), 0
    opening = re.compile(r'\{\s*"')
    while found := opening.search(text, at):
        try:
            document, at = decoder.raw_decode(text, found.start())
        except (ValueError, RecursionError):
            at = found.start() + 1
        else:
            yield document


def _parts(value: Any) -> Iterator[dict[str, Any]]:
    """Every description of an object in a document."""
    waiting = [value]
    while waiting:
        current = waiting.pop(0)
        if isinstance(current, dict):
            if isinstance(current.get("class_name"), str):
                yield current
            waiting += [each for key, each in current.items() if key not in TRAINING]
        elif isinstance(current, list):
            waiting += current


def _class(part: dict[str, Any]) -> str:
    """The name of the class, or of the function, which stands in the place of its settings."""
    config = part.get("config")
    return config if part["class_name"] == "function" and isinstance(config, str) else str(part["class_name"])


def _name(part: dict[str, Any]) -> str:
    return str(_settings(part).get("name", ""))


def _settings(part: dict[str, Any]) -> dict[str, Any]:
    config = part.get("config")
    return config if isinstance(config, dict) else {}


def _foreign(module: str, name: str, allowed: Sequence[str]) -> bool:
    if name in allowed:
        return False
    return module.partition(".")[0] not in FRAMEWORKS or UNSAFE.match(f"{module}.{name}") is not None
