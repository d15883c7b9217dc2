"""What a reader can do with the HTML report, with JavaScript and without."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from built import page_of, report_of
from in_browser import opened
from PIL import Image
from run_data import TapSpec, make_run, sd_unet_run

from fmreport.figures import colours
from fmreport.report import html

DECODER = "decoder/sa1/main1/conv"


def wait_until(page: Any, script: str, value: Any) -> None:
    """Until a script has a value; a page's policy keeps Playwright from waiting inside of it."""
    for _ in range(50):
        if page.evaluate(script) == value:
            return
        page.wait_for_timeout(100)
    assert page.evaluate(script) == value


MARKED = "document.querySelector('nav .taps [aria-current] > :last-child')?.textContent ?? ''"
"""The name of the tap that the contents mark."""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """51 taps, 4 photographs."""
    path = tmp_path_factory.mktemp("html") / "report.html"
    path.write_bytes(report_of("sd_unet"))
    return path


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven taps of every kind, with attribution."""
    path = tmp_path_factory.mktemp("html") / "report.html"
    path.write_bytes(report_of("targeted"))
    return path


def pixels(locator: Any) -> np.ndarray:
    """What an element looks like, (h, w, 3)."""
    return np.asarray(Image.open(io.BytesIO(locator.screenshot())).convert("RGB")).astype(int)


def choose(page: Any, field: str) -> None:
    """Sets one of the choices of the view, which may be folded."""
    page.evaluate("field => document.getElementById(field).closest('details').open = true", field)
    page.locator(f"#{field}").check()


def tap(page: Any, name: str) -> Any:
    return page.locator(f"article[id='{name}']")


@pytest.mark.parametrize("scripts", [True, False])
@pytest.mark.parametrize("choice", colours.CHOICES, ids=lambda choice: choice.key)
def test_the_legend_and_the_maps_are_coloured_by_the_map_that_was_chosen(
    browser: Any, small: Path, choice: colours.Colours, scripts: bool
) -> None:
    from matplotlib import colormaps

    page, said = opened(browser, small, java_script_enabled=scripts, viewport={"width": 1440, "height": 900})
    page.locator(".view summary").click()
    page.locator(f"#colours-{choice.key}").check()
    for name, sign in ((choice.diverging, "signed"), (choice.sequential, "unsigned")):
        bar = page.locator(f"figure.maps.{sign}:not(.attribution) .scale").first
        bar.scroll_into_view_if_needed()
        drawn = pixels(bar)
        row = drawn[drawn.shape[0] // 2]
        for at in (0.1, 0.5, 0.9):
            expected = np.array(colormaps[name](at)[:3]) * 255
            assert np.abs(row[round(at * (len(row) - 1))] - expected).max() <= 8
    assert said == []
    page.context.close()


@pytest.mark.parametrize("scale", ["channel", "tap"])
@pytest.mark.parametrize(("name", "colour_map"), [("stem/conv", "berlin"), ("stem/relu", "magma")])
def test_a_map_is_drawn_in_the_colours_of_its_values(
    browser: Any, small: Path, name: str, colour_map: str, scale: str
) -> None:
    from matplotlib import colormaps

    page, _ = opened(browser, small, viewport={"width": 1440, "height": 900})
    choose(page, f"scale-{scale}")
    channel = next(each for each in page_of("small").taps if each.name == name).maps.blocks[0].channels[0]
    image = tap(page, name).locator(".channel img").first
    image.scroll_into_view_if_needed()
    drawn = pixels(image)
    gain = float(channel.gain[["channel", "tap"].index(scale)])
    values = np.asarray(Image.open(io.BytesIO(channel.png)))
    shares = values / 254 * gain if colour_map == "magma" else ((values / 127 - 1) * gain + 1) / 2
    height, width = values.shape
    errors = []
    # The middle of every pixel of the upper map, away from the line between the maps.
    for y in range(1, height // 2 - 2, 3):
        for x in range(1, width - 1, 3):
            seen = drawn[int((y + 0.5) * drawn.shape[0] / height), int((x + 0.5) * drawn.shape[1] / width)]
            errors.append(np.abs(seen - np.array(colormaps[colour_map](shares[y, x])[:3]) * 255).max())
    assert np.median(errors) <= 4
    assert np.quantile(errors, 0.9) <= 12
    page.context.close()


@pytest.mark.parametrize("scripts", [True, False])
def test_colours_span_each_channel_or_the_whole_tap_and_the_legend_says_which(
    browser: Any, report: Path, scripts: bool
) -> None:
    page, said = opened(browser, report, java_script_enabled=scripts, viewport={"width": 1440, "height": 900})
    legend = tap(page, DECODER).locator(".legend")
    legend.screenshot()  # what comes into sight is laid out with the next frame, for which this waits
    maps = next(each.maps for each in page_of("sd_unet").taps if each.name == DECODER)
    assert maps is not None
    assert legend.locator(".ends:visible").all_inner_texts() == [maps.by_channel.low, maps.by_channel.high]
    page.locator(".view summary").click()
    page.locator("#scale-tap").check()
    assert legend.locator(".ends:visible").all_inner_texts() == [maps.by_tap.low, maps.by_tap.high]
    gains = [float(channel.gain[1]) for block in maps.blocks for channel in block.channels]
    filters = (
        tap(page, DECODER).locator(".channel img").evaluate_all("all => all.map(it => getComputedStyle(it).filter)")
    )
    strengths = [float(each.partition("(")[2].partition(")")[0]) for each in filters]
    assert strengths == pytest.approx(gains)
    assert said == []
    page.context.close()


@pytest.mark.parametrize("scripts", [True, False])
def test_light_and_dark_follow_the_system_until_a_reader_chooses(browser: Any, small: Path, scripts: bool) -> None:
    for scheme, other in (("light", "dark"), ("dark", "light")):
        page, said = opened(browser, small, java_script_enabled=scripts, color_scheme=scheme)

        def lightness() -> float:
            return float(pixels(page.locator("h1"))[0, 0].mean())  # noqa: B023

        assert (lightness() > 128) == (scheme == "light")
        page.locator(".view summary").click()
        page.locator(f"#theme-{other}").check()
        assert (lightness() > 128) == (other == "light")
        assert said == []
        page.context.close()


def test_a_choice_is_remembered_for_the_next_report(browser: Any, small: Path) -> None:
    page, _ = opened(browser, small)
    choose(page, "theme-dark")
    choose(page, "colours-cividis")
    choose(page, "scale-tap")
    page.reload()
    assert page.locator("#theme-dark").is_checked()
    assert page.locator("#colours-cividis").is_checked()
    # What the colours span is a matter of each report.
    assert page.locator("#scale-channel").is_checked()
    page.context.close()


@pytest.mark.parametrize("scripts", [True, False])
def test_a_mosaic_can_be_enlarged(browser: Any, report: Path, scripts: bool) -> None:
    page, _ = opened(browser, report, java_script_enabled=scripts, viewport={"width": 1200, "height": 900})
    figure = tap(page, DECODER).locator("figure.maps").first
    image = figure.locator(".channel img").first
    figure.scroll_into_view_if_needed()
    before = image.bounding_box()["width"]
    figure.get_by_label("enlarge").check()
    assert image.bounding_box()["width"] > 2 * before
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth") if scripts else True
    page.context.close()


def test_a_channel_under_the_pointer_is_told_and_laid_over_the_photographs(browser: Any, report: Path) -> None:
    page, said = opened(browser, report, viewport={"width": 1440, "height": 1000})
    figure = tap(page, DECODER).locator("figure.maps").first
    channel, readout = figure.locator(".channel").nth(2), figure.locator(".readout")
    figure.scroll_into_view_if_needed()
    photos = figure.locator(".photos").first
    before = pixels(photos)
    channel.hover()
    assert readout.inner_text() == f"{channel.get_attribute('title')}; place 3 by variance"
    assert np.abs(pixels(photos) - before).mean() > 5
    page.locator("h1").hover(force=True)
    assert readout.inner_text().strip() == ""
    assert figure.locator(".over").count() == 0
    assert said == []
    page.context.close()


def test_a_mosaic_is_one_stop_of_the_keyboard_and_arrows_lead_from_channel_to_channel(
    browser: Any, report: Path
) -> None:
    page, said = opened(browser, report, viewport={"width": 1440, "height": 1000})
    figure = tap(page, DECODER).locator("figure.maps").first
    channels = figure.locator(".channel")
    stops = channels.evaluate_all("all => all.filter(it => it.tabIndex === 0).length")
    assert stops == 1
    channels.first.focus()
    row = figure.locator(".block").first.locator(".channel").count()
    for key, at in (("ArrowRight", 1), ("ArrowDown", 1 + row), ("ArrowLeft", row), ("ArrowUp", 0)):
        page.keyboard.press(key)
        assert page.evaluate("document.activeElement.id") == channels.nth(at).get_attribute("id")
        assert figure.locator(".readout").inner_text().startswith(str(channels.nth(at).get_attribute("title")))
    page.keyboard.press("End")
    assert page.evaluate("document.activeElement.id") == channels.last.get_attribute("id")
    assert said == []
    page.context.close()


def test_a_channel_opens_beside_and_over_the_photographs_and_gives_the_focus_back(browser: Any, report: Path) -> None:
    page, said = opened(browser, report, viewport={"width": 1440, "height": 1000})
    figure = tap(page, DECODER).locator("figure.maps").first
    channels, dialog = figure.locator(".channel"), page.locator("dialog.viewer")
    channels.nth(1).focus()
    page.keyboard.press("Enter")
    number = channels.nth(1).locator("b").inner_text()
    assert dialog.is_visible()
    assert dialog.locator("h2").inner_text() == f"{DECODER}, channel {number}"
    photographs, maps = (dialog.locator(f"[data-pile={name}]") for name in ("photographs", "map"))
    names = photographs.locator("[role=img]").get_attribute("aria-label")
    assert names == ", ".join(sd_unet_run().facts.displayed)
    assert maps.bounding_box()["height"] == pytest.approx(photographs.bounding_box()["height"], abs=2)
    box = dialog.bounding_box()
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= 1000
    over = dialog.locator(".over")
    opaque = pixels(over)
    dialog.locator("input[type=range]").fill("0")
    assert np.abs(pixels(over) - opaque).mean() > 5
    dialog.get_by_role("button", name="channel after").click()
    assert dialog.locator("h2").inner_text().endswith(f"channel {channels.nth(2).locator('b').inner_text()}")
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert page.evaluate("document.activeElement.id") == channels.nth(2).get_attribute("id")
    assert said == []
    page.context.close()


def test_a_link_to_a_channel_leads_to_it(browser: Any, report: Path) -> None:
    page, _ = opened(browser, report, java_script_enabled=False, viewport={"width": 1440, "height": 1000})
    channel = tap(page, DECODER).locator(".channel").nth(4)
    channel.click()
    target = page.locator(":target")
    assert target.get_attribute("id") == channel.get_attribute("id")
    assert target.locator("img").evaluate("it => getComputedStyle(it).outlineStyle") == "solid"
    page.context.close()


def test_the_table_is_searched_and_filtered(browser: Any, small: Path) -> None:
    page, said = opened(browser, small, viewport={"width": 1440, "height": 1000})
    rows, status = page.locator("tr.tap-row:visible"), page.locator("[data-sort-status]")
    total = rows.count()
    page.get_by_label("Search", exact=True).fill("STEM/")
    assert rows.count() == 2
    assert status.inner_text() == f"2 of {total} taps."
    assert page.locator("tr.part:visible").count() == 1
    page.locator("#layers-type").select_option("ReLU")
    assert [row.get_attribute("data-type") for row in rows.all()] == ["ReLU"]
    page.get_by_label("Search", exact=True).fill("")
    page.locator("#layers-type").select_option("")
    page.locator("#layers-zeros").select_option("silent")
    assert rows.count() == sum(row.silent for row in page_of("small").table.rows) > 0
    page.locator("#layers-zeros").select_option("")
    assert rows.count() == total
    assert said == []
    page.context.close()


def test_a_search_survives_sorting_and_shows_folded_taps(browser: Any, report: Path) -> None:
    page, _ = opened(browser, report, viewport={"width": 1440, "height": 1000})
    rows = page.locator("tr.tap-row:visible")
    page.get_by_label("Search", exact=True).fill("decoder/sa1")
    assert rows.count() == 4
    page.locator("table.layers thead th", has_text="Gini").locator("button").click()
    assert rows.count() == 4
    values = [float(row.locator("td.bar").last.get_attribute("data-sort")) for row in rows.all()]
    assert values == sorted(values, reverse=True)
    page.context.close()


def test_a_table_is_copied_and_saved_as_it_is(browser: Any, small: Path) -> None:
    page, said = opened(browser, small, permissions=["clipboard-read", "clipboard-write"], accept_downloads=True)
    page.get_by_text("Copy the table as text").click()
    for copy in page_of("targeted").copies:
        section = page.locator(".copies h3", has_text=copy.label).locator("xpath=following-sibling::p[1]")
        section.get_by_role("button").click()
        section.get_by_role("button", name="Copied").wait_for()
        assert page.evaluate("navigator.clipboard.readText()").replace("\r\n", "\n") == copy.text
        with page.expect_download() as saved:
            section.get_by_role("link").click()
        assert saved.value.suggested_filename == copy.file
        assert Path(saved.value.path()).read_text("utf-8") == copy.text
    assert said == []
    page.context.close()


def test_without_scripts_a_table_can_be_selected_and_saved(browser: Any, small: Path) -> None:
    page, _ = opened(browser, small, java_script_enabled=False)
    page.get_by_text("Copy the table as text").click()
    copies = page_of("targeted").copies
    assert [text.strip() for text in page.locator(".copies pre:visible").all_inner_texts()] == [
        copy.text.strip() for copy in copies
    ]
    assert page.locator(".copies button:visible").count() == 0
    assert page.locator(".copies a[download]:visible").count() == len(copies)
    page.context.close()


def test_without_scripts_nothing_offers_what_it_cannot_do(browser: Any, small: Path) -> None:
    page, _ = opened(browser, small, java_script_enabled=False, viewport={"width": 1440, "height": 1000})
    assert page.locator(".tools:visible, .keys-hint:visible, dialog:visible").count() == 0
    assert page.locator("button:visible:enabled").count() == 0
    before, after = (page.locator(f"article.tap a[rel={rel}]").count() for rel in ("prev", "next"))
    assert before == after == page.locator("article.tap").count() - 1
    page.context.close()


@pytest.mark.parametrize("scripts", [True, False])
def test_every_figure_has_an_address(browser: Any, small: Path, scripts: bool) -> None:
    page, _ = opened(browser, small, java_script_enabled=scripts, viewport={"width": 1440, "height": 1000})
    figures = page.locator("figure.plot, figure.maps")
    assert figures.count() > 5
    for figure in figures.all():
        link = figure.locator("a.link").first
        link.scroll_into_view_if_needed()
        link.click()
        assert page.locator(":target").get_attribute("id") == figure.get_attribute("id")
    page.context.close()


def test_the_contents_follow_the_scroll(browser: Any, report: Path) -> None:
    page, said = opened(browser, report, viewport={"width": 1440, "height": 1000})
    current = page.locator("nav [aria-current=location]")
    for name in (DECODER, "head/conv", "encoder/sa1/main1/conv"):
        tap(page, name).evaluate("it => it.scrollIntoView()")
        page.wait_for_function(
            "name => document.querySelector('nav [aria-current]')?.innerText.endsWith(name)", arg=name
        )
        assert current.count() == 1
        assert current.is_visible()
        box, nav = current.bounding_box(), page.locator("nav .taps").bounding_box()
        assert nav["y"] - 1 <= box["y"] <= nav["y"] + nav["height"]
    page.evaluate("scrollTo(0, 0)")
    wait_until(page, MARKED, "")
    assert said == []
    page.context.close()


def test_arrow_keys_go_from_tap_to_tap(browser: Any, report: Path) -> None:
    page, said = opened(browser, report, viewport={"width": 1440, "height": 1000})
    names = list(sd_unet_run().layers["tap"])
    tap(page, DECODER).evaluate("it => it.scrollIntoView()")
    page.wait_for_function(
        "name => document.querySelector('nav [aria-current]')?.innerText.endsWith(name)", arg=DECODER
    )
    at = names.index(DECODER)
    for key, place in (("ArrowRight", at + 1), ("ArrowRight", at + 2), ("ArrowLeft", at + 1)):
        page.keyboard.press(key)
        wait_until(page, "document.querySelector(':target')?.id", names[place])
        wait_until(page, MARKED, names[place])
    page.get_by_label("Search", exact=True).focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.querySelector(':target').id") == names[at + 1]
    assert said == []
    page.context.close()


def test_maps_of_sequences_are_seen(browser: Any, tmp_path: Path) -> None:
    specs = [TapSpec("tokens", "Conv1D", (1, 80, 16), "relu"), TapSpec("column", "Conv2D", (80, 1, 16), "relu")]
    run = make_run(specs, shown=16, tile=80, probes=("cat", "astronaut", "coffee", "rocket"))
    path = tmp_path / "report.html"
    path.write_bytes(html.render(run, template_dir=None, budget_mb=10))
    page, said = opened(browser, path, viewport={"width": 1440, "height": 1000})
    for name in ("tokens", "column"):
        image = tap(page, name).locator(".channel img").first
        image.scroll_into_view_if_needed()
        box = image.bounding_box()
        assert 4 * 10 <= box["height"] <= 4 * 400
        # More of it is map than the paper that the page is.
        shown = pixels(tap(page, name).locator(".channel").first)
        assert (shown.mean(2) < 200).mean() > 0.3
    assert said == []
    page.context.close()


def test_keys_with_modifiers_and_those_of_a_text_are_left_to_the_browser(browser: Any, small: Path) -> None:
    page, _ = opened(browser, small, viewport={"width": 1440, "height": 1000})
    taken = "window.taken = []; addEventListener('keydown', event => taken.push(event.defaultPrevented))"
    page.evaluate(taken)
    channel = page.locator("a.channel").first
    channel.focus()
    for key in ("Alt+ArrowRight", "Control+End", "Shift+ArrowRight"):
        page.keyboard.press(key)
        channel.focus()
    page.locator(".copies").evaluate("it => it.open = true")
    page.locator(".copies pre").first.focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("taken.filter(Boolean)") == []
    assert page.evaluate("document.querySelector(':target')") is None
    page.context.close()


def test_the_last_channel_keeps_the_focus_in_the_dialog(browser: Any, small: Path) -> None:
    page, _ = opened(browser, small, viewport={"width": 1440, "height": 1000})
    page.locator("a.channel").first.click()
    after = page.get_by_role("button", name="channel after")
    after.focus()
    for _ in range(8):
        page.keyboard.press("Enter")
    assert after.get_attribute("aria-disabled") == "true"
    assert page.evaluate("document.activeElement.textContent").startswith("channel after")
    page.keyboard.press("ArrowLeft")
    assert after.get_attribute("aria-disabled") == "false"
    page.context.close()


AXE = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.mark.parametrize(
    ("width", "scheme", "media"),
    [(1440, "light", "screen"), (1440, "dark", "screen"), (360, "light", "screen"), (1440, "light", "print")],
)
def test_axe_finds_no_violation(browser: Any, small: Path, width: int, scheme: str, media: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
    # Axe is a script of its own, which the report's policy would not let in.
    page, _ = opened(browser, small, viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True)
    page.emulate_media(media=media, color_scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(it => it.open = true)")
    found = axe.Axe().run(page, options={"runOnly": AXE}).response["violations"]
    assert [(each["id"], [node["html"] for node in each["nodes"]][:3]) for each in found] == []
    if media == "screen":
        page.locator("a.channel").first.click()
        found = axe.Axe().run(page, context="dialog", options={"runOnly": AXE}).response["violations"]
        assert [(each["id"], [node["html"] for node in each["nodes"]][:3]) for each in found] == []
    page.context.close()
