"""Gradients in the graph of a model that is being traced, by activations as `TappableModel.tapped` hands them out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from fmreport.sources.architecture import summary
from fmreport.sources.listing import MOVED

NO_PATH = (
    "no gradient comes back to it from the target, which does not depend on it, or only through operations that pass "
    "none, such as rounding"
)
ELSEWHERE = "another framework runs the model, and hands over activations without gradients"
SATURATING = {"Softmax": "softmax", "LogSoftmax": "softmax", "Sigmoid": "sigmoid"}
"""Operations whose gradients vanish where the answer is sure, in words."""
PASSES = ("Identity", "IdentityN", "Transpose", "Reshape", "Squeeze", "ExpandDims", "EnsureShape", "Cast")
"""Operations that hand on what they read first."""


def gradients(score: Any, activations: Sequence[Any]) -> list[Any]:
    """Of a number by each of the activations, in their layout; in place of it, as text, why there is none."""
    if any(each.op.type == "Placeholder" for each in activations):
        return [ELSEWHERE] * len(activations)
    origins = [_origin(each) for each in activations]
    found = _by_origins(score, origins) if origins else []
    return [
        gradient if each is origin or isinstance(gradient, str) else tf.transpose(gradient, each.op.inputs[1])
        for each, origin, gradient in zip(activations, origins, found, strict=True)
    ]


def saturates(tensor: Any) -> str:
    """`softmax` or `sigmoid` where a tensor is the result of one; else empty."""
    while tensor.op.type in PASSES:
        tensor = tensor.op.inputs[0]
    if tensor.op.type == "RealDiv" and all(_exponentials(each) for each in tensor.op.inputs):
        return "softmax"  # as tf_keras writes it for maps
    return SATURATING.get(tensor.op.type, "")


def _exponentials(tensor: Any) -> bool:
    """Whether a tensor holds exponentials or a sum of them."""
    return bool(tensor.op.type == "Exp" or (tensor.op.type == "Sum" and tensor.op.inputs[0].op.type == "Exp"))


def _origin(activations: Any) -> Any:
    """The layer's own tensor: channels that come first in it are moved behind beside the model's path."""
    moved = activations.op.name.rpartition("/")[2].startswith(MOVED)
    return activations.op.inputs[0] if moved else activations


def _by_origins(score: Any, tensors: Sequence[Any]) -> list[Any]:
    try:
        found = tf.gradients(score, list(tensors))
    # A gradient of the user's own may raise anything, and no attribution is worth a run.
    except Exception as error:  # noqa: BLE001
        if len(tensors) == 1:
            return [f"TensorFlow has no gradient for an operation between it and the target: {summary(error)}"]
        # Only what lies before the operation is lost.
        half = len(tensors) // 2
        return [*_by_origins(score, tensors[:half]), *_by_origins(score, tensors[half:])]
    return [NO_PATH if each is None else tf.convert_to_tensor(each) for each in found]
