"""theme.typ: colours and fonts of the PDF, laid over fmreport's own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typst

from fmreport.errors import RenderError, nearest
from fmreport.report.environment import builtin_templates
from fmreport.report.theme import fonts, trial

FILE = "theme.typ"
OWN = "typst/theme.typ"
"""fmreport's own, among its templates."""
PLOTS = {
    "ink": "ink",
    "muted": "muted",
    "rule": "hairline",
    "band": "tint",
    "paper": "paper",
    "first": "plot-first",
    "second": "plot-second",
    "third": "plot-third",
}
"""Roles of colours in plots, and what theme.typ calls them."""
IMPORTED = "fmreport/theme.typ"
"""Where a document finds fmreport's own."""
TELLS = """\
#import "fmreport/theme.typ" as own
#import "theme.typ" as laid
#let told(module) = dictionary(module).pairs().map(((name, value)) => (name, (
  kind: str(type(value)),
  value: if type(value) == color { value.to-hex() } else if type(value) in (str, array, dictionary) { value },
))).to-dict()
#metadata((own: told(own), laid: told(laid))) <told>
"""


@dataclass(frozen=True, slots=True)
class Value:
    """What a name stands for in Typst."""

    kind: str
    value: Any
    """A colour as `#rrggbb`; None of what is no colour and no font."""


def files(folder: Path | None) -> dict[str, bytes]:
    """What a document imports, by the name under which it does: fmreport's own theme, and that of a user's folder."""
    held = [] if folder is None else [folder / OWN]
    own = next((path for path in held if path.is_file()), builtin_templates() / OWN)
    laid = {} if folder is None or not (folder / FILE).is_file() else {FILE: (folder / FILE).read_bytes()}
    return {IMPORTED: own.read_bytes(), **laid}


def check(folder: Path) -> None:
    """Raises `RenderError` where a folder's theme.typ cannot be used: its file, the line where it is known, and why."""
    if not (folder / FILE).is_file():
        return
    try:
        (folder / FILE).read_text(encoding="utf-8")
    except UnicodeError as error:
        raise RenderError(f"{folder.name}/{FILE} is not in UTF-8", fix="save it in UTF-8") from error
    own, laid = values(folder)
    for name, value in laid.items():
        # Helpers of the theme's own; all other names would be spelt wrong without anybody being told.
        if name.startswith("_"):
            continue
        if name not in own:
            raise RenderError(
                f"{_place(folder, name)}: no template knows {name}",
                fix=f"{nearest(name, own)}; a name of your own begins with an underscore",
            )
        if _kind(value) != _kind(own[name]):
            raise RenderError(
                f"{_place(folder, name)}: {name} is to be of kind {_kind(own[name])}, not {value.kind}",
                fix=f"as in fmreport's own: {_line((builtin_templates() / OWN).read_text('utf-8'), name)[1]}",
            )
        if _kind(value) == "font":
            _check_font(folder, name, value)


def plot_colours(folder: Path | None) -> dict[str, str]:
    """The colours, `#rrggbb`, that a folder's theme.typ gives to the roles of plots; none where it changes none."""
    if folder is None or not (folder / FILE).is_file():
        return {}
    _, laid = values(folder)
    return {role: laid[name].value for role, name in PLOTS.items() if name in laid}


def values(folder: Path) -> tuple[dict[str, Value], dict[str, Value]]:
    """What fmreport's own theme and the folder's say, by name."""
    try:
        told = trial.compiled(TELLS, files(folder), told="<told>")
    except typst.TypstError as error:
        raise _refused(error, folder) from error
    own, laid = ({name: Value(**value) for name, value in told[which].items()} for which in ("own", "laid"))
    return own, laid


def _refused(error: typst.TypstError, folder: Path) -> RenderError:
    found = re.search(r"(fmreport/)?theme\.typ:(\d+)", error.diagnostic or "")
    file = OWN if found and found[1] else FILE
    line = f":{found[2]}" if found else ""
    # Typst says where it looked, which is a temporary folder.
    message, lost, _ = error.message.partition(" (searched at ")
    fix = f"write it into {FILE}: all that it can import is {IMPORTED}" if lost else "mend that line"
    return RenderError(f"{folder.name}/{file}{line}: Typst refuses it: {message}", fix="; ".join([*error.hints, fix]))


def _kind(value: Value) -> str:
    return "font" if _families(value) else value.kind


def _families(value: Value) -> list[str]:
    """Names of fonts, where a value can be such: one or several, each alone or with what it covers."""
    several = value.value if isinstance(value.value, list) else [value.value]
    names = [each.get("name") if isinstance(each, dict) else each for each in several]
    return [name for name in names if isinstance(name, str)] if value.kind != "color" else []


def _check_font(folder: Path, name: str, value: Value) -> None:
    known = typst.Fonts(include_system_fonts=False, font_paths=fonts.paths(folder)).families()
    lowered = {family.lower() for family in known}
    for family in _families(value):
        if family.lower() not in lowered:
            only_html = any(path.suffix.lower() == ".woff2" for path in fonts.files(folder))
            hint = "; a .woff2 is for HTML only: add the same font as .ttf or .otf" if only_html else ""
            raise RenderError(
                f"{_place(folder, name)}: there is no font {family!r} for the PDF",
                fix=f"{nearest(family, known, most=5)}{hint}",
            )


def _place(folder: Path, name: str) -> str:
    """The file, and the line that gives a name its value where there is one."""
    number, _ = _line((folder / FILE).read_text(encoding="utf-8"), name)
    return f"{folder.name}/{FILE}:{number}" if number else f"{folder.name}/{FILE}"


def _line(text: str, name: str) -> tuple[int, str]:
    """The line that gives a name its value, and its number; 0 where there is none."""
    pattern = re.compile(rf"\s*#let\s+{re.escape(name)}(?![\w-])")
    found = ((number, line) for number, line in enumerate(text.splitlines(), 1) if pattern.match(line))
    return next(found, (0, ""))
