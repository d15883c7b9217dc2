"""What a reader of a report must know of a TensorFlow Lite model."""

from __future__ import annotations

from collections.abc import Iterator

from fmreport.sources.tflite.file import File
from fmreport.sources.tflite.layers import paths

ACTIVATIONS = {1: "Relu", 2: "Relu_n1_to_1", 3: "Relu6", 4: "Tanh"}
"""By the number that the file's format gives them: what an operator may do to its own result."""


def notes(file: File) -> tuple[str, ...]:
    """Sentences without a full stop."""
    return (*_activations(file), *_quantised(file), *_inputs(file))


def _activations(file: File) -> Iterator[str]:
    held = {
        path: ACTIVATIONS[number]
        for path, operator in zip(paths(file), file.operators, strict=True)
        if (number := int(operator.options.get("fusedActivationFunction") or 0)) in ACTIVATIONS
    }
    if held:
        path, name = next(iter(held.items()))
        yield (
            f"Activations that are a part of the layer before them: {len(held)}, such as {name} of {path}; what is "
            "measured of such a layer is what its activation makes"
        )


def _quantised(file: File) -> Iterator[str]:
    made = [file.tensors[index] for operator in file.operators for index in operator.outputs]
    whole = [tensor for tensor in made if tensor.quantisation is not None]
    weights = [tensor for tensor in file.weights.values() if tensor.scales]
    if whole:
        yield (
            f"The model is quantised: {len(whole)} of the {len(made)} tensors that it computes are whole numbers, "
            "measured as the real numbers that they stand for"
        )
    elif weights:
        yield (
            f"The model is quantised in part: {len(weights)} of its {len(file.weights)} weights are whole numbers, and "
            "none of its activations"
        )


def _inputs(file: File) -> Iterator[str]:
    for index, name in file.inputs.items():
        if (quantisation := file.tensors[index].quantisation) is not None:
            low, high = quantisation.ends
            yield (
                f"The input {name} holds whole numbers, for values from {low:.6g} to {high:.6g} in steps of "
                f"{quantisation.scale:.6g}: what an image has beyond these is clipped"
            )
