"""The literature: what docs/methods.md lists under its last heading, found by how a text cites it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from fmreport.report import methods

HEADING = "References"
ENTRY = re.compile(
    r"^- \*\*(?P<names>.+?) (?P<year>\d{4})\.\*\* (?P<text>.+?)(?=\n- |\n\n|\Z)", re.MULTILINE | re.DOTALL
)
"""One entry of the list: `- **Names year.** Text`, in Markdown."""
DOI, ARXIV = "https://doi.org/", "https://arxiv.org/abs/"


@dataclass(frozen=True, slots=True)
class Reference:
    """One work."""

    names: str
    """As it is cited: `Hu et al.`"""
    year: str
    parts: tuple[tuple[str, bool], ...]
    """Authors, title, venue and year, piece by piece: the text, and whether it is in italics."""
    address: str
    """Where it can be read; empty where it has neither a DOI nor a number on arXiv."""

    def cited_by(self, text: str) -> bool:
        """Whether the text names it: `Hu et al. 2016` or `Hu et al. (2016`."""
        names = r"\s+".join(map(re.escape, self.names.split()))
        return re.search(rf"\b{names}\s+\(?{self.year}\b", text) is not None


def load() -> tuple[Reference, ...]:
    """Every work that the methods of this version list, in their order: by name."""
    return tuple(listed(methods.load().text))


def listed(text: str) -> Iterator[Reference]:
    """The works under the heading `HEADING` of a Markdown text."""
    _, _, below = text.partition(f"\n## {HEADING}\n")
    for found in ENTRY.finditer(below.partition("\n## ")[0]):
        entry = " ".join(found["text"].split())
        pieces = tuple((piece, place % 2 == 1) for place, piece in enumerate(entry.split("*")) if piece)
        yield Reference(found["names"], found["year"], pieces, _address(entry))


def cited(texts: Iterable[str]) -> tuple[Reference, ...]:
    """The works that any of the texts name, in the order of the list."""
    sources = set(texts)
    return tuple(work for work in load() if any(work.cited_by(source) for source in sources))


def _address(entry: str) -> str:
    for mark, place in (("doi ", DOI), ("arXiv ", ARXIV)):
        if found := re.search(rf"{mark}(\S+)$", entry):
            return place + found[1]
    return ""
