"""The architectures of keras.applications, in families."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

FAMILIES = (
    "ConvNeXtTiny", "DenseNet121", "EfficientNetB0", "EfficientNetV2B0", "InceptionResNetV2", "InceptionV3",
    "MobileNet", "MobileNetV2", "MobileNetV3Large", "MobileNetV3Small", "NASNetMobile", "ResNet50", "ResNet50V2",
    "VGG16", "Xception",
)  # fmt: skip
"""One of every family; its others have more and wider blocks of the same kind."""


def by_family(names: Iterable[str]) -> list[Any]:
    """Parameters of a test: those that repeat what another of the family shows are run on request."""
    return [name if name in FAMILIES else pytest.param(name, marks=pytest.mark.thorough) for name in names]
