"""What can go wrong for a user: where, what, and what to do next."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches


class FmreportError(Exception):
    """An error a user can meet and mend. `str()` is the message; `fix` is the next step."""

    def __init__(self, message: str, *, fix: str) -> None:
        super().__init__(message)
        self.fix = fix


class ConfigError(FmreportError):
    """The config cannot be read or does not say what a run needs."""


class SourceError(FmreportError):
    """The model cannot be opened, or does not take what it is given."""


class OutOfMemoryError(SourceError):
    """The model's activations do not fit into memory."""


TOO_LARGE = "make preprocess.size smaller, tap fewer layers, or run it where there is more memory"
"""The `fix` where memory runs out."""


class EngineError(FmreportError):
    """Those who do the work cannot be reached, or cannot do it."""


class SelectorError(FmreportError):
    """A layer selector asks for what the model does not have."""


class ProbeError(FmreportError):
    """An image or a mask cannot be found, read or used."""


class StoreError(FmreportError):
    """A run folder cannot be read or written."""


class CompareError(FmreportError):
    """Two runs cannot be compared."""


class RenderError(FmreportError):
    """A template or the typesetter refuses the page."""


class GateError(FmreportError):
    """A limit cannot be understood, or a run cannot be held to it."""


FILES = 5
"""How many of a folder's files a `fix` names: a folder may hold any number."""


def nearest(name: str, names: Iterable[str], *, most: int | None = None) -> str:
    """A `fix` for a name that is not known: the nearest of those that are, or all of them where none is near.

    With `most`, so many at most, the nearest first.
    """
    known = list(names)
    lowered = {each.lower(): each for each in known}
    close = [lowered[each] for each in get_close_matches(name.lower(), lowered, n=3, cutoff=0.6)]
    if close:
        return f"nearest: {', '.join(close)}"
    if most is not None and len(known) > most:
        order = sorted(known, key=lambda each: SequenceMatcher(None, name.lower(), each.lower()).ratio(), reverse=True)
        return f"nearest of {len(known)}: {', '.join(order[:most])}"
    return f"one of: {', '.join(known)}" if known else "there is none"
