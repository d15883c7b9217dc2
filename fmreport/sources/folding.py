"""What a traced function makes of weights alone is made once, not again for every batch.

Kernels that are standardised, or cast to another type, are such: a BiT-R50x1 spends a seventh of its time on them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from fmreport.sources.graph.inlining import capture, captures

WORTH = 1 << 16
"""Values that are worth being kept."""
MOST = 1 << 28
"""Values that are kept at most, 1 GiB: models beyond have to be bounded in memory before they are fast."""
HANDING = ("ReadVariableOp", "Identity", "Reshape")
"""Operations that hand on what is held, and compute nothing."""
UNDER = "folded"


@dataclass(frozen=True, slots=True)
class Folded:
    """A function in two parts."""

    key: str
    """The same for equal first parts of the same weights, as long as these live."""
    first: Callable[[], Sequence[Any]]
    """What is made of weights alone."""
    rest: Callable[..., Any]
    """Takes the function's arguments, and then what `first` returns."""
    whole: Any
    """The function itself: functions of NumPy that its graph calls live as long."""


class Kept:
    """What first parts made of a model's weights, until these change."""

    def __init__(self) -> None:
        self._made: dict[str, tuple[Sequence[Any], Folded]] = {}

    def of(self, folded: Folded) -> Sequence[Any]:
        """What its first part makes."""
        if folded.key not in self._made:
            # With what its key stands for: another weight may come to lie where one was that is gone.
            self._made[folded.key] = folded.first(), folded
        return self._made[folded.key][0]

    def forget(self) -> None:
        """The weights are others now."""
        self._made.clear()


def folded(function: Any, attributes: Mapping[str, bool]) -> Folded | None:
    """The two parts of a `ConcreteFunction`; None where too little or too much is made of weights alone.

    `attributes` are what TensorFlow is told of it.
    """
    graph, outside = function.graph, captures(function)
    settled, made = _settled(graph.get_operations(), outside)
    cut = _cut(graph.get_operations(), function.outputs, settled=settled, made=made)
    if not WORTH <= sum(tensor.shape.num_elements() or 0 for tensor in cut) <= MOST:
        return None
    names, own = [tensor.name for tensor in cut], [each for each in function.inputs if each.op.name not in outside]
    before = _leading_to(graph, [tensor.op for tensor in cut])
    last = [op for op in graph.get_operations() if op.name not in settled]
    last += [tensor.op for tensor in function.outputs if tensor.name not in names]
    after = _leading_to(graph, last, cut)

    def imported(definition: Any, fed: Mapping[str, Any], wanted: Sequence[str]) -> Any:
        present = {node.name for node in definition.node}
        held = {f"{name}:0": capture(tensor) for name, tensor in outside.items() if name in present}
        return tf.graph_util.import_graph_def(definition, {**held, **fed}, list(wanted), name=UNDER)

    def rest(*arguments: Any) -> Any:
        fed = dict(zip([*(tensor.name for tensor in own), *names], arguments, strict=True))
        made = imported(after, fed, [tensor.name for tensor in function.outputs])
        return tf.nest.pack_sequence_as(function.structured_outputs, made)

    specs = [tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in (*own, *cut)]
    return Folded(
        _key(before, outside, names),
        tf.function(lambda: imported(before, {}, names), autograph=False).get_concrete_function(),
        tf.function(rest, autograph=False, experimental_attributes=dict(attributes)).get_concrete_function(*specs),
        function,
    )


def _key(definition: Any, outside: Mapping[str, Any], names: Sequence[str]) -> str:
    """Of tensors and what makes them, in which things from outside are told by what they are: traces name them anew."""
    held, nodes = {name: f"held {id(tensor)}" for name, tensor in outside.items()}, type(definition)()
    nodes.node.extend(node for node in definition.node if node.name not in held)
    for node in nodes.node:
        for at, taken in enumerate(node.input):
            name = taken.lstrip("^").partition(":")[0]
            node.input[at] = taken.replace(name, held.get(name, name), 1)
    return hashlib.sha256(nodes.SerializeToString(deterministic=True) + "\n".join(names).encode()).hexdigest()


def _settled(operations: Sequence[Any], outside: Mapping[str, Any]) -> tuple[set[str], set[str]]:
    """Names of operations that no argument decides, and of those among them that compute something of weights."""
    settled, of_weights, computed = set[str](), set[str](), set[str]()
    for op in operations:
        if op.name in outside:
            # What is written to, or handed to a function that may do so, is not the same each time.
            if _is_only_read(op):
                settled.add(op.name)
                of_weights.add(op.name)
            continue
        before = [tensor.op.name for tensor in op.inputs]
        repeats = op.type in HANDING or not op.op_def.is_stateful
        if op.type == "Placeholder" or not repeats or not settled.issuperset(before):
            continue
        if not settled.issuperset(each.name for each in op.control_inputs):
            continue
        settled.add(op.name)
        if of_weights.intersection(before):
            of_weights.add(op.name)
            if op.type not in HANDING or computed.intersection(before):
                computed.add(op.name)
    return settled, computed


def _is_only_read(op: Any) -> bool:
    """Whether what an operation gives is no variable, or one that is neither written to nor handed to a function."""
    if op.outputs[0].dtype != tf.resource:
        return True
    readers = op.outputs[0].consumers()
    return all(reader.type in HANDING and (reader.type == HANDING[0] or _is_only_read(reader)) for reader in readers)


def _cut(operations: Sequence[Any], outputs: Sequence[Any], *, settled: set[str], made: set[str]) -> Sequence[Any]:
    """Tensors that are made of weights and taken by what is not, each once."""
    taken = [tensor for op in operations if op.name not in settled for tensor in op.inputs]
    return list({tensor.name: tensor for tensor in (*taken, *outputs) if tensor.op.name in made}.values())


def _leading_to(graph: Any, last: Iterable[Any], without: Sequence[Any] = ()) -> Any:
    """The `GraphDef` of operations and of all that they take, in which some tensors are named and not made."""
    given = {tensor.name for tensor in without}
    waiting, needed = list(last), set[str]()
    while waiting:
        op = waiting.pop()
        if op.name not in needed:
            needed.add(op.name)
            waiting += [tensor.op for tensor in op.inputs if tensor.name not in given]
            waiting += op.control_inputs
    definition = graph.as_graph_def()
    kept = [node for node in definition.node if node.name in needed]
    for node in kept:
        # Beside which operation it is to run: that one may be left out.
        node.attr.pop("_class", None)
    del definition.node[:]
    definition.node.extend(kept)
    return definition
