"""The only reader and writer of a run folder. What is written is whole or absent."""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fmreport.errors import StoreError
from fmreport.measures.summary import columns_of_tables
from fmreport.records import Column, Facts, ProbeFact, Tiles

FORMAT = 1
"""Version of the run folder's layout."""
MANIFEST = "manifest.json"
TABLES = {
    "layers": "layers.csv",
    "inventory": "inventory.csv",
    "summary": "summary.csv",
    "samples": "samples.parquet",
    "channels": "channels.parquet",
    "histograms": "histograms.parquet",
}

TEXT = ("tap", "layer", "path", "type", "shape", "dtype", "zeros", "zeros_reason", "taps", "reason")
"""Columns of the CSV tables that hold text."""


class Draft:
    """A run folder that is being written, under another name beside its destination."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, path: str, data: bytes) -> None:
        """Writes one file at a path inside the folder."""
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)

    def write_table(self, name: str, table: pd.DataFrame) -> None:
        """Writes one of `TABLES`."""
        path = self.folder / "tables" / TABLES[name]
        path.parent.mkdir(exist_ok=True)
        if path.suffix == ".csv":
            path.write_text(table.to_csv(index=False, lineterminator="\n"), encoding="utf-8")
        else:
            table.to_parquet(path, index=False)

    def write_tiles(self, order: int, tiles: Tiles) -> None:
        """Writes the maps of one tap, named by its place in the model."""
        path = self.folder / _tiles_path(order)
        path.parent.mkdir(exist_ok=True)
        arrays = {name: value for name, value in asdict(tiles).items() if name != "tap"}
        np.savez_compressed(path, **arrays)

    def write_pictures(self, pictures: Mapping[str, np.ndarray], masks: Mapping[str, np.ndarray]) -> None:
        """Writes the probes' pictures `(h, w, 3)` uint8 and masks `(h, w)` uint8 by the probes' names."""
        arrays: dict[str, np.ndarray] = {"pictures": np.array(list(pictures)), "masks": np.array(list(masks))}
        arrays |= {f"picture_{i}": picture for i, picture in enumerate(pictures.values())}
        arrays |= {f"mask_{i}": mask for i, mask in enumerate(masks.values())}
        path = self.folder / "maps" / "probes.npz"
        path.parent.mkdir(exist_ok=True)
        np.savez_compressed(path, **arrays)

    def write_manifest(self, facts: Facts) -> None:
        """Writes the manifest, which lists every other file with its hash: the last thing to be written."""
        files = sorted(p for p in self.folder.rglob("*") if p.is_file() and p.name != MANIFEST)
        outputs = {p.relative_to(self.folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}
        content = {"format": FORMAT, **asdict(facts), "outputs": outputs}
        self.write(MANIFEST, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())


def check_free(destination: Path, *, force: bool) -> None:
    """Raises `StoreError` unless a run may be written there."""
    if not destination.exists():
        return
    if not force:
        raise StoreError(
            f"{destination} exists already", fix="write another `release:` into the config, or replace it with --force"
        )
    if not (destination / MANIFEST).is_file() and (not destination.is_dir() or any(destination.iterdir())):
        raise StoreError(
            f"{destination} is no run, so --force does not replace it", fix="move it away, or choose another --out"
        )


@contextmanager
def drafting(destination: Path, *, force: bool) -> Iterator[Draft]:
    """A draft that becomes `destination` when the block ends; whatever else happens, `destination` stays as it was."""
    check_free(destination, force=force)
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{destination.name}.", suffix=".partial", dir=destination.parent))
    except OSError as error:
        raise _unwritable(destination, error) from error
    try:
        yield Draft(folder)
        folder.chmod(0o755)
        check_free(destination, force=force)
        _replace(folder, destination)
    except OSError as error:
        raise _unwritable(destination, error) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _replace(folder: Path, destination: Path) -> None:
    """Two renames, the second of which is taken back if it fails."""
    if not destination.exists():
        folder.rename(destination)
        return
    old = folder.with_suffix(".replaced")
    destination.rename(old)
    try:
        folder.rename(destination)
    except BaseException:
        old.rename(destination)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _unwritable(destination: Path, error: OSError) -> StoreError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreError(f"the disk is full: {destination} was not written", fix="free space, or choose another --out")
    reason = error.strerror or str(error)
    return StoreError(
        f"{destination} was not written: {reason}", fix="check the folder's permissions, or choose another --out"
    )


def _tiles_path(order: int) -> Path:
    return Path("maps") / f"{order:04d}.npz"


@dataclass(frozen=True)
class Run:
    """A run folder that is read: tables as DataFrames, and what a report shows. Nothing is read before it is asked for."""

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
        try:
            manifest = json.loads(path.read_bytes())
        except FileNotFoundError:
            raise StoreError(
                f"{self.folder} is no run: it has no {MANIFEST}", fix="give a folder that `fmreport run` wrote"
            ) from None
        except (OSError, ValueError) as error:
            raise StoreError(f"{path} cannot be read: {error}", fix="run it again") from error
        if not isinstance(manifest, dict):
            raise StoreError(f"{path} is no manifest", fix="run it again")
        return manifest

    @cached_property
    def facts(self) -> Facts:
        """What the run says of itself."""
        fields = {name: self._manifest[name] for name in Facts.__dataclass_fields__}
        probes = tuple(ProbeFact(**{**probe, "size": tuple(probe["size"])}) for probe in fields.pop("probes"))
        lists = {name: tuple(fields.pop(name)) for name in ("displayed", "notes")}
        return Facts(probes=probes, **lists, **fields)

    @cached_property
    def layers(self) -> pd.DataFrame:
        """One row per tap: what needs no image."""
        return self._table("layers")

    @cached_property
    def inventory(self) -> pd.DataFrame:
        """Every layer of the model, with its taps or the reason why it has none."""
        return self._table("inventory")

    @cached_property
    def summary(self) -> pd.DataFrame:
        """One row per tap, pooled over all probes."""
        return self._table("summary")

    @cached_property
    def samples(self) -> pd.DataFrame:
        """One row per probe and tap."""
        return self._table("samples")

    @cached_property
    def channels(self) -> pd.DataFrame:
        """One row per tap and channel, over all probes."""
        return self._table("channels")

    @cached_property
    def histograms(self) -> pd.DataFrame:
        """One row per tap and non-empty bin."""
        return self._table("histograms")

    @property
    def columns(self) -> dict[str, Column]:
        """Meaning, unit and source of every column of every table, by its name."""
        return columns_of_tables()

    @property
    def report(self) -> Path:
        """The HTML report, or the PDF where there is no HTML."""
        html = self.folder / "report.html"
        return html if html.exists() else self.folder / "report.pdf"

    def tiles(self, tap: str) -> Tiles | None:
        """The shown maps of a tap; None where it has no maps."""
        order = self.layers.loc[self.layers["tap"] == tap, "order"]
        path = self.folder / _tiles_path(int(order.iloc[0]))
        if not path.exists():
            return None
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files}
        probes, grid = tuple(map(str, arrays.pop("probes"))), arrays.pop("grid")
        return Tiles(tap=tap, probes=probes, grid=(int(grid[0]), int(grid[1])), **arrays)

    def pictures(self) -> dict[str, np.ndarray]:
        """The probes' pictures, `(h, w, 3)` uint8, by name."""
        return self._pictures("picture")

    def masks(self) -> dict[str, np.ndarray]:
        """The masks of the pictures that have one, `(h, w)` uint8: 0 background, 1 foreground, 255 ignored."""
        return self._pictures("mask")

    def _pictures(self, kind: str) -> dict[str, np.ndarray]:
        with np.load(self.folder / "maps" / "probes.npz") as file:
            return {str(name): file[f"{kind}_{i}"] for i, name in enumerate(file[f"{kind}s"])}

    def _table(self, name: str) -> pd.DataFrame:
        path = self.folder / "tables" / TABLES[name]
        try:
            if path.suffix == ".csv":
                # An empty field is missing; a layer called NA or null is not.
                table = pd.read_csv(path, dtype=dict.fromkeys(TEXT, str), keep_default_na=False, na_values=[""])
                return table.fillna({name: "" for name in TEXT if name in table})
            return pd.read_parquet(path)
        except (OSError, ValueError) as error:
            raise StoreError(f"{path} cannot be read: {error}", fix="run it again") from error

    def _repr_html_(self) -> str:
        """What a notebook shows: the summary table."""
        return str(self.summary.to_html(index=False))
