"""Protocol buffers read as they are written, field by field, without TensorFlow.

A reader of TensorFlow's own would need it to be imported. This one takes every field that TensorFlow could take, and
stops at whatever TensorFlow may read in another way; so no way of writing hides anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

Span = tuple[int, int]
"""Where the content of a field begins and ends."""

VARYING, BYTES = 0, 2
SIZES = {1: 8, 5: 4}
"""Bytes of the two kinds of fields that have a fixed size."""
LONGEST_KEY = 2**32
"""Of what a longer key holds, TensorFlow drops the rest."""


def fields(data: bytes, span: Span) -> Iterator[tuple[int, int, Span]]:
    """(number, kind, content) of every field of a message; raises `ValueError` where it is damaged."""
    at, end = span
    while at < end:
        key, at = _number(data, at, end)
        kind = key & 7
        if kind == VARYING:
            _, last = _number(data, at, end)
        elif kind == BYTES:
            size, at = _number(data, at, end)
            last = at + size
        elif kind in SIZES:
            last = at + SIZES[kind]
        else:
            raise ValueError(f"is no graph at byte {at:,}")
        if key >= LONGEST_KEY:
            raise ValueError(f"is no graph at byte {at:,}")
        if last > end:
            raise ValueError(f"ends in the middle, at byte {end:,}")
        yield key >> 3, kind, (at, last)
        at = last


def parts(data: bytes, span: Span) -> dict[int, list[Span]]:
    """The messages, texts and bytes of a message, by the number of their field, in the order of the file."""
    found: dict[int, list[Span]] = {}
    for number, kind, content in fields(data, span):
        if kind == BYTES:
            found.setdefault(number, []).append(content)
    return found


def inside(data: bytes, spans: Iterable[Span], *numbers: int) -> list[Span]:
    """What lies in messages, in messages of theirs, ..., under these numbers of fields, one after the other."""
    found = list(spans)
    for number in numbers:
        found = [content for span in found for content in parts(data, span).get(number, [])]
    return found


def text(data: bytes, spans: Iterable[Span]) -> str:
    """The text of a field; the last one counts, as for TensorFlow. Empty where there is none."""
    found = list(spans)
    return texts(data, found[-1:])[0] if found else ""


def texts(data: bytes, spans: Iterable[Span]) -> list[str]:
    """The texts of a repeated field."""
    return [data[first:last].decode("utf-8", "replace") for first, last in spans]


def numbers(data: bytes, span: Span, wanted: int) -> list[int]:
    """The whole numbers of a repeated field, which may be written one by one or together."""
    found = []
    for number, kind, (first, last) in fields(data, span):
        at = first
        while number == wanted and kind in (VARYING, BYTES) and at < last:
            value, at = _number(data, at, last)
            found.append(value)
    return found


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
