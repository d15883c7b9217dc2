"""Tables that are filled from a text file: harmless where the file is one that the model brought along.

TensorFlow puts the path of such a file, an asset, in the place of a captured object or, before TensorFlow 2, of a
tensor, and only while it initialises the model.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fmreport.sources.graph.reach import calls, readers, sources
from fmreport.sources.graph.saver import in_functions
from fmreport.sources.graph.written import Function, MetaGraph, Node, Objects, tensor

TABLES = frozenset(("InitializeTableFromTextFile", "InitializeTableFromTextFileV2"))
FILE = 1
"""Which input of theirs is the name of the file."""
CALLS = ("PartitionedCall", "StatefulPartitionedCall")
"""Operations whose inputs are the arguments of the function that they call."""


def strays(meta: MetaGraph, folder: Path) -> Iterator[tuple[str, str]]:
    """(type, function) of operations that may read another file than the model's assets."""
    outside = not all(_within(folder, name) for name in meta.asset_files)
    own = [node for node in meta.graph.nodes if node.op in TABLES]
    if outside or not _fed(meta, own):
        yield from ((node.op, "") for node in own)
    for op, name in in_functions(meta, TABLES):
        if outside or not _captured(meta, name):
            yield op, name


def _within(folder: Path, name: str) -> bool:
    """Whether an asset lies in the model's folder, also where it is a link."""
    try:
        return (folder / "assets" / name).resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError):
        return False


def _fed(meta: MetaGraph, own: list[Node]) -> bool:
    """Whether operations outside of functions run only while TensorFlow gives assets the names of their files."""
    if not all(len(node.inputs) > FILE and tensor(node.inputs[FILE]) in meta.asset_tensors for node in own):
        return False
    behind = readers(meta.graph.nodes, (node.name for node in own))
    if behind & meta.signatures or any(name.encode() in meta.records for name in behind):
        return False
    return not behind & sources(meta.graph.nodes, [meta.restore])


def _captured(meta: MetaGraph, name: str) -> bool:
    """Whether every table of a function reads an argument that is always an asset."""
    functions = {function.name: function for function in meta.graph.functions}
    waiting = [(functions[name], node, FILE) for node in functions[name].nodes if node.op in TABLES]
    seen = set[tuple[str, int]]()
    while waiting:
        function, node, at = waiting.pop()
        index = _argument(function, node, at)
        if index is None or not _given(meta.objects, function, index):
            return False
        if (function.name, index) not in seen:
            seen.add((function.name, index))
            runs = [(each, node) for each in functions.values() for node in each.nodes]
            waiting += [(each, node, index) for each, node in runs if function.name in calls(node, functions)]
    return True


def _argument(function: Function, node: Node, at: int) -> int | None:
    """Which argument of its function an operation reads there; None where it is none, or not sure to be."""
    given = node.inputs[at] if at < len(node.inputs) else ""
    if node.op not in (*TABLES, *CALLS) or given not in function.arguments or function.swappable:
        return None
    return function.arguments.index(given)


def _given(objects: Objects | None, function: Function, index: int) -> bool:
    """Whether the objects fill this argument with an asset, or do not name the function."""
    if objects is None:
        return False
    captures = [bound for name, bound in objects.captures if name == function.name]
    if not captures:
        return function.name.encode() not in objects.content
    return all(len(bound) == len(function.arguments) and bound[index] in objects.assets for bound in captures)
