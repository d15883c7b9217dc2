"""Pillow's settings while it decodes, in however many threads: they belong to the whole process."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

from PIL import ImageFile

_SILENT = ("ignore", None, Warning, re.compile(r"PIL\."), 0)
"""Pillow warns of odd metadata, which many good photographs have, and of large sizes, which are refused."""


class _Held:
    """What was there before the first thread came; the last one to leave puts it back."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._threads = 0
        self._tolerant = False
        self._filters: list[Any] = []

    def enter(self) -> None:
        with self._lock:
            self._threads += 1
            if self._threads == 1:
                self._tolerant, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, False
                # Not `catch_warnings`: two threads that leave it in another order than they came would keep each
                # other's filters.
                self._filters = warnings.filters  # type: ignore[assignment]
                self._filters.insert(0, _SILENT)

    def leave(self) -> None:
        with self._lock:
            self._threads -= 1
            if self._threads == 0:
                ImageFile.LOAD_TRUNCATED_IMAGES = self._tolerant
                # Another thread may have laid its own filters over these meanwhile, as a copy.
                for filters in (self._filters, warnings.filters):
                    filters[:] = [each for each in filters if each is not _SILENT]  # type: ignore[index]


_HELD = _Held()


@contextmanager
def strict() -> Iterator[None]:
    """Inside, Pillow refuses truncated files and warns of nothing; after the last thread all is as it was."""
    _HELD.enter()
    try:
        yield
    finally:
        _HELD.leave()
