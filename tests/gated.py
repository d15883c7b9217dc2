"""Runs on the disk with planted numbers, for the gate to judge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from run_data import HOSTILE, SyntheticRun, TapSpec, make_run

from fmreport.analysis import ANALYSES
from fmreport.store import TABLES, Run, drafting

SPECS = (
    TapSpec("stem/conv", "Conv2D", (24, 24, 8), "signed", 0.5),
    TapSpec("stem/relu", "ReLU", (24, 24, 8), "relu", 0.5),
    TapSpec("body/conv", "Conv2D", (12, 12, 16), "signed"),
    TapSpec("body/relu", "ReLU", (12, 12, 16), "relu"),
    TapSpec(HOSTILE, "Conv2D", (6, 6, 4), "signed"),
    TapSpec("head", "Dense", (10,), "signed"),
)


@cache
def synthetic(*, without: str = "") -> SyntheticRun:
    """A run of six taps, or of all but one."""
    return make_run([spec for spec in SPECS if spec.name != without], shown=4, tile=16, probes=("cat", "coffee"))


def write(
    folder: Path,
    *,
    without: str = "",
    planted: Mapping[str, Mapping[str, Any]] | None = None,
    config: Mapping[str, Any] | None = None,
    **facts: Any,
) -> Run:
    """Writes a run to .../name/release; `planted` are values of the table `summary`, by tap and column."""
    made = synthetic(without=without)
    summary = made.summary.set_index("tap")
    for tap, values in (planted or {}).items():
        for column, value in values.items():
            summary.loc[tap, column] = value
    told = replace(made.facts, name=folder.parent.name, release=folder.name, **facts)
    told = replace(told, config={**told.config, **(config or {})})
    with drafting(folder, force=False) as draft:
        for name in TABLES:
            table = summary.reset_index() if name == "summary" else None
            if name in ANALYSES:
                table = made.analyses[name]
            if name != "attribution":
                draft.write_table(name, getattr(made, name) if table is None else table)
        draft.write("report.html", b"<html>")
        draft.write_manifest(told)
    return Run.open(folder)
