"""Whatever the columns and the methods cite is in the list of references, and whatever is listed is cited."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from run_data import small_run

from fmreport import columns
from fmreport.report import build, methods, printed, references

SOURCES = {column.source for table in columns.described().values() for column in table.values()} - {""}
TEXT, _, LIST = methods.load().text.partition(f"\n## {references.HEADING}\n")
YEAR = re.compile(r"(?<!arXiv )(?<!\d)(?:1[89]|20)\d\d(?![\d.])")
"""A year, and no number of arXiv."""


@pytest.mark.parametrize("source", sorted(SOURCES))
def test_every_work_that_a_column_cites_is_listed(source: str) -> None:
    years = YEAR.findall(re.sub(r"(?:doi|bioRxiv) \S+", "", source))
    assert years
    assert len(years) == sum(work.cited_by(source) for work in references.load())


def test_every_work_that_the_methods_cite_by_name_is_listed() -> None:
    cited = re.findall(r"(?:[A-Z][\w’']+,?\s(?:&\s)?)*(?:[A-Z]\w+|et\sal\.)\s\(?(?:19|20)\d\d\b(?!\.)", TEXT)
    assert len(cited) > 20
    works = references.load()
    assert [found for found in cited if not any(work.cited_by(found) for work in works)] == []


def test_every_listed_work_is_cited_and_whole() -> None:
    works = references.load()
    assert len(works) == LIST.count("\n- **") >= 25
    assert [work.names for work in works] == sorted((work.names for work in works), key=str.casefold)
    for work in works:
        assert any(work.cited_by(text) for text in (TEXT, *SOURCES)), work
        told = "".join(piece for piece, _ in work.parts)
        assert work.year in told
        assert work.names.split()[0].strip(",") in told
        assert len(told) > 60
        assert ("doi" in told or "arXiv" in told) == (work.address != "")


def test_a_work_is_found_by_how_it_is_cited_and_by_nothing_else() -> None:
    entries = "- **Hu et al. 2016.** H. Hu. On\n  *Things*, 2016. arXiv 1607.03250\n- **Ada 1843.** A. Ada. N. 1843.\n"
    hu, ada = references.listed(f"# T\n\n## References\n\n{entries}\n## Next\n")
    assert hu.parts == (("H. Hu. On ", False), ("Things", True), (", 2016. arXiv 1607.03250", False))
    assert hu.address == "https://arxiv.org/abs/1607.03250"
    assert ada.address == ""
    for text in ("APoZ: Hu et al. 2016, arXiv 1", "as in Hu et\nal. (2016, p. 3)"):
        assert hu.cited_by(text)
        assert not ada.cited_by(text)
    for text in ("Chu et al. 2016", "Hu et al. 2017", "Hu 2016", "Hu et al. 20161"):
        assert not hu.cited_by(text)


def test_a_report_lists_what_its_columns_cite_and_counts_it_there() -> None:
    run = small_run()
    shown = build.build(run)
    made = printed.printed(run, shown)
    assert {work.names for work in made.works} < {work.names for work in references.load()}
    for definition in made.definitions:
        named = [made.works[number - 1] for number in definition.works]
        assert all(work.cited_by(definition.source) for work in named)
        assert bool(named) == bool(definition.source)
        assert not re.search("arXiv|doi|bioRxiv", definition.text)
    few = replace(shown, definitions=tuple(each for each in shown.definitions if each.name == "gini"))
    assert [work.names for work in printed.printed(run, few).works] == ["Hurley & Rickard"]
