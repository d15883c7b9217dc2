"""A theme to begin with: fmreport's own colours and fonts, and one block filled in each format."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import jinja2

from fmreport.errors import RenderError
from fmreport.report.environment import builtin_templates
from fmreport.report.theme import blocks

SOURCES = {
    "README.md": "new_theme/README.md.j2",
    "theme.css": "css/theme.css",
    "theme.typ": "typst/theme.typ",
    "report.html.j2": "new_theme/report.html.j2",
    "report.typ.j2": "new_theme/report.typ.j2",
}
"""Files of a new theme, and which of fmreport's templates they are made from."""


def write(folder: Path) -> tuple[str, ...]:
    """Writes a new theme into a folder, all of it or nothing, and returns the names of its files.

    Raises `RenderError` where one of them exists: nothing is overwritten.
    """
    if folder.exists() and not folder.is_dir():
        raise RenderError(f"{folder} exists already and is no folder", fix="name another folder")
    for name in SOURCES:
        if os.path.lexists(folder / name):
            raise RenderError(f"{folder / name} exists already", fix="move it away, or name another folder")
    made: list[Path] = []
    try:
        for parent in reversed([folder, *folder.parents]):
            if not parent.exists():
                parent.mkdir()
                made.append(parent)
        for name, source in SOURCES.items():
            data = _text(source).encode("utf-8")
            # Whoever was quicker keeps the file.
            with (folder / name).open("xb") as file:
                made.append(folder / name)
                file.write(data)
    except BaseException as error:
        for path in reversed(made):
            with suppress(OSError):
                path.rmdir() if path.is_dir() else path.unlink()
        if isinstance(error, OSError):
            raise RenderError(
                f"{folder} was not written: {error.strerror or error}",
                fix="check its permissions, or name another folder",
            ) from error
        raise
    return tuple(SOURCES)


def _text(source: str) -> str:
    text = (builtin_templates() / source).read_text(encoding="utf-8")
    if source.startswith("new_theme/README"):
        made = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, keep_trailing_newline=True)
        listed = list(blocks.listed())
        return made.from_string(text).render(templates=blocks.TEMPLATES, blocks=listed)
    return text
