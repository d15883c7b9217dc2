"""Operations of a saved graph that do more than compute, found in the file before anything is loaded."""

from __future__ import annotations

from pathlib import Path

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
PYTHON = ("PyFunc", "PyFuncStateless", "EagerPyFunc")
"""They run Python."""


def refuse_operations(graph: Path, shown: str, *, trusted: bool) -> tuple[str, ...]:
    """Stops at a graph that reads or writes files or runs Python; where it is trusted, a note for the report instead.

    `shown` is the file as a message names it.
    """
    found = [*in_graph(graph, FILES), *in_graph(graph, PYTHON)]
    if not found:
        return ()
    names = ", ".join(found)
    if not trusted:
        raise SourceError(
            f"{shown} calls {names} of TensorFlow, which can do more than compute",
            fix="if you trust whoever made the file, write `trusted: true` under model",
        )
    return (
        f"the model calls {names}, which can read or write files or run Python; the config says that it is trusted",
    )


def in_graph(graph: Path, operations: tuple[str, ...]) -> list[str]:
    """Which of the operations a `saved_model.pb` or `.pb` holds, in any of its functions."""
    data = graph.read_bytes()
    # Field 2 of a node is its operation, written as tag, length and name.
    return [name for name in operations if b"\x12" + bytes([len(name)]) + name.encode() in data]
