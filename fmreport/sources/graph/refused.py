"""Operations of a saved graph that may do more than compute, found in the file before anything is loaded."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from fmreport.errors import SourceError
from fmreport.sources.graph import assets, saver
from fmreport.sources.graph.allowed import ALLOWED
from fmreport.sources.graph.written import Graph, graph_of, meta_graphs

CHUNKED = "saved_model.cpb"
"""TensorFlow knows it beside `saved_model.pb`; here only the latter is looked through."""
CALLED = re.compile(r"[a-z]|__(inference|forward|backward)_")
"""How the name of a function begins that old graphs give instead of an operation; no operation's begins so."""
TRACED = re.compile(r"__(?:inference|forward|backward)_(.+?)_\d+")
"""The name of a function as TensorFlow saves it, and as it was written."""
SHOWN = 5
"""Most operations that a message names."""

Use = tuple[str, str]
"""The type of an operation, and the function that holds it; empty where none does."""


def refuse_operations(graph: Path, shown: str, *, trusted: bool) -> tuple[str, ...]:
    """Stops at a graph that may do more than compute; where it is trusted, gives a note for the report instead.

    `graph` is a `saved_model.pb` or a frozen graph; `shown` names it in messages.
    """
    if (graph.parent / CHUNKED).exists() and graph.name == "saved_model.pb":
        raise SourceError(f"{shown} is saved in chunks ({CHUNKED})", fix="save it again in one piece")
    try:
        found = list(dict.fromkeys(uses(graph)))
    except (ValueError, RecursionError) as error:
        raise SourceError(
            f"{shown} cannot be opened: {graph.name} {error}", fix="copy it again from its origin"
        ) from error
    if not found:
        return ()
    if not trusted:
        raise SourceError(
            f"{shown} calls {_told(found)}, which may do more than compute",
            fix=_fix(found),
        )
    names = ", ".join(dict.fromkeys(op for op, _ in found))
    return (f"The model calls {names}, which may do more than compute; the config trusts it",)


def uses(graph: Path) -> Iterator[Use]:
    """Every operation of a file that is not known to compute only; raises `ValueError` where the file is damaged."""
    data = graph.read_bytes()
    if graph.name != "saved_model.pb":
        yield from _unknown(graph_of(data, [(0, len(data))]), frozenset())
        return
    for meta in meta_graphs(data):
        yield from _unknown(meta.graph, saver.SAVER | assets.TABLES)
        yield from saver.strays(meta)
        yield from assets.strays(meta, graph.parent)


def _unknown(graph: Graph, judged: frozenset[str]) -> Iterator[Use]:
    """Operations that are not allowed, but for those that are judged by what runs them."""
    called = {function.name for function in graph.functions if CALLED.match(function.name)}
    known = ALLOWED | judged | called
    holders = (("", graph.nodes), *((function.name, function.nodes) for function in graph.functions))
    yield from ((node.op, name) for name, nodes in holders for node in nodes if node.op not in known)


def _told(found: Iterable[Use]) -> str:
    """`ReadFile, WriteFile of TensorFlow in function from_file; SaveV2 of TensorFlow`, and how many more."""
    told = list(dict.fromkeys((op or "an unnamed operation", _where(function)) for op, function in found))
    held: dict[str, list[str]] = {}
    for op, where in told[:SHOWN]:
        held.setdefault(where, []).append(op)
    more = f" and {len(told) - SHOWN:,} more" if len(told) > SHOWN else ""
    return "; ".join(f"{', '.join(ops)} of TensorFlow{where}" for where, ops in held.items()) + more


def _fix(found: Iterable[Use]) -> str:
    trust = "if you trust whoever made the file, write `trusted: true` under model"
    if all(op in assets.TABLES for op, _ in found):
        return f"save the model with the file of its table as an asset; or, {trust}"
    return trust


def _where(function: str) -> str:
    if not function:
        return ""
    traced = TRACED.fullmatch(function)
    return f" in function {traced[1] if traced else function}"
