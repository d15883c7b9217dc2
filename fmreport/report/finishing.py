"""What can be said of a page only when all of it is there: hashes of its scripts and styles, sizes of its parts."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

import jinja2
from markupsafe import Markup

POLICY = Markup("<!--fmreport:policy-->")
SIZES = Markup("<!--fmreport:sizes-->")
"""Places that are filled at the end; no value can look like one, because values are escaped."""
TEMPLATE = "html/sizes.html.j2"
_SECTION = re.compile(r'<section\b[^>]*\baria-labelledby="([^"]+)"')
_SCRIPT, _STYLE = (re.compile(rf"<{tag}\b[^>]*>(.*?)</{tag}>", re.DOTALL) for tag in ("script", "style"))


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a file."""

    title: str
    size: str
    share: str


def finished(text: str, jinja: jinja2.Environment) -> bytes:
    """The page in UTF-8, with its content security policy and the size of each of its parts."""
    text = text.replace(POLICY, policy(text), 1)
    if SIZES in text:
        whole = len(text.encode("utf-8"))
        told = [Part(title, _kilobytes(size), f"{size / whole:.0%}") for title, size in parts(text)]
        sizes = jinja.get_template(TEMPLATE).render(parts=told, whole=f"{whole / 1e6:.1f} MB")
        text = text.replace(SIZES, sizes, 1)
    return text.encode("utf-8")


def policy(text: str) -> str:
    """Nothing is loaded from anywhere, and no script or style runs but those that stand in the page."""
    scripts, styles = (" ".join(_hashes(found, text)) or "'none'" for found in (_SCRIPT, _STYLE))
    return (
        f"default-src 'none'; script-src {scripts}; style-src {styles}; img-src data:; font-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def parts(text: str) -> Iterator[tuple[str, int]]:
    """Title and bytes of what stands before the first section, of every section, and of the scripts behind them."""
    starts = [(match.start(), match[1]) for match in _SECTION.finditer(text)]
    end = text.rfind("<script>")
    places = [0, *(start for start, _ in starts), len(text) if end < 0 else end, len(text)]
    titles = ["Styles, photographs and contents", *(_title(text, label) for _, label in starts), "Scripts"]
    for title, start, stop in zip(titles, places[:-1], places[1:], strict=True):
        yield title, len(text[start:stop].encode("utf-8"))


def _title(text: str, label: str) -> str:
    found = re.search(rf'<h2 id="{re.escape(label)}"[^>]*>(.*?)</h2>', text, re.DOTALL)
    return html.unescape(re.sub(r"<[^>]*>", "", found[1])).strip() if found else label


def _hashes(element: re.Pattern[str], text: str) -> Iterator[str]:
    for match in element.finditer(text):
        digest = hashlib.sha256(match[1].encode("utf-8")).digest()
        yield f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def _kilobytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{max(round(size / 1e3), 1):,} kB"
