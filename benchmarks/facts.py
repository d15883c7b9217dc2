"""How long the facts of a graph take: receptive fields and multiply-adds of every architecture that Keras ships.

python -m benchmarks.facts [NAME ...]
"""

from __future__ import annotations

import inspect
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from fmreport.sources.facts.graph_facts import GraphFacts
from fmreport.zoo.bit import bit
from fmreport.zoo.sd_unet import sd_unet

SIDE = 224
"""Of images for architectures that take any."""
LIMIT = 2.0
"""Seconds that no architecture should take after it is traced."""
OURS: dict[str, Callable[[], Any]] = {
    "BiT-R50x1": lambda: bit("R50x1"),
    "BiT-R101x1": lambda: bit("R101x1"),
    "SD-UNet": lambda: sd_unet(32),
}


def builders(wanted: list[str]) -> dict[str, Callable[[], Any]]:
    """What builds each model, by name."""
    made = {name: make for name, make in vars(keras.applications).items() if inspect.isfunction(make)}
    built = {name: (lambda make=make: make(weights=None)) for name, make in sorted(made.items())} | OURS
    return {name: build for name, build in built.items() if not wanted or name in wanted}


def report(name: str, model: Any) -> float:
    """Prints a line for a model; seconds that its facts took."""
    sides = [side or SIDE for side in model.input_shape[1:3]]
    traced = tf.function(lambda x: model(x, training=False), autograph=False)
    graph = traced.get_concrete_function(tf.TensorSpec((101, *sides, 3))).graph
    operations = graph.get_operations()
    start = time.perf_counter()
    facts = GraphFacts(graph.inputs[0], {})
    tensors = [tensor for op in operations for tensor in op.outputs]
    fields = Counter(facts.receptive_field(tensor).status for tensor in tensors)
    work = facts.work(facts.operations)
    seconds = time.perf_counter() - start
    fields.pop("none", None)
    macs = "unknown" if work is None else f"{work.macs / 1e9:.3f} GMACs"
    print(f"{name:20}{seconds:6.2f} s{len(operations):7} operations{macs:>15}  {dict(fields)}", flush=True)
    return seconds


def main(wanted: list[str]) -> None:
    """A line for each model, and which took longer than allowed."""
    slow = []
    for name, build in builders(wanted).items():
        if report(name, build()) > LIMIT:
            slow.append(name)
        keras.backend.clear_session()
    print(f"longer than {LIMIT:g} s: {', '.join(slow) or 'none'}")


if __name__ == "__main__":
    main(sys.argv[1:])
