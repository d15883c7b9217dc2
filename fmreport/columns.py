"""What every column of every table means, table by table."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from fmreport import analysis
from fmreport.analysis.progression import CONTROLS
from fmreport.measures import Level, Measure, load, summary
from fmreport.records import ATTRIBUTION, BLOCKS, INVENTORY, LAYERS, TAP, TAP_OR_IMAGE, Column, explained

PROBE, CHANNEL = explained(
    "taps-and-tables",
    Column("probe", "", "name of the probe"),
    Column("channel", "number", "number of the channel, from 0"),
)
BIN = explained(
    "histogram-and-quantiles",
    Column("low", "activation", "the end of a bin that is less; both are 0 in the bin of zeros"),
    Column("high", "activation", "the end of a bin that is greater; the end that is farther from 0 is not in the bin"),
)


def described() -> dict[str, dict[str, Column]]:
    """Of every table that a run may have, each column that it may have, by name; what stands later counts."""
    measures = load().values()
    of_channels, of_images, of_bins = (_sums(measures, per) for per in ("channel", "image", "bin"))
    of_layers = (*LAYERS, *INVENTORY)
    tables: dict[str, Iterable[Column]] = {
        "layers": LAYERS,
        "inventory": of_layers,
        "blocks": (*of_layers, *BLOCKS),
        "summary": (TAP, *of_channels, *_derived(measures, "tap"), *summary.COLUMNS),
        "samples": (PROBE, TAP_OR_IMAGE, *of_channels, *of_images, *_derived(measures, "sample")),
        "channels": (TAP, CHANNEL, *of_channels, *_derived(measures, "channel")),
        "histograms": (TAP, *BIN, *of_bins),
        **{name: made.columns for name, made in analysis.load().items()},
        "controls": CONTROLS,
        "attribution": ATTRIBUTION,
    }
    return {table: {column.name: column for column in columns} for table, columns in tables.items()}


def _sums(measures: Iterable[Measure], per: str) -> tuple[Column, ...]:
    found = (explained(m.method, *(s.column for s in m.sums if s.per == per)) for m in measures)
    return tuple(chain.from_iterable(found))


def _derived(measures: Iterable[Measure], level: Level) -> tuple[Column, ...]:
    found = (explained(m.method, *(d.column for d in m.columns if level in d.levels)) for m in measures)
    return tuple(chain.from_iterable(found))
