"""Layer selectors to taps: keys narrow one another in the order in which they are written."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from fmreport.config import Config, Selector
from fmreport.errors import SelectorError, nearest
from fmreport.records import Tap

POOLING = "*Pool*"
"""What `before: pooling` stands for among the classes of layers."""
PADDING = r"[A-Za-z]*Pad(?:ding)?(?:\dD|V2)?"
"""Classes of layers that do nothing but pad, as a regular expression."""


def select(config: Config, taps: Sequence[Tap]) -> tuple[Tap, ...]:
    """The taps that an entry of `layers` selects and none of `exclude` does, in the order in which the model runs.

    Raises `SelectorError` for an entry that selects nothing and is not optional, and where nothing is left.
    """
    if not taps:
        raise SelectorError(
            "the model has no layer that can be tapped",
            fix=f"see why, layer by layer: fmreport layers {config.source}",
        )
    chosen = _union(config, "layers", config.layers, taps)
    if not chosen:
        raise SelectorError(
            f"{config.where('layers')}: layers selects nothing, as all of its entries are optional",
            fix=f"see what there is: fmreport layers {config.source}",
        )
    excluded = _union(config, "exclude", config.exclude, taps)
    kept = tuple(tap for tap in taps if tap.name in chosen and tap.name not in excluded)
    if not kept:
        raise SelectorError(
            f"{config.where('exclude')}: exclude leaves out all {len(chosen)} taps that layers selects",
            fix="exclude less",
        )
    return kept


def _union(config: Config, key: str, selectors: Sequence[Selector], taps: Sequence[Tap]) -> set[str]:
    return {tap.name for i, selector in enumerate(selectors) for tap in _selected(config, (key, i), selector, taps)}


def _selected(config: Config, where: tuple[str, int], selector: Selector, taps: Sequence[Tap]) -> Sequence[Tap]:
    left = taps
    for key, value in selector.steps:
        before, left = left, NARROW[key](left, value)
        past = max(value) if key == "index" and max(value) > len(before) else None
        if left and past is None:
            continue
        if selector.optional and past is None:
            return []
        what = (
            f"nothing matches {_shown(value)} among {len(before)} taps" if past is None else f"{past} is past the end"
        )
        raise SelectorError(
            f"{config.where(*where)}: {where[0]}[{where[1]}].{key}: {what}",
            fix=f"{_near(key, value, before)}; all of them: fmreport layers {config.source}",
        )
    return left


def _by_type(taps: Sequence[Tap], pattern: str) -> Sequence[Tap]:
    return [tap for tap in taps if glob(pattern)(tap.type)]


def _by_name(taps: Sequence[Tap], pattern: str) -> Sequence[Tap]:
    return [tap for tap in taps if glob(pattern)(tap.name) or glob(pattern)(tap.layer)]


def _by_reader(taps: Sequence[Tap], kind: str) -> Sequence[Tap]:
    matches = glob(POOLING if kind == "pooling" else kind)
    return [tap for tap in taps if any(matches(reader) for reader in tap.feeds)]


def _by_index(taps: Sequence[Tap], positions: Sequence[int]) -> Sequence[Tap]:
    return [tap for position, tap in enumerate(taps, start=1) if position in positions]


def _every(taps: Sequence[Tap], step: int) -> Sequence[Tap]:
    return taps[::step]


NARROW: dict[str, Callable[[Sequence[Tap], Any], Sequence[Tap]]] = {
    "type": _by_type,
    "name": _by_name,
    "before": _by_reader,
    "index": _by_index,
    "every": _every,
}
"""What each key of a selector keeps."""


@lru_cache(maxsize=256)
def glob(pattern: str) -> Callable[[str], bool]:
    """Says whether a path matches: `*` and `?` stay within a level, `**` crosses levels."""
    parts = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    expression = re.sub(r"\*\*/|\*\*|\*|\?|[^*?]+", lambda m: parts.get(m[0]) or re.escape(m[0]), pattern)
    compiled = re.compile(expression)
    return lambda text: compiled.fullmatch(text) is not None


def _near(key: str, value: Any, taps: Sequence[Tap]) -> str:
    """What could have been meant."""
    if key in ("index", "every"):
        return f"{len(taps)} taps are left here, counted from 1"
    if key == "name":
        known = [tap.name for tap in taps]
        inside = [name for name in known if name.startswith(f"{value}/")]
        if inside:
            return f"{value} holds {len(inside)} taps: name: {value}/**"
    elif key == "type":
        known = sorted({tap.type for tap in taps})
    else:
        known = sorted({reader for tap in taps for reader in tap.feeds} | {"pooling"} - {value})
    return nearest(str(value).replace("*", ""), known)


def _shown(value: Any) -> str:
    return repr(list(value)) if isinstance(value, tuple) else repr(value)
