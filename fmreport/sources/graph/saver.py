"""The saver's own operations, which read and write files: every SavedModel holds some, and nothing else may run them.

TensorFlow 2 runs functions that the model's objects name, and never the saver of the file. TensorFlow 1 runs what
signatures and collections name, and the saver's restoring operation, to which it gives the name of the file. So the
saver's operations are harmless where none of those leads to them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fmreport.sources.graph.reach import callers, calls, readers, sources
from fmreport.sources.graph.written import MetaGraph, Node, tensor

WRITES = frozenset(("Save", "SaveSlices", "SaveV2", "MergeV2Checkpoints"))
RESTORES = frozenset(("Restore", "RestoreSlice", "RestoreV2"))
SAVER = WRITES | RESTORES


def strays(meta: MetaGraph) -> Iterator[tuple[str, str]]:
    """(type, function) of the saver's operations that something else than the saver may run."""
    yield from in_functions(meta, SAVER)
    yield from _at_the_top(meta)


def in_functions(meta: MetaGraph, types: frozenset[str]) -> Iterator[tuple[str, str]]:
    """(type, function) of operations in functions that loading or calling the model may run."""
    functions = {function.name: function for function in meta.graph.functions}
    for function in functions.values():
        held = list(dict.fromkeys(node.op for node in function.nodes if node.op in types))
        if held and any(
            _may_run(meta, name) or functions[name].swappable for name in callers([function.name], functions)
        ):
            yield from ((op, function.name) for op in held)


def _may_run(meta: MetaGraph, function: str) -> bool:
    # As text, wherever it stands: a function that the objects do not name is never theirs.
    return meta.objects is None or function.encode() in meta.objects.content


def _at_the_top(meta: MetaGraph) -> Iterator[tuple[str, str]]:
    nodes, functions = meta.graph.nodes, {function.name: function for function in meta.graph.functions}
    holders = {name: callers([name], functions) for name in functions if _types(functions[name].nodes)}
    holding = frozenset[str]().union(*holders.values())
    own = [node for node in nodes if node.op in SAVER or calls(node, functions) & holding]
    before = sources(nodes, named(meta, readers(nodes, (node.name for node in own))))
    for node in own:
        if node.name in before:
            yield from ((op, "") for op in _types([node]))
            called = [name for name, above in holders.items() if above & calls(node, functions)]
            yield from ((op, name) for name in called for op in _types(functions[name].nodes))
    if meta.objects is None:
        restoring = sources(nodes, [meta.restore])
        yield from ((node.op, "") for node in own if node.name in restoring and not _restores(node, meta))


def _types(nodes: Iterable[Node]) -> list[str]:
    return list(dict.fromkeys(node.op for node in nodes if node.op in SAVER))


def named(meta: MetaGraph, names: set[str]) -> set[str]:
    """Those of these operations that a signature or a collection names."""
    spelled = {name for name in names if name.encode() in meta.records} if meta.records else set()
    return spelled | names & (meta.signatures | meta.collections)


def _restores(node: Node, meta: MetaGraph) -> bool:
    """Whether an operation reads the file that TensorFlow gives to the saver, and does no more."""
    return node.op in RESTORES and bool(node.inputs) and tensor(node.inputs[0]) == tensor(meta.file_tensor)
