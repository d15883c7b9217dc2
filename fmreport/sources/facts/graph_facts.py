"""The facts of one graph, for the layers that were found in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fmreport.records import EXACT, GLOBAL, NONE, UNALIGNED, UNKNOWN, UPPER_BOUND, ReceptiveField, Work
from fmreport.sources.facts.follow import follow, seen_at
from fmreport.sources.facts.operation import sizes, type_of
from fmreport.sources.facts.state import IMAGE, TOKENS, Seen, State, size_of
from fmreport.sources.facts.work import together, work_of


class GraphFacts:
    """What the graph of a model tells; computed once for all of its layers."""

    def __init__(self, images: Any, owners: Mapping[str, str]) -> None:
        """`images` are the tensor `(B, H, W, C)` that the model is fed; `owners` the layer of each operation."""
        self._states, self._owners = follow(images), owners
        self._batch = sizes(images)[0]
        self._graph = images.graph
        self._work = {
            op.name: work_of(op, self._batch, self._states)
            for op in self._graph.get_operations()
            if any(tensor.name in self._states for tensor in op.inputs)
        }

    @property
    def operations(self) -> Iterable[str]:
        """Names of all operations that read the image."""
        return self._work

    def work(self, operations: Iterable[str]) -> Work | None:
        """What operations do for one image, those left aside that do not read it, such as what prepares weights."""
        return together(self._work[name] for name in operations if name in self._work)

    def own_work(self, path: str, operations: Iterable[str]) -> Work | None:
        """The same of those operations alone whose innermost layer is `path`; empty: that stand in none."""
        return self.work(name for name in operations if self._owners.get(name, "") == path)

    def readers(self, tensor: Any, path: str) -> tuple[str, ...]:
        """Paths of the layers that read what the layer `path` hands on as a tensor; what stands in none is passed."""
        found: dict[str, None] = {}
        passed, left = {tensor.name}, [tensor]
        while left:
            for op in left.pop().consumers():
                owner = self._owners.get(op.name, "")
                if owner and owner != path:
                    found[owner] = None
                    continue
                new = [output for output in op.outputs if output.name not in passed]
                passed.update(output.name for output in new)
                left += new
        return tuple(sorted(found))

    def is_map(self, tensor: Any, spatial: Sequence[int]) -> bool:
        """Whether the two axes `spatial` run over positions, as far as that is known: heads of attention are none."""
        state = seen_at(self._states, tensor)
        if state is None or state.unknown:
            return True
        axes = [state.axes[axis] for axis in spatial]
        placed = [any(kind in (*IMAGE, TOKENS) for kind, _ in atoms) for atoms in axes]
        return all(placed) or not any(placed) or any(size_of(atoms) == 1 for atoms in axes)

    def receptive_field(self, tensor: Any) -> ReceptiveField:
        """What an element of a tensor sees of the image."""
        state = seen_at(self._states, tensor)
        if state is None:
            return ReceptiveField(NONE, "it does not depend on the image")
        status, reason = self._status(state)
        normalised = self._owners.get(state.normalised, "") or state.normalised
        rows, columns = state.seen
        if status == UNKNOWN or rows is None or columns is None:
            return ReceptiveField(status, reason, normalised)
        both = (rows, columns)
        return ReceptiveField(
            status,
            reason,
            normalised,
            size=_pair(_size(seen) for seen in both),
            union=_pair(seen.union.size for seen in both),
            stride=_pair(float(seen.widest.stride) for seen in both),
            padding=_pair(seen.widest.padding for seen in both),
            centre=_pair(float(seen.widest.centre) for seen in both),
            disagreement=_pair(float(seen.highest.centre - seen.lowest.centre) for seen in both),
        )

    def _status(self, state: State) -> tuple[str, str]:
        """How sure what is seen is, and by what."""
        if state.unknown:
            return UNKNOWN, f"what {self._place(state.unknown)} reads is not known"
        everywhere = [self._place(name) for name in dict.fromkeys(filter(None, state.everywhere))]
        if everywhere:
            return GLOBAL, f"{' and '.join(everywhere)} reads all positions"
        if not all(seen.aligned for seen in state.seen if seen is not None):
            at = self._place(state.meeting) if state.meeting else "one operation"
            return UNALIGNED, f"paths of different padding or stride meet at {at}"
        if state.bound:
            return UPPER_BOUND, f"{self._place(state.bound)} passes on a part"
        return EXACT, ""

    def _place(self, operation: str) -> str:
        kind = type_of(self._graph.get_operation_by_name(operation))
        return f"{kind} in {owner}" if (owner := self._owners.get(operation)) else kind


def _size(seen: Seen) -> int:
    """Where paths agree, all together; a path alone may see less at some positions behind an upsampling."""
    return seen.union.size if seen.aligned else seen.widest.size


def _pair(both: Any) -> Any:
    first, second = both
    return first, second
