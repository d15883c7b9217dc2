"""The HTML report in a real browser, with the network cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from built import report_of
from in_browser import opened
from run_data import TapSpec, make_run

from fmreport.report import html

WIDTHS = (360, 768, 1440, 3840)
LINES = """cells => cells.map(cell => {
    const range = document.createRange();
    range.selectNodeContents(cell);
    return new Set([...range.getClientRects()].map(box => Math.round(box.top))).size;
})"""
"""On how many lines each cell's text stands."""


@pytest.fixture(scope="module", params=["small", "sd_unet"])
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("html") / "report.html"
    path.write_bytes(report_of(request.param))
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_no_width_scrolls_sideways_and_the_console_is_silent(
    browser: Any, report: Path, width: int, scheme: str
) -> None:
    page, said = opened(browser, report, viewport={"width": width, "height": 900}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    assert said == []
    page.context.close()


def test_the_table_sorts_by_its_heads_with_undefined_values_last(browser: Any, report: Path) -> None:
    page, said = opened(browser, report)
    head = page.locator("table.layers thead th", has_text="Gini")
    column = head.evaluate("head => head.cellIndex")
    cells = f"[...document.querySelectorAll('table.layers tr.tap-row')].map(row => row.cells[{column}].dataset.sort)"
    original = page.evaluate(cells)
    defined = sorted((float(value) for value in original if value), reverse=True)
    for order in ("descending", "ascending"):
        head.locator("button").focus()
        page.keyboard.press("Enter")
        assert head.get_attribute("aria-sort") == order
        found = page.evaluate(cells)
        assert [float(value) for value in found if value] == (defined if order == "descending" else defined[::-1])
        assert found[len(defined) :] == [""] * (len(original) - len(defined))
        assert page.locator("[data-sort-status]").inner_text() == f"Sorted by Gini, {order}."
    page.keyboard.press("Enter")
    assert page.evaluate(cells) == original
    assert said == []
    page.context.close()


def test_names_sort_from_a_first_and_numbers_from_the_largest(browser: Any, report: Path) -> None:
    page, _ = opened(browser, report)
    for label, order in (
        ("tap", "ascending"),
        ("by design", "ascending"),
        ("silent", "descending"),
        ("#", "descending"),
    ):
        head = page.locator("table.layers thead th").filter(has=page.get_by_text(label, exact=True))
        head.locator("button").click()
        assert head.get_attribute("aria-sort") == order
    head = page.locator("table.layers thead th").filter(has=page.get_by_text("tap", exact=True))
    for order in ("ascending", "descending", "none"):
        head.locator("button").click()
        assert head.get_attribute("aria-sort") == order
    page.context.close()


@pytest.mark.parametrize("width", [390, 1440])
def test_types_and_units_are_not_broken_inside_a_word(browser: Any, report: Path, width: int) -> None:
    page, _ = opened(browser, report, viewport={"width": width, "height": 900})
    cells = page.locator("section:not(:has(#s-methods)) table.plain td:nth-child(2)")
    assert cells.count()
    assert set(cells.evaluate_all(LINES)) == {1}
    page.context.close()


@pytest.fixture(scope="module")
def deep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of 120 taps with names and types as long as those of a BiT."""
    kinds = {"standardized_conv2d": "StandardizedConv2D", "relu": "ReLU"}
    specs = [
        TapSpec(f"block{i // 30 + 1}/unit{i // 6 % 5:02}/{'abc'[i // 2 % 3]}/{name}", kinds[name], (14, 14, 2))
        for i in range(120)
        for name in [list(kinds)[i % 2]]
    ]
    run = make_run(specs, shown=2, tile=14, probes=("cat",))
    run.summary["mean"] = -0.00988
    path = tmp_path_factory.mktemp("deep") / "report.html"
    path.write_bytes(html.render(run, template_dir=None, budget_mb=10))
    return path


def test_numbers_of_a_hundred_taps_and_more_stay_on_one_line(browser: Any, deep: Path) -> None:
    page, _ = opened(browser, deep, viewport={"width": 1400, "height": 900})
    assert set(page.locator(".taps .position").evaluate_all(LINES)) == {1}
    page.context.close()


@pytest.mark.parametrize("width", [1280, 1400, 1920])
def test_every_column_of_the_layer_table_is_seen_on_an_ordinary_screen(browser: Any, deep: Path, width: int) -> None:
    page, _ = opened(browser, deep, viewport={"width": width, "height": 900})
    assert (
        page.locator(".scroll", has=page.locator("table.layers")).evaluate("box => box.scrollWidth - box.clientWidth")
        == 0
    )
    page.context.close()


def test_without_javascript_the_report_is_complete(browser: Any, report: Path) -> None:
    page, _ = opened(browser, report, java_script_enabled=False)
    assert page.locator("article.tap").count() == page.locator("table.layers tr.tap-row").count() > 0
    assert page.locator("table.layers thead button:enabled").count() == 0
    assert not page.get_by_text("Column heads sort the taps").is_visible()
    page.context.close()


@pytest.mark.parametrize("script", [True, False])
def test_parts_fold_and_unfold_with_and_without_javascript(browser: Any, deep: Path, script: bool) -> None:
    page, _ = opened(browser, deep, java_script_enabled=script, viewport={"width": 1400, "height": 900})
    rows, parts = page.locator("table.layers tr.tap-row:visible"), page.locator("table.layers tr.part")
    triangle, bars = parts.first.locator("input"), page.get_by_text("A bar under a number")
    assert (rows.count(), parts.count()) == (0, 20)
    assert triangle.evaluate("it => getComputedStyle(it).rotate") == "none"
    assert not bars.is_visible()
    triangle.check()
    assert triangle.evaluate("it => getComputedStyle(it).rotate") == "90deg"
    assert bars.is_visible()
    assert rows.count() == 6
    page.locator("#every-tap").check()
    assert rows.count() == 120
    assert set(parts.locator("input").evaluate_all("all => all.map(it => getComputedStyle(it).rotate)")) == {"90deg"}
    page.context.close()


def test_unfolding_all_and_each_agree(browser: Any, deep: Path) -> None:
    page, _ = opened(browser, deep, viewport={"width": 1400, "height": 900})
    rows, every = page.locator("table.layers tr.tap-row:visible"), page.locator("#every-tap")
    every.check()
    page.locator("table.layers tr.part label").first.click()
    assert rows.count() == 114
    assert not every.is_checked()
    page.locator("table.layers tr.part label").first.click()
    assert every.is_checked()
    every.uncheck()
    assert rows.count() == 0
    page.context.close()


def test_sorting_shows_every_tap_and_the_way_back_puts_it_into_its_part(browser: Any, deep: Path) -> None:
    page, _ = opened(browser, deep, viewport={"width": 1400, "height": 900})
    back, folding = page.get_by_role("button", name="Back to the model’s order"), page.get_by_text("Unfold all parts")
    assert (back.is_visible(), folding.is_visible()) == (False, True)
    page.locator("table.layers thead th", has_text="Gini").locator("button").click()
    assert page.locator("table.layers tr.tap-row:visible").count() == 120
    assert page.locator("table.layers tr.part:visible").count() == 0
    assert (back.is_visible(), folding.is_visible()) == (True, False)
    back.click()
    assert page.locator("table.layers tr.tap-row:visible").count() == 0
    assert page.locator("table.layers tbody:first-of-type tr.tap-row").count() == 6
    assert page.locator("[aria-sort=none]").count() == page.locator("table.layers thead th").count()
    assert (back.is_visible(), folding.is_visible()) == (False, True)
    page.context.close()


def test_the_arrow_of_a_sorted_column_stays_within_it(browser: Any, deep: Path) -> None:
    page, _ = opened(browser, deep, viewport={"width": 1280, "height": 900})
    for head in page.locator("table.layers thead th").all():
        head.locator("button").click()
        own, arrow = head.bounding_box(), head.locator(".arrow").bounding_box()
        assert arrow["width"] > 0
        assert own["x"] <= arrow["x"]
        assert arrow["x"] + arrow["width"] <= own["x"] + own["width"]
        assert arrow["y"] + arrow["height"] <= own["y"] + own["height"]
    page.context.close()


@pytest.mark.parametrize("width", [360, 768, 1400])
def test_what_scrolls_sideways_says_so_and_nothing_else_does(browser: Any, deep: Path, width: int) -> None:
    page, _ = opened(browser, deep, viewport={"width": width, "height": 900})
    for box in page.locator(".plot .scroll, .scroll:has(table.layers)").all():
        scrolls = box.evaluate("box => box.scrollWidth > box.clientWidth")
        hint = box.locator("xpath=preceding-sibling::*[1]").locator("xpath=descendant-or-self::*[@class='sideways']")
        assert hint.is_visible() == scrolls
        assert "scrolls sideways" in str(box.get_attribute("aria-label"))
    page.context.close()


def test_the_name_of_a_row_stays_in_sight_while_its_numbers_scroll(browser: Any, deep: Path) -> None:
    page, _ = opened(browser, deep, viewport={"width": 380, "height": 900})
    page.locator("#every-tap").check()
    box = page.locator(".scroll", has=page.locator("table.layers"))
    box.evaluate("box => box.scrollLeft = box.scrollWidth")
    left = box.bounding_box()["x"]
    for row in ("thead tr", "tr.part", "tr.tap-row"):
        name = page.locator(f"table.layers {row}").first.locator("th.name, th:nth-child(2)").first
        assert name.bounding_box()["x"] == pytest.approx(left, abs=1)
    page.context.close()


def test_a_link_in_the_table_leads_to_the_tap(browser: Any, report: Path) -> None:
    page, _ = opened(browser, report)
    page.locator("table.layers tr.part input:not(:checked)").evaluate_all("all => all.forEach(box => box.click())")
    link = page.locator("table.layers tbody th a").nth(1)
    name = link.inner_text()
    link.click()
    page.wait_for_timeout(300)
    top = page.evaluate("document.querySelector(':target').getBoundingClientRect().top")
    assert page.evaluate("document.querySelector(':target h3 a').innerText") == name
    assert -50 < top < 200
    page.context.close()


@pytest.mark.parametrize("scripts", [True, False])
def test_a_link_to_a_folded_entry_of_the_methods_shows_it(browser: Any, report: Path, scripts: bool) -> None:
    page, said = opened(browser, report, java_script_enabled=scripts)
    entry = page.locator("h4", has_text="Gini coefficient")
    assert not entry.is_visible()
    page.locator("table.definitions a", has_text="Gini coefficient").click()
    entry.wait_for(state="visible")
    assert page.locator("details[open]").count() == 1
    assert said == []
    page.context.close()
