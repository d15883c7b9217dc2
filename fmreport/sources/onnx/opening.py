"""Opens the file that a config names."""

from __future__ import annotations

import onnx
import onnxruntime

from fmreport.config import Config, OnnxSection
from fmreport.config.base import portable
from fmreport.errors import SourceError
from fmreport.sources import Identity
from fmreport.sources.architecture import summary
from fmreport.sources.files import bytes_of, stored_file, where
from fmreport.sources.onnx.file import separated
from fmreport.sources.onnx.model import OnnxModel
from fmreport.sources.onnx.stored import beside, parsed


def open_model(config: Config) -> OnnxModel:
    """The model of an `.onnx` file."""
    section = config.model
    assert isinstance(section, OnnxSection)
    path, digest = stored_file(config, section)
    shown = f"{where(config, 'path')}: {section.path}"
    framework = f"onnxruntime {onnxruntime.__version__}, onnx {onnx.__version__}"
    weighs = sum(bytes_of(each) for each in (path, *beside(path, shown)))
    try:
        file = separated(parsed(path, shown), path.parent)
        parameters = sum(each.value.size for each in file.weights.values())
        identity = Identity("onnx", portable(section.path, config.folder), digest, framework, parameters, weighs)
        return OnnxModel(file, identity, section.inputs)
    except SourceError:
        raise
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        raise SourceError(
            f"{shown} cannot be read as ONNX: {summary(error)}", fix="export the model again, or give its other file"
        ) from error
