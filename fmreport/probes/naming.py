"""What probes are called: each by the shortest end of its path that tells it from the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from fmreport.probes.places import split


def names(paths: Sequence[str], taken: Iterable[str]) -> dict[str, str]:
    """For each path its name: the shortest end that no other path shares, without the suffix where that suffices.

    `taken` holds names that are given already; the paths, whose folders are told by `/`, must differ.
    """
    given, found, left, folders = set(taken), dict[str, str](), list(paths), 0
    while left:
        # Ends of unlike numbers of folders are never the same.
        owners = Counter(end for path in paths for end in _ends(path, folders))
        owners.update(given)
        for path in left:
            alone = [end for end in _ends(path, folders) if owners[end] == 1]
            if alone:
                found[path] = alone[0]
        left = [path for path in left if path not in found]
        folders += 1
    return {path: found[path] for path in paths}


def _ends(path: str, folders: int) -> tuple[str, ...]:
    """`a/cat`, `a/cat.jpg` for one folder of `b/a/cat.jpg`; a file without suffix ends in a dot. Empty: too many."""
    parts = path.rsplit("/", folders + 1)
    if len(parts) < folders + 1:
        return ()
    *above, last = parts[-folders - 1 :]
    stem, suffix = split(last)
    before = "".join(f"{folder}/" for folder in above)
    return before + stem, before + (last if suffix else f"{last}.")
