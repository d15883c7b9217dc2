"""How alike the items of two runs are, pair by pair: what each comparison says by itself, nothing weighed yet."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fmreport.compare.items import Items, family

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Likeness:
    """Each `(items of A, items of B)`."""

    path: Bools
    """The same path."""
    numbered: Bools
    """The same path, whose last part is a number that a framework gave: it shifts where a layer is added before it."""
    type: Bools
    """Types of one family."""
    shape: Bools
    channels: Bools
    """The same number of channels, which is known."""
    parameters: Bools
    words: Floats
    """Share of the words of both paths that they have in common."""
    content: Floats
    """How alike their channels, or else their images, are in mean and spread, 0-1; NaN where that is not known."""


def likeness(a: Items, b: Items) -> Likeness:
    """Every comparison of every item of A with every item of B."""
    path = _equal(a.names, b.names)
    counted = [_is_numbered(*each) for each in zip(a.layers, a.types, strict=True)]
    channels = _equal(a.channels, b.channels) & (np.array(a.channels, int) > 0)[:, None]
    return Likeness(
        path=path,
        numbered=path & np.array(counted, bool)[:, None],
        type=_equal([family(kind) for kind in a.types], [family(kind) for kind in b.types]),
        shape=_equal(a.shapes, b.shapes),
        channels=channels,
        parameters=_equal(a.parameters, b.parameters),
        words=_words(a.names, b.names),
        content=np.where(channels, _content(a.of_channels, b.of_channels), _content(a.of_images, b.of_images)),
    )


def _is_numbered(layer: str, kind: str) -> bool:
    """Whether a framework named the layer: after its type, or by a bare number."""
    last = layer.rpartition("/")[2]
    stem = re.sub(r"[_~]?\d+$", "", last)
    return stem.replace("_", "").lower() in ("", kind.replace("_", "").lower())


def _equal(a: Sequence[str] | Sequence[int], b: Sequence[str] | Sequence[int]) -> Bools:
    codes = {value: code for code, value in enumerate(dict.fromkeys([*a, *b]))}
    left, right = ([codes[value] for value in each] for each in (a, b))
    return np.asarray(np.array(left, int)[:, None] == np.array(right, int)[None, :])


def _words(a: Sequence[str], b: Sequence[str]) -> Floats:
    """Jaccard index of the words and numbers of both names."""
    left, right = ([set(re.findall(r"[a-z]+|\d+", name.lower())) for name in each] for each in (a, b))
    known = {word: i for i, word in enumerate(sorted(set[str]().union(*left, *right)))}
    sides = []
    for words in (left, right):
        held = np.zeros((len(words), len(known)), np.float32)
        for row, each in enumerate(words):
            held[row, [known[word] for word in each]] = 1
        sides.append(held)
    both = sides[0] @ sides[1].T
    either = sides[0].sum(axis=1)[:, None] + sides[1].sum(axis=1)[None, :] - both
    return np.asarray(both / np.maximum(either, 1), np.float64)


def _content(a: Sequence[Floats | None], b: Sequence[Floats | None]) -> Floats:
    """1 less the Bray-Curtis dissimilarity of profiles `(columns, n)` of the same n, mean over columns; NaN elsewhere.

    It is 1 of what is equal alone, and falls to 0 where nothing is; a scale counts as the values themselves do.
    """
    found = np.full((len(a), len(b)), np.nan)
    sizes = {each.shape[1] for each in (*a, *b) if each is not None}
    for size in sorted(sizes - {0}):
        rows, columns = (
            [i for i, each in enumerate(side) if each is not None and each.shape[1] == size] for side in (a, b)
        )
        if not rows or not columns:
            continue
        right = np.stack([np.asarray(b[j]) for j in columns])
        of_right = np.abs(right).sum(axis=2)
        for i in rows:
            left = np.asarray(a[i])
            apart = np.abs(right - left).sum(axis=2)
            whole = of_right + np.abs(left).sum(axis=1)
            told = np.divide(apart, whole, out=np.zeros_like(apart), where=whole > 0)
            found[i, columns] = 1 - told.mean(axis=1)
    return found
