"""Opens the file that a config names."""

from __future__ import annotations

import onnx
import onnxruntime
from google.protobuf.message import DecodeError

from fmreport.config import Config, OnnxSection
from fmreport.config.base import portable
from fmreport.errors import SourceError
from fmreport.sources import Identity
from fmreport.sources.architecture import summary
from fmreport.sources.files import bytes_of, stored_file, where
from fmreport.sources.onnx.file import read
from fmreport.sources.onnx.model import OnnxModel


def open_model(config: Config) -> OnnxModel:
    """The model of an `.onnx` file."""
    section = config.model
    assert isinstance(section, OnnxSection)
    path, digest = stored_file(config, section)
    setting = f"{where(config, 'path')}: {section.path}"
    try:
        file = read(path)
    except (DecodeError, OSError, ValueError) as error:
        raise SourceError(
            f"{setting} cannot be read as ONNX: {summary(error)}", fix="export the model again, or give its other file"
        ) from error
    parameters = sum(each.size for each in file.weights.values())
    framework = f"onnxruntime {onnxruntime.__version__}, onnx {onnx.__version__}"
    identity = Identity("onnx", portable(section.path, config.folder), digest, framework, parameters, bytes_of(path))
    return OnnxModel(file, identity, section.inputs)
