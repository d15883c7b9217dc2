"""The inputs, tables and maps of a run against those of the same run made again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from fmreport.facts import Facts, ProbeFact
from fmreport.store import TABLES, Run
from fmreport.verification.check import FAILED, HELD, NAMED, Check, difference, some

TOLERANCE = 1e-3
"""On another processor or with other packages: of the largest magnitude that a column has at a tap."""
MOVED = 0.01
"""The same for histograms: the share of a tap's values that lie in another bin."""
SHARES = ("zero_fraction", "zero_fraction_macro", "near_zero_fraction")
"""Columns that count values on one side of a threshold: what rounding takes across is a share of all values."""
STEPS = 2
"""The same for the 8 bits of a map."""
KEYS = ("tap", "facet", "other", "probe", "channel", "seed", "quantity", "layer", "block", "path", "of", "number")
"""Columns that say what a row is about."""


def same_inputs(then: Facts, now: Facts) -> Check:
    """Model, code, probes and preprocessing of two runs."""
    wrong = [f"model: {each}" for each in difference(then.model, now.model)]
    before, after = ({(each.role, each.path): each.file.sha256 for each in facts.inputs} for facts in (then, now))
    wrong += [
        f"{role} {path} has changed"
        for (role, path) in before.keys() | after.keys()
        if before.get((role, path)) != after.get((role, path))
    ]
    wrong += [f"preprocess: {each}" for each in difference(then.preprocess, now.preprocess)]
    return Check("the inputs are those of the run", FAILED if wrong else HELD, tuple(wrong))


def same_probes(then: Facts, now: Sequence[ProbeFact]) -> Check:
    """The images and masks of a run against those that lie there now."""
    before = {fact.name: (fact.sha256, fact.mask_sha256) for fact in then.probes}
    after = {fact.name: (fact.sha256, fact.mask_sha256) for fact in now}
    wrong = [f"{name} is missing" for name in before if name not in after]
    wrong += [f"{name} is no probe of the run" for name in after if name not in before]
    for name in before.keys() & after.keys():
        image, mask = (one != other for one, other in zip(before[name], after[name], strict=True))
        wrong += [f"{name}: the image has changed"] * image + [f"{name}: the mask has changed"] * mask
    asked = f"the {len(before)} probes are those of the run"
    return Check(asked, FAILED if wrong else HELD, tuple(wrong))


def elsewhere(then: Facts, now: Facts) -> tuple[str, ...]:
    """What may make numbers differ in their last digits though inputs are the same: versions, code, processor."""
    before, after = (asdict(facts.platform) if facts.platform else {} for facts in (then, now))
    return (
        *difference(then.versions, now.versions),
        *difference({"fmreport's code": then.code}, {"fmreport's code": now.code}),
        *difference(then.measures, now.measures),
        *difference(before, after),
    )


def same_tables(run: Run, again: Run) -> list[Check]:
    """The tables and maps of a run against those of the same run made again, bit for bit.

    Where something that may change the last digits differs, numbers may differ by `TOLERANCE` of the largest magnitude
    that a column has at a tap, `SHARES` by as much of all values, and maps by `STEPS` of 255; what differs more is
    named, tap by tap.
    """
    kept = ("tables/", "maps/")
    ours = {path: fact for path, fact in run.manifest.outputs.items() if path.startswith(kept)}
    theirs = {path: fact for path, fact in again.manifest.outputs.items() if path.startswith(kept)}
    names = {f"tables/{file}": name for name, file in TABLES.items()}
    differ = sorted(path for path in ours.keys() | theirs.keys() if ours.get(path) != theirs.get(path))
    asked = f"made again, its {len(ours)} tables and maps have the same bytes"
    if not differ:
        return [Check(asked, HELD)]
    reasons = elsewhere(run.facts, again.facts)
    if not reasons:
        return [Check(asked, FAILED, (some(differ), "although inputs, versions, code and processor are the same"))]
    asked = f"made again elsewhere, its {len(ours)} tables and maps say the same"
    told = (f"{len(differ)} of them have other bytes, and are compared number by number", f"made with {some(reasons)}")
    return [
        Check(asked, HELD, told),
        # What only the one of today has, an older version did not make.
        *(_close(run, again, names[path]) for path in differ if path in names and path in ours),
        *_close_maps(run, again),
    ]


def _close(run: Run, again: Run, name: str) -> Check:
    ours, theirs = run.table(name), again.table(name)
    binned = name == "histograms"
    allowed = MOVED if binned else TOLERANCE
    asked = f"table {name}: within {allowed:g} of " + (
        "all values of each tap" if binned else "the largest at each tap"
    )
    if list(ours) != list(theirs):
        return Check(asked, FAILED, ("it has other columns",))
    keys = [key for key in KEYS if key in ours and not binned]
    if keys and not ours[keys].equals(theirs[keys]):
        return Check(asked, FAILED, ("it has other rows",))
    found = list(_moved(ours, theirs) if binned else _far(ours, theirs))
    worst = f"largest deviation {max((each.size for each in found), default=0.0):.1g}"
    told = [f"{each.tap}: {each.column} differs by {each.size:.2g}" for each in found if not each.size <= allowed]
    return Check(asked, FAILED if told else HELD, tuple(told[:NAMED]) or (worst,))


@dataclass(frozen=True, slots=True)
class _Deviation:
    tap: str
    column: str
    size: float


def _far(ours: pd.DataFrame, theirs: pd.DataFrame) -> Iterator[_Deviation]:
    """The largest deviation of every numeric column at every tap, text that differs as infinite."""
    taps = ours["tap"].astype(str).to_numpy() if "tap" in ours else np.array(["all"] * len(ours))
    for column in (name for name in ours if name not in KEYS):
        one, other = ours[column], theirs[column]
        if not (pd.api.types.is_numeric_dtype(one) and pd.api.types.is_numeric_dtype(other)):
            apart = np.where(one.astype(str) == other.astype(str), 0.0, np.inf)
        else:
            apart = _relative(_floats(one), _floats(other), taps, of_all=column in SHARES)
        for place in pd.Series(apart).groupby(taps, sort=False).idxmax():
            yield _Deviation(str(taps[place]), str(column), float(apart[place]))


def _moved(ours: pd.DataFrame, theirs: pd.DataFrame) -> Iterator[_Deviation]:
    """Of each tap the share of values that lie in another bin: half of what the counts differ by in sum."""
    both = ours.merge(theirs, how="outer", on=["tap", "low", "high"], suffixes=("", " again"))
    counts = both[["count", "count again"]].fillna(0)
    moved = (counts["count"] - counts["count again"]).abs().groupby(both["tap"], sort=False).sum() / 2
    share = moved / counts["count"].groupby(both["tap"], sort=False).sum()
    for tap, size in share.items():
        yield _Deviation(str(tap), "count", float(size))


def _floats(column: pd.Series) -> np.ndarray:
    return column.to_numpy(np.float64, na_value=np.nan)


def _relative(one: np.ndarray, other: np.ndarray, taps: np.ndarray, *, of_all: bool) -> np.ndarray:
    largest = np.ones(len(one)) if of_all else np.where(np.isfinite(one), np.abs(one), 0.0)
    scale = pd.Series(largest).groupby(taps).transform("max").to_numpy()
    with np.errstate(invalid="ignore", divide="ignore"):
        apart = np.abs(one - other) / np.where(scale > 0, scale, 1.0)
    apart = np.where((one == other) | (np.isnan(one) & np.isnan(other)), 0.0, apart)
    return np.where(np.isnan(apart), np.inf, apart)


def _close_maps(run: Run, again: Run) -> Iterator[Check]:
    asked, wrong = f"maps: within {STEPS} of 255", []
    for tap in run.layers["tap"]:
        ours, theirs = run.tiles(tap), again.tiles(tap)
        if ours is None or theirs is None:
            wrong += [f"{tap}: there are none"] if (ours is None) != (theirs is None) else []
        elif not np.array_equal(ours.channels, theirs.channels):
            wrong.append(f"{tap}: other channels are shown")
        elif (most := int(np.abs(ours.values.astype(int) - theirs.values.astype(int)).max(initial=0))) > STEPS:
            wrong.append(f"{tap}: differ by {most} of 255")
    yield Check(asked, FAILED if wrong else HELD, tuple(wrong[:NAMED]))
