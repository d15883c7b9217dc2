"""What the printed contents name of the taps: each of them, or where there are many, the parts of the model."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

LONGEST = 40
"""Lines that stand beside the sections' own."""
BEGINS = "/…"
"""Tells what a name begins from a tap of that name."""


def named(taps: Sequence[str]) -> dict[int, str]:
    """Position (from 1) of the taps that are listed, and the name of each: its own, or that of the part it begins."""
    return {at: name if name == taps[at - 1] else f"{name}{BEGINS}" for at, name in parts(taps).items()}


def parts(taps: Sequence[str]) -> dict[int, str]:
    """Position (from 1) of the first tap of each part, and its name: as deep as `LONGEST` lines allow.

    Neighbours whose paths begin alike are one part. Every tap is one where all fit; none is where no depth does.
    """
    best: dict[int, str] = {}
    for depth in range(1, max((tap.count("/") for tap in taps), default=0) + 2):
        begun = groupby(enumerate(taps, 1), key=lambda each: "/".join(each[1].split("/")[:depth]))
        found = {next(run)[0]: name for name, run in begun}
        if len(found) > LONGEST:
            break
        best = found
    return best
