"""Every column of every table is explained, and every entry of the methods explains something."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from run_data import small_run
from stored_run import write
from test_report_html import Document

from fmreport import columns
from fmreport.analysis import findings
from fmreport.errors import RenderError
from fmreport.records import Column, explained
from fmreport.report import build, methods
from fmreport.store import TABLES

IDEAS = {
    "change-over", "channels-and-positions-that-stand-for-all", "channels-that-are-shown",
    "images-whose-maps-are-measured", "maps-that-are-shown",
    "masks-of-no-meaning", "one-photograph-through-the-model", "own-prediction", "position-prior", "precision",
    "resolution-ceiling", "spectrum-of-a-map",
}  # fmt: skip
"""Entries that no column is named after: what other entries rest on."""
TEXT = methods.load().text
ENTRIES = {methods.slug(title) for title in re.findall(r"^### (.+)$", TEXT, re.MULTILINE)}
FINDINGS = TEXT.partition("\n## Findings\n")[2].partition("\n## ")[0]
RULES = {methods.slug(title) for title in re.findall(r"^### (.+)$", FINDINGS, re.MULTILINE)}


@pytest.mark.parametrize("table", TABLES)
def test_every_column_of_every_table_names_an_entry(table: str) -> None:
    described = columns.described()[table]
    assert described
    assert {name: column.method for name, column in described.items() if column.method not in ENTRIES} == {}


def test_every_entry_is_named_by_a_column_or_is_one_of_a_rule_or_an_idea() -> None:
    named = {column.method for described in columns.described().values() for column in described.values()}
    assert ENTRIES - IDEAS - RULES - named == set()
    assert named & (IDEAS | RULES) == set()
    assert ENTRIES >= IDEAS


def test_a_column_keeps_the_entry_that_it_names() -> None:
    kept, given = explained("of-the-table", Column("a", "1", "", method="own"), Column("b", "1", ""))
    assert (kept.method, given.method) == ("own", "of-the-table")


def test_titles_differ() -> None:
    found = re.findall(r"^##+ (.+)$", TEXT, re.MULTILINE)
    assert sorted(methods.load().titles) == sorted(map(methods.slug, found))


def test_every_finding_has_its_rule_among_the_methods() -> None:
    run = small_run()
    found = findings.findings(
        findings.Tables(run.layers, run.inventory, run.summary, run.channels, run.analyses, run.controls, 0)
    )
    assert {methods.slug(finding.subject) for finding in found} == RULES


def test_columns_of_one_name_that_mean_different_things_are_told_apart() -> None:
    found = [definition for definition in build.build(small_run()).definitions if definition.name == "zeros"]
    assert [(definition.tables, definition.method) for definition in found] == [("layers", "Zeros by design")]
    described = columns.described()
    assert described["channels"]["total"].meaning != described["readability"]["total"].meaning


def test_a_run_that_is_read_describes_its_columns(tmp_path: Path) -> None:
    run = write(tmp_path / "v1")
    assert set(run.columns) == set(TABLES)
    assert run.columns["summary"]["gini"].method == "gini-coefficient"


def test_html_in_the_methods_stays_text_and_links_stay_on_the_page() -> None:
    made = methods.parsed("# T\n\nWhy <b>not</b>, see [it](#one).\n\n## One\n\n### A b\n\n<script>x</script>\n")
    document = Document(made.introduction + made.groups[0].html)
    assert document.named("a") == [{"href": "#method:one"}]
    assert document.named("h4") == [{"id": "method:a-b"}]
    assert "<script>x</script>" in "".join(document.text)
    assert not document.named("script")
    assert not document.named("b")
    assert made.titles == {"one": "One", "a-b": "A b"}


def test_every_entry_is_a_heading_of_the_page_and_closes_its_tags() -> None:
    for group in methods.load().groups:
        document = Document(group.html)
        assert not document.unbalanced
        assert not document.open
    ids = {match for group in methods.load().groups for match in re.findall(r'<h4 id="method:([^"]+)"', group.html)}
    assert ids == ENTRIES


def test_methods_that_are_missing_are_an_error_with_the_next_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(methods, "FILE", "nothing.md")
    with pytest.raises(RenderError, match=r"nothing\.md is missing") as caught:
        methods.load.__wrapped__()
    assert caught.value.fix
