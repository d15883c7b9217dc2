"""What every number is and how it is made: docs/methods.md, which travels in the report."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from fmreport.errors import RenderError
from fmreport.report import page

FILE = "methods.md"
PREFIX = "method:"
"""Of the ids of entries, so that a tap of the same name has an id of its own."""
GROUP, ENTRY = "h2", "h3"
LOWER = {ENTRY: "h4"}
"""Level of a heading on the page, of which a group is one section."""
BOX = '<div class="scroll" tabindex="0" role="group" aria-label="Table, scrolls sideways">'


@dataclass(frozen=True, slots=True)
class Methods:
    """The text, and what a report shows of it."""

    text: str
    introduction: Markup
    groups: tuple[page.Methods, ...]
    titles: dict[str, str]
    """Of every group and entry, by what columns call it: its title in lower case, hyphens for spaces."""


def slug(title: str) -> str:
    """The name of an entry, as GitHub makes it of a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def href(entry: str) -> str:
    """The link to an entry on the same page."""
    return f"#{PREFIX}{entry}"


@cache
def load() -> Methods:
    """The methods of this version; raises `RenderError` where they are missing."""
    return parsed(_path().read_text(encoding="utf-8"))


def parsed(text: str) -> Methods:
    """The parts of a Markdown text: what stands between its title and its first group, then its groups.

    HTML in it stays text, and links lead to entries of the page, which has nothing else to lead to.
    """
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(text)
    titles: dict[str, str] = {}
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open" and opening.tag in (GROUP, ENTRY):
            titles[slug(inline.content)] = inline.content
            opening.attrSet("id", PREFIX + slug(inline.content))
        for child in inline.children or ():
            _links_stay_here(child)
    # Of a heading there are three tokens; that of a part is shown by the page in its own way.
    parts = [(part[1].content, part[3:]) for part in _split(tokens)]
    shown = [(title, Markup(_rendered(markdown, body))) for title, body in parts]
    groups = tuple(page.Methods(title, PREFIX + slug(title), html) for title, html in shown[1:])
    return Methods(text, shown[0][1], groups, titles)


def _path() -> Path:
    """Inside the package as installed, among the documents in a checkout."""
    package = Path(__file__).parent.parent
    for path in (package / FILE, package.parent / "docs" / FILE):
        if path.is_file():
            return path
    raise RenderError(f"fmreport's own {FILE} is missing", fix="install fmreport again")


def _links_stay_here(token: Token) -> None:
    """Links to headings lead to entries on the page; a report has nothing else to lead to."""
    target = unquote(str(token.attrGet("href") or ""))
    if token.type == "link_open" and target.startswith("#"):
        token.attrSet("href", href(target[1:]))


def _split(tokens: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """Runs of tokens, each beginning with a heading: that of the whole text, then those of its groups."""
    starts = [i for i, token in enumerate(tokens) if token.type == "heading_open" and token.tag == GROUP]
    for start, end in pairwise((0, *starts, len(tokens))):
        yield tokens[start:end]


def _rendered(markdown: MarkdownIt, tokens: Sequence[Token]) -> str:
    """HTML: headings a level lower, as the page has one more, and tables in boxes in which they scroll."""
    for token in tokens:
        if token.type.startswith("heading_"):
            token.tag = LOWER[token.tag]
    html: str = markdown.renderer.render(list(tokens), markdown.options, {})
    return html.replace("<table>", f'{BOX}<table class="plain">').replace("</table>", "</table></div>")
