"""Two runs to one `Comparison`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from fmreport import mapped
from fmreport.compare import layers, rules, values, verdict
from fmreport.compare.align import Pair, align, align_untapped, shared_probes
from fmreport.compare.comparison import (
    CHANGED,
    EQUAL,
    FORMAT,
    NOT_IN_A,
    NOT_IN_B,
    ROUNDING,
    Change,
    Comparison,
    Drift,
    Lone,
    Side,
    TapChange,
)
from fmreport.compare.drift import TOLERANCE, drifts, onset
from fmreport.compare.read import of_reading, of_tables
from fmreport.compare.values import Draws, Sides
from fmreport.compare.wide import Wide
from fmreport.store import Run


@dataclass(frozen=True, slots=True)
class Images:
    """The images whose values are compared: names in A and in B, and whether each has a mask."""

    a: tuple[str, ...]
    b: tuple[str, ...]
    masked_a: tuple[bool, ...]
    masked_b: tuple[bool, ...]
    paired: bool

    @classmethod
    def of(cls, a: Run, b: Run) -> Images:
        """Those that both runs have, or all of both where they share none; those with masks first."""
        of_a, of_b = ({probe.name: probe for probe in run.facts.probes} for run in (a, b))
        shared = shared_probes(a.facts, b.facts)
        paired = bool(shared)
        if paired:
            # By what they are and not as A has them, so that the mirror of a comparison is that of the mirror.
            shared.sort(key=lambda pair: (not of_a[pair[0]].has_mask, of_a[pair[0]].sha256, pair))
            names = [[pair[side] for pair in shared] for side in (0, 1)]
        else:
            names = [sorted(side, key=lambda name: not side[name].has_mask) for side in (of_a, of_b)]
        masked = [tuple(side[name].has_mask for name in each) for side, each in zip((of_a, of_b), names, strict=True)]
        return cls(tuple(names[0]), tuple(names[1]), masked[0], masked[1], paired)


def compare(a: Run, b: Run, *, allow: Sequence[str] = ()) -> Comparison:
    """What differs from A to B.

    Raises `CompareError` where their models saw different things, unless `allow` names that, as `rules.ALLOWED` does.
    """
    judged = rules.judge(a.facts, b.facts, allow=allow)
    alignment, untapped = align(a, b), align_untapped(a, b)
    place = {name: position for position, name in enumerate(b.layers["tap"], 1)}
    pairs = sorted(alignment.pairs, key=lambda pair: place[pair.b])
    maps = rules.same_maps(a.facts, b.facts)
    left_out = values.of_masks() if judged.probes.other_masks else frozenset() if maps else values.of_nulls()
    measured = list(_measured(a, b, pairs, left_out))
    if judged.probes.same and a.facts.config.get("seed") == b.facts.config.get("seed"):
        read, pooled = of_reading(a, b, pairs) if maps else {}, of_tables(a, b, pairs, maps=maps)
        keys = [(pair.a, pair.b) for pair in pairs]
        measured = [[*read.get(key, ()), *own, *pooled.get(key, ())] for key, own in zip(keys, measured, strict=True)]
    of_pairs, unknown = drifts(a, b, pairs, judged)
    foreign = layers.foreign(a, b)
    taps = tuple(_drifted(tap, of_pairs.get(tap.pair.b), foreign=foreign) for tap in _taps(a, b, pairs, measured))
    if judged.probes.paired:
        taps = tuple(_beginnings(taps, a, b))
    lone = _lone(b, alignment.added, untapped.added), _lone(a, alignment.removed, untapped.removed)
    made = Comparison(
        format=FORMAT,
        a=_side(a),
        b=_side(b),
        same=False,
        verdict=(),
        warnings=judged.warnings,
        notes=(*judged.notes, *_lacking(measured), *([f"Numerical drift is not told: {unknown}."] if unknown else [])),
        differences=judged.differences,
        probes=judged.probes,
        counts=verdict.counts(taps, alignment, untapped),
        onset=onset([(tap.pair.b, tap.drift) for tap in taps if tap.drift], unknown),
        taps=taps,
        added=lone[0],
        removed=lone[1],
        untapped=tuple(pair for pair in untapped.pairs if pair.a != pair.b),
    )
    same = verdict.is_same(made)
    made = replace(made, same=same)
    return replace(made, verdict=tuple(verdict.told(made)))


def _side(run: Run) -> Side:
    facts = run.facts
    model = ": ".join(filter(None, (str(facts.model.get(key) or "") for key in ("kind", "source"))))
    return Side(facts.name, facts.release, facts.title, model, len(run.layers), len(facts.probes))


def _measured(a: Run, b: Run, pairs: Sequence[Pair], left_out: Collection[str]) -> Iterator[list[Change]]:
    """Of each pair the change of every measure that a side has, but for those that are left out."""
    images = Images.of(a, b)
    draws = Draws.of(images.masked_a, images.masked_b, paired=images.paired)
    wide = (
        Wide(a.samples_of, [pair.a for pair in pairs], images.a),
        Wide(b.samples_of, [pair.b for pair in pairs], images.b),
    )
    spread = _spread(*(side.of("std") for side in wide), count=len(pairs))
    columns: list[list[Change]] = []
    both = _mapped(a, images.a) & _mapped(b, images.b) if images.paired else None
    for column in values.of_images():
        one, other = (side.of(column.name) for side in wide)
        if (one is None and other is None) or column.name in left_out:
            continue
        if both is not None and column.name in values.of_maps():
            one, other = (None if side is None else np.where(both, side, np.nan) for side in (one, other))
        scale = spread if column.unit == "activation" else _size(one, other, column.unit, len(pairs))
        columns.append(values.changes(Sides(column, one, other, scale), draws, paired=images.paired))
    for told in zip(*columns, strict=True) if columns else ([],) * len(pairs):
        yield [change for change in told if change.a is not None or change.b is not None]


def _mapped(run: Run, probes: Sequence[str]) -> np.ndarray:
    """(images,) bool: of which of these images the run has measured maps."""
    found = mapped.of_facts(run.facts)
    if not found.some:
        return np.ones(len(probes), bool)
    names = {probe.name for probe in found.probes}
    return np.array([name in names for name in probes], bool)


def _spread(*stds: np.ndarray | None, count: int) -> np.ndarray:
    """(N,) the standard deviation of each pair's activations: what a change of them is small beside."""
    known = [
        np.nanmax(np.where(np.isfinite(each), each, 0.0), axis=1, initial=0.0) for each in stds if each is not None
    ]
    return np.max(known, axis=0) if known else np.zeros(count)


def _size(one: np.ndarray | None, other: np.ndarray | None, unit: str, count: int) -> np.ndarray:
    """(N,) the largest value of each pair, and 1 at least of what is a fraction."""
    found = _spread(*(None if each is None else np.abs(each) for each in (one, other)), count=count)
    return np.maximum(found, 1.0) if unit == "1" else found


def _taps(a: Run, b: Run, pairs: Sequence[Pair], measured: Sequence[list[Change]]) -> Iterator[TapChange]:
    reading, foreign = layers.Reading.of(b), layers.foreign(a, b)
    facts, channels = layers.facts(a, b, pairs, reading), layers.channels(a, b, pairs, reading)
    tables = [dict(list(run.channels.groupby("tap", sort=False))) for run in (a, b)]
    rows_a, rows_b = (_rows(run.layers, "tap") for run in (a, b))
    places_a, places_b = ({tap: i for i, tap in enumerate(rows, 1)} for rows in (rows_a, rows_b))
    for pair, told in zip(pairs, measured, strict=True):
        one, other = rows_a[pair.a], rows_b[pair.b]
        state = _state(told, tables[0].get(pair.a), tables[1].get(pair.b))
        yield TapChange(
            pair=pair,
            position_a=places_a[pair.a],
            position_b=places_b[pair.b],
            type_a=str(one["type"]),
            type_b=str(other["type"]),
            shape_a=str(one["shape"]),
            shape_b=str(other["shape"]),
            state=state,
            begins=False,
            reads=(),
            facts=facts[pair.b],
            channels=channels[pair.b],
            measures=tuple(told),
            activation=layers.another_activation(facts[pair.b], one, other, foreign=foreign),
            drift=None,
        )


def _drifted(tap: TapChange, drift: Drift | None, *, foreign: bool) -> TapChange:
    """With its drift, which may be beyond rounding where no measure is; measures of what is equal are left out."""
    state, known = tap.state, drift is not None and (drift.infinite or drift.relative is not None)
    beyond = drift is not None and (drift.infinite or (drift.relative or 0.0) > TOLERANCE)
    if beyond:
        state = CHANGED
    elif drift is not None and drift.relative and state == EQUAL:
        state = ROUNDING
    # What another framework calls otherwise and computes alike is the same.
    activation = tap.activation and not (foreign and known and not beyond)
    measures = () if state == EQUAL else tap.measures
    return replace(tap, drift=drift, state=state, activation=activation, measures=measures)


def _state(told: Sequence[Change], one: pd.DataFrame | None, other: pd.DataFrame | None) -> str:
    """Of all numbers of a pair; measures that one side lacks say nothing of it."""
    states = {change.state for change in told if change.missing not in (NOT_IN_A, NOT_IN_B)}
    if CHANGED in states:
        return CHANGED
    if ROUNDING in states or one is None or other is None:
        return ROUNDING
    shared = [name for name in one if name in other and name != "tap"]
    here, there = (side[shared].reset_index(drop=True) for side in (one, other))
    return EQUAL if here.equals(there) else ROUNDING


def _beginnings(taps: Sequence[TapChange], a: Run, b: Run) -> Iterator[TapChange]:
    """Marks those that changed while nothing that they read has; where it is not known what they read, the first."""
    changed = {tap.pair.b for tap in taps if tap.state == CHANGED}
    first = next((tap.pair.b for tap in taps if tap.pair.b in changed), "")
    in_a, in_b = layers.Reading.of(a), layers.Reading.of(b)
    paired_a, paired_b = {tap.pair.a for tap in taps}, {tap.pair.b for tap in taps}
    for tap in taps:
        alone = not changed & set(in_b.taps[tap.pair.b]) if in_b.known else tap.pair.b == first
        if tap.pair.b not in changed or not alone:
            yield tap
            continue
        new = [f"it reads {each}, which was added" for each in in_b.taps[tap.pair.b] if each not in paired_b]
        gone = [f"it read {each}, which was removed" for each in in_a.taps[tap.pair.a] if each not in paired_a]
        yield replace(tap, begins=True, reads=(*new, *gone))


def _lone(run: Run, taps: Sequence[str], untapped: Sequence[str]) -> tuple[Lone, ...]:
    of_taps, of_layers = _rows(run.layers, "tap"), _rows(run.inventory, "path")
    found = [(of_taps[name], name, True) for name in taps] + [(of_layers[name], name, False) for name in untapped]
    return tuple(Lone(name, _text(row.get("type")), _text(row.get("shape")), tapped) for row, name, tapped in found)


def _rows(table: pd.DataFrame, key: str) -> dict[str, dict[str, Any]]:
    """The rows of a table by what one of its columns holds."""
    return {str(row[key]): {str(name): value for name, value in row.items()} for row in table.to_dict("records")}


def _text(value: Any) -> str:
    return "" if value is None or pd.isna(value) else str(value)


def _lacking(measured: Sequence[Sequence[Change]]) -> Iterator[str]:
    """Which measures only one side has."""
    for missing, there in ((NOT_IN_A, "B"), (NOT_IN_B, "A")):
        names = dict.fromkeys(change.measure for told in measured for change in told if change.missing == missing)
        if names:
            yield f"Measured in {there} alone: {', '.join(names)}."
