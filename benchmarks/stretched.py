"""A run with more taps and more probes than were measured: the same ones again, under other names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd

from fmreport.records import IMAGE, Tiles
from fmreport.store import TABLES, Run, drafting

NAMES = ("tap", "layer", "path", "block", "first", "other")
"""Columns that name taps, layers and parts."""
STEP = 100_000
"""Between the places of the same tap in the model."""


def write(run: Run, folder: Path, *, taps: int, probes: int) -> None:
    """Writes a run of `taps` taps whose probes are repeated `probes` times, into a new folder."""
    own = list(run.layers["tap"])
    copies = -(-taps // len(own))
    kept = [_again(tap, n) for n in range(copies) for tap in own][:taps]
    with drafting(folder, force=False) as draft:
        for name in TABLES:
            if (run.folder / "tables" / TABLES[name]).is_file():
                table = _repeated(run.table(name), copies)
                if "tap" in table and name != "inventory":
                    table = table[table["tap"].isin({*kept, IMAGE})]
                draft.write_table(name, _of_more_probes(table, probes) if name == "samples" else table)
        for n in range(copies):
            for tap, order in zip(own, run.layers["order"], strict=True):
                for found, attribution in ((run.tiles(tap), False), (_attributed(run, tap), True)):
                    if found is not None and _again(tap, n) in kept:
                        draft.write_tiles(
                            int(order) + n * STEP, replace(found, tap=_again(tap, n)), attribution=attribution
                        )
        draft.write_pictures(run.pictures(), run.masks())
        more = [replace(probe, name=_again(probe.name, n)) for n in range(1, probes) for probe in run.facts.probes]
        draft.write_manifest(replace(run.facts, probes=draft.write_probes((*run.facts.probes, *more))))


def _attributed(run: Run, tap: str) -> Tiles | None:
    return run.attributed(tap) if run.facts.target else None


def _again(name: str, n: int) -> str:
    return f"again{n}/{name}" if n and name != IMAGE else name


def _repeated(table: pd.DataFrame, copies: int) -> pd.DataFrame:
    """The rows once per copy, each naming the taps, layers and parts of its own; those of the image stay single."""
    made = [table]
    for n in range(1, copies):
        copy = table.copy()
        for name in NAMES:
            if name in copy and pd.api.types.is_string_dtype(copy[name]):
                copy[name] = [_again(value, n) if isinstance(value, str) and value else value for value in copy[name]]
        if "order" in copy:
            copy["order"] += n * STEP
        made.append(copy[copy["tap"] != IMAGE] if "tap" in copy else copy)
    return pd.concat(made, ignore_index=True)


def _of_more_probes(samples: pd.DataFrame, probes: int) -> pd.DataFrame:
    parts = [samples.assign(probe=[_again(name, n) for name in samples["probe"]]) for n in range(probes)]
    return pd.concat(parts, ignore_index=True)
