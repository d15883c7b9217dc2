"""The rows of `samples`, written while they come and read by columns: they may be more than memory holds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
from pyarrow import parquet

GROUP = 1 << 17
"""Rows that are written together, and that a reader takes at once at least."""


def read(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """All rows of the named columns, as far as there are such; text as categories, so that each name is held once."""
    schema = parquet.read_schema(path)
    names = [name for name in columns if name in schema.names]
    text = [name for name in names if schema.field(name).type in (pa.string(), pa.large_string())]
    table = parquet.read_table(path, columns=names, read_dictionary=text)
    frame: pd.DataFrame = table.to_pandas(split_blocks=True, self_destruct=True)
    return frame


class ParquetRows:
    """A Parquet file that grows by groups of rows."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: parquet.ParquetWriter | None = None
        self._waiting: list[pa.Table] = []

    def add(self, rows: pd.DataFrame) -> None:
        """Takes rows, whose columns and formats are those of the first."""
        schema = None if not self._waiting and self._writer is None else self._schema()
        self._waiting.append(pa.Table.from_pandas(rows, schema=schema, preserve_index=False))
        if sum(len(table) for table in self._waiting) >= GROUP:
            self._write()

    def read(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """All rows; if there are names, of those columns alone, as `read` has them. No more can be added."""
        if self._waiting:
            self._write()
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        return pd.read_parquet(self._path) if columns is None else read(self._path, columns)

    def _schema(self) -> pa.Schema:
        return self._waiting[0].schema if self._writer is None else self._writer.schema

    def _write(self) -> None:
        if self._writer is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = parquet.ParquetWriter(self._path, self._schema())
        table = pa.concat_tables(self._waiting)
        self._waiting = []
        self._writer.write_table(table, row_group_size=len(table))
