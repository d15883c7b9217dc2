"""The measures of all taps as one function of a batch."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fmreport.extract.memory import portions
from fmreport.measures import Measure
from fmreport.measures.gather import gather, groups
from fmreport.measures.scene import Scene, foreground
from fmreport.probes.scenes import COLOURS
from fmreport.records import IMAGE, Tap, Target
from fmreport.sources import TappableModel

Parts = dict[str, np.ndarray]
"""The sums of one tap, `(batch, ...)` by their names."""
Measured = Callable[..., dict[str, Parts]]
"""From a batch to the sums of each tap by its name."""

FAITHFUL = (1e-15, 1e15)
"""Magnitudes whose squares, and many of them added up, float32 holds."""
DECIDING = ("counts", "moments")
"""Measures that tell whether float32 holds a batch; others divide by their sums."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a measuring function takes."""

    size: tuple[int, int]
    """(height, width) of the images."""
    batch: int
    planes: tuple[str, ...] = ()
    """Of the scenes `(batch, height, width, planes)`; empty where it takes none."""
    handed: int | None = None
    """Bytes of each image's activations that the model hands over at once; None: all."""


def image(size: tuple[int, int]) -> Tap:
    """The image itself at a size (H, W), before any preprocessing of its values, as a tap."""
    return Tap(IMAGE, "", "Image", 0, 1, (*size, len(COLOURS)), "float32", 0, 0, "by chance", "the image itself")


def measuring(
    model: TappableModel,
    taps: Sequence[Tap],
    measures: Iterable[Measure],
    inputs: Inputs,
    *,
    target: Target | None = None,
    careful: bool = False,
) -> Measured:
    """A function from images `(batch, H, W, C)`, and scenes, to each tap's sums, `(batch, ...)` by the sums' names.

    With a target that is a map, what the model decides is a plane of the scenes. Where not all taps are handed over at
    once, the model runs several times: each tap has the same sums however many there are beside it.
    """
    taken = tuple(measures)
    parts = [
        _of_portion(model, portion, taken, inputs, target=target, careful=careful)
        for portion in portions(taps, inputs.handed)
    ]
    if len(parts) == 1:
        return parts[0]
    return lambda *arrays: {tap: sums for part in parts for tap, sums in part(*arrays).items()}


def _of_portion(
    model: TappableModel,
    taps: Sequence[Tap],
    taken: Sequence[Measure],
    inputs: Inputs,
    *,
    target: Target | None,
    careful: bool,
) -> Measured:
    """Of taps that are held together."""
    order: list[tuple[str, ...]] = []
    twin: dict[str, str] = {}
    batch = inputs.batch

    def then(made: Mapping[str, Any], *beside: Any) -> list[dict[str, Any]]:
        tensors, scene = {tap.name: made[tap.name] for tap in of_model}, None
        if beside:
            prediction = None if target is None else foreground(made[target.tap.name], target)
            scene = Scene(beside[0], inputs.planes, prediction)
            tensors[IMAGE] = beside[0][..., -len(COLOURS) :]
        # A scope and the last layer in it hold the same tensor, which is measured once.
        first = {id(tensor): name for name, tensor in reversed(list(tensors.items()))}
        twin.update({name: first[id(tensor)] for name, tensor in tensors.items()})
        shapes = {tap.name: (batch, *tap.shape, _format(tap)) for tap in taps if twin[tap.name] == tap.name}
        order[:] = groups(shapes)
        ends = {tap.name: tap.quantisation.ends for tap in taps if tap.quantisation is not None}
        return gather(tuple(taken), tensors, order, scene=scene, ends=ends, careful=careful)

    shapes_beside = [(batch, *inputs.size, len(inputs.planes))] if inputs.planes else []
    of_model = [tap for tap in taps if tap.name != IMAGE]
    beyond = [target.tap] if target is not None and target.tap not in of_model else []
    function = model.tapped([*of_model, *beyond], then, size=inputs.size, batch=batch, beside=shapes_beside)

    def parts(*arrays: np.ndarray) -> dict[str, Parts]:
        separate: dict[str, Parts] = {}
        for group, sums in zip(order, function(*arrays), strict=True):
            for i, tap in enumerate(group):
                rows = slice(i * batch, (i + 1) * batch)
                separate[tap] = {name: value[rows] for name, value in sums.items()}
        return {tap.name: separate[twin[tap.name]] for tap in taps}

    return parts


def _format(tap: Tap) -> Hashable:
    """What taps must have in common to be measured together."""
    return tap.dtype if tap.quantisation is None else (tap.dtype, tap.quantisation)


def faithfully(fast: Measured, careful: Callable[[], Measured]) -> Measured:
    """What `fast` gives in float32, and for images whose values that does not hold, what `careful` gives in float64.

    The latter is asked for when the first such image comes. Both must take the `DECIDING` measures.
    """

    def measured(*arrays: np.ndarray) -> dict[str, Parts]:
        by_tap = fast(*arrays)
        doubtful = {tap: bad for tap, parts in by_tap.items() if (bad := _doubtful(parts)).any()}
        if doubtful:
            again = careful()(*arrays)
            for tap, bad in doubtful.items():
                by_tap[tap] = {name: _replaced(value, again[tap][name], bad) for name, value in by_tap[tap].items()}
        return by_tap

    return measured


def _doubtful(parts: Parts) -> np.ndarray:
    """(batch,) where a channel holds NaN or Inf, or where its squares may have left the range of float32."""
    reach = np.maximum(np.abs(parts["minimum"]), np.abs(parts["maximum"]))
    small, large = FAITHFUL
    # At one position a channel is its own mean, whose square is taken in float64: there, small ones among others are
    # held, if they are normal numbers. A channel of zeros always is.
    alone = (parts["finite"] == 1) & (reach >= np.finfo(np.float32).tiny) & (reach.max(axis=1, keepdims=True) > small)
    faint = (reach > 0) & (reach < small) & ~alone
    # NaN need not show in the extremes, but it does in the sums.
    held = np.isfinite(parts["total"] + parts["squares"]) & (reach < large)
    return np.asarray((faint | ~held).any(axis=1))


def _replaced(value: np.ndarray, other: np.ndarray, where: np.ndarray) -> np.ndarray:
    return np.where(where.reshape(-1, *(1,) * (value.ndim - 1)), other, value)
