"""What a saved graph says of its operations, read from the file before TensorFlow sees it.

The numbers are those of the fields in TensorFlow's `.proto` files.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fmreport.sources.graph.wire import Span, inside, numbers, parts, text, texts

ASSET_LIST = "saved_model_assets"
SAVERS = "savers"
"""Collections: of the assets, before TensorFlow 2; of the savers themselves."""
ASSET = 5
"""The field of an object that is an asset; one that has others too may turn into something else."""


@dataclass(frozen=True, slots=True)
class Node:
    """One operation."""

    name: str
    op: str
    inputs: tuple[str, ...]
    calls: frozenset[str]
    """Names of functions that it is given."""


@dataclass(frozen=True, slots=True)
class Function:
    """One function of a graph's library."""

    name: str
    arguments: tuple[str, ...]
    nodes: tuple[Node, ...]
    swappable: bool
    """Whether TensorFlow may run it in the place of another."""


@dataclass(frozen=True, slots=True)
class Graph:
    """A graph and its library."""

    nodes: tuple[Node, ...]
    functions: tuple[Function, ...]


@dataclass(frozen=True, slots=True)
class Objects:
    """The objects of a model of TensorFlow 2. Its loader runs functions that they name, and no node of the graph."""

    content: bytes
    captures: tuple[tuple[str, tuple[int, ...]], ...]
    """Of functions, by name: which objects they are given."""
    assets: frozenset[int]
    """Which objects are assets, and nothing else."""


@dataclass(frozen=True, slots=True)
class MetaGraph:
    """A graph with what TensorFlow runs of it."""

    graph: Graph
    file_tensor: str
    """The tensor that holds the name of the file of variables."""
    restore: str
    """The operation that restores them."""
    signatures: frozenset[str]
    collections: frozenset[str]
    """Names of operations that signatures and collections give."""
    records: bytes
    """What collections hold besides."""
    asset_tensors: frozenset[str]
    asset_files: tuple[str, ...]
    objects: Objects | None
    """None where the loader of TensorFlow 1 takes over."""


def graph_of(data: bytes, spans: Iterable[Span]) -> Graph:
    """The graph of a `GraphDef`; several spans are one message written in pieces."""
    found = list(spans)
    functions = tuple(_function(data, span) for span in inside(data, found, 2, 1))
    names = [function.name for function in functions]
    if len(set(names)) < len(names):
        raise ValueError("holds two functions of one name")
    return Graph(tuple(_node(data, span) for span in inside(data, found, 1)), functions)


def meta_graphs(data: bytes) -> list[MetaGraph]:
    """The graphs of a `SavedModel`; raises `ValueError` where it is damaged."""
    found = inside(data, [(0, len(data))], 2)
    return [_meta_graph(data, span, alone=len(found) == 1) for span in found]


def base(name: str) -> str:
    """The operation that a tensor or a control input names."""
    return name.removeprefix("^").split(":")[0]


def tensor(name: str) -> str:
    """A tensor's name in full."""
    return name if ":" in name else f"{name}:0"


def _meta_graph(data: bytes, span: Span, *, alone: bool) -> MetaGraph:
    found = parts(data, span)
    signatures = inside(data, found.get(5, []), 2)
    tensors = [*inside(data, signatures, 1, 2), *inside(data, signatures, 2, 2)]
    lists = [(text(data, inside(data, [entry], 1)), entry) for entry in found.get(4, [])]
    others = [entry for key, entry in lists if key != SAVERS]
    assets = found.get(6) or _listed([entry for key, entry in lists if key == ASSET_LIST], data)
    return MetaGraph(
        graph=graph_of(data, found.get(2, [])),
        file_tensor=text(data, inside(data, found.get(3, []), 1)),
        restore=base(text(data, inside(data, found.get(3, []), 3))),
        signatures=_bases(data, _tensor_names(data, tensors)),
        collections=_bases(data, inside(data, found.get(4, []), 2, 1, 1)),
        records=_joined(data, [*inside(data, others, 2, 2), *inside(data, others, 2, 5)]),
        asset_tensors=frozenset(tensor(text(data, inside(data, [asset], 1, 1))) for asset in assets),
        asset_files=tuple(texts(data, inside(data, assets, 2))),
        objects=_objects(data, found[7]) if alone and 7 in found else None,
    )


def _listed(entries: list[Span], data: bytes) -> list[Span]:
    """The assets of a collection, where nothing else stands in it that TensorFlow could take in their place."""
    values = inside(data, entries, 2)
    if len(entries) != 1 or len(values) != 1 or set(parts(data, values[0])) != {5}:
        return []
    return inside(data, values, 5, 1, 2)


def _joined(data: bytes, spans: list[Span]) -> bytes:
    return b"\n".join(data[first:last] for first, last in spans)


def _tensor_names(data: bytes, spans: list[Span]) -> list[Span]:
    """The names in `TensorInfo`s: of a tensor, of the three of a sparse one, of the parts of a composite one."""
    found = [*inside(data, spans, 1), *(one for part in (1, 2, 3) for one in inside(data, spans, 4, part))]
    components = inside(data, spans, 5, 2)
    return [*found, *_tensor_names(data, components)] if components else found


def _bases(data: bytes, spans: Iterable[Span]) -> frozenset[str]:
    return frozenset(base(name) for name in texts(data, spans))


def _node(data: bytes, span: Span) -> Node:
    found = parts(data, span)
    calls = _called(data, inside(data, found.get(5, []), 2))
    return Node(text(data, found.get(1, [])), text(data, found.get(2, [])), tuple(texts(data, found.get(3, []))), calls)


def _called(data: bytes, values: list[Span]) -> frozenset[str]:
    """The functions that attributes name: alone, in lists, and with attributes of their own."""
    functions = [*inside(data, values, 10), *inside(data, values, 1, 9)]
    if not functions:
        return frozenset()
    return frozenset(texts(data, inside(data, functions, 1))) | _called(data, inside(data, functions, 2, 2))


def _function(data: bytes, span: Span) -> Function:
    found = parts(data, span)
    signature = found.get(1, [])
    attributes = texts(data, inside(data, found.get(5, []), 1))
    return Function(
        name=text(data, inside(data, signature, 1)),
        arguments=tuple(text(data, inside(data, [one], 1)) for one in inside(data, signature, 2)),
        nodes=tuple(_node(data, one) for one in found.get(3, [])),
        swappable="api_implements" in attributes,
    )


def _objects(data: bytes, spans: list[Span]) -> Objects:
    kinds = [set(parts(data, one)) for one in inside(data, spans, 1)]
    return Objects(
        content=_joined(data, spans),
        captures=tuple(
            (
                text(data, inside(data, [entry], 1)),
                tuple(index for one in inside(data, [entry], 2) for index in numbers(data, one, 2)),
            )
            for entry in inside(data, spans, 2)
        ),
        assets=frozenset(index for index, kind in enumerate(kinds) if kind == {ASSET}),
    )
