"""Laws of the PDF report."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typst
from built import page_of, targeted_run
from hypothesis import given, settings
from hypothesis import strategies as st
from pdf_texts import poppler
from run_data import TapSpec, make_run, small_run

from fmreport.errors import RenderError
from fmreport.figures.glyphs import drawable, fonts
from fmreport.report import build, contents, environment, methods, pdf
from fmreport.store import MANIFEST

TEXT = st.text(alphabet=st.characters(codec="utf-8"), max_size=40)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pdf") / "report.pdf"
    path.write_bytes(pdf.render(small_run(), template_dir=None, page=page_of("small")))
    return path


def as_drawn(value: Any) -> Any:
    """The value as Typst gets it: strings with what the fonts can draw."""
    if isinstance(value, str):
        return drawable(value)
    if isinstance(value, list):
        return [as_drawn(item) for item in value]
    if isinstance(value, dict):
        return {drawable(key): as_drawn(item) for key, item in value.items()}
    return value


def test_the_report_is_the_same_bytes_every_time(report: Path) -> None:
    assert report.read_bytes() == pdf.render(small_run(), template_dir=None)


@given(VALUES)
@settings(deadline=None)
def test_a_value_is_the_same_value_in_typst(value: Any) -> None:
    literal = environment.typst_literal(value)
    read = json.loads(typst.Compiler(b"").eval(f"({literal},)"))[0]
    assert read == as_drawn(value)


def test_what_typst_cannot_hold_is_refused() -> None:
    with pytest.raises(TypeError, match="object has no literal"):
        environment.typst_literal(object())


@given(TEXT)
@settings(max_examples=25, deadline=None)
def test_hostile_text_stays_text_and_compiles_under_both_standards(text: str) -> None:
    template = environment.typst_environment(None).from_string(
        '#set document(title: "t")\n#set text(lang: "en", font: ("Libertinus Serif", "DejaVu Sans"))\n'
        "= Heading\n#{{ text }} #{ {{ text }} }"
    )
    source = template.render(text=text)
    made = typst.compile(
        source.encode("utf-8"),
        font_paths=[str(fonts())],
        ignore_system_fonts=True,
        pdf_standards=pdf.STANDARDS,
        timestamp=0,
    )
    assert isinstance(made, bytes)


def test_macros_and_super_stay_markup_while_values_become_literals() -> None:
    template = environment.typst_environment(None).from_string(
        "{% macro m(x) %}*{{ x }}*{% endmacro %}{{ m('#a') }} {{ 1.5 }} {{ true }} {{ none }} {{ ('a', 1) }}"
    )
    assert template.render() == '*"#a"* (1.5) true none ("a", (1), )'


def test_the_text_can_be_selected(report: Path) -> None:
    text = poppler("pdftotext", "-layout", report, "-")
    for part in ("SD-UNet on Oxford-IIIT Pet", "Ada Example", "Read this first", "stem/relu", "Layers without a tap"):
        assert part in text
    assert '<script>alert("x")</script>' in text.replace("”", '"').replace("“", '"')
    assert "56.1% (by design: Relu clips to zero)" in text


def test_attribution_is_printed_beside_the_maps_with_its_target_and_what_it_does_not_show(tmp_path: Path) -> None:
    made = tmp_path / "report.pdf"
    made.write_bytes(pdf.render(targeted_run(), template_dir=None, page=page_of("targeted")))
    text = " ".join(poppler("pdftotext", made, "-").split())
    assert "Grad-CAM and HiResCAM of class 0 of head/ conv, mean over its positions" in text
    assert "G: Grad-CAM, H: HiResCAM" in text
    assert "not what the model would answer without a region" in text
    assert "No attribution: no gradient comes back to it." in text
    assert "mean 0" in text
    assert "agreement with itself" in text


@pytest.mark.parametrize(
    "name",
    [
        "encoder/sa1/attention1/conv",
        "conv5_block3_preact_relu",
        "block_16_project_BN",
        "GlobalAveragePooling2D",
        "mixed5/branch1x1/Conv2D-1.2:2@3",
    ],
)
def test_an_ordinary_name_can_be_searched_and_copied_as_it_is(name: str, tmp_path: Path) -> None:
    run = make_run([TapSpec(name, "Conv2D", (8,))], shown=1, tile=8, probes=("cat",))
    page = build.build(run)
    missing = (replace(page.missing[0], path=name, type=name),)
    bare = replace(page, table=replace(page.table, parts=()), missing=missing, photos=(), more_figures=())
    made = tmp_path / "report.pdf"
    made.write_bytes(pdf.render(run, template_dir=None, page=bare))
    text = poppler("pdftotext", "-layout", made, "-")
    # In the contents, the heading, three tables of numbers at least, and twice among those without a tap.
    assert text.count(name) >= 7
    assert page.facts[1].value in text


def test_the_tables_the_methods_and_the_manifest_are_attached_byte_for_byte(report: Path, tmp_path: Path) -> None:
    listing = poppler("pdfdetach", "-list", report)
    assert all(f"{name}.csv" in listing for name in build.ATTACHED)
    poppler("pdfdetach", "-saveall", "-o", tmp_path, report)
    attached = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    run = small_run()
    tables = {f"{name}.csv": run.table(name).to_csv(index=False, lineterminator="\n") for name in build.ATTACHED}
    others = {methods.FILE: methods.load().text.encode(), MANIFEST: run.record}
    assert attached == {name: text.encode() for name, text in tables.items()} | others


def test_the_methods_are_attached_and_the_table_of_columns_names_their_entries(report: Path, tmp_path: Path) -> None:
    poppler("pdfdetach", "-saveall", "-o", tmp_path, report)
    assert (tmp_path / methods.FILE).read_text("utf-8") == methods.load().text
    text = " ".join(poppler("pdftotext", "-layout", report, "-").split())
    columns = text[text.rindex("What the columns mean") :]
    assert f"Attached, too, is {methods.FILE}" in columns.replace("\xad ", "")
    for entry in ("Gini coefficient", "Receptive field", "Spectral slope"):
        assert entry in columns


def test_poppler_opens_every_page_without_a_warning(report: Path, tmp_path: Path) -> None:
    poppler("pdftoppm", "-r", "20", "-png", report, tmp_path / "page")
    pages = int(re.findall(r"Pages: +(\d+)", poppler("pdfinfo", report))[0])
    assert len(list(tmp_path.glob("page*.png"))) == pages
    assert poppler("pdftotext", report, "-").count("\f") == pages


def test_the_pdf_is_tagged_and_titled_and_says_that_it_keeps_both_standards(report: Path) -> None:
    about = poppler("pdfinfo", report)
    assert "SD-UNet on Oxford-IIIT Pet" in about
    assert "Tagged:          yes" in about
    assert "A4" in about
    claims = poppler("pdfinfo", "-meta", report)
    for claim in ("pdfaid:part>3<", "pdfaid:conformance>A<", "pdfuaid:part>1<"):
        assert claim in claims


@pytest.mark.parametrize(("grid", "rows"), [((25, 5), 1), ((5, 25), 2), ((7, 7), 2), ((24, 24), 2)])
def test_a_row_of_maps_is_as_high_as_its_photograph(grid: tuple[int, int], rows: int, tmp_path: Path) -> None:
    run = make_run([TapSpec("narrow", "Conv2D", (*grid, 19))], shown=19, tile=80, probes=("cat", "coffee"))
    page = build.build(run)
    # The plots hold pictures too: one without any stands in for them.
    bare = replace(page, photos=(), strip=page.lead, more_figures=())
    (tmp_path / "report.pdf").write_bytes(pdf.render(run, template_dir=None, page=bare))
    poppler("pdftohtml", "-xml", "-zoom", "4", tmp_path / "report.pdf", tmp_path / "report")
    found = re.findall(r'<image top="(\d+)" .*?height="(\d+)"', (tmp_path / "report.xml").read_text("utf-8"))
    places = [(int(top), int(height)) for top, height in found]
    assert len(places) == 2 * 2 * rows + 1  # two blocks of photographs and maps, and the colour bar
    for photo, maps in zip(places[:-1:2], places[1::2], strict=False):
        assert photo == pytest.approx(maps, abs=2)  # of 288 to an inch


def test_contents_of_a_deep_model_name_its_parts_and_no_more() -> None:
    taps = [f"block{i // 9}/unit{i // 3 % 3}/{'abc'[i % 3]}" for i in range(90)]
    found = contents.parts(taps)
    assert list(found.values()) == list(dict.fromkeys(tap.rpartition("/")[0] for tap in taps))
    assert list(found) == list(range(1, 90, 3))
    assert contents.parts(taps[:40]) == dict(enumerate(taps[:40], 1))
    assert contents.parts([f"conv{i}" for i in range(41)]) == {}


def test_contents_of_119_taps_stay_on_the_first_page(tmp_path: Path) -> None:
    specs = [TapSpec(f"block{i // 30}/unit{i // 7:02}/{i}/conv", "Conv2D", (8,)) for i in range(119)]
    run = make_run(specs, shown=2, tile=8, probes=("cat",))
    (tmp_path / "report.pdf").write_bytes(pdf.render(run, template_dir=None))
    first = poppler("pdftotext", "-layout", "-l", "1", tmp_path / "report.pdf", "-")
    assert "What the columns mean" in first
    assert "block0/unit03" in first
    assert "block0/unit03/21/conv" not in first
    flat = " ".join(first.split())
    assert "block0/unit00/…: a part of the model, listed where it begins." in flat
    for heading in re.findall("“(.*?)”", build.build(run).contents_note):
        assert re.search(rf"\d {heading}", flat), heading


def test_contents_tell_a_part_from_the_tap_with_which_it_begins() -> None:
    assert contents.named(["a/x", "a/y", "b"]) == {1: "a/x", 2: "a/y", 3: "b"}
    taps = [f"part{i // 3}/{i}" for i in range(60)] + ["head"]
    found = contents.named(taps)
    assert (found[1], found[4], found[61]) == ("part0/…", "part1/…", "head")
    # Without levels no part is told.
    run = make_run([TapSpec(f"conv{i}", "Conv2D", (8,)) for i in range(41)], shown=1, tile=8, probes=("cat",))
    page = build.build(run)
    assert page.contents == ()
    assert page.contents_note.startswith("“Appendix: every tap” leads to")


def test_the_report_names_the_tables_that_are_attached_and_what_an_empty_field_is(report: Path) -> None:
    text = " ".join(poppler("pdftotext", report, "-").split())
    files = re.findall(r"\w+\.csv", text[text.index("The tables ") : text.index("are attached to this file")])
    listing = poppler("pdfdetach", "-list", report)
    assert sorted(files) == sorted(re.findall(r"\w+\.csv", listing)) == sorted(f"{name}.csv" for name in build.ATTACHED)
    assert build.EMPTY in text


def test_the_table_of_parts_says_what_parts_and_marks_are(report: Path) -> None:
    text = " ".join(poppler("pdftotext", "-layout", report, "-").split())
    table = text[text.rindex("part holds output") : text.rindex("Maps, tap by tap")]
    assert "1 layer" in table
    for note in page_of("small").table.parts_notes:
        assert note in table


def test_a_page_without_authors_notes_and_maps_compiles() -> None:
    page = page_of("small")
    bare = replace(
        page,
        authors=(),
        author_names=(),
        abstract="",
        notes=(),
        licence="",
        missing=(),
        taps=tuple(replace(tap, maps=None, histogram=None, no_maps="none") for tap in page.taps),
    )
    assert pdf.render(small_run(), template_dir=None, page=bare).startswith(b"%PDF")


def test_a_folder_of_templates_overrides_a_single_block(tmp_path: Path, report: Path) -> None:
    (tmp_path / "report.typ.j2").write_text(
        '{% extends "fmreport/report.typ.j2" %}{% block run %}Of our lab: #{{ page.run }}. {{ super() }}{% endblock %}'
    )
    made = tmp_path / "own.pdf"
    made.write_bytes(pdf.render(small_run(), template_dir=tmp_path, page=page_of("small")))
    text = poppler("pdftotext", made, "-")
    assert "Of our lab: sd_unet_pets v1." in text
    assert "How it was made" in text


def test_what_typst_refuses_is_an_error_without_the_path_of_a_temporary_file(tmp_path: Path) -> None:
    (tmp_path / "report.typ.j2").write_text("#nothing-of-that-name")
    with pytest.raises(RenderError, match="unknown variable: nothing-of-that-name") as caught:
        pdf.render(small_run(), template_dir=tmp_path, page=page_of("small"))
    assert "report.typ:1" in str(caught.value)
    assert "main.typ" not in str(caught.value)
    assert f"in {tmp_path.name}/" in caught.value.fix
    assert str(tmp_path) not in caught.value.fix
