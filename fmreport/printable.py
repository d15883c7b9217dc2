"""Text as it may be printed: characters that are not seen, or that command a terminal, as their escapes."""

from __future__ import annotations

import re

LONGEST = 300
"""Letters of a word that a message shows as a whole."""
_ENDS = 120
"""Letters of a longer one that are shown of either end."""
_LONG = re.compile(rf"\S{{{LONGEST + 1},}}")


def printable(text: str, *, but: str = "") -> str:
    """Text in which every character is seen: those that are not, or that turn others around, as their escapes.

    Those in `but` stay as they are.
    """
    return "".join(
        each if each.isprintable() or each in but else each.encode("unicode_escape").decode("ascii") for each in text
    )


def shortened(text: str) -> str:
    """Text whose words, such as paths, are cut in the middle where they are very long."""
    return _LONG.sub(lambda found: f"{found[0][:_ENDS]}...{found[0][-_ENDS:]}", text)
