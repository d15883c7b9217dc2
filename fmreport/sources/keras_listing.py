"""What the calls of a Keras model left behind, as a listing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from fmreport.sources.layout import Layout
from fmreport.sources.listing import Listing, Output, Silent, Variable, Variables, why_not
from fmreport.sources.paths import Paths
from fmreport.sources.recorder import Call

INPUT = "an input: it holds what the model is fed"
UNSEEN = (
    "no call returned a tensor: it does not run in inference, or only inside a function, a loop, another layer's code "
    "or a saved graph"
)


def listing(model: Any, calls: Sequence[Call], returned: Sequence[Any], layout: Layout, batch: int) -> Listing:
    """Every output of every call, in the order in which the calls ended; `returned` are the model's own."""
    paths = Paths(model)
    named = [(paths.of(call.holders, call.layer), call) for call in calls]
    times, numbers = Counter(path for path, _ in named), Counter[str]()
    outputs: list[Output] = []
    readers: dict[str, set[str]] = {}
    for path, call in named:
        layout.add(call)
        kind = type(call.layer).__name__
        numbers[path] += 1
        name, held = f"{path}:{numbers[path]}" if times[path] > 1 else path, variables(call.layer)
        for i, tensor in enumerate(call.outputs, start=1):
            full = f"{name}@{i}" if len(call.outputs) > 1 else name
            first, reason = layout.channels_first(tensor), why_not(tensor, batch)
            outputs.append(Output(full, path, kind, held, call.operations, tensor, first, reason))
        for tensor in call.inputs:
            readers.setdefault(tensor.name, set()).add(kind)
    rest = [_unseen(path, layer) for path, layer in paths.others()]
    return Listing(outputs, readers, rest, variables(model), [tensor.name for tensor in returned])


def weights(layer: Any) -> list[Any]:
    """All variables of a layer; none of a model that was never built."""
    try:
        return list(getattr(layer, "weights", ()))
    except ValueError:  # tf_keras, of a model inside that was never built
        return []


def variables(layer: Any) -> Variables:
    """All variables of a layer, those of layers in it included."""
    trainable = {id(each) for each in getattr(layer, "trainable_weights", ())}
    return {
        id(each): Variable(str(each.name), int(tf.TensorShape(each.shape).num_elements() or 0), id(each) in trainable)
        for each in weights(layer)
    }


def _unseen(path: str, layer: Any) -> Silent:
    kind = type(layer).__name__
    return Silent(path, kind, variables(layer), INPUT if kind == "InputLayer" else UNSEEN)
