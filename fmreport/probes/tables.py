"""The sources `csv` and `parquet`: a table that names an image in each row, with its mask and its group."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from fmreport.config.probes import CsvProbes, ParquetProbes, TableProbes
from fmreport.errors import ProbeError, nearest
from fmreport.probes.files import Origins, meaning_of
from fmreport.probes.listing import Listing
from fmreport.probes.places import INSTEAD, File, missing, placed
from fmreport.probes.probeset import ProbeFile

_NAMED = 12
"""Columns that one message offers."""
_TEXTS = ("string", "large_string", "string_view")


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of one row that the config asks for; an empty text where there is none."""

    at: str
    """`:3`, its line, or ` row 3`, counted from 1: what follows the table's name."""
    image: str
    mask: str = ""
    group: str = ""

    @property
    def told(self) -> str:
        """`line 3` or `row 3`."""
        return f"line {self.at[1:]}" if self.at.startswith(":") else self.at[1:]


Reader = Callable[[BinaryIO, Sequence[str]], Iterator[Row]]
"""From an open table and the columns of image, mask and group to its rows; `ProbeError`s name no table."""


def listed_csv(source: CsvProbes, base: Path) -> Listing:
    """The images that a CSV file names, with their masks and groups."""
    return _listed(source, base, _csv_rows)


def listed_parquet(source: ParquetProbes, base: Path) -> Listing:
    """The images that a Parquet file names, with their masks and groups."""
    return _listed(source, base, _parquet_rows)


def table_of(source: TableProbes, base: Path) -> tuple[File, str]:
    """The table's file, and what it is called."""
    file = placed(source.path, base)
    return file, Origins(base, source.path).of(file)


def _listed(source: TableProbes, base: Path, reader: Reader) -> Listing:
    table, called = table_of(source, base)
    columns = [source.image, source.mask or "", source.group or ""]
    try:
        with table.open() as handle:
            rows = list(islice(reader(handle, columns), source.limit))
    except OSError as error:
        message = f"path: {called} cannot be opened: {error.strerror or error}"
        raise ProbeError(message, fix="check the path and its permissions") from error
    except ProbeError as error:
        raise ProbeError(f"path: {called}{_joined(str(error))}", fix=error.fix) from error
    if not rows:
        raise ProbeError(f"path: {called} names no image", fix="give it a row for each image")
    found, problems = _Rows(source, base, table, called).probes(rows)
    if source.on_error == "stop":
        try:
            problems += _absent(called, found)
        except ProbeError as error:
            problems.append(ProbeError(f"path: {called}: {error}", fix=error.fix))
    return Listing(tuple(probe for _, probe in found), tuple(problems))


def _joined(reason: str) -> str:
    """A reason that begins with a line stands next to the table's name; another one behind a space."""
    return reason if reason.startswith(":") else f" {reason}"


def _absent(called: str, found: Sequence[tuple[Row, ProbeFile]]) -> list[ProbeError]:
    """An error for each image, and for each mask, that is no file: by the first row that names it."""
    images, masks = dict[File, tuple[Row, ProbeFile]](), dict[File, tuple[Row, ProbeFile]]()
    for row, probe in found:
        for files, place in ((images, probe.place), (masks, probe.mask)):
            if isinstance(place, File):
                files.setdefault(place, (row, probe))
    errors = []
    for file in missing(images):
        row, probe = images[file]
        kind = file.instead()
        said = f"which is {kind}" if kind else "and there is no such file"
        fix = "mend the table, whose paths count from its own folder, or leave it out: on_error: skip"
        errors.append(ProbeError(f"path: {called}{row.at}: names {probe.origin}, {said}", fix=INSTEAD.get(kind, fix)))
    for file in missing(masks):
        row, probe = masks[file]
        error = probe.no_mask()
        errors.append(ProbeError(f"mask: {called}{row.at}: {error}", fix=error.fix))
    return errors


class _Rows:
    """From rows to probes: paths count from the table's folder."""

    def __init__(self, source: TableProbes, base: Path, table: File, called: str) -> None:
        self._source, self._table, self._called = source, table, called
        self._meaning = meaning_of(source.mask_values)
        self._origins = Origins(base, source.path)
        self._masks: dict[str, tuple[File, str]] = {}

    def probes(self, rows: Sequence[Row]) -> tuple[list[tuple[Row, ProbeFile]], list[ProbeError]]:
        """The probes with their rows, each image once, and what is wrong with rows."""
        found: dict[str, tuple[Row, ProbeFile]] = {}
        problems = []
        for row in rows:
            try:
                probe = self._probe(row)
                first, same = found.setdefault(probe.place.path, (row, probe))
                if same is not probe:
                    said = f"{probe.origin} stands already in {first.told}"
                    raise ProbeError(said, fix="name each image once")
            except ProbeError as error:
                problems.append(ProbeError(f"path: {self._called}{row.at}: {error}", fix=error.fix))
        return list(found.values()), problems

    def _probe(self, row: Row) -> ProbeFile:
        if not row.image:
            raise ProbeError(f"the column {self._source.image!r} is empty", fix="name an image, or take the row out")
        image = self._table.beside(row.image)
        origin = self._origins.of(image)
        if not row.mask:
            return ProbeFile(image, origin, group=row.group)
        if row.mask not in self._masks:
            mask = self._table.beside(row.mask)
            self._masks[row.mask] = mask, self._origins.of(mask)
        mask, called = self._masks[row.mask]
        if mask == image:
            raise ProbeError(f"{origin} would be its own mask", fix="name the mask's file")
        return ProbeFile(image, origin, mask, called, self._meaning, row.group)


def _csv_rows(handle: BinaryIO, columns: Sequence[str]) -> Iterator[Row]:
    """Rows of a CSV file; cells are text as they stand, without spaces around them."""
    data = handle.read()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        found = f":{line}: not UTF-8 text (byte 0x{data[error.start]:02x})"
        raise ProbeError(found, fix="save the table as UTF-8") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        names = [name.strip() for name in next(reader, [])]
        at = [_column(name, names) if name else -1 for name in columns]
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(names):
                found = f":{reader.line_num}: {len(cells)} cells under {len(names)} columns"
                raise ProbeError(found, fix="put a cell that holds a comma in quotes")
            yield Row(f":{reader.line_num}", *(cells[number].strip() if number >= 0 else "" for number in at))
    except csv.Error as error:
        raise ProbeError(f":{reader.line_num}: {error}", fix="close every quote, and double those inside") from error


def _parquet_rows(handle: BinaryIO, columns: Sequence[str]) -> Iterator[Row]:
    """Rows of a Parquet file, of which these columns alone are read."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(handle)
        schema = file.schema_arrow
        for name in filter(None, columns):
            _text_column(name, str(schema.field(_column(name, schema.names)).type))
        number = 0
        for batch in file.iter_batches(columns=sorted({name for name in columns if name})):
            cells = [_texts(batch.column(name).to_pylist()) if name else [""] * len(batch) for name in columns]
            for image, mask, group in zip(*cells, strict=True):
                number += 1
                yield Row(f" row {number}", image, mask, group)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ProbeError(f"cannot be read as Parquet: {reason}", fix="write it again, it is damaged") from error


def _column(name: str, names: Sequence[str]) -> int:
    """Where a column stands, or a `ProbeError` with those that there are."""
    if names.count(name) == 1:
        return names.index(name)
    if name in names:
        raise ProbeError(f"has {names.count(name)} columns called {name!r}", fix="give each column a name of its own")
    if len(names) == 1 and any(mark in names[0] for mark in ";\t"):
        raise ProbeError(f"has one column, {names[0]!r}", fix="save the table with commas between its cells")
    there = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
    said = f"has no column {name!r}; it has {there}" if names else "is empty"
    fix = nearest(name, names, most=_NAMED) if names else "write the columns' names into its first line"
    raise ProbeError(said, fix=fix)


def _text_column(name: str, kind: str) -> None:
    plain = kind.removeprefix("dictionary<values=").partition(",")[0]
    if plain not in _TEXTS and not plain.startswith(("int", "uint")):
        raise ProbeError(f"column {name!r} holds {kind}, not text", fix="write it as text")


def _texts(cells: Sequence[object]) -> list[str]:
    return ["" if cell is None else str(cell).strip() for cell in cells]
