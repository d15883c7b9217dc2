"""What the names of neighbours begin with: as much of it as there is room for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, takewhile

CLEAR = 4.0
"""Points that a name leaves free in its place."""
LEAST, LONGEST = 5, 40
"""Letters to which a name may be cut."""
LEVELS = 3
"""Into which names are taken apart."""
ENOUGH = 0.5
"""Share of a group's width that longer names must cover to take the place of what they begin with."""


@dataclass(frozen=True, slots=True)
class Group:
    """Neighbours, from the first to the last, and what is written under them; nothing where there is no room."""

    text: str
    first: int
    last: int


def beginnings(name: str) -> tuple[str, ...]:
    """`conv`, `conv4`, `conv4_block1`: from what most names share to the whole; of a path, its first level alone."""
    if "/" in name:
        return (name.partition("/")[0],)
    letters = re.match(r"[^\W\d_]+", name)
    numbered = re.match(r"[^\W\d_]+[_.-]?\d*", name)
    found = [match[0].rstrip("_.-") for match in (letters, numbered) if match]
    return (*found, name) if found else (name,)


def groups(names: Sequence[str], edges: Sequence[tuple[float, float]], width: Callable[[str], float]) -> list[Group]:
    """Neighbours whose names begin alike, each part of them by itself where most of their own names fit.

    `edges` are where each begins and ends, `width` says how wide a text is. No two neighbours are called the same.
    """

    def room(group: Group) -> float:
        return edges[group.last][1] - edges[group.first][0]

    def told(items: Sequence[int], level: int) -> Iterator[Group]:
        for begun, run in groupby(items, key=lambda i: _level(names[i], level)):
            held = list(run)
            finer = list(told(held, level + 1)) if len(held) > 1 and level + 1 < LEVELS else []
            if len(finer) > 1 and sum(room(each) for each in finer if each.text) >= ENOUGH * sum(map(room, finer)):
                yield from finer
                continue
            whole = Group("", held[0], held[-1])
            texts = (_shared([_level(names[i], LEVELS) for i in held]), begun)
            fitting = (text for text in texts if width(text) <= room(whole) - CLEAR)
            cut = "" if level else _cut(texts[0], room(whole) - CLEAR, width)
            yield replace(whole, text=next(fitting, cut))

    found: list[Group] = []
    for group in told(range(len(names)), 0):
        same = bool(found) and found[-1].text == group.text
        found.append(replace(group, text="") if same else group)
    return found


def _level(name: str, level: int) -> str:
    found = beginnings(name)
    return found[min(level, len(found) - 1)]


def _shared(names: Sequence[str]) -> str:
    """What all begin with, no number cut in two; the name where there is but one."""
    same = takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    shared = "".join(letters[0] for letters in same)
    if any(name[len(shared) : len(shared) + 1].isdigit() for name in names):
        shared = shared.rstrip("0123456789")
    return shared if len(names) == 1 else shared.rstrip("_.-")


def _cut(text: str, room: float, width: Callable[[str], float]) -> str:
    """The beginning and the end of a word; empty where there is no room for them, or where it is a size."""
    for letters in range(min(len(text), LONGEST) - 1, LEAST - 1, -1) if text[:1].isalpha() else ():
        tail = (letters - 1) // 2
        shorter = f"{text[: letters - 1 - tail]}…{text[-tail:]}"
        if width(shorter) <= room:
            return shorter
    return ""
