"""Opens the file that a config names."""

from __future__ import annotations

import struct
from pathlib import Path

import ai_edge_litert
from ai_edge_litert.interpreter import Interpreter

from fmreport.config import Config, TfliteSection
from fmreport.config.base import portable
from fmreport.errors import SourceError
from fmreport.sources import Identity
from fmreport.sources.architecture import COPY_AGAIN, summary
from fmreport.sources.files import stored_file, where
from fmreport.sources.tflite.file import File, read
from fmreport.sources.tflite.model import FAILURES, TfliteModel, interpreter_of

IDENTIFIER = b"TFL3"
"""What a file holds behind its first four bytes."""
DAMAGE = (IndexError, KeyError, ValueError, TypeError, AttributeError, OverflowError, struct.error)
"""What reading a graph raises whose parts name others that are not there."""
FLEX = "Flex"
"""How custom operators are called that are TensorFlow's own."""


def open_model(config: Config) -> TfliteModel:
    """The model of a `.tflite` file."""
    section = config.model
    assert isinstance(section, TfliteSection)
    path, digest = stored_file(config, section)
    setting = f"{where(config, 'path')}: {section.path}"
    content = _content(path, setting)
    # LiteRT looks at every part of the file first: what is read behind that lies where it should.
    interpreter = _interpreter(content, setting)
    file = _read(content, setting)
    _check_operators(file, setting)
    parameters = sum(each.size for each in file.weights.values())
    framework = f"LiteRT {ai_edge_litert.__version__}"
    identity = Identity("tflite", portable(section.path, config.folder), digest, framework, parameters, len(content))
    return TfliteModel(file, interpreter, identity, section.inputs)


def _content(path: Path, setting: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SourceError(f"{setting} cannot be read: {summary(error)}", fix="check its permissions") from error
    if content[4:8] != IDENTIFIER:
        raise SourceError(f"{setting} is no TensorFlow Lite file by its first bytes", fix=COPY_AGAIN)
    return content


def _interpreter(content: bytes, setting: str) -> Interpreter:
    try:
        return interpreter_of(content)
    except FAILURES as error:
        if "Flatbuffer" in str(error):
            raise SourceError(f"{setting} is damaged: {summary(error)}", fix=COPY_AGAIN) from error
        raise SourceError(
            f"{setting} cannot be opened by LiteRT {ai_edge_litert.__version__}: {summary(error)}",
            fix="pip install --upgrade ai-edge-litert, or convert the model again for the version that is installed",
        ) from error


def _read(content: bytes, setting: str) -> File:
    try:
        return read(content)
    except DAMAGE as error:
        raise SourceError(
            f"{setting} is damaged: its graph cannot be read: {summary(error)}", fix=COPY_AGAIN
        ) from error


def _check_operators(file: File, setting: str) -> None:
    """Raises where the model asks for operators that LiteRT does not have."""
    custom = sorted({operator.type for operator in file.operators if operator.custom})
    if not custom:
        return
    flex = all(name.startswith(FLEX) for name in custom)
    raise SourceError(
        f"{setting} needs operators that LiteRT does not have: {', '.join(custom)}",
        fix=("convert the model without SELECT_TF_OPS" if flex else "convert the model without custom operators")
        + ", or give the Keras model or SavedModel that it was made of",
    )
