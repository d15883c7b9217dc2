"""Laws of what is printed: which taps, which of their maps, at which size, and the numbers of all."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pdf_texts import poppler, words
from PIL import Image
from run_data import SyntheticRun, TapSpec, make_run, small_run, with_target

from fmreport.records import IMAGE
from fmreport.report import appendix, build, half_pages, page, pdf, printed
from fmreport.report.wording import DASH

MODES = ("all", "selected", "summary")


def of_length(run: SyntheticRun, taps: str) -> SyntheticRun:
    """The same run of a config that asks for a PDF of this length."""
    report = {**run.facts.config["report"], "pdf": {"taps": taps}}
    return replace(run, facts=replace(run.facts, config={**run.facts.config, "report": report}))


@cache
def deep() -> tuple[SyntheticRun, page.Page]:
    """60 taps of 20 parts, and their page."""
    specs = [TapSpec(f"part{i // 3:02}/{'abc'[i % 3]}", "Conv2D", (8, 8, 2)) for i in range(60)]
    run = make_run(specs, shown=2, tile=8, probes=("cat",))
    return run, build.build(run)


@cache
def first_tap() -> page.TapSection:
    """A tap with maps alone."""
    return replace(build.build(small_run()).taps[0], attribution=None, warnings=())


def written(folder: Path, run: SyntheticRun, shown: page.Page | None = None) -> Path:
    (folder / "report.pdf").write_bytes(pdf.render(run, template_dir=None, page=shown))
    return folder / "report.pdf"


# Which taps


def test_all_taps_are_printed_where_all_are_asked_for() -> None:
    run, shown = deep()
    made = printed.printed(run, shown)
    assert [tap.name for tap in made.taps] == list(run.layers["tap"])
    assert made.taps_note == ""


def test_selected_are_the_taps_of_the_findings_the_first_of_some_parts_and_the_last_and_the_page_says_so() -> None:
    run, shown = deep()
    made = printed.printed(of_length(run, "selected"), shown)
    chosen = {tap.label for tap in made.taps}
    pointed = {label for finding in shown.findings for _, _, label in finding.links}
    assert pointed
    begun = [part.rows[0].label for part in shown.table.parts]
    assert len(begun) > printed.MOST_PARTS
    assert chosen == pointed | set(begun[::2]) | {shown.taps[-1].label}
    assert f"Printed are {len(chosen)} of 60 taps" in made.taps_note
    assert "the first of every 2nd part of the model, and the last" in made.taps_note
    assert "in report.html" in made.taps_note
    assert build.EVERY_TAP in made.taps_note


def test_of_few_parts_the_first_tap_of_each_is_selected() -> None:
    run = small_run()
    chosen, rule = printed.selected(build.build(run))
    assert "the first of each part of the model" in rule
    assert chosen[-1].name == run.layers["tap"].iloc[-1]


def test_a_summary_prints_no_tap_but_the_numbers_of_all() -> None:
    run, shown = deep()
    made = printed.printed(of_length(run, "summary"), shown)
    assert made.taps == made.contents == made.maps_intro == ()
    assert "Maps are not printed here" in made.taps_note
    assert [row.name for row in made.numbers[0].rows] == list(run.layers["tap"])


def test_without_html_the_reader_is_sent_to_the_folder() -> None:
    run = of_length(deep()[0], "summary")
    run.facts.config["report"]["formats"] = ["pdf"]
    assert "in the run's folder, in maps/" in printed.printed(run, deep()[1]).taps_note


@pytest.mark.parametrize("mode", MODES)
def test_every_length_compiles_and_leads_only_to_what_is_printed(mode: str, tmp_path: Path) -> None:
    run, shown = deep()
    run = of_length(run, mode)
    made = printed.printed(run, shown)
    labels = {tap.label for tap in made.taps}
    linked = {label for finding in made.findings for *_, label in finding.links} | dict(made.contents).keys()
    linked |= {row.label for table in made.numbers for row in table.rows}
    linked |= {row.label for part in made.table.parts for row in part.rows}
    assert linked <= labels | {""}
    text = words(written(tmp_path, run, shown))
    assert made.taps_note in text
    assert ("Pixels are those of the layer's own grid" in text) == (mode != "summary")


# Which maps


def test_two_taps_of_32_channels_on_4_pictures_share_a_page_beside_what_the_score_owes_them(tmp_path: Path) -> None:
    run = with_target(make_run([TapSpec(f"conv{i}", "Conv2D", (40, 40, 64)) for i in range(5)], shown=32, tile=40))
    pages = poppler("pdftotext", "-raw", written(tmp_path, run), "-").split("\f")
    on = [[int(n) for n in re.findall(r"^(\d) conv\d\nConv2D \d", text, re.MULTILINE)] for text in pages]
    assert [found for found in on if found] in ([[1, 2], [3, 4], [5]], [[1], [2, 3], [4, 5]])
    assert "all are in report.html" not in " ".join(pages)


@st.composite
def maps(draw: st.DrawFn) -> page.Maps:
    """A mosaic of any form."""
    made = first_tap().maps
    assert made
    block, columns = made.blocks[0], draw(st.integers(1, 16))
    block = replace(block, labels=block.labels[:1] * columns, strips=block.strips[:1] * draw(st.integers(1, 12)))
    return replace(
        made,
        grid=max(8, columns) + 1,
        blocks=(block,) * draw(st.integers(1, 32)),
        height_per_width=draw(st.floats(0.1, 10)),
    )


@given(maps(), st.integers(0, 2))
@settings(max_examples=300)
def test_what_is_printed_of_maps_has_room_on_half_a_page_and_what_is_not_is_named(
    mosaic: page.Maps, warnings: int
) -> None:
    tap, layout = half_pages.fitted(replace(first_tap(), warnings=("",) * warnings, maps=mosaic), "report.html")
    assert tap.maps is not None
    blocks = tap.maps.blocks
    rows, columns = len(blocks[0].strips), sum(len(block.labels) for block in blocks)
    assert blocks == tuple(replace(block, strips=block.strips[:rows]) for block in mosaic.blocks[: len(blocks)])
    assert layout.unit * mosaic.grid <= half_pages.TEXT - half_pages.ASIDE - half_pages.GUTTER
    high = layout.unit * mosaic.height_per_width * rows * len(blocks)
    high += half_pages.LABELS * len(blocks) + half_pages.BETWEEN * (len(blocks) - 1)
    around = half_pages.HEAD + half_pages.CAPTION + half_pages.WARNING * warnings
    if layout.unit > half_pages.LEAST:
        assert high + around <= half_pages.HALF + 1e-6
    pictures, channels = len(mosaic.blocks[0].strips), len(mosaic.blocks) * len(blocks[0].labels)
    assert (f"maps of {rows} of {pictures} pictures" in layout.note) == (rows < pictures)
    assert (f"the first {columns} of the {channels} channels" in layout.note) == (columns < channels)
    assert (layout.note == "") == ((rows, columns) == (pictures, channels))


def test_pictures_hold_no_more_pixels_than_print_shows() -> None:
    specs = [TapSpec(name, "Conv2D", (320, 320, 20)) for name in ("without a gradient", "fine")]
    run = with_target(make_run(specs, shown=20, tile=320, probes=("cat", "coffee")))
    whole, made = build.build(run).taps[1], printed.printed(run, build.build(run)).taps[1]
    assert whole.maps
    assert made.maps
    assert made.attribution
    for before, after in zip(whole.maps.blocks, made.maps.blocks, strict=True):
        needed = printed.pixels(made.layout.unit * len(after.labels))
        for old, strip in zip(before.strips, after.strips, strict=True):
            assert strip.width == needed < old.width
            assert strip.height == pytest.approx(old.height * needed / old.width, abs=1)
            np.testing.assert_allclose(mean_colour(old.png), mean_colour(strip.png), atol=1)
    strip = made.attribution.probes[0].block.strips[0]
    assert strip.width <= printed.SPARE * printed.pixels(2 * made.layout.attributed)


def mean_colour(png: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(png)) as picture:
        return np.asarray(picture.convert("RGB"), float).mean((0, 1))


def test_a_map_that_print_can_show_stays_as_it_is() -> None:
    run = small_run()
    shown = build.build(run)
    for before, after in zip(shown.taps, printed.printed(run, shown).taps, strict=True):
        assert (before.maps is None) == (after.maps is None)
        if before.maps and after.maps:
            assert [block.strips for block in after.maps.blocks] == [block.strips for block in before.maps.blocks]


def test_every_photograph_is_embedded_once(tmp_path: Path) -> None:
    run = small_run()
    listed = poppler("pdfimages", "-list", written(tmp_path, run)).splitlines()[2:]
    photographs = [row.split()[10] for row in listed if row.split()[8] == "jpeg"]
    assert len(photographs) > len(run.all_pictures) == len(set(photographs))


# Numbers


def test_every_tap_stands_in_every_table_and_the_image_where_it_was_measured_too() -> None:
    run = with_target(small_run())
    tables = appendix.tables(run, {"one": "tap-3"})
    taps = list(run.layers["tap"])
    images = []
    for table in tables:
        images += [row.position for row in table.rows if row.name == IMAGE]
        assert [(row.position, row.name) for row in table.rows if row.name != IMAGE] == [
            (str(number), tap) for number, tap in enumerate(taps, 1)
        ]
        assert {row.label for row in table.rows} == {"", "tap-3"}
        assert all(len(row.cells) == len(table.heads) == len(table.numeric) for row in table.rows)
    assert images == ["0", "0"]


def test_a_column_that_is_undefined_at_every_tap_is_named_and_left_out() -> None:
    run = small_run()
    run = replace(run, summary=run.summary.assign(gini=np.nan))
    sparsity = next(table for table in appendix.tables(run, {}) if "zeros" in table.heads)
    assert "Gini" not in sparsity.heads
    assert re.search(r"Left out, as undefined at every tap:.* Gini \(gini\)", " ".join(sparsity.notes))


def test_the_columns_of_the_tables_are_those_of_the_files_that_their_notes_name() -> None:
    run = with_target(small_run())
    named = set()
    for table in appendix.tables(run, {}):
        for file, columns in re.findall(r"Of (\w+)\.csv: (.*?)\.(?= Of|$)", table.notes[0]):
            for column in re.findall(r"(?<=[(])\w+(?=[,)])", columns):
                assert column in run.columns[file]
                named.add(file)
    assert named == {"layers", "summary", "selectivity", "detail", "dimension"}


def test_the_numbers_are_those_of_the_tables() -> None:
    run = small_run()
    tables = {table.title: table for table in appendix.tables(run, {})}
    sparsity = tables["Sparsity and channels"]
    shown = {row.name: dict(zip(sparsity.heads, row.cells, strict=True)) for row in sparsity.rows}
    for row in run.summary.to_dict("records"):
        assert shown[row["tap"]]["Gini"] == (DASH if np.isnan(row["gini"]) else f"{row['gini']:.3f}")
        assert shown[row["tap"]]["silent"] == f"{row['silent']}"
    reading = tables["Edges, masks and regions"]
    first = dict(zip(reading.heads, reading.rows[1].cells, strict=True))
    progression = run.analyses["progression"]
    edge: Any = progression[(progression["tap"] == "stem/conv") & (progression["quantity"] == "edge")].iloc[0]
    assert first["edges"] == f"{edge['value']:.3f}"


def test_what_is_undefined_at_a_tap_is_said_once_with_its_reason() -> None:
    made = printed.printed(small_run(), build.build(small_run()))
    conv = made.taps[0]
    assert conv.undefined == "population sparseness, lifetime sparseness: signed"
    assert all(stat.value != DASH for tap in made.taps for stat in tap.stats)
