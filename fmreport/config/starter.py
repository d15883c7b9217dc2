"""A commented config to start from, for one model."""

from __future__ import annotations

import re
from pathlib import PurePosixPath, PureWindowsPath

from jinja2 import Environment, StrictUndefined
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import ScalarNode

from fmreport.config.base import CLASS_NAME, IMPORTED
from fmreport.errors import ConfigError

BUILTIN = "builtin:"
BIT = r"BiT-(R\d+x\d)"
_FILES = {
    ".keras": "keras",
    ".h5": "keras",
    ".hdf5": "keras",
    ".onnx": "onnx",
    ".tflite": "tflite",
    ".pt2": "torch",
    ".pt": "torch",
}
"""Kinds by the endings of files that they open, in lower case."""


def new_config(model: str, template: str) -> str:
    """The YAML text that `template` (Jinja source) makes for a model; every value is escaped as YAML.

    The template gets `kind` (as under `model` in a config), `model` as given, and `name` for the run.
    Raises `ConfigError` where the text could be no model.
    """
    kind = _kind(model)
    environment = Environment(
        undefined=StrictUndefined, finalize=scalar, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    return environment.from_string(template).render(kind=kind, model=model, name=_name(model, kind))


def scalar(value: object) -> str:
    """The text as a YAML scalar on one line: plain where that reads as the same text, else in double quotes."""
    text = str(value)
    if re.fullmatch(r"[A-Za-z0-9_.][A-Za-z0-9_./:+-]*", text) and _reads_as_itself(text):
        return text
    return f'"{"".join(_escaped(letter) for letter in text)}"'


def _reads_as_itself(text: str) -> bool:
    try:
        node = YAML(typ="rt", pure=True).compose(text)
    except YAMLError:
        return False
    return isinstance(node, ScalarNode) and str(node.tag).endswith(":str") and bool(node.value == text)


def _escaped(letter: str) -> str:
    if letter in '"\\':
        return f"\\{letter}"
    return letter if letter.isprintable() else f"\\U{ord(letter):08x}"


def _kind(model: str) -> str:
    if model.startswith(BUILTIN) and len(model) > len(BUILTIN):
        return "keras"
    if re.match(r"(https?|file)://.", model):
        return "hub"
    if re.fullmatch(IMPORTED, model):
        return "builder"
    if re.fullmatch(BIT, model):
        return "bit"
    if kind := _FILES.get(f".{model.lower().rpartition('.')[2]}"):
        return kind
    # A folder is told by its slash: what stands on this machine's disk must not change what the text means.
    if model.endswith(".pb") or "/" in model or "\\" in model:
        return "savedmodel"
    if re.fullmatch(CLASS_NAME, model):
        return "application"
    raise ConfigError(
        f"{model!r} names no model",
        fix="give a .keras, .h5, .pb, .onnx, .tflite, .pt2 or .pt file, a SavedModel folder (./folder), an address on "
        "TensorFlow Hub, builtin:NAME, a name of keras.applications such as ResNet50V2, BiT-R50x1, or module:function",
    )


def _name(model: str, kind: str) -> str:
    """A folder name for the runs of this model."""
    if kind == "hub":
        # A handle ends in the model's name and a version.
        name = "-".join(model.rstrip("/").split("/")[-2:])
    elif kind in ("keras", "savedmodel", "onnx", "tflite", "torch") and not model.startswith(BUILTIN):
        name = PureWindowsPath(PurePosixPath(model)).name
        name = re.sub(r"\.(keras|h5|hdf5|pb|onnx|tflite|pt2|pt)$", "", name, flags=re.IGNORECASE)
    else:
        name = model.rpartition(":")[2]
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name)[:100].lstrip(".") or "model"
