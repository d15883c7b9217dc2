"""Records of a TFRecord file by their number: where each begins is found once, by its length alone."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from struct import unpack
from typing import BinaryIO, overload

from fmreport.errors import ProbeError

_HEAD, _TAIL = 12, 4
"""Bytes around a record: its length and the length's checksum before it, the record's own behind."""


class Records:
    """One file's records; 8 bytes are kept of each, and nothing of what it holds."""

    def __init__(self, path: Path) -> None:
        """Raises `OSError`, or `ProbeError` where the file ends inside a record."""
        self._path = path
        self._starts = array("q")
        with path.open("rb") as file:
            end, at = path.stat().st_size, 0
            while at < end:
                self._starts.append(at)
                at += _HEAD + _length(file, at, path) + _TAIL
        if at != end:
            raise _damaged(path)

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, number: int) -> bytes:
        """The bytes of that record; any number of threads may ask."""
        with self._path.open("rb") as file:
            size = _length(file, self._starts[number], self._path)
            return file.read(size)


class Shards(Sequence[bytes]):
    """The records of parts of files, one part after another."""

    def __init__(self, parts: Sequence[tuple[Path, int, int]]) -> None:
        """Of each file the records from one number on, so many; `ProbeError` where it holds fewer."""
        files = {path: Records(path) for path, _, _ in parts}
        self._parts = [(files[path], skip) for path, skip, _ in parts]
        self._ends = list(accumulate(take for _, _, take in parts))
        for path, skip, take in parts:
            if len(files[path]) < skip + take:
                message = f"{path.name} holds {len(files[path])} records, fewer than it should"
                raise ProbeError(message, fix="prepare the data set again, it is damaged")

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    @overload
    def __getitem__(self, number: int) -> bytes: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[bytes]: ...
    def __getitem__(self, number: int | slice) -> bytes | Sequence[bytes]:
        """The bytes of that record, counted over all parts."""
        if isinstance(number, slice):
            return [self[each] for each in range(*number.indices(len(self)))]
        part = bisect_right(self._ends, number)
        records, skip = self._parts[part]
        return records[skip + number - (self._ends[part - 1] if part else 0)]


def _length(file: BinaryIO, at: int, path: Path) -> int:
    """How many bytes the record has that begins there; the file then stands at the first of them."""
    file.seek(at)
    head = file.read(_HEAD)
    if len(head) < _HEAD:
        raise _damaged(path)
    return int(unpack("<Q", head[:8])[0])


def _damaged(path: Path) -> ProbeError:
    return ProbeError(f"{path.name} ends inside a record", fix="prepare the data set again, it is damaged")
