"""Which limits a run is held to: those of its config, and those of the command line, which win."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from fmreport import manifest
from fmreport.config import GateSection
from fmreport.errors import GateError, nearest
from fmreport.quantities import QUANTITIES
from fmreport.store import Run

MAX, MIN, MAX_CHANGE = KINDS = ("max", "min", "max_change")


@dataclass(frozen=True, slots=True)
class Limit:
    """One bound on one quantity."""

    kind: str
    """`max`, `min` or `max_change`."""
    quantity: str
    bound: float
    """At exactly the bound a value still holds."""


def section_of(run: Run) -> GateSection | None:
    """The gate of the config that a run was made with; None where it has none."""
    section = run.facts.config.get("gate")
    if section is None:
        return None
    try:
        return GateSection.model_validate(section)
    except ValidationError as error:
        told = error.errors(include_url=False)[0]
        place = ".".join(map(str, ("gate", *told["loc"])))
        raise GateError(
            f"{run.folder / manifest.FILE}: the recorded config has a gate that cannot be read: {place}: {told['msg']}",
            fix="write the manifest anew: fmreport run",
        ) from error


def of_section(section: GateSection | None) -> tuple[Limit, ...]:
    """The limits of a config."""
    if section is None:
        return ()
    found = {(kind, name): bound for kind in KINDS for name, bound in getattr(section, kind).given.items()}
    if section.nonfinite is not None:
        found[MAX, "nonfinite"] = float(section.nonfinite)
    return in_order(found)


def laid_over(limits: Iterable[Limit], others: Iterable[Limit]) -> tuple[Limit, ...]:
    """Limits, and in place of them or beside them others."""
    return in_order({(limit.kind, limit.quantity): limit.bound for limit in (*limits, *others)})


def options(
    maxima: Iterable[str] = (), minima: Iterable[str] = (), changes: Iterable[str] = (), nonfinite: int | None = None
) -> tuple[Limit, ...]:
    """The limits of a command line: texts `QUANTITY=X`, the last of a quantity. Raises `GateError`."""
    texts = {MAX: maxima, MIN: minima, MAX_CHANGE: changes}
    found = {(kind, name): bound for kind in KINDS for name, bound in (_parsed(kind, text) for text in texts[kind])}
    if nonfinite is not None:
        if (MAX, "nonfinite") in found:
            raise GateError("--nonfinite and --max nonfinite=... say the same", fix="give one of them")
        found[MAX, "nonfinite"] = float(nonfinite)
    return in_order(found)


def in_order(bounds: Mapping[tuple[str, str], float]) -> tuple[Limit, ...]:
    """By kind, and by quantity as they are listed, whoever gave them in which order."""
    return tuple(
        Limit(kind, name, bounds[kind, name]) for kind in KINDS for name in QUANTITIES if (kind, name) in bounds
    )


def _parsed(kind: str, text: str) -> tuple[str, float]:
    option = f"--{kind.replace('_', '-')} {text}"
    name, equals, written = (part.strip() for part in text.partition("="))
    if not equals:
        raise GateError(f"{option}: expected QUANTITY=X", fix=f"for example: --{kind.replace('_', '-')} zeros=0.5")
    if name not in QUANTITIES:
        raise GateError(f"{option}: {name} is no quantity", fix=nearest(name, QUANTITIES))
    try:
        # What `float` reads beside decimals, such as 1_0, is more likely a slip.
        bound = float(written) if written.isascii() and "_" not in written else math.nan
    except ValueError:
        bound = math.nan
    if not math.isfinite(bound) or (kind == MAX_CHANGE and bound < 0):
        expected = "a number from 0 on" if kind == MAX_CHANGE else "a number"
        raise GateError(f"{option}: {written or 'nothing'} is not {expected}", fix=f"for example: {name}=0.5")
    return name, bound
