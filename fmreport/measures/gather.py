"""All measures of all taps, appended to the model's graph in as few operations as possible."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fmreport.measures import Measure
from fmreport.measures.activations import Activations
from fmreport.measures.in_graph import as_one, lies_on_host
from fmreport.measures.one_pass import InOnePass
from fmreport.measures.scene import Scene, Shown

SMALL = 1 << 18
"""Values up to which taps of one shape are measured together: starting an operation costs as much as 100,000 values."""
TOGETHER = 1 << 22
"""Values that are measured together at most, so that early activations need not wait long for late ones."""


def gather(
    measures: Sequence[Measure],
    tensors: Mapping[str, Any],
    order: Sequence[Sequence[str]],
    *,
    scene: Scene | None = None,
    ends: Mapping[str, tuple[float, float]] | None = None,
    careful: bool = False,
) -> list[dict[str, Any]]:
    """Sums for each group of taps in `order` (see `groups`), each `(taps x batch, ...)`.

    Measures of maps are taken where there is a `scene` of the batch. `ends` are the smallest and the largest value that
    quantised taps can have, which those of a group share. `careful` measures in float64 and leaves NaN and
    Inf out (of measures of maps: takes them for 0).
    """
    from keras import ops
    from keras.backend import standardize_dtype

    functions: dict[Hashable, Callable[..., dict[str, Any]]] = {}
    gathered = []
    for group in order:
        parts = [_at_least_rank_3(tensors[name]) for name in group]
        stacked = parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=0)
        shown, limits = _shown(scene, stacked.shape, len(group)), (ends or {}).get(group[0])
        key = (*stacked.shape, standardize_dtype(stacked.dtype), shown is None, limits is None)
        if key not in functions:
            taken = tuple(measure for measure in measures if shown is not None or not measure.of_maps)
            functions[key] = as_one(_Sums(taken, () if shown is None else shown.planes, careful))
        beside = () if shown is None else (shown.values, shown.weight, shown.number)
        gathered.append(functions[key](stacked, None if limits is None else ops.convert_to_tensor(limits), *beside))
    return gathered


@dataclass(frozen=True, slots=True, weakref_slot=True)
class _Sums:
    """The sums of activations `(B, *spatial, C)`, and of what is shown on their grid."""

    measures: tuple[Measure, ...]
    planes: tuple[str, ...]
    careful: bool

    def __call__(self, values: Any, ends: Any, *beside: Any) -> dict[str, Any]:
        """`ends` are those of quantised values; `beside` is empty, or values, weight and number of what is shown."""
        from keras import ops
        from keras.backend import standardize_dtype

        shown = Shown(self.planes, *beside) if beside else None
        if self.careful:
            x = Activations.careful(values, shown=shown, ends=ends)
        else:
            wide = standardize_dtype(values.dtype) == "float64"
            kind = InOnePass if lies_on_host() and not wide else Activations
            x = kind(ops.cast(values, "float64" if wide else "float32"), shown=shown, ends=ends)
        return {name: value for measure in self.measures for name, value in measure.gather(x).items()}


def _shown(scene: Scene | None, shape: tuple[int, ...], taps: int) -> Shown | None:
    """What the images show on the grid of taps that are measured together; None where these are no maps."""
    from keras import ops

    if scene is None or len(shape) != 4:
        return None
    shown = scene.at((shape[1], shape[2]))
    if taps == 1:
        return shown
    values, weight = ops.tile(shown.values, (taps, 1, 1, 1)), ops.tile(shown.weight, (taps, 1, 1))
    return Shown(shown.planes, values, weight, ops.tile(shown.number, (taps,)))


def groups(shapes: Mapping[str, tuple[Any, ...]]) -> Iterator[tuple[str, ...]]:
    """Taps that are measured together, those of one small shape `(B, *spatial, C)` and one format (its last entry)."""
    open_groups: dict[tuple[Any, ...], list[str]] = {}
    for name, shape in shapes.items():
        size = math.prod(shape[:-1])
        if size > SMALL:
            yield (name,)
            continue
        group = open_groups.setdefault(shape, [])
        group.append(name)
        if (len(group) + 1) * size > TOGETHER:
            yield tuple(open_groups.pop(shape))
    yield from (tuple(group) for group in open_groups.values())


def _at_least_rank_3(tensor: Any) -> Any:
    """`(B, C)` as one position of C channels; everything else as it is."""
    from keras import ops

    return ops.expand_dims(tensor, 1) if len(tensor.shape) == 2 else tensor
