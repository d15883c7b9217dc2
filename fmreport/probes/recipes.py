"""How well-known families of models want their input, by name."""

from __future__ import annotations

from dataclasses import dataclass

from fmreport.errors import ProbeError, nearest


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is done to pixel values 0-255 after resizing: to the range, then `(x - mean) / std`."""

    range: tuple[float, float] = (0.0, 255.0)
    colour: str | None = None
    """`rgb`, `bgr` or `grey`; None: what the model's channels suggest."""
    mean: tuple[float, ...] = ()
    """In the order of the output channels, in units of `range`; empty: nothing is subtracted."""
    std: tuple[float, ...] = ()


_RAW = Recipe()
_SIGNED = Recipe((-1.0, 1.0))
_CAFFE = Recipe(colour="bgr", mean=(103.939, 116.779, 123.68))
_TORCH = Recipe((0.0, 1.0), "rgb", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))

RECIPES: dict[str, Recipe] = {
    "raw": _RAW,
    "bit": _SIGNED,
    "bit_hub": Recipe((0.0, 1.0)),
    "convnext": _RAW,  # these rescale inside the model
    "densenet": _TORCH,
    "efficientnet": _RAW,
    "efficientnet_v2": _RAW,
    "inception_resnet_v2": _SIGNED,
    "inception_v3": _SIGNED,
    "mobilenet": _SIGNED,
    "mobilenet_v2": _SIGNED,
    "mobilenet_v3": _RAW,
    "nasnet": _SIGNED,
    "resnet": _CAFFE,
    "resnet_v2": _SIGNED,
    "torchvision": _TORCH,
    "vgg16": _CAFFE,
    "vgg19": _CAFFE,
    "xception": _SIGNED,
}

APPLICATIONS: dict[str, tuple[str, ...]] = {
    "convnext": ("ConvNeXtTiny", "ConvNeXtSmall", "ConvNeXtBase", "ConvNeXtLarge", "ConvNeXtXLarge"),
    "densenet": ("DenseNet121", "DenseNet169", "DenseNet201"),
    "efficientnet": tuple(f"EfficientNetB{size}" for size in range(8)),
    "efficientnet_v2": tuple(f"EfficientNetV2{size}" for size in ("B0", "B1", "B2", "B3", "S", "M", "L")),
    "inception_resnet_v2": ("InceptionResNetV2",),
    "inception_v3": ("InceptionV3",),
    "mobilenet": ("MobileNet",),
    "mobilenet_v2": ("MobileNetV2",),
    "mobilenet_v3": ("MobileNetV3Small", "MobileNetV3Large"),
    "nasnet": ("NASNetMobile", "NASNetLarge"),
    "resnet": ("ResNet50", "ResNet101", "ResNet152"),
    "resnet_v2": ("ResNet50V2", "ResNet101V2", "ResNet152V2"),
    "vgg16": ("VGG16",),
    "vgg19": ("VGG19",),
    "xception": ("Xception",),
}
"""The models of `keras.applications` by the recipe that each takes."""


def recipe(name: str) -> Recipe:
    """The recipe of that name, or a `ProbeError` with the nearest names."""
    if name not in RECIPES:
        raise ProbeError(
            f"preprocess.like: no recipe is called {name!r}",
            fix=nearest(name, RECIPES),
        )
    return RECIPES[name]


def recipe_for_application(application: str) -> str:
    """Name of the recipe for a model of `keras.applications`: `ResNet50V2` takes `resnet_v2`."""
    for name, models in APPLICATIONS.items():
        if application in models:
            return name
    known = sorted(model for models in APPLICATIONS.values() for model in models)
    raise ProbeError(
        f"no preprocessing is known for keras.applications.{application}",
        fix=f"{nearest(application, known)}; or say it: preprocess: {{like: raw}}",
    )
