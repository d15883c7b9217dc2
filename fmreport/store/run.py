"""Reading a run folder."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
from pyarrow import parquet

from fmreport import analysis, columns, manifest
from fmreport.errors import StoreError, nearest
from fmreport.facts import Facts
from fmreport.manifest import Manifest
from fmreport.records import ATTRIBUTION, OPTIONAL, Column, Tiles
from fmreport.store import probes, rows
from fmreport.store.draft import Draft, file_fact
from fmreport.store.layout import ATTRIBUTED, EXECUTION, LATEX, MADE_OF, MANIFEST, PICTURES, TABLES, TEXT, TILES

T = TypeVar("T")

UNREADABLE = (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error)
"""What a damaged file of a run can make its readers raise."""


def _read(path: Path, reader: Callable[[Path], T]) -> T:
    """What the reader makes of a file; a `StoreError` where the file is missing or damaged."""
    try:
        return reader(path)
    except UNREADABLE as error:
        reason = f"it has no {error}" if isinstance(error, KeyError) else error
        raise StoreError(f"{path} cannot be read: {reason}", fix="run it again") from error


def _read_names(path: Path) -> list[str]:
    if path.suffix != ".csv":
        return list(parquet.read_schema(path).names)
    return list(pd.read_csv(path, nrows=0).columns)


def _read_table(path: Path) -> pd.DataFrame:
    if path.suffix != ".csv":
        return pd.read_parquet(path)
    dtypes = dict.fromkeys(TEXT, "str") | dict.fromkeys(OPTIONAL, "Int64")
    # An empty field is missing; a layer called NA or null is not.
    table = pd.read_csv(path, dtype=dtypes, keep_default_na=False, na_values=[""])
    return table.fillna({name: "" for name in TEXT if name in table})


def _read_tiles(path: Path, tap: str) -> Tiles:
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    probes, (height, width) = tuple(map(str, arrays.pop("probes"))), map(int, arrays.pop("grid"))
    return Tiles(tap=tap, probes=probes, grid=(height, width), **arrays)


def _read_pictures(path: Path, kind: str) -> dict[str, np.ndarray]:
    with np.load(path) as file:
        return {str(name): file[f"{kind}_{i}"] for i, name in enumerate(file[f"{kind}s"])}


@dataclass(frozen=True)
class Run:
    """A run folder that is read: tables as DataFrames, and what a report shows; each is read when it is asked for."""

    folder: Path
    manifest: Manifest

    @classmethod
    def open(cls, folder: Path | str) -> Run:
        """The run in a folder; raises `StoreError` where there is none, or one of a format that is not known."""
        folder = Path(folder)
        path = folder / MANIFEST
        if not path.is_file():
            raise StoreError(f"{folder} is no run: it has no {MANIFEST}", fix="give a folder that a run wrote")
        data, table = _read(path, Path.read_bytes), folder / manifest.PROBES
        return cls(folder, manifest.read(data, str(path), partial(probes.reading, table)))

    @classmethod
    def drafted(cls, draft: Draft, facts: Facts) -> Run:
        """The run in a draft, which has no manifest yet: its files are those that lie there now."""
        return cls(draft.folder, Manifest(facts, draft.recorded(), manifest.FORMAT, ""))

    @property
    def facts(self) -> Facts:
        """What the run says of itself."""
        return self.manifest.facts

    @cached_property
    def layers(self) -> pd.DataFrame:
        """One row per tap: what needs no image."""
        return self.table("layers")

    @cached_property
    def inventory(self) -> pd.DataFrame:
        """Every layer of the model, with its taps or the reason why it has none."""
        return self.table("inventory")

    @cached_property
    def blocks(self) -> pd.DataFrame:
        """One row per part of the model, in the order in which it runs; they add up to the whole."""
        return self.table("blocks")

    @cached_property
    def summary(self) -> pd.DataFrame:
        """One row per tap, pooled over all probes."""
        return self.table("summary")

    @cached_property
    def samples(self) -> pd.DataFrame:
        """One row per probe and tap: all columns at once, see `samples_of`."""
        return self.table("samples")

    def samples_of(self, names: Sequence[str]) -> pd.DataFrame:
        """The named columns of `samples`, as far as there are such, read anew: of very many probes all are too many.

        Text is there as categories.
        """
        return _read(self.folder / "tables" / TABLES["samples"], lambda path: rows.read(path, names))

    @cached_property
    def channels(self) -> pd.DataFrame:
        """One row per tap and channel, over all probes."""
        return self.table("channels")

    @cached_property
    def histograms(self) -> pd.DataFrame:
        """One row per tap and non-empty bin."""
        return self.table("histograms")

    @cached_property
    def analyses(self) -> dict[str, pd.DataFrame]:
        """The table of every analysis, by its name; without a row where there was nothing to tell."""
        return {name: self.table(name) for name in analysis.ANALYSES}

    @cached_property
    def controls(self) -> pd.DataFrame:
        """Quantities of the table `progression` with randomised weights, one row per seed, tap and quantity."""
        return self.table("controls")

    @cached_property
    def attribution(self) -> pd.DataFrame:
        """One row per tap and displayed probe; without a row where the config has no target."""
        if not self.facts.target:
            return pd.DataFrame(columns=[column.name for column in ATTRIBUTION])
        return self.table("attribution")

    def check_inputs(self) -> None:
        """Raises `StoreError` where what a report is made from is missing or is not what the run recorded."""
        for path, fact in self.manifest.outputs.items():
            if not self.checked(path):
                continue
            file = self.folder / path
            if not file.is_file():
                raise StoreError(f"{file} is missing", fix="restore it, or run again")
            if file_fact(file).sha256 != fact.sha256:
                raise StoreError(f"{file} is not what the run wrote", fix="restore it, or run again")

    def checked(self, path: str) -> str:
        """The recorded SHA-256 of what `check_inputs` looks at; of other files nothing."""
        fact = self.manifest.outputs.get(path)
        made_of = path.partition("/")[0] in ("tables", "maps") and path not in LATEX.values()
        return fact.sha256 if fact and made_of else ""

    @cached_property
    def columns(self) -> dict[str, dict[str, Column]]:
        """Of every table the meaning, unit, source and method of each column that it may have, by name."""
        return columns.described()

    @cached_property
    def record(self) -> bytes:
        """The manifest as it was before there was a report: its outputs are what a report is made from."""
        outputs = self.manifest.outputs
        kept = {path: fact for path, fact in outputs.items() if path.partition("/")[0] in MADE_OF}
        return manifest.written(self.facts, kept)

    @property
    def beside(self) -> str:
        """Path of the config from the run's folder, as it lay when the run was made; empty where that is not known."""
        path = self.folder / EXECUTION
        if not path.is_file():
            return ""
        return str(_read(path, lambda found: json.loads(found.read_bytes())["config"]))

    @property
    def report(self) -> Path:
        """The HTML report, or the PDF where there is no HTML."""
        html = self.folder / "report.html"
        return html if html.exists() else self.folder / "report.pdf"

    def tiles(self, tap: str) -> Tiles | None:
        """The shown maps of a tap; None where it has no maps. Raises `StoreError` for a tap that the run has not."""
        return self._tiles(tap, TILES)

    def attributed(self, tap: str) -> Tiles | None:
        """The maps of a tap's attribution, its channels those of `fmreport.attribution.METHODS`; None as for tiles."""
        return self._tiles(tap, ATTRIBUTED)

    def _tiles(self, tap: str, file: str) -> Tiles | None:
        orders = dict(zip(self.layers["tap"], self.layers["order"], strict=True))
        if tap not in orders:
            raise StoreError(f"{self.folder} has no tap {tap!r}", fix=nearest(tap, orders))
        path = self.folder / file.format(int(orders[tap]))
        if not path.exists():
            return None
        return _read(path, lambda found: _read_tiles(found, tap))

    def pictures(self) -> dict[str, np.ndarray]:
        """The probes' pictures, `(h, w, 3)` uint8, by name."""
        return _read(self.folder / PICTURES, lambda path: _read_pictures(path, "picture"))

    def masks(self) -> dict[str, np.ndarray]:
        """The masks of the pictures that have one, `(h, w)` uint8: 0 background, 1 foreground, 255 ignored."""
        return _read(self.folder / PICTURES, lambda path: _read_pictures(path, "mask"))

    def table(self, name: str) -> pd.DataFrame:
        """One of `TABLES`, read anew; that of an analysis which is younger than the run has no row."""
        if self._lacks(name):
            return pd.DataFrame(columns=self.names(name))
        return _read(self.folder / "tables" / TABLES[name], _read_table)

    def _lacks(self, table: str) -> bool:
        return table in analysis.ANALYSES and f"tables/{TABLES[table]}" not in self.manifest.outputs

    def names(self, table: str) -> list[str]:
        """The columns of one of `TABLES`, of which no row is read."""
        if self._lacks(table):
            return [column.name for column in analysis.load()[table].columns]
        return _read(self.folder / "tables" / TABLES[table], _read_names)

    def _repr_html_(self) -> str:
        """What a notebook shows: the summary table."""
        return str(self.summary.to_html(index=False))
