"""The only reader and writer of a run folder. What is written is whole or absent."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from pyarrow import parquet

from fmreport import analysis, columns
from fmreport.errors import StoreError, nearest
from fmreport.records import ATTRIBUTION, BLOCKS, INVENTORY, LAYERS, OPTIONAL, Column, Facts, ProbeFact, Tiles

T = TypeVar("T")

FORMAT = 1
"""Version of the run folder's layout."""
MANIFEST = "manifest.json"
COMPARISON = "diff.json"
"""What a folder with a comparison of two runs holds beside its views."""
MADE_OF = ("tables", "maps", "templates")
"""Folders of what a report is made from."""
PICTURES = "maps/probes.npz"
TILES = "maps/{:04d}.npz"
ATTRIBUTED = "maps/{:04d}_attribution.npz"
TABLES = {
    "layers": "layers.csv",
    "inventory": "inventory.csv",
    "blocks": "blocks.csv",
    "summary": "summary.csv",
    "samples": "samples.parquet",
    "channels": "channels.parquet",
    "histograms": "histograms.parquet",
    **{name: f"{name}.csv" for name in analysis.ANALYSES},
    "controls": "controls.csv",
    "attribution": "attribution.csv",
}
LATEX = {name: f"tables/{name}.tex" for name in ("blocks", "layers", "progression", "findings")}
"""Views of tables, for a paper, that lie beside them: made from them as a report is, and not read again."""

TEXT = tuple(
    column.name for column in (*LAYERS, *INVENTORY, *BLOCKS, *ATTRIBUTION, *analysis.columns()) if not column.unit
)
"""Columns of the CSV tables that hold text."""
UNREADABLE = (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error)
"""What a damaged file of a run can make its readers raise."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A run folder that is being written, under another name beside its destination."""

    folder: Path

    def write(self, path: str, data: bytes) -> None:
        """Writes one file at a path inside the folder."""
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)

    def write_table(self, name: str, table: pd.DataFrame) -> None:
        """Writes one of `TABLES`."""
        file = TABLES[name]
        as_csv = file.endswith(".csv")
        data = table.to_csv(index=False, lineterminator="\n").encode() if as_csv else table.to_parquet(index=False)
        self.write(f"tables/{file}", data)

    def write_tiles(self, order: int, tiles: Tiles, *, attribution: bool = False) -> None:
        """Writes the maps of one tap, named by its place in the model; with `attribution`, those of its attribution."""
        path = (ATTRIBUTED if attribution else TILES).format(order)
        self.write(path, _npz({name: value for name, value in asdict(tiles).items() if name != "tap"}))

    def write_pictures(self, pictures: Mapping[str, np.ndarray], masks: Mapping[str, np.ndarray]) -> None:
        """Writes the probes' pictures `(h, w, 3)` uint8 and masks `(h, w)` uint8 by the probes' names."""
        arrays: dict[str, Any] = {"pictures": np.array(list(pictures)), "masks": np.array(list(masks))}
        arrays |= {f"picture_{i}": picture for i, picture in enumerate(pictures.values())}
        arrays |= {f"mask_{i}": mask for i, mask in enumerate(masks.values())}
        self.write(PICTURES, _npz(arrays))

    def write_manifest(self, facts: Facts) -> None:
        """Writes the manifest, which lists every other file with its hash: the last thing to be written."""
        files = sorted(p for p in self.folder.rglob("*") if p.is_file() and p != self.folder / MANIFEST)
        outputs = {p.relative_to(self.folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}
        self.write(MANIFEST, _json({"format": FORMAT, **asdict(facts), "outputs": outputs}))


def _json(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()


def _npz(arrays: Mapping[str, Any]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def check_free(destination: Path, *, force: bool) -> None:
    """Raises `StoreError` unless a run may be written there."""
    if not os.path.lexists(destination):
        return
    if not force:
        raise StoreError(
            f"{destination} exists already",
            fix="write another `release:` into the config, name another --out, or replace it with --force",
        )
    if not _replaceable(destination):
        raise StoreError(
            f"{destination} is no run and no comparison, so --force does not replace it",
            fix="move it away, or choose another --out",
        )


def _replaceable(folder: Path) -> bool:
    """Whether a folder is empty, a run or a comparison, of any format. Other programs write a manifest.json too."""
    try:
        if not any(folder.iterdir()):
            return True
    except OSError:
        return False
    return _holds(folder / MANIFEST, {"format", "outputs", "probes"}) or _holds(
        folder / COMPARISON, {"format", "a", "b", "verdict"}
    )


def _holds(path: Path, keys: set[str]) -> bool:
    """Whether a JSON file is there and has these keys."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and keys <= found.keys()


@contextmanager
def drafting(destination: Path, *, force: bool) -> Iterator[Draft]:
    """A draft that becomes `destination` when the block ends; whatever else happens, `destination` stays as it was."""
    check_free(destination, force=force)
    made: list[Path] = []
    try:
        target = destination.resolve()
        made += [parent for parent in target.parents if not parent.exists()]
        target.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent))
        try:
            yield Draft(folder)
            folder.chmod(0o755)
            check_free(destination, force=force)
            _replace(folder, target)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        raise _unwritable(destination, error) from error
    finally:
        for parent in made:
            with suppress(OSError):  # of a run that was written they are not empty
                parent.rmdir()


def _replace(folder: Path, destination: Path) -> None:
    """Two renames, the first of which is taken back if the second fails."""
    old = folder.with_suffix(".replaced")
    try:
        if destination.exists():
            destination.rename(old)
        folder.rename(destination)
    except BaseException:
        if old.exists() and not destination.exists():
            old.rename(destination)
        raise
    finally:
        if destination.exists():
            shutil.rmtree(old, ignore_errors=True)


def _unwritable(destination: Path, error: OSError) -> StoreError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreError(f"the disk is full: {destination} was not written", fix="free space, or choose another --out")
    message = f"{destination} was not written: {error.strerror or error}"
    return StoreError(message, fix="check the folder's permissions, or choose another --out")


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


def _facts(manifest: Mapping[str, Any]) -> Facts:
    fields = {name: manifest[name] for name in Facts.__dataclass_fields__}
    fields |= {name: tuple(fields[name]) for name in ("displayed", "notes")}
    fields["probes"] = tuple(ProbeFact(**{**probe, "size": tuple(probe["size"])}) for probe in fields["probes"])
    return Facts(**fields)


@dataclass(frozen=True)
class Run:
    """A run folder that is read: tables as DataFrames, and what a report shows; each is read when it is asked for."""

    folder: Path

    @classmethod
    def open(cls, folder: Path | str) -> Run:
        """The run in a folder; raises `StoreError` where there is none or where it is of another format."""
        run = cls(Path(folder))
        found = run._manifest.get("format")
        if found != FORMAT:
            raise StoreError(f"{folder} has run format {found}, this version reads {FORMAT}", fix="run it again")
        return run

    @cached_property
    def _manifest(self) -> dict[str, Any]:
        path = self.folder / MANIFEST
        if not path.is_file():
            raise StoreError(f"{self.folder} is no run: it has no {MANIFEST}", fix="give a folder that a run wrote")
        manifest = _read(path, lambda found: json.loads(found.read_bytes()))
        if not isinstance(manifest, dict):
            raise StoreError(f"{path} is no manifest", fix="run it again")
        return manifest

    @cached_property
    def facts(self) -> Facts:
        """What the run says of itself."""
        return _read(self.folder / MANIFEST, lambda _: _facts(self._manifest))

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
        """One row per probe and tap."""
        return self.table("samples")

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
        for path, digest in self._manifest.get("outputs", {}).items():
            if path.partition("/")[0] not in ("tables", "maps") or path in LATEX.values():
                continue
            file = self.folder / path
            if not file.is_file():
                raise StoreError(f"{file} is missing", fix="restore it, or run again")
            if hashlib.sha256(file.read_bytes()).hexdigest() != digest:
                raise StoreError(f"{file} is not what the run wrote", fix="restore it, or run again")

    @cached_property
    def columns(self) -> dict[str, dict[str, Column]]:
        """Of every table the meaning, unit, source and method of each column that it may have, by name."""
        return columns.described()

    @cached_property
    def record(self) -> bytes:
        """The manifest as it was before there was a report: its outputs are what a report is made from."""
        outputs = self._manifest.get("outputs", {})
        kept = {path: digest for path, digest in outputs.items() if path.partition("/")[0] in MADE_OF}
        return _json({**self._manifest, "outputs": kept})

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
        """One of `TABLES`, read anew."""
        return _read(self.folder / "tables" / TABLES[name], _read_table)

    def names(self, table: str) -> list[str]:
        """The columns of one of `TABLES`, of which no row is read."""
        return _read(self.folder / "tables" / TABLES[table], _read_names)

    def _repr_html_(self) -> str:
        """What a notebook shows: the summary table."""
        return str(self.summary.to_html(index=False))
