"""Laws of the index page."""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import archives
import pytest
from archives import made
from hypothesis import given, settings
from hypothesis import strategies as st
from in_browser import opened
from run_data import HOSTILE

from fmreport import archive, index, manifest
from fmreport.archive import Archive, Entry, Told
from fmreport.errors import StoreError
from fmreport.index.build import build
from fmreport.index.sparkline import HEIGHT, MARGIN, WIDTH, line
from fmreport.quantities import QUANTITIES

UNDEFINED = dict.fromkeys(QUANTITIES)


class Rows(HTMLParser):
    """The texts of every row of runs, and every link."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag == "a" and given.get("href"):
            self.links.append(str(given["href"]))

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data.strip("\n")


def written(folder: Path) -> str:
    index.write(folder)
    return (folder / index.FILE).read_text("utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four models of ten releases, one of them hostile, beside a damaged manifest and one of format 1."""
    for run in archives.many(3, 10):
        run.write(tmp_path)
    for release in ("v1", "v2", "v10"):
        made(HOSTILE, release, title=HOSTILE, notes=(HOSTILE,)).write(tmp_path, f"hostile/{release}")
    (tmp_path / "old/v1").mkdir(parents=True)
    (tmp_path / "old/v1" / manifest.FILE).write_bytes(archives.of_format_1(made("old")))
    (tmp_path / "<b>&").mkdir()
    (tmp_path / "<b>&" / manifest.FILE).write_text("{")
    return tmp_path


def test_every_run_has_a_row_with_what_its_manifest_tells(folder: Path) -> None:
    page = Rows(written(folder))
    run = made("bit_r50x1", "v3")
    (row,) = [row for row in page.rows if len(row) > 9 and row[1] == "bit_r50x1 v3"]
    numbers = run.facts.numbers
    assert f"{numbers['gini']:.3f}" in row
    assert f"{100 * (numbers['silent_channels'] or 0):.1f}%" in row
    assert {"8", "51", "How bit_r50x1 sees", "keras models/bit_r50x1.keras", "keras 3.15.1"} <= set(row)
    assert "bit_r50x1/v3/report.html" in page.links
    assert "bit_r50x1/v3/report.pdf" in page.links
    assert "bit_r50x1/v2/report.html#s-notes" in page.links
    assert sum(row[0].isdigit() for row in page.rows) == 34


def test_releases_stand_in_their_order_below_their_model(folder: Path) -> None:
    rows = [row for row in Rows(written(folder)).rows if row[1].startswith("bit_r50x1")]
    assert [row[1] for row in rows] == ["bit_r50x1", *(f"bit_r50x1 v{number}" for number in range(1, 11))]
    assert rows[0][2] == "10 releases, v1 to v10"


def test_links_lead_to_the_reports_of_their_runs(folder: Path) -> None:
    links = [link for link in Rows(written(folder)).links if not link.startswith("#")]
    assert len(links) >= 68
    assert all((folder / unquote(link)).parent.joinpath(manifest.FILE).is_file() for link in links)


def test_links_hold_whatever_a_folder_is_called(tmp_path: Path) -> None:
    for name in ("javascript:alert(1)", 'a"b', "c d?e#f%20", "ü", b"raw\xff".decode("utf-8", "surrogateescape")):
        made("net", "v1").write(tmp_path, f"{name}/v1")
    links = [link for link in Rows(written(tmp_path)).links if not link.startswith("#")]
    assert len(links) == 10
    for link in links:
        folder = unquote(link, errors="surrogateescape").rpartition("/")[0]
        assert (tmp_path / folder / manifest.FILE).is_file()


def test_hostile_words_stay_words(folder: Path) -> None:
    page = written(folder)
    assert "<script>alert" not in page
    assert Rows(page).tags.count("script") == 1
    assert "\u202e" not in page
    assert "[U+202E]" in page
    assert "&lt;b&gt;&amp;" in page


@settings(max_examples=25)
@given(st.text(st.characters(exclude_categories=["Cs"])), st.sampled_from([*QUANTITIES]), st.floats())
def test_any_words_and_any_numbers_make_a_page(text: str, name: str, value: float) -> None:
    numbers: dict[str, float | None] = {**UNDEFINED, name: value if abs(value) < 1e300 else None}
    told = Told(text, text, text, text, text, text, 1, None, 1, text, 2, ("report.html",), numbers)
    entries = tuple(Entry(f"{i}", "", told) for i in range(2))
    page = index.to_html(build(Archive((*entries, Entry(text, problem=text))))).decode("utf-8")
    assert Rows(page).tags.count("script") == 1


def test_the_same_runs_are_the_same_bytes_whatever_the_order_and_wherever_they_lie(tmp_path: Path) -> None:
    runs = list(archives.many(4, 5))
    pages = set()
    for number in range(3):
        random.Random(number).shuffle(runs)
        for run in runs:
            run.write(tmp_path / f"archive {number}/reports")
        pages.add(written(tmp_path / f"archive {number}/reports"))
        pages.add(written(tmp_path / f"archive {number}/reports"))
    assert len(pages) == 1


def test_an_index_that_grew_is_the_one_that_is_made_at_once(tmp_path: Path) -> None:
    runs = list(archives.many(2, 4))
    for run in runs:
        run.write(tmp_path / "grown")
        written(tmp_path / "grown")
        run.write(tmp_path / "whole")
    assert written(tmp_path / "grown") == written(tmp_path / "whole")
    shutil.rmtree(tmp_path / "grown" / runs[0].name / runs[0].release)
    assert "8 runs" not in written(tmp_path / "grown")


def test_a_thousand_runs_are_one_page(tmp_path: Path) -> None:
    for run in archives.many(100, 10):
        run.write(tmp_path)
    found = index.write(tmp_path)
    assert (len(found.entries), found.read, len(found.models)) == (1000, 1000, 100)
    page = Rows((tmp_path / index.FILE).read_text("utf-8"))
    assert sum(row[0].isdigit() for row in page.rows) == 1000
    assert index.write(tmp_path).read == 0


def test_an_index_reads_manifests_alone(tmp_path: Path) -> None:
    place = made().write(tmp_path)
    (place / "report.html").symlink_to("/dev/full")
    (place / "tables").symlink_to("nowhere")
    assert "1 run" in written(tmp_path)


def test_what_could_not_be_read_is_told_with_its_reason(folder: Path) -> None:
    (problem,) = build(index.write(folder)).problems
    assert problem.folder == "<b>&"
    assert "cannot be read" in problem.reason


def test_runs_without_key_numbers_are_shown_and_told(folder: Path) -> None:
    page = build(index.write(folder))
    (old,) = [model for model in page.models if model.name == "old"]
    assert {cell.text for cell in old.rows[0].cells[3 : 3 + len(QUANTITIES)]} == {"–"}
    assert any(note.startswith("1 is without key numbers") for note in page.notes)
    assert all(trend.text == "–" and not trend.path for trend in old.trends)


def test_what_no_run_has_is_no_column(tmp_path: Path) -> None:
    numbers = {**made().facts.numbers, "mask": None, "iou": None}
    made(numbers=numbers).write(tmp_path)
    page = build(index.write(tmp_path))
    heads = {column.label for column in page.columns}
    assert "gain" not in heads
    assert {"mask R²", "IoU"}.isdisjoint(heads)
    assert "No run has a value of: mask R² and IoU." in page.notes


def test_long_tables_are_folded_and_short_ones_are_not(tmp_path: Path) -> None:
    for runs, folded in ((list(archives.many(4, 10)), False), (list(archives.many(5, 10))[40:], True)):
        for run in runs:
            run.write(tmp_path)
        assert {model.folded for model in build(index.write(tmp_path)).models} == {folded}


def test_a_page_of_another_program_is_left_as_it_is(tmp_path: Path) -> None:
    made().write(tmp_path)
    (tmp_path / index.FILE).write_text("<h1>Mine</h1>")
    with pytest.raises(StoreError, match="is not an index that fmreport wrote"):
        index.write(tmp_path)
    assert (tmp_path / index.FILE).read_text() == "<h1>Mine</h1>"
    assert not (tmp_path / archive.KEPT).exists()
    (tmp_path / index.FILE).unlink()
    assert written(tmp_path) == written(tmp_path)


def test_a_page_stays_where_what_is_kept_cannot_be_written(tmp_path: Path) -> None:
    made("net", "v1").write(tmp_path)
    page = written(tmp_path)
    (tmp_path / archive.KEPT).unlink()
    (tmp_path / archive.KEPT).mkdir()
    made("net", "v2").write(tmp_path)
    with pytest.raises(StoreError, match="was not written"):
        index.write(tmp_path)
    assert (tmp_path / index.FILE).read_text("utf-8") == page


@pytest.mark.parametrize("forged", [{"reports": ["../../evil.html"]}, {"title": "\ud800"}, {"probes": -1}])
def test_what_is_kept_is_read_again_where_it_cannot_have_been_made(tmp_path: Path, forged: dict[str, Any]) -> None:
    made().write(tmp_path)
    page = written(tmp_path)
    kept = json.loads((tmp_path / archive.KEPT).read_bytes())
    kept["entries"][0]["told"] |= forged
    (tmp_path / archive.KEPT).write_text(json.dumps(kept))
    assert written(tmp_path) == page


# Lines of trends.

numbers_or_gaps = st.lists(st.none() | st.floats(-1e12, 1e12), max_size=30)


@given(numbers_or_gaps)
def test_a_line_stays_in_its_box_and_ends_at_the_last_value(values: list[float | None]) -> None:
    path, at = line(values)
    defined = [value for value in values if value is not None]
    assert bool(path) == (len(defined) > 1)
    points = [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", path)]
    assert len(points) == (len(defined) if path else 0)
    assert all(MARGIN <= x <= WIDTH - MARGIN and 0 <= y <= HEIGHT for x, y in points)
    assert [x for x, _ in points] == sorted(x for x, _ in points)
    assert not path or points[-1] == (float(at[0]), float(at[1]))


@given(st.lists(st.floats(0, 1), min_size=2, max_size=9))
def test_more_stands_higher(values: list[float]) -> None:
    ys = [float(y) for _, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", line(values)[0])]
    assert len(ys) == len(values)
    order = sorted(range(len(values)), key=values.__getitem__)
    assert all(ys[a] >= ys[b] for a, b in pairwise(order))


def test_an_undefined_value_is_a_gap_and_little_change_looks_like_little() -> None:
    assert line([0.5, None, 0.5, 0.6])[0].count("M") == 2
    level = [float(y) for _, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", line([0.5, 0.5001])[0])]
    assert abs(level[0] - level[1]) < 0.1 * HEIGHT


def test_a_trend_is_told_in_words(tmp_path: Path) -> None:
    for release, zeros in {"v1": 0.2, "v2": 0.5, "v10": 0.25}.items():
        made("net", release, numbers={"zeros": zeros}).write(tmp_path)
    ((trend,),) = [model.trends for model in build(index.write(tmp_path)).models]
    assert trend.alt == "zeros: 20.0% at v1, most 50.0% at v2, 25.0% at v10"
    assert trend.text == "25.0%"


# The command.


def fmreport(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fmreport", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)


def test_the_command_says_in_one_line_what_there_is_and_what_was_new(folder: Path) -> None:
    first, second = (fmreport("index", ".", cwd=folder) for _ in range(2))
    assert first.stdout == "index.html 34 runs of 5 models, 35 new or changed, 1 not read\n"
    assert second.stdout == "index.html 34 runs of 5 models, 0 new or changed, 1 not read\n"
    assert first.returncode == second.returncode == 0


def test_the_command_refuses_a_folder_without_runs(tmp_path: Path) -> None:
    done = fmreport("index", ".", cwd=tmp_path)
    assert done.returncode == 2
    assert "holds no run" in done.stderr
    assert "next: write one: fmreport run CONFIG --out DIR" in done.stderr
    assert list(tmp_path.iterdir()) == []


# In a browser.


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440, 3840])
def test_no_width_scrolls_sideways_and_the_console_is_silent(
    browser: Any, folder: Path, width: int, scheme: str
) -> None:
    index.write(folder)
    page, said = opened(browser, folder / index.FILE, viewport={"width": width, "height": 900}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    rows = page.locator(".tap-row", has_not_text="very").all()
    rem = page.evaluate("parseFloat(getComputedStyle(document.documentElement).fontSize)")
    assert max(row.bounding_box()["height"] for row in rows) < 2.2 * rem
    assert said == []
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser: Any, folder: Path, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
    index.write(folder)
    page, _ = opened(browser, folder / index.FILE, color_scheme=scheme)
    page.locator(".view summary").click()
    found = axe.Axe().run(page)
    assert [each["id"] for each in found.response["violations"]] == []
    page.context.close()


def test_search_and_heads_find_and_sort_runs(browser: Any, folder: Path) -> None:
    index.write(folder)
    page, said = opened(browser, folder / index.FILE, viewport={"width": 1440, "height": 900})
    rows, status = page.locator("tr.tap-row:visible"), page.locator("[data-sort-status]")
    page.locator("#runs-search").fill("SD_UNET_PETS v1")
    assert rows.count() == 2
    assert status.inner_text() == "2 of 34 runs."
    page.locator("#runs-search").fill(made("bit_r50x1", "v4").facts.id)
    assert rows.count() == 1
    page.locator("#runs-search").fill("")
    assert status.inner_text() == "All runs."
    page.locator("#runs-shown").select_option("latest")
    assert rows.count() == 5
    page.locator("#runs-shown").select_option("")
    page.locator("table.runs thead th", has_text="Gini").locator("button").click()
    assert rows.first.locator(".of-model").is_visible()
    assert status.inner_text() == "Sorted by Gini, descending."
    page.locator("#unsorted").click()
    assert status.inner_text() == "Sorted by model, in the order of releases."
    assert not rows.first.locator(".of-model").is_visible()
    assert said == []
    page.context.close()


def test_everything_is_there_without_javascript(browser: Any, folder: Path) -> None:
    index.write(folder)
    page, _ = opened(browser, folder / index.FILE, java_script_enabled=False)
    assert page.locator("tr.tap-row:visible").count() == 34
    assert not page.locator("#runs-search").is_visible()
    page.locator(".part", has_text="bit_r50x1").locator("input").uncheck()
    assert page.locator("tr.tap-row:visible").count() == 24
    page.context.close()
