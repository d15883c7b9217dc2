"""Receptive fields by another way than the one that is tested: where the gradient of an element is not zero."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from fmreport.sources.facts.follow import follow, seen_at
from fmreport.sources.facts.state import State

Span = tuple[int, int] | None
"""First and last index of an axis of the image that matter; None where none does."""


@tf.RegisterGradient("OfEveryMaximum")
def _of_every_maximum(op: Any, gradient: Any) -> Any:
    """To every index of a pooling window rather than to its largest one alone."""
    return tf.raw_ops.AvgPoolGrad(
        orig_input_shape=tf.shape(op.inputs[0]),
        grad=gradient,
        ksize=op.get_attr("ksize"),
        strides=op.get_attr("strides"),
        padding=op.get_attr("padding"),
        data_format=op.get_attr("data_format"),
    )


@dataclass(frozen=True, slots=True)
class Checked:
    """One element of a tensor: what it sees by its state, and by its gradient."""

    tensor: str
    at: tuple[int, int]
    state: State
    spans: tuple[Span, Span]

    def wrong(self, size: Sequence[int]) -> list[str]:
        """What the gradient reaches beyond the windows, or leaves out of them inside of the image."""
        windows = [seen.union.at(index) for seen, index in zip(self.state.seen, self.at, strict=True) if seen]
        # A window that reaches beyond the image may end anywhere in it: what lies between may be padding too.
        cut = any(first < 0 or last >= length for (first, last), length in zip(windows, size, strict=True))
        if self.spans == (None, None) and cut:
            return []
        found = []
        for (first, last), span, length in zip(windows, self.spans, size, strict=True):
            same = span is not None and (first < 0 or span[0] == first) and (last >= length or span[1] == last)
            if span is None or not same or span[0] < first or span[1] > last:
                found.append(f"{self.tensor} {self.at}: {(first, last)} by windows, {span} by gradient")
        return found


def checked(
    call: Callable[[Any], Any],
    size: tuple[int, int],
    pick: Callable[[Any, dict[str, State]], Sequence[tuple[Any, tuple[int, int]]]],
    *,
    channels: int = 3,
    scale: float = 1.0,
) -> list[Checked]:
    """Elements of tensors of a graph `(1, H, W, C)`, each `pick`ed from the graph with its position."""
    draw = np.random.default_rng(1)
    chosen: list[tuple[Any, tuple[int, int], State]] = []

    def trace(images: Any) -> list[Any]:
        graph = tf.compat.v1.get_default_graph()
        with graph.gradient_override_map({"MaxPool": "OfEveryMaximum"}):
            call(images)
        states = follow(images)
        masks = []
        for tensor, at in pick(graph, states):
            weights = tf.constant(draw.uniform(0.5, 1.5, tensor.shape[-1]), tensor.dtype)
            gradient = tf.gradients(tf.reduce_sum(tensor[0, at[0], at[1]] * weights), images)[0]
            none = tf.zeros(images.shape[1:3], tf.bool)
            masks.append(none if gradient is None else tf.reduce_any(gradient != 0, axis=(0, 3)))
            chosen.append((tensor.name, at, seen_at(states, tensor)))
        return masks

    function = tf.function(trace, autograph=False).get_concrete_function(
        tf.TensorSpec((1, *size, channels), tf.float64)
    )
    images = tf.constant(scale * draw.uniform(0.5, 1.0, (1, *size, channels)))
    return [
        Checked(name, at, state, _spans(mask.numpy()))
        for (name, at, state), mask in zip(chosen, function(images), strict=True)
    ]


def _spans(mask: np.ndarray) -> tuple[Span, Span]:
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    return (_ends(rows), _ends(columns))


def _ends(indices: np.ndarray) -> Span:
    return (int(indices[0]), int(indices[-1])) if indices.size else None
