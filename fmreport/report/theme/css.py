"""theme.css: a style sheet laid over fmreport's own, with the files that it names inside."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

from fmreport.errors import RenderError, nearest
from fmreport.report.data_uri import KINDS, data_uri
from fmreport.report.theme import fonts

FILE = "theme.css"
_TOKEN = re.compile(
    r"""/\*.*?(?:\*/|\Z)
    | url\(\s*(?P<quote>["']?)(?P<target>.*?)(?P=quote)\s*\)
    | "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*'
    | (?P<load>@import\b)
    | (?P<end></style)""",
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
"""What is told apart: comments and strings, in which nothing is meant, and what would load something or end it."""


def read(folder: Path) -> str:
    """The rules of a folder's theme.css, every `url(file)` of it as a `data:` address; empty where there is none.

    Raises `RenderError` where it names a file that is not there or that a page cannot show, or loads from elsewhere.
    Whether its rules are CSS is not checked: a browser passes over what it does not understand.
    """
    path = folder / FILE
    if not path.is_file():
        return ""
    try:
        text = path.read_text(encoding="utf-8-sig").rstrip()
    except UnicodeError as error:
        raise RenderError(f"{folder.name}/{FILE} is not in UTF-8", fix="save it in UTF-8") from error
    return _TOKEN.sub(lambda found: _inlined(found, folder), text)


def _inlined(found: re.Match[str], folder: Path) -> str:
    target = found["target"]
    place = f"{folder.name}/{FILE}:{found.string.count(chr(10), 0, found.start()) + 1}"
    if found["load"]:
        raise RenderError(
            f"{place}: a report loads nothing, so @import has no effect", fix="write the rules themselves"
        )
    # Inside of comments and strings, too, a browser would take it for the end of the style sheet.
    if found["end"] or "</style" in found[0].lower():
        raise RenderError(f"{place}: </style> would end the style sheet", fix="leave it out")
    if target is None or target.startswith(("data:", "#")):
        return found[0]
    if re.match(r"[a-z][a-z0-9+.-]*:|//", target, re.IGNORECASE):
        raise RenderError(
            f"{place}: {target} would be loaded, and a report loads nothing",
            fix=f"put the file into {folder.name}/ and name it from there",
        )
    return f'url("{_address(unquote(target), folder, place)}")'


def _address(target: str, folder: Path, place: str) -> str:
    held = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.suffix.lower() in KINDS}
    name = target.removeprefix("./")
    if name not in held:
        raise RenderError(f"{place}: {folder.name}/ has no file {target} for a page", fix=nearest(name, sorted(held)))
    suffix = held[name].suffix.lower()
    if suffix in fonts.KINDS and not name.startswith(f"{fonts.FOLDER}/"):
        raise RenderError(f"{place}: {target} is not in {fonts.FOLDER}/", fix=f"move it into {fonts.FOLDER}/")
    return data_uri(KINDS[suffix], held[name].read_bytes())
