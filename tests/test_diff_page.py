"""Laws of the page of a comparison: HTML, PDF, and how it looks in a browser."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from altered import another, many_images, raised, renamed, silenced, stored, without
from in_browser import opened
from pdf_texts import poppler, words
from run_data import HOSTILE, SyntheticRun, TapSpec, make_run, small_run

from fmreport.compare.comparing import compare
from fmreport.errors import RenderError
from fmreport.report.comparison import html, pdf
from fmreport.report.comparison.build import Limit, build

WIDTHS = (360, 768, 1440)


def pair() -> tuple[SyntheticRun, SyntheticRun]:
    """Two releases: a tap renamed, one removed, one with other numbers and a silent channel; hostile names in both."""
    before = small_run()
    after = silenced(
        raised(without(renamed(before, {"one": "uno"}), "tokens"), "stem/relu", "gini", 0.25), "stem/relu", 3
    )
    return before, another(after, release="v2")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, (a, b) = tmp_path_factory.mktemp("diff"), pair()
    found = compare(a, b)
    (folder / "diff.html").write_bytes(html.render(a, b, found, template_dir=None, budget_mb=10))
    (folder / "diff.pdf").write_bytes(pdf.render(a, b, found, template_dir=None))
    return folder


@pytest.fixture(scope="module")
def page(files: Path) -> str:
    return (files / "diff.html").read_text(encoding="utf-8")


def test_the_page_loads_nothing_and_runs_only_what_it_holds(page: str) -> None:
    assert re.search(r'http-equiv="Content-Security-Policy" content="default-src \'none\'; script-src \'sha256-', page)
    assert not re.findall(r'(?:src|href)="(?!data:|#)[^"]+"', page)
    assert "style=" not in re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)


def test_the_verdict_stands_before_any_number_and_both_sides_before_the_verdict(page: str) -> None:
    places = [
        page.index(text) for text in ("side side-a", "side side-b", 'id="s-verdict"', 'id="s-settings"', 'id="s-taps"')
    ]
    assert places == sorted(places)
    assert "1 tap is renamed: one → uno." in page


def test_a_side_is_told_by_its_letter_everywhere(page: str) -> None:
    badges = re.findall(r'<b class="side side-([ab])">([AB])</b>', page)
    assert len(badges) >= 10
    assert badges.count(("a", "A")) == badges.count(("b", "B"))
    assert all(side.upper() == letter for side, letter in badges)


def test_nothing_undefined_reaches_a_reader(page: str) -> None:
    text = re.sub(r"<(script|style|svg).*?</\1>", "", page, flags=re.DOTALL)
    assert not re.search(r">[^<]*\b(nan|None|NaN|inf)\b[^<]*<", text)


def test_names_are_shown_and_never_run(page: str) -> None:
    assert HOSTILE.split("<")[0] in page
    assert '<script>alert("x")</script>' not in page


def test_every_picture_says_what_it_shows(page: str) -> None:
    pictures = re.findall(r"<img [^>]*>", page)
    assert len(pictures) > 4
    assert all(re.search(r'alt="[^"]+"', picture) for picture in pictures)


def test_channels_that_fell_silent_are_shown_first_and_marked(page: str) -> None:
    section = page[page.index('<article class="tap pair" id="stem/relu"') :]
    assert re.search(r"<b>3</b><i>silent in B</i>", section)
    assert section.index("<b>3</b>") < section.index("<b>0</b>")


def test_maps_of_both_sides_have_one_scale() -> None:
    before, _ = pair()
    after = another(before, release="v2")
    tiles = before.all_tiles["stem/relu"]
    after.all_tiles["stem/relu"] = replace(tiles, low=4 * tiles.low, high=4 * tiles.high)
    after = raised(after, "stem/relu", "std", 1.0)
    made = build(before, after, compare(before, after), Limit(9, 9, 24))
    (tap,) = made.taps
    assert tap.maps
    assert [letter for letter, _ in tap.sides] == ["A", "B"] * 2
    one = build(after, after, compare(before, after), Limit(9, 9, 24)).taps[0].maps
    assert one
    # The scale is that of the side that is larger: with A as large as B it is the same.
    assert [channel.label.range for channel in tap.maps.blocks[0].channels] == [
        channel.label.range for channel in one.blocks[0].channels
    ]


def test_a_run_with_itself_says_so_and_shows_no_tap() -> None:
    run = small_run()
    found = compare(run, run)
    page = html.render(run, run, found, template_dir=None, budget_mb=10).decode("utf-8")
    assert "Nothing changed" in page
    assert "No difference: all 8 taps" in page
    assert '<article class="tap' not in page


def test_taps_that_did_not_change_are_rows_alone(page: str) -> None:
    assert page.count("<article") == 1
    assert len(re.findall(r'<tr class="(?:same|renamed|removed|added)', page)) == 8


@pytest.fixture(scope="module")
def large() -> tuple[SyntheticRun, SyntheticRun]:
    before = many_images(make_run([TapSpec(f"b{i // 10}/c{i}", "Conv2D", (12, 12, 4)) for i in range(200)],
                                  shown=4, tile=12, probes=("cat",)), 10)  # fmt: skip
    after = another(before)
    after.samples["gini"] = after.samples["gini"] + 0.1
    return before, after


@pytest.mark.slow
def test_a_large_model_stays_within_a_budget_and_says_what_is_left_out(
    large: tuple[SyntheticRun, SyntheticRun],
) -> None:
    found = compare(*large)
    assert found.counts.changed == 200
    made = html.render(*large, found, template_dir=None, budget_mb=2)
    assert len(made) < 2e6
    assert b"48 of 200 taps that changed have a section" in made
    assert made.count(b"<tr class=") > 200
    assert len(html.render(*large, found, template_dir=None, budget_mb=1)) < 1e6
    with pytest.raises(RenderError, match=r"over the budget of 0\.1 MB"):
        html.render(*large, found, template_dir=None, budget_mb=0.1)


def test_the_pdf_says_what_the_page_says_and_holds_the_json(files: Path, tmp_path: Path) -> None:
    text = words(files / "diff.pdf")
    a, b = pair()
    found = compare(a, b)
    for sentence in found.verdict:
        if HOSTILE[:8] not in sentence:
            assert re.sub(r"\s+", "", sentence) in re.sub(r"\s+", "", text)
    poppler("pdfdetach", "-saveall", "-o", tmp_path, files / "diff.pdf")
    assert json.loads((tmp_path / "diff.json").read_bytes())["verdict"] == list(found.verdict)
    assert "Tagged: yes" in re.sub(r" +", " ", poppler("pdfinfo", files / "diff.pdf"))


def test_the_bytes_are_the_same_in_every_process(tmp_path: Path) -> None:
    a, b = pair()
    for run, name in ((a, "a"), (b, "b")):
        stored(run, tmp_path / name)
    script = "from fmreport import pipeline; import sys; pipeline.diff(sys.argv[1], sys.argv[2], out=sys.argv[3])"
    for seed in ("1", "2"):
        line = [sys.executable, "-c", script, "a", "b", f"out{seed}"]
        environment = {"PYTHONHASHSEED": seed, "PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path), "LC_ALL": "C"}
        subprocess.run(line, cwd=tmp_path, check=True, env=environment, timeout=300)
    for name in ("diff.html", "diff.pdf", "diff.json"):
        assert (tmp_path / "out1" / name).read_bytes() == (tmp_path / "out2" / name).read_bytes()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_no_width_scrolls_sideways_and_the_console_is_silent(
    browser: Any, files: Path, width: int, scheme: str
) -> None:
    shown, said = opened(browser, files / "diff.html", viewport={"width": width, "height": 900}, color_scheme=scheme)
    assert shown.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert shown.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    assert said == []
    shown.context.close()


def test_without_javascript_the_page_is_complete(browser: Any, files: Path) -> None:
    shown, _ = opened(browser, files / "diff.html", java_script_enabled=False)
    assert shown.locator("table.pairs tbody tr").count() == 8
    assert shown.locator("article.tap").count() == 1
    assert shown.get_by_text("1 tap is renamed").is_visible()
    shown.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_accessible(browser: Any, files: Path, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
    shown, _ = opened(browser, files / "diff.html", color_scheme=scheme, bypass_csp=True)
    found = axe.Axe().run(shown, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]})
    assert [violation["id"] for violation in found.response["violations"]] == []
    shown.context.close()
