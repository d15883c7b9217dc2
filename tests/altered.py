"""A made-up run with something of it changed, for comparisons; and a run in memory as a folder."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from run_data import SyntheticRun

from fmreport.store import TABLES, Run, drafting

TABLES_OF_TAPS = ("layers", "summary", "samples", "channels", "histograms", "controls")


def another(run: SyntheticRun, **facts: Any) -> SyntheticRun:
    """A copy that can be changed, with other facts."""
    made = copy.deepcopy(run)
    made.facts = replace(made.facts, **facts)
    return made


def with_probes(run: SyntheticRun, sha: Mapping[str, str], *, masks: bool = True) -> SyntheticRun:
    """The probes with these SHA-256, and with masks or without."""
    probes = tuple(replace(each, sha256=sha.get(each.name, each.sha256)) for each in run.facts.probes)
    return another(run, probes=tuple(each if masks else replace(each, mask_sha256="00") for each in probes))


def renamed(run: SyntheticRun, names: Mapping[str, str]) -> SyntheticRun:
    """With other names for some of its taps and their layers."""
    made = another(run)
    for table in TABLES_OF_TAPS:
        held = getattr(made, table)
        setattr(made, table, held.replace({"tap": names, "layer": names} if "layer" in held else {"tap": names}))
    made.inventory = made.inventory.replace({"path": names, "taps": names})
    made.analyses = {
        name: held.replace({"tap": names}) if "tap" in held else held for name, held in made.analyses.items()
    }
    made.all_tiles = {
        names.get(tap, tap): replace(each, tap=names.get(tap, tap)) for tap, each in made.all_tiles.items()
    }
    return made


def without(run: SyntheticRun, *taps: str) -> SyntheticRun:
    """Without some of its taps and their layers."""
    made = another(run)
    for table in TABLES_OF_TAPS:
        held = getattr(made, table)
        setattr(made, table, held[~held["tap"].isin(taps)].reset_index(drop=True))
    made.inventory = made.inventory[~made.inventory["path"].isin(taps)].reset_index(drop=True)
    made.analyses = {
        name: held[~held["tap"].isin(taps)] if "tap" in held else held for name, held in made.analyses.items()
    }
    made.all_tiles = {tap: each for tap, each in made.all_tiles.items() if tap not in taps}
    return made


def raised(run: SyntheticRun, tap: str, measure: str, by: Mapping[str, float] | float) -> SyntheticRun:
    """With one measure of a tap raised, in every image or in some."""
    made = another(run)
    of_tap = made.samples["tap"] == tap
    more = by if isinstance(by, float) else made.samples.loc[of_tap, "probe"].map(by).fillna(0.0)
    made.samples.loc[of_tap, measure] += more
    return made


def silenced(run: SyntheticRun, tap: str, *channels: int) -> SyntheticRun:
    """With channels of a tap that are silent."""
    made = another(run)
    made.channels.loc[(made.channels["tap"] == tap) & made.channels["channel"].isin(channels), "silent"] = True
    return made


def many_images(run: SyntheticRun, count: int) -> SyntheticRun:
    """With as many probes, whose rows are those of the run's first, a little apart."""
    first, *_ = run.facts.probes
    probes = tuple(replace(first, name=f"p{i}", sha256=f"{i:064x}", has_mask=False) for i in range(count))
    rows = run.samples[run.samples["probe"] == first.name]
    numbers = rows.select_dtypes("number").columns
    frames = []
    for i in range(count):
        made = rows.assign(probe=f"p{i}")
        made[numbers] = rows[numbers] * (1 + 0.01 * i)
        frames.append(made)
    return replace(
        another(run, probes=probes, displayed=("p0",)),
        samples=pd.concat(frames, ignore_index=True),
        all_pictures={"p0": run.all_pictures[first.name]},
        all_masks={},
        all_tiles={
            tap: replace(each, probes=("p0",), values=each.values[:1], low=each.low[:1], high=each.high[:1])
            for tap, each in run.all_tiles.items()
        },
    )


def stored(run: SyntheticRun, folder: Path) -> Run:
    """The same as a folder that `Run` reads."""
    with drafting(folder, force=False) as draft:
        for name in TABLES.keys() - {"attribution"}:
            draft.write_table(name, run.table(name))
        orders = dict(zip(run.layers["tap"], run.layers["order"], strict=True))
        for tap, tiles in run.all_tiles.items():
            draft.write_tiles(int(orders[tap]), tiles)
        draft.write_pictures(run.all_pictures, run.all_masks)
        config = {**run.facts.config, "release": run.facts.release}
        draft.write_manifest(replace(run.facts, config=config, model={"signature": "", **run.facts.model}))
    return Run.open(folder)
