"""What the fonts of plots and of the PDF can draw."""

from __future__ import annotations

import unicodedata
from functools import cache
from pathlib import Path


@cache
def fonts() -> Path:
    """The folder of the DejaVu fonts that travel with matplotlib."""
    import matplotlib as mpl

    return Path(mpl.get_data_path()) / "fonts" / "ttf"


@cache
def _coverage() -> frozenset[int]:
    from matplotlib.ft2font import FT2Font

    return frozenset(FT2Font(str(fonts() / "DejaVuSans.ttf")).get_charmap())


@cache
def drawable(text: str) -> str:
    """The text with every character that has no glyph, or no visible form, written as its code point: `[U+1F408]`.

    White space becomes plain spaces. PDF/A admits no missing glyph, no control character and no private one.
    """
    return "".join(_drawn(character) for character in text)


def _drawn(character: str) -> str:
    if character.isspace():
        return " "
    # Cc control, Cf format (bidi marks, joiners), Cs surrogate, Co private, Cn unassigned.
    if unicodedata.category(character)[0] == "C" or ord(character) not in _coverage():
        return f"[U+{ord(character):04X}]"
    return character
