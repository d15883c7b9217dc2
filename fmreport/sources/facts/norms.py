"""Normalisations by statistics over positions, told by how arithmetic leads from a mean back to what it was taken of.

A normalisation takes the mean and the deviation of a tensor over positions and rescales the same tensor by them, so
strictly every output depends on the whole map. Receptive fields leave that dependence out and name it; what else a
statistic is used for sees all positions.

A tensor has a degree in the one that is normalised: a mean has 1, a variance 2, the reciprocal of a deviation -1. What
has degree 0 because a root was divided by is normalised; anything that is no such arithmetic ends the claim to be so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from fmreport.sources.facts.operation import Operation, axes_of
from fmreport.sources.facts.state import IMAGE, TOKENS, Claim, State, States

Rule = Callable[[Operation, States], State]
PASSES = {"Identity", "StopGradient", "PreventGradient", "Snapshot", "EnsureShape"} | {
    "Reshape",
    "Squeeze",
    "ExpandDims",
    "Cast",
    "BroadcastTo",
    "FakeQuantWithMinMaxArgs",
    "FakeQuantWithMinMaxVars",
    "FakeQuantWithMinMaxVarsPerChannel",
}
"""Their results hold the same numbers, rounded at most."""
MEANS = {"Mean", "Sum"}
SUMS = {"AddV2", "Add", "Sub", "Maximum", "Minimum", "SquaredDifference"}
QUOTIENTS = {"RealDiv", "Div", "DivNoNan"}
POWERS = {"Neg": 1, "Square": 2, "Sqrt": Fraction(1, 2), "Rsqrt": Fraction(-1, 2), "Reciprocal": -1, "Inv": -1}
NEW = Claim(None, Fraction(0))
"""A claim of nothing: a constant."""


def claimed(op: Operation, states: States, rule: Rule, made: State) -> State:
    """The state that a rule `made` of others, with what may be claimed of it: that it is a part of a normalisation."""
    if op.type in PASSES and states[0] is not None:
        return replace(made, source=states[0].source, claim=_of_rest(op, states[0].claim, rule))
    claim = _claim(op, states, rule)
    if claim and claim.rest and claim.by and claim.rooted and claim.degree == 0:
        rest = replace(claim.rest, normalised=claim.rest.normalised or claim.by)
        return replace(rest, source=object(), claim=replace(claim, rest=replace(rest, claim=None)))
    return replace(made, source=object(), claim=claim)


def _of_rest(op: Operation, claim: Claim | None, rule: Rule) -> Claim | None:
    return replace(claim, rest=rule(op, [claim.rest])) if claim and claim.rest else claim


def _claim(op: Operation, states: States, rule: Rule) -> Claim | None:
    exponent = _exponent(op)
    if op.type in MEANS and states[0] is not None:
        return _mean(op, states[0])
    if exponent is not None and states[0] is not None:
        return _power(op, states, exponent, rule)
    if op.type in SUMS | QUOTIENTS | {"Mul"}:
        for of in _bases(states):
            found = [NEW if state is None else _part(state, of) for state in states]
            parts = [part for part in found if part is not None]
            claim = _arithmetic(op.type, parts) if len(parts) == len(found) else None
            if claim is not None:
                return replace(claim, of=of, rest=_rest(op, parts, rule))
    return None


def _exponent(op: Operation) -> Fraction | None:
    value: Any = op.value(1) if op.type == "Pow" else POWERS.get(op.type)
    return None if value is None or np.ndim(value) else Fraction(float(value))


def _mean(op: Operation, state: State) -> Claim | None:
    axes = axes_of(op.value(1), len(op.shape(0)))
    claim = state.claim
    if claim and not claim.rest:
        return claim
    if not any(kind in (*IMAGE, TOKENS) for axis in axes for kind, _ in state.axes[axis]):
        return None
    base = _base(state)
    return replace(base, rest=None, by=base.by or op.name)


def _power(op: Operation, states: States, exponent: Fraction, rule: Rule) -> Claim | None:
    state = states[0]
    if state is None or (not state.claim and exponent != 2):
        return None
    base = _base(state) if exponent == 2 else state.claim
    if base is None:
        return None
    rooted = base.rooted or exponent.denominator == 2
    rest = rule(op, [base.rest, *states[1:]]) if base.rest else None
    return replace(base, degree=base.degree * exponent, rooted=rooted, rest=rest)


def _base(state: State) -> Claim:
    """The claim of a tensor of which a statistic is taken; what is normalised already begins anew."""
    claim = state.claim
    if claim and not (claim.rest and claim.degree == 0):
        return claim
    return Claim(state.source, Fraction(1), replace(state, claim=None))


def _bases(states: States) -> Sequence[object]:
    """What the operands may be parts of a normalisation of."""
    present = [state for state in states if state is not None]
    sources = {state.source for state in present}
    same = [*sources] if len(present) > 1 and len(sources) == 1 else []
    return [*same, *(state.claim.of for state in present if state.claim)]


def _part(state: State, of: object) -> Claim | None:
    if state.claim and state.claim.of is of:
        return state.claim
    return Claim(of, Fraction(1), replace(state, claim=None)) if state.source is of else None


def _rest(op: Operation, parts: Sequence[Claim], rule: Rule) -> State | None:
    """What is seen of a result where statistics are constants."""
    left = [part.rest for part in parts]
    return rule(op, left) if any(left) else None


def _arithmetic(kind: str, parts: Sequence[Claim]) -> Claim | None:
    """The degree of a sum, a product or a quotient; None where none of a normalisation looks so."""
    made = [part for part in parts if part.of is not None]
    by, rooted = next((part.by for part in made if part.by), ""), any(part.rooted for part in made)
    whole, alone = [part for part in made if part.rest], [part for part in made if not part.rest]
    if kind in SUMS:
        degrees = {part.degree for part in made}
        if len(degrees) != 1 or (whole and any(part.rooted and part.degree for part in alone)):
            return None
        return Claim(None, degrees.pop() * (2 if kind == "SquaredDifference" else 1), None, by, rooted)
    if kind in QUOTIENTS:
        below = parts[1]
        if below.rest:
            return None
        parts = [parts[0], replace(below, degree=-below.degree)]
        alone = [part for part in parts if part.of is not None and not part.rest]
    if whole and any(not part.rooted or part.degree >= 0 for part in alone):
        return None  # a gate
    if alone and any(part.degree == 0 for part in whole):
        return None
    return Claim(None, sum((part.degree for part in parts), Fraction(0)), None, by, rooted)
