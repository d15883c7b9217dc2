"""Whether operations of a graph are one thing, so that what they give together is the result of one layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fmreport.sources.graph.kinds import NORMS, heavy
from fmreport.sources.graph.live import Live


def is_one(operations: Sequence[Any], live: Live, position: Mapping[str, int]) -> bool:
    """Whether the operations of a scope (in running order) do one thing; `position` is that of each live operation."""
    norms = [op for op in operations if op.type in NORMS]
    return (
        len(heavy(operations)) + len(norms) <= 1
        and not _joins(operations, live)
        and not _comes_back(operations, live, position)
    )


def _joins(operations: Sequence[Any], live: Live) -> bool:
    """Whether a convolution or the like meets activations that it does not read itself, such as a shortcut."""
    layers = [op for op in operations if heavy([op])]
    return bool(layers) and len(live.incoming(operations)) > max(1, *(len(live.incoming([op])) for op in layers))


def _comes_back(operations: Sequence[Any], live: Live, position: Mapping[str, int]) -> bool:
    """Whether something that the operations give leads, by way of others, to one of them."""
    own = {op.name for op in operations}
    last = max(position[name] for name in own)
    seen: set[str] = set()
    waiting = [name for op in operations for name in live.followers.get(op.name, ()) if name not in own]
    while waiting:
        name = waiting.pop()
        if name in own:
            return True
        if name not in seen and position[name] < last:
            seen.add(name)
            waiting += live.followers.get(name, ())
    return False
