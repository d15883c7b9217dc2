"""The `model` section: where the model comes from, one class for each `kind`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from fmreport.config.base import CLASS_NAME, Imported, PathText, Positive, Section, Sha256, Text, Value

Feed = Literal["image", "zeros", "ones"]

INPUTS = "for a model with several inputs: what each takes, by name: image, zeros or ones"


def _with_an_image(inputs: Mapping[str, Feed]) -> Mapping[str, Feed]:
    if inputs and "image" not in inputs.values():
        raise ValueError("no input takes the image; give one of them `image`")
    return inputs


def pinned(sha256: str | None, info: ValidationInfo) -> str | None:
    """The hash of a weights file, which must be named."""
    if sha256 is not None and info.data.get("weights", "") is None:
        raise ValueError("a hash without weights; name the file under weights")
    return sha256


Inputs = Annotated[Mapping[str, Feed], AfterValidator(_with_an_image)]


class ModelSection(Section):
    """What every model may declare."""

    licence: Text | None = Field(default=None, description="licence of the model, such as an SPDX identifier")


class KerasSection(ModelSection):
    """A saved Keras model."""

    kind: Literal["keras"] = Field(description="a .keras or .h5 file, or a Keras SavedModel folder")
    path: PathText = Field(description="the model's file or folder, relative to this file, or builtin:NAME")
    sha256: Sha256 | None = Field(default=None, description="SHA-256 of the file; another file stops the run")
    trusted: bool = Field(default=False, description="run code that the file carries, such as Lambda layers")
    custom_objects: tuple[Imported, ...] = Field(
        default=(), description="classes that the file needs, each as module:Name"
    )
    inputs: Inputs = Field(default={}, description=INPUTS)


class ApplicationSection(ModelSection):
    """An architecture of keras.applications."""

    kind: Literal["application"] = Field(description="an architecture of keras.applications")
    name: str = Field(pattern=CLASS_NAME, description="name of its constructor, such as ResNet50V2")
    weights: PathText | None = Field(
        default=None, description="null for random weights, imagenet, or a weights file relative to this file"
    )
    classes: Positive | None = Field(
        default=None, description="number of classes at its end; its own number where left out"
    )
    inputs: Inputs = Field(default={}, description=INPUTS)

    @field_validator("classes")
    @classmethod
    def _imagenet_has_1000(cls, classes: int | None, info: ValidationInfo) -> int | None:
        if classes not in (None, 1000) and info.data.get("weights") == "imagenet":
            raise ValueError(f"the weights imagenet have 1000 classes, not {classes}")
        return classes


class BuilderSection(ModelSection):
    """A function that returns a model."""

    kind: Literal["builder"] = Field(description="a Python function that returns a Keras model")
    function: Imported = Field(description="module:function, importable from this file's folder")
    weights: PathText | None = Field(default=None, description="a weights file, relative to this file")
    arguments: Mapping[str, Value] = Field(default={}, description="keyword arguments for the function")
    sha256: Sha256 | None = Field(default=None, description="SHA-256 of the weights file; another file stops the run")
    inputs: Inputs = Field(default={}, description=INPUTS)

    @field_validator("sha256")
    @classmethod
    def _of_weights(cls, sha256: str | None, info: ValidationInfo) -> str | None:
        return pinned(sha256, info)


class GraphSection(ModelSection):
    """What settles which part of a saved graph is opened, and how."""

    sha256: Sha256 | None = Field(default=None, description="SHA-256 of all its files; other files stop the run")
    signature: Text | None = Field(
        default=None, description="which of the model's functions is opened; its call where left out"
    )
    ops: bool = Field(default=False, description="taps every operation, not only the layers that their names tell of")
    trusted: bool = Field(default=False, description="run operations that may do more than compute")
    inputs: Inputs = Field(default={}, description=INPUTS)


class SavedModelSection(GraphSection):
    """A SavedModel of any age, or a frozen graph."""

    kind: Literal["savedmodel"] = Field(description="a SavedModel folder of any age, or a frozen graph (.pb)")
    path: PathText = Field(description="the folder or the .pb file, relative to this file")
    outputs: tuple[Text, ...] = Field(
        default=(), description="of a frozen graph: the operations in which it ends, where there are several"
    )


class HubSection(GraphSection):
    """A model of TensorFlow Hub."""

    kind: Literal["hub"] = Field(description="a model of TensorFlow Hub, by its handle")
    handle: PathText = Field(description="address of the model on tfhub.dev or Kaggle, file:// or a folder")
    timeout: Positive = Field(default=60, description="seconds without an answer after which a download is given up")


class BitSection(ModelSection):
    """A BiT model (Big Transfer), built here."""

    kind: Literal["bit"] = Field(description="a Big Transfer model (BiT) from its published .npz weights")
    variant: Literal["R50x1", "R50x3", "R101x1", "R101x3", "R152x2", "R152x4"] = Field(
        description="depth and width of the network"
    )
    weights: PathText | None = Field(
        default=None, description="null for random weights, or the .npz file relative to this file"
    )
    sha256: Sha256 | None = Field(default=None, description="SHA-256 of the weights file; another file stops the run")
    classes: Positive | None = Field(
        default=None, description="classes of its head; those of the weights, or no head, where left out"
    )

    @field_validator("sha256")
    @classmethod
    def _of_weights(cls, sha256: str | None, info: ValidationInfo) -> str | None:
        return pinned(sha256, info)


class OnnxSection(ModelSection):
    """A model in the Open Neural Network Exchange format."""

    kind: Literal["onnx"] = Field(description="an .onnx file, run by ONNX Runtime; needs the extra fmreport[onnx]")
    path: PathText = Field(description="the .onnx file, relative to this file; data beside it is found there")
    sha256: Sha256 | None = Field(default=None, description="SHA-256 of the file; another file stops the run")
    inputs: Inputs = Field(default={}, description=INPUTS)


class TorchSection(ModelSection):
    """A PyTorch model: a module that a function returns, or one of a file."""

    kind: Literal["torch"] = Field(description="a PyTorch module or exported program; needs the extra fmreport[torch]")
    function: Imported | None = Field(
        default=None, description="module:function that returns a torch.nn.Module, importable from this file's folder"
    )
    path: PathText | None = Field(
        default=None, description="in place of a function: a .pt2 file of torch.export or a .pt file of TorchScript"
    )
    weights: PathText | None = Field(
        default=None, description="a .safetensors file or a state dict for the module, relative to this file"
    )
    arguments: Mapping[str, Value] = Field(default={}, description="keyword arguments for the function")
    sha256: Sha256 | None = Field(
        default=None, description="SHA-256 of the file, or of the weights; another file stops the run"
    )
    trusted: bool = Field(default=False, description="load weights whose file runs code")
    inputs: Inputs = Field(default={}, description=INPUTS)

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.function is None) == (self.path is None):
            raise ValueError("name either a function or a path")
        if self.path is not None and (self.weights is not None or self.arguments):
            raise ValueError("a file holds its weights; weights and arguments belong to a function")
        if self.sha256 is not None and self.path is None and self.weights is None:
            raise ValueError("a hash without a file; name one under path or weights")
        return self


class TfliteSection(ModelSection):
    """A model of TensorFlow Lite, quantised or not."""

    kind: Literal["tflite"] = Field(description="a .tflite file, run by LiteRT; needs the extra fmreport[tflite]")
    path: PathText = Field(description="the .tflite file, relative to this file")
    sha256: Sha256 | None = Field(default=None, description="SHA-256 of the file; another file stops the run")
    inputs: Inputs = Field(default={}, description=INPUTS)


Model = Annotated[
    KerasSection
    | ApplicationSection
    | BuilderSection
    | SavedModelSection
    | HubSection
    | BitSection
    | OnnxSection
    | TorchSection
    | TfliteSection,
    Field(discriminator="kind"),
]
