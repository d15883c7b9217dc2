"""The list of blocks, and the theme that one begins with."""

from __future__ import annotations

import re
from pathlib import Path

import jinja2
import pytest
from built import page_of, report_of
from run_data import small_run
from stored_run import contents
from test_cli import fmreport, refused
from test_report_pdf import poppler

from fmreport.errors import RenderError
from fmreport.report import environment, html, pdf, theme
from fmreport.report.theme import blocks, start


def named(template: str) -> list[str]:
    """The blocks of a template, as Jinja parses it."""
    text = (environment.builtin_templates() / template).read_text("utf-8")
    jinja = jinja2.Environment()
    jinja.filters |= dict.fromkeys(re.findall(r"\| (\w+)", text), str)
    return [block.name for block in jinja.parse(text).find_all(jinja2.nodes.Block)]


def test_every_block_of_every_template_is_listed_with_what_it_holds() -> None:
    listed = list(blocks.listed())
    for template in blocks.TEMPLATES:
        assert [block.name for block in listed if block.template == template] == named(template)
    # One line, said as a sentence.
    assert [block for block in listed if not re.fullmatch(r"[A-Z].{8,90}\.", block.holds)] == []


def test_what_a_block_holds_is_told_to_whoever_reads_the_template_and_not_to_the_reader_of_a_report() -> None:
    page = report_of("small").decode("utf-8")
    assert not [block for block in blocks.listed() if block.template == "report.html.j2" and block.holds in page]


def test_other_templates_than_those_listed_have_no_blocks() -> None:
    folder = environment.builtin_templates()
    parts = [path for path in folder.rglob("*.j2") if path.relative_to(folder).parts[0] not in theme.OTHERS]
    assert len(parts) > 10
    assert {path.name for path in parts if named(path.relative_to(folder).as_posix())} == set(blocks.TEMPLATES)


def test_a_new_theme_has_every_colour_and_block_and_changes_nothing_but_one_line_of_each_format(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "mine"
    assert start.write(folder) == tuple(start.SOURCES)
    assert {path.name for path in folder.iterdir()} == set(start.SOURCES)
    theme.check(folder)
    readme = (folder / "README.md").read_text("utf-8")
    for block in blocks.listed():
        assert f"| `{block.name}` | {block.holds} |" in readme
    assert all(name in readme for name in (*start.SOURCES, *theme.OF_USE))
    own = report_of("small").decode("utf-8")
    page = html.render(small_run(), template_dir=folder, budget_mb=10, page=page_of("small")).decode("utf-8")
    line = re.search(r"<p>Our report on .*?: this line comes from report\.html\.j2\.</p>\n", page)
    assert line
    before, laid, after = page.replace(line[0], "").rpartition((folder / "theme.css").read_text("utf-8"))
    assert laid in before
    policy = re.compile(r"style-src '[^']*'")
    assert "Our report" not in own
    # The page tells of the sizes of its parts.
    bare = [policy.sub("", re.sub(r"[\d.]+( kB| MB|%)", "", text)).split() for text in (before + after, own)]
    assert bare[0] == bare[1]
    (tmp_path / "report.pdf").write_bytes(pdf.render(small_run(), template_dir=folder, page=page_of("small")))
    assert "this line comes from report.typ.j2" in poppler("pdftotext", "-l", "1", tmp_path / "report.pdf", "-")


@pytest.mark.parametrize("name", list(start.SOURCES))
def test_a_new_theme_overwrites_nothing(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("mine")
    (tmp_path / "other").write_text("mine, too")
    before = contents(tmp_path)
    with pytest.raises(RenderError, match=re.escape(f"{tmp_path / name} exists already")):
        start.write(tmp_path)
    assert contents(tmp_path) == before


def test_a_new_theme_is_laid_beside_what_a_folder_holds(tmp_path: Path) -> None:
    (tmp_path / "logo.png").write_text("mine")
    start.write(tmp_path)
    assert set(contents(tmp_path)) == {"logo.png", *start.SOURCES}


def test_a_link_that_leads_nowhere_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "theme.css").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RenderError, match="exists already"):
        start.write(tmp_path)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=["full", "stop"])
def test_a_new_theme_is_written_whole_or_not_at_all(
    failure: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = start._text

    def fails(source: str) -> str:
        if "typ" in source:
            raise failure
        return read(source)

    monkeypatch.setattr(start, "_text", fails)
    with pytest.raises((RenderError, KeyboardInterrupt)) as caught:
        start.write(tmp_path / "a" / "mine")
    assert list(tmp_path.iterdir()) == []
    assert isinstance(caught.value, KeyboardInterrupt) or "was not written: No space left" in str(caught.value)


def test_the_command_lists_blocks_starts_a_theme_and_refuses_to_do_so_twice(tmp_path: Path) -> None:
    listed = fmreport("templates", cwd=tmp_path)
    assert listed.returncode == 0, listed.stderr
    for block in blocks.listed():
        assert re.search(rf"^  {block.name} +{re.escape(block.holds)}$", listed.stdout, re.MULTILINE)
    for name in theme.known():
        assert name in listed.stdout
    assert fmreport("templates", "--copy", "mine", cwd=tmp_path).stdout.startswith("mine: README.md, theme.css")
    before = contents(tmp_path)
    assert "mine/README.md exists already" in refused(fmreport("templates", "--copy", "mine", cwd=tmp_path))
    assert contents(tmp_path) == before
    assert "is no folder" in refused(fmreport("templates", "--copy", "mine/theme.css", cwd=tmp_path))
