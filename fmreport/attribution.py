"""What a target's score owes to the maps of each tap, by its gradient: beside activations, for the displayed probes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from fmreport import tiles
from fmreport.errors import SourceError
from fmreport.extract import Extraction, batches
from fmreport.records import ATTRIBUTION, Tap, Target, Tiles

METHODS = ("Grad-CAM", "HiResCAM")
"""The two maps of each tap, in the order in which they are stored."""
ROUNDING = 1e-4
"""Mean gradients below so much of the mean magnitude, each the largest of any channel, are rounding: before a
normalisation over positions they are 0."""
NO_MAP = "it is no map of rows and columns"

Advance = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Attribution:
    """The maps of all taps that have a gradient, and what there is to say of all of them."""

    table: pd.DataFrame
    """One row per tap and displayed probe; columns as `records.ATTRIBUTION`."""
    tiles: Mapping[str, Tiles]
    """By tap; its channels are the `METHODS`."""
    note: str
    """What a reader must know of the target; empty where there is nothing."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """One probe."""

    probe: str
    channel: int
    score: float
    maps: Mapping[str, np.ndarray]
    """By tap, `(H, W, 2)` float32."""
    gradient: Mapping[str, tuple[float, float]]
    """By tap, the largest magnitude of a gradient, and of a channel's mean gradient."""


def attribute(
    extraction: Extraction,
    target: Target,
    displayed: Sequence[str],
    *,
    longest: int,
    advance: Advance = lambda done, total: None,
) -> Attribution:
    """Attributes the target's score to every tap of an extraction that is a map, on each displayed probe.

    `longest` is the longest side of a tile in pixels. Nothing fails where a tap has no gradient: the table says why.
    """
    trace = _Trace(target, [tap for tap in extraction.taps if _is_map(tap)])
    seen = []
    try:
        for done, each in enumerate(_seen(extraction, trace, displayed), start=1):
            seen.append(each)
            advance(done, len(displayed))
    except SourceError as error:
        # The model itself has been measured: what fails is a gradient, such as a grouped convolution's on CPUs.
        rows = [_unseen(tap.name, probe, str(error)) for tap in extraction.taps for probe in displayed]
        return Attribution(_table(rows), {}, "")
    made = {
        tap.name: tiles.together(
            tap,
            displayed,
            np.arange(len(METHODS)),
            np.ones(len(METHODS), bool),
            [tiles.tile(each.maps[tap.name], longest=longest) for each in seen],
        )
        for tap in trace.taps
        if tap.name not in trace.reasons
    }
    reasons = {tap.name: NO_MAP for tap in extraction.taps if not _is_map(tap)} | trace.reasons
    rows = [_row(tap.name, each, reasons.get(tap.name, "")) for tap in extraction.taps for each in seen]
    return Attribution(_table(rows), made, trace.note)


class _Trace:
    """What becomes part of the model's graph; remembers what only the graph tells."""

    def __init__(self, target: Target, taps: Sequence[Tap]) -> None:
        self.target, self.taps = target, taps
        self.reasons: dict[str, str] = {}
        """Why a tap has no gradient."""
        self.note = ""

    def __call__(self, tensors: Mapping[str, Any]) -> dict[str, Any]:
        """Score and class of each image, and the maps of each tap by its order."""
        from keras import ops

        from fmreport.sources.gradients import gradients, saturates

        values = tensors[self.target.tap.name]
        if saturating := saturates(values):
            self.note = (
                f"The target {self.target.tap.name} is the result of a {saturating}, whose gradients vanish where the "
                "answer is sure, and mix all classes: attribution is of that, not of the score before it. A tap before "
                f"the {saturating}, where the model has one, can be named under target.output"
            )
        scores, channels = _scores(values, self.target)
        # Each image's score depends on that image alone, so that their sum has the gradients of all.
        found = gradients(ops.sum(scores), [tensors[tap.name] for tap in self.taps])
        by_tap = dict(zip((tap.name for tap in self.taps), found, strict=True))
        self.reasons = {name: gradient for name, gradient in by_tap.items() if isinstance(gradient, str)}
        return {
            "score": scores,
            "class": channels,
            "taps": {
                str(tap.order): _maps(tensors[tap.name], by_tap[tap.name])
                for tap in self.taps
                if tap.name not in self.reasons
            },
        }


def _scores(values: Any, target: Target) -> tuple[Any, Any]:
    """`(B,)` scores and classes of a target's activations `(B, K)` or `(B, H, W, K)`."""
    from keras import ops

    whole = ops.mean(values, axis=(1, 2)) if len(values.shape) == 4 else values
    if target.channel is not None:
        return whole[:, target.channel], ops.full(whole.shape[:1], target.channel, dtype="int32")
    highest = ops.argmax(whole, axis=-1)
    return ops.take_along_axis(whole, highest[:, None], axis=-1)[:, 0], highest


def _maps(activations: Any, gradient: Any) -> tuple[Any, Any]:
    """`(B, H, W, 2)` float32 maps by the `METHODS`, and `(B, 2)` largest magnitudes: of a gradient, of a mean gradient.

    Grad-CAM weighs each channel by the mean of its gradient over positions (Selvaraju et al. 2017, arXiv 1610.02391),
    HiResCAM each activation by its own (Draelos & Carin 2020, arXiv 2011.08891). Both add channels up, and leave out
    what is below 0. What is not finite stays so, and is shown as that.
    """
    from keras import ops

    a, g = ops.cast(activations, "float32"), ops.cast(gradient, "float32")
    size, mean = ops.abs(g), ops.mean(g, axis=(1, 2), keepdims=True)
    # A channel that is 0 adds nothing, whatever its weight.
    mean = ops.where(ops.max(ops.abs(a), axis=(1, 2), keepdims=True) > 0, mean, ops.zeros_like(mean))
    most = ops.max(ops.mean(size, axis=(1, 2), keepdims=True), axis=-1, keepdims=True)
    rounding = ops.max(ops.abs(mean), axis=-1, keepdims=True) <= ROUNDING * most
    weights = ops.where(rounding, ops.zeros_like(mean), mean)
    both = ops.stack([ops.sum(a * weights, axis=-1), ops.sum(a * g, axis=-1)], axis=-1)
    largest = [ops.max(each, axis=(1, 2, 3)) for each in (size, ops.abs(weights))]
    return ops.maximum(both, 0), ops.stack(largest, axis=-1)


def _seen(extraction: Extraction, trace: _Trace, names: Sequence[str]) -> Iterator[_Seen]:
    size, model = extraction.preprocess.size, extraction.model
    taps = trace.taps if trace.target.tap in trace.taps else [*trace.taps, trace.target.tap]
    batch = model.batch or 1
    function = model.tapped(taps, trace, size=size, batch=batch)
    orders = {str(tap.order): tap.name for tap in trace.taps}
    for part, images in batches(extraction.probes.named(names), extraction.preprocess, batch):
        made = function(*images)
        for i, name in enumerate(part):
            found = {orders[order]: (maps[i], most[i].tolist()) for order, (maps, most) in made["taps"].items()}
            yield _Seen(
                name,
                int(made["class"][i]),
                float(made["score"][i]),
                {tap: maps for tap, (maps, _) in found.items()},
                {tap: (most[0], most[1]) for tap, (_, most) in found.items()},
            )


def _row(tap: str, seen: _Seen, reason: str) -> dict[str, Any]:
    asked = {"tap": tap, "probe": seen.probe, "class": seen.channel, "score": seen.score}
    found = [*seen.maps[tap].max(axis=(0, 1)).tolist(), *seen.gradient[tap]] if not reason else [np.nan] * 4
    named = dict(zip(("grad_cam", "hirescam", "gradient", "mean_gradient"), found, strict=True))
    return {**asked, **named, "reason": reason}


def _unseen(tap: str, probe: str, reason: str) -> dict[str, Any]:
    return {"tap": tap, "probe": probe, "reason": f"its gradients cannot be computed here: {reason}"}


def _table(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=[column.name for column in ATTRIBUTION])
    return table.astype({"class": "Int64"})


def _is_map(tap: Tap) -> bool:
    return len(tap.grid) == 2 and tap.is_map
