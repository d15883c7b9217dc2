"""The published weights of BiT: one `.npz` file for each model, kernels as (H, W, in, out)."""

from __future__ import annotations

import math
import re
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

HEAD = "resnet/head/conv2d/kernel"
DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError)
"""What reading a damaged file raises."""
NAMED = 3
"""Names that a message gives of many."""

Header = tuple[tuple[int, ...], np.dtype[Any]]
"""Shape and dtype of an array."""


def head_classes(path: Path) -> int | None:
    """The number of classes of the head in a file; None where it has none. Raises `ValueError` for a damaged file."""
    header = _headers(path).get(HEAD)
    return header[0][-1] if header and header[0] else None


def load_npz(model: Any, path: Path) -> None:
    """Gives a model of `bit` the weights of a file.

    Raises `ValueError` that names what is missing, too much or of another shape, and for a damaged file; the model is
    then as it was.
    """
    headers = _headers(path)
    variables = {_known_as(key, headers): variable for key, variable in _variables(model).items()}
    _compare({key: _published_shape(variable) for key, variable in variables.items()}, headers)
    _check_contents(path)
    with np.load(path, allow_pickle=False) as file:
        # One at a time: all of them are up to 3.7 GB.
        for key, variable in variables.items():
            variable.assign(np.asarray(file[key], np.float32).reshape(variable.shape))


def _variables(model: Any) -> dict[str, Any]:
    """The variables of a model by the names that they have in a file."""
    named = {}
    for layer in model.layers:
        scope = layer.name.replace(".", "/")
        for variable in layer.weights:
            named[f"resnet/{scope}{'/conv2d' if scope == 'head' else ''}/{variable.name}"] = variable
    return named


def _known_as(key: str, headers: Mapping[str, Any]) -> str:
    """The name in the file, which may leave the level `group_norm` out inside a unit."""
    short = re.sub(r"(/unit\d+/[abc])/group_norm/", r"\1/", key)
    return short if short in headers and key not in headers else key


def _published_shape(variable: Any) -> tuple[int, ...]:
    """The shape in a file, where the head is a 1x1 convolution."""
    shape = tuple(variable.shape)
    return (1, 1, *shape) if len(shape) == 2 else shape


def _headers(path: Path) -> dict[str, Header]:
    """What a file says of its arrays, none of which is read."""
    found = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                with archive.open(entry) as member:
                    newer = np.lib.format.read_magic(member) > (1, 0)
                    read = np.lib.format.read_array_header_2_0 if newer else np.lib.format.read_array_header_1_0
                    shape, _, dtype = read(member)
                    if not dtype.hasobject and entry.file_size - member.tell() != math.prod(shape) * dtype.itemsize:
                        raise ValueError(f"{entry.filename} is cut short")
                    found[entry.filename.removesuffix(".npy")] = (shape, dtype)
    except DAMAGE as error:
        raise ValueError(f"it is no whole .npz file: {error}") from error
    return found


def _check_contents(path: Path) -> None:
    """Raises where the bytes of an array are not those that were written."""
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except DAMAGE as error:
        raise ValueError(f"it is no whole .npz file: {error}") from error
    if damaged:
        raise ValueError(f"it is no whole .npz file: {damaged} is damaged")


def _compare(expected: Mapping[str, tuple[int, ...]], headers: Mapping[str, Header]) -> None:
    """Raises one error with everything in which a file differs from the model."""
    shared = {key: headers[key] for key in expected if key in headers}
    differences = {
        "missing": [key for key in expected if key not in headers],
        "unexpected": [key for key in headers if key not in expected],
        "of another shape": [
            f"{key} ({_shown(shape)}, not {_shown(expected[key])})"
            for key, (shape, _) in shared.items()
            if shape != expected[key]
        ],
        "no floating point": [f"{key} ({dtype})" for key, (_, dtype) in shared.items() if dtype.kind != "f"],
    }
    if told := [f"{len(keys)} {what}: {_first(keys)}" for what, keys in differences.items() if keys]:
        raise ValueError("; ".join(told))


def _first(keys: Sequence[str]) -> str:
    return ", ".join(keys[:NAMED]) + (", ..." if len(keys) > NAMED else "")


def _shown(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape)) or "one number"
