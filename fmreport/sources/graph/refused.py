"""Operations of a saved graph that do more than compute, found in the file before anything is loaded.

The file is read as protocol buffers are written, field by field, so that no way of writing hides an operation.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fmreport.errors import SourceError

FILES = (
    "ReadFile", "WriteFile", "MatchingFiles", "WholeFileReader", "WholeFileReaderV2", "TextLineReader",
    "TextLineReaderV2", "FixedLengthRecordReader", "FixedLengthRecordReaderV2", "TFRecordReader", "TFRecordReaderV2",
    "LMDBReader", "TextLineDataset", "TFRecordDataset", "TFRecordDatasetV2", "FixedLengthRecordDataset",
    "FixedLengthRecordDatasetV2", "SaveDataset", "SaveDatasetV2", "LoadDataset", "SnapshotDataset", "SnapshotDatasetV2",
    "CacheDataset", "CacheDatasetV2", "SqlDataset", "ImmutableConst", "PrintV2", "CreateSummaryFileWriter",
    "CreateSummaryDbWriter", "DebugIdentity", "DebugIdentityV2", "DebugIdentityV3", "SaveSlices", "Save",
)  # fmt: skip
"""They read or write files. Those with which a SavedModel restores its own variables and tables are not among them."""
SIZES = {1: 8, 5: 4}
"""Bytes of the two kinds of fields that have a fixed size."""
PYTHON = ("PyFunc", "PyFuncStateless", "EagerPyFunc")
"""They run Python."""


CHUNKED = "saved_model.cpb"
"""TensorFlow takes this before `saved_model.pb`; here only the latter is looked through."""
IN_GRAPH = {1: {2: None}, 2: {1: {3: {2: None}}}}
"""Fields that lead to the operations of a `GraphDef`: of its nodes, and of the nodes of its library's functions."""
IN_SAVED_MODEL = {2: {2: IN_GRAPH}}
"""The same for a `SavedModel`, which holds graphs in meta graphs."""


def refuse_operations(graph: Path, shown: str, *, trusted: bool) -> tuple[str, ...]:
    """Stops at a graph that reads or writes files or runs Python; where it is trusted, a note for the report instead.

    `graph` is a `saved_model.pb` or a frozen graph; `shown` names it in messages.
    """
    if (graph.parent / CHUNKED).exists() and graph.name == "saved_model.pb":
        raise SourceError(f"{shown} is saved in chunks ({CHUNKED})", fix="save it again in one piece")
    try:
        held = set(operations(graph.read_bytes(), saved_model=graph.name == "saved_model.pb"))
    except ValueError as error:
        raise SourceError(
            f"{shown} cannot be opened: {graph.name} {error}", fix="copy it again from its origin"
        ) from error
    found = [name for name in (*FILES, *PYTHON) if name in held]
    if not found:
        return ()
    names = ", ".join(found)
    if not trusted:
        raise SourceError(
            f"{shown} calls {names} of TensorFlow, which can do more than compute",
            fix="if you trust whoever made the file, write `trusted: true` under model",
        )
    return (f"The model calls {names}, which can read or write files or run Python; the config trusts it",)


def operations(data: bytes, *, saved_model: bool) -> Iterator[str]:
    """The type of every operation in a `SavedModel` or `GraphDef`; raises `ValueError` where it is damaged."""
    waiting: list[tuple[int, int, Any]] = [(0, len(data), IN_SAVED_MODEL if saved_model else IN_GRAPH)]
    while waiting:
        start, end, wanted = waiting.pop()
        for field, first, last in _fields(data, start, end):
            if field in wanted:
                inside = wanted[field]
                if inside is None:
                    yield data[first:last].decode("utf-8", "replace")
                else:
                    waiting.append((first, last, inside))


def _fields(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """(number, start, end) of every field of a message that holds bytes, a text or another message."""
    while at < end:
        key, at = _number(data, at, end)
        kind = key & 7
        if kind == 0:
            _, at = _number(data, at, end)
            continue
        if kind == 2:
            size, at = _number(data, at, end)
        elif kind in SIZES:
            size = SIZES[kind]
        else:
            raise ValueError(f"is no graph at byte {at:,}")
        if at + size > end:
            raise ValueError(f"ends in the middle, at byte {end:,}")
        if kind == 2:
            yield key >> 3, at, at + size
        at += size


def _number(data: bytes, at: int, end: int) -> tuple[int, int]:
    """A number of variable length, and where it ends."""
    value = shift = 0
    while at < end and shift < 70:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
        shift += 7
    raise ValueError(f"is no graph at byte {at:,}")
