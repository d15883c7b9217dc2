"""The probes of a run that has very many, as a table that is read in parts: `tables/probes.parquet`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import fields
from itertools import islice
from pathlib import Path

import pyarrow as pa
from pyarrow import compute, parquet

from fmreport.errors import StoreError
from fmreport.facts import ProbeFact, ProbeTable, Reading

MOST = 1000
"""Probes that a manifest lists, at most: half a megabyte. Of more it would be no text that anyone reads, and every
command that opens the run, or an archive of runs, would wait for it."""
GROUP = 1 << 14
"""Rows that are written, and held, together."""
COLUMNS = pa.schema(
    [
        *((name, pa.string()) for name in ("name", "origin", "sha256")),
        ("height", pa.int64()),
        ("width", pa.int64()),
        ("has_mask", pa.bool_()),
        *((name, pa.string()) for name in ("mask_origin", "mask_sha256")),
        ("bytes", pa.int64()),
        ("media_type", pa.string()),
        ("mask_bytes", pa.int64()),
        ("mask_media_type", pa.string()),
        ("group", pa.string()),
    ]
)
"""In the order of a `ProbeFact`, of which `size` is two of them."""
OF_FACT = tuple(each.name for each in fields(ProbeFact))


def write(path: Path, probes: Sequence[ProbeFact]) -> ProbeTable:
    """Writes the table; returns the probes that are in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    left = iter(probes)
    with parquet.ParquetWriter(path, COLUMNS) as file:
        while some := tuple(islice(left, GROUP)):
            columns = {name: [getattr(probe, name) for probe in some] for name in OF_FACT if name != "size"}
            columns |= {side: [probe.size[axis] for probe in some] for axis, side in enumerate(("height", "width"))}
            file.write_table(pa.table(columns, schema=COLUMNS), row_group_size=GROUP)
    return ProbeTable(len(probes), sum(probe.has_mask for probe in probes), reading(path, len(probes)))


def reading(path: Path, images: int) -> Reading:
    """What reads the table of a run that tells of so many images; a `StoreError` where the table is not theirs."""

    def read(places: range, names: Collection[str] | None) -> Iterator[ProbeFact]:
        try:
            with parquet.ParquetFile(path) as file:
                if file.metadata.num_rows != images:
                    told = f"it tells of {file.metadata.num_rows:,} probes, and the manifest of {images:,}"
                    raise StoreError(f"{path} is not what the run wrote: {told}", fix="restore it, or run it again")
                for table in _parts(file, places):
                    kept = table if names is None else table.filter(compute.is_in(table["name"], _set(names)))
                    yield from _facts(kept)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(f"{path} cannot be read: {error}", fix="restore it, or run it again") from error

    return read


def _set(names: Collection[str]) -> pa.Array:
    return pa.array(sorted(names), pa.string())


def _parts(file: parquet.ParquetFile, places: range) -> Iterator[pa.Table]:
    """The rows at these places, which follow one another, those of one group at a time."""
    start = 0
    for group in range(file.num_row_groups):
        stop = start + file.metadata.row_group(group).num_rows
        first, last = max(places.start, start), min(places.stop, stop)
        if first < last:
            yield file.read_row_group(group, columns=COLUMNS.names).slice(first - start, last - first)
        start = stop


def _facts(table: pa.Table) -> Iterator[ProbeFact]:
    held = {name: table[name].to_pylist() for name in COLUMNS.names}
    held["size"] = list(zip(held.pop("height"), held.pop("width"), strict=True))
    for row in zip(*(held[name] for name in OF_FACT), strict=True):
        yield ProbeFact(*row)
