"""logo.svg or logo.png: shown at the head of both formats."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import typst
from PIL import Image

from fmreport.errors import RenderError
from fmreport.report.data_uri import KINDS, data_uri
from fmreport.report.theme import trial

FILES = ("logo.svg", "logo.png")
ALT = "logo.txt"
"""Holds what stands for the logo where it is not seen."""
DEFAULT = "Logo"
LARGEST, LONGEST = 256_000, 4096
"""Bytes of a file, and pixels of a side of a PNG, at most."""
_NUMBER = r"[+-]?[\d.]+(?:[eE][+-]?\d+)?"
_SVG = "{http://www.w3.org/2000/svg}"


@dataclass(frozen=True, slots=True)
class Logo:
    """A picture and the words that stand for it."""

    data: bytes
    suffix: str
    """`svg` or `png`."""
    alt: str

    @property
    def uri(self) -> str:
        """Its `data:` address."""
        return data_uri(KINDS[f".{self.suffix}"], self.data)


def read(folder: Path) -> Logo | None:
    """The logo of a folder; None where there is none. Raises `RenderError` where it cannot be shown."""
    found = [folder / name for name in FILES if (folder / name).is_file()]
    if not found:
        return None
    if len(found) > 1:
        raise RenderError(f"{folder.name}/ has two logos: {', '.join(FILES)}", fix="keep one of them")
    path, short = found[0], f"{folder.name}/{found[0].name}"
    data = path.read_bytes()
    if len(data) > LARGEST:
        raise RenderError(
            f"{short} has {len(data) / 1e3:,.0f} kB; a logo may have {LARGEST // 1000} kB",
            fix="simplify the drawing, or save it with fewer pixels",
        )
    problem = next(_svg_problems(data) if path.suffix == ".svg" else _png_problems(data), None)
    if problem:
        raise RenderError(f"{short} {problem}", fix="save it anew, or take it away")
    return Logo(data, path.suffix.removeprefix("."), _alt(folder))


def check(folder: Path) -> None:
    """Raises `RenderError` where the logo of a folder cannot be shown in HTML or in the PDF."""
    logo = read(folder)
    if logo is None:
        return
    file = f"logo.{logo.suffix}"
    try:
        trial.compiled(f'#image("{file}", width: 20mm)', {file: logo.data})
    except typst.TypstError as error:
        raise RenderError(
            f"{folder.name}/{file}: Typst refuses it: {error.message}", fix="save it anew, or take it away"
        ) from error


def _alt(folder: Path) -> str:
    path = folder / ALT
    if not path.is_file():
        return DEFAULT
    try:
        text = " ".join(path.read_text(encoding="utf-8-sig").split())
    except UnicodeError as error:
        raise RenderError(f"{folder.name}/{ALT} is not in UTF-8", fix="save it in UTF-8") from error
    if not text:
        raise RenderError(
            f"{folder.name}/{ALT} is empty", fix=f"write what the logo says, or take it away; then it is “{DEFAULT}”"
        )
    return text


def _svg_problems(data: bytes) -> Iterator[str]:
    try:
        root = ET.fromstring(data)
    except ET.ParseError as error:
        yield f"is no SVG: {error}"
        return
    if root.tag != f"{_SVG}svg":
        yield f"is no SVG: its first element is {root.tag}, not svg in the namespace {_SVG[1:-1]}"
    box = re.fullmatch(rf"\s*{_NUMBER}[\s,]+{_NUMBER}[\s,]+{_NUMBER}[\s,]+{_NUMBER}\s*", root.get("viewBox", ""))
    if box is None and not (root.get("width") and root.get("height")):
        yield "has no size: neither a viewBox of four numbers nor width and height"
    for element in root.iter():
        if element.tag == f"{_SVG}a":
            continue
        for name, value in element.attrib.items():
            if name.rpartition("}")[2] == "href" and not value.startswith(("#", "data:")):
                yield f"refers to {value}: a logo holds all that it shows"
    if re.search(rb"@import|url\(\s*[\"']?(?!#|data:|[\"'\s&])", data):
        yield "loads a file or a font: a logo holds all that it shows"


def _png_problems(data: bytes) -> Iterator[str]:
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            # Told from its head: no pixel is read before.
            if max(image.size) > LONGEST:
                yield f"has {image.width} × {image.height} pixels; a side of a logo may have {LONGEST}"
                return
            image.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        yield "is no PNG that can be read"
