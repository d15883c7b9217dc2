"""fonts/: typefaces for both formats."""

from __future__ import annotations

from pathlib import Path

import typst

from fmreport.errors import RenderError
from fmreport.figures import glyphs

FOLDER = "fonts"
SFNT, WOFF2 = (b"\x00\x01\x00\x00", b"OTTO", b"true"), (b"wOF2",)
"""How a font file begins."""
KINDS = {".ttf": SFNT, ".otf": SFNT, ".woff2": WOFF2}
"""What is taken, by suffix."""
OTHERS = (".woff", ".eot", ".ttc", ".otc", ".dfont", ".pfb")
"""Fonts that are not taken; any other file, such as a licence, may lie beside the fonts."""


def files(folder: Path) -> list[Path]:
    """The fonts of a user's folder."""
    return sorted(path for path in (folder / FOLDER).rglob("*") if path.suffix.lower() in KINDS and path.is_file())


def paths(folder: Path | None) -> list[str]:
    """Folders in which Typst looks for fonts: that of the fonts that travel with fmreport, then the user's own."""
    own = [] if folder is None or not (folder / FOLDER).is_dir() else [str(folder / FOLDER)]
    return [str(glyphs.fonts()), *own]


def check(folder: Path) -> None:
    """Raises `RenderError` where a file is no font, or none that Typst can read; it reads no .woff2."""
    for path in (folder / FOLDER).rglob("*"):
        if path.suffix.lower() in OTHERS:
            raise RenderError(
                f"{_short(path, folder)} is of a kind that a report does not take",
                fix=f"convert it to {', '.join(KINDS)}; a .woff2 is for HTML only",
            )
    for path in files(folder):
        data, kind = path.read_bytes(), path.suffix.lower()
        if not data.startswith(KINDS[kind]):
            raise RenderError(
                f"{_short(path, folder)} is no {kind} font: it begins with {data[:4]!r}",
                fix="take the file from where the font is published once more",
            )
        # A WOFF2 file says in its head how long it is.
        if kind == ".woff2" and int.from_bytes(data[8:12], "big") != len(data):
            raise _damaged(path, folder)
    found = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(folder / FOLDER)])
    readable = {Path(font.path) for font in found.fonts() if font.path}
    for path in files(folder):
        if path.suffix.lower() != ".woff2" and path not in readable:
            raise _damaged(path, folder)


def _damaged(path: Path, folder: Path) -> RenderError:
    return RenderError(
        f"{_short(path, folder)} is damaged: it cannot be read as a font",
        fix="take the file from where the font is published once more",
    )


def _short(path: Path, folder: Path) -> str:
    return path.relative_to(folder.parent).as_posix()
