"""The text of the PDF: in the order in which it is read, and as it was written, whatever was written."""

from __future__ import annotations

import os
import re
import tempfile
import unicodedata
from dataclasses import replace
from functools import cache
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pdf_texts import poppler, words
from run_data import SyntheticRun, TapSpec, make_run, with_target

from fmreport.figures.glyphs import drawable
from fmreport.report import build, page, pdf

GOLDEN = Path(__file__).parent / "golden" / "report_pdf.txt"
UPDATE = "FMREPORT_GOLDEN"
"""Environment variable: with 1, the golden file is written anew, and its difference is to be looked at."""
PIECES = (
    '<script>alert("x")</script>', "'", '"', "`", "\\", "\\u{41}", "#", "#set page()", "$x^2$", "@cite", "*b*", "_e_",
    "<l>", "//", "/* */", "= H", "- a", "+ a", "/ t: d", "~", "---", "...", "https://a.b/c", "[", "]", "{", "}", "%",
    ";", "&amp;", "{{ x }}", "{% x %}", "\n", "\t", "  ", "very_long_name" * 22, "a/b" * 30, "x" * 300, "ffi", "é",
    "Ωß→", "שלום", "مرحبا", "猫", "🐈", "\u202e", "\u200b", "\u00ad", "\x00", "1", "²",
)  # fmt: skip
HOSTILE_TEXT = st.lists(st.sampled_from(PIECES), max_size=4).map("".join) | st.text(
    st.characters(categories=["Lu", "Ll", "Nd", "P", "S", "Zs"]), max_size=20
)
PLACES = 16


@cache
def tiny() -> SyntheticRun:
    """Four taps, one of them a vector and one of an odd name; versions that do not change."""
    specs = [
        TapSpec("stem/conv", "Conv2D", (24, 24, 6), "signed", 0.5),
        TapSpec("stem/relu", "ReLU", (24, 24, 6), "relu", 0.5),
        TapSpec("odd/<b>#$x_y*", "Conv2D", (3, 3, 2), "signed"),
        TapSpec("head", "Dense", (10,), "signed"),
    ]
    run = with_target(make_run(specs, shown=4, tile=16, probes=("cat", "coffee")))
    versions = {"fmreport": "0.1.0", "keras": "3.15.1"}
    return replace(run, facts=replace(run.facts, versions=versions, notes=("1 image was skipped.",)))


@cache
def shown() -> page.Page:
    """Its page, with few of the columns' meanings and with figures of no content: they have tests of their own."""
    made = build.build(tiny())
    few = tuple(each for each in made.definitions if each.name in ("tap", "gini", "rf_height"))
    empty = b"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 9 1'><path d='M0 0H9'/></svg>"

    def figure(name: str) -> page.Figure:
        words = {"title": f"Title of {name}", "caption": f"Caption of {name}.", "alt": name}
        return replace(made.lead, name=name, svg=empty, **words)

    plots = {"lead": figure("progression"), "strip": figure("filmstrip"), "more_figures": (figure("other"),)}
    return replace(made, definitions=few, **plots)


def test_the_text_is_read_in_this_order(tmp_path: Path) -> None:
    (tmp_path / "report.pdf").write_bytes(pdf.render(tiny(), template_dir=None, page=shown()))
    text = as_lines(poppler("pdftotext", "-raw", tmp_path / "report.pdf", "-"))
    if os.environ.get(UPDATE) == "1":
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(text, encoding="utf-8")
    told = f"{GOLDEN.name} changes only with {UPDATE}=1"
    assert text.splitlines() == GOLDEN.read_text(encoding="utf-8").splitlines(), told


def as_lines(text: str) -> str:
    """The lines of a PDF's text without what no reader sees, and without the dots of the contents."""
    seen = "".join(letter for letter in text if letter in "\n\f" or unicodedata.category(letter)[0] != "C")
    lines = (
        re.sub(r"( \.)+ ", " … ", line).strip() for line in seen.replace("\f", "\n--- next page ---\n").split("\n")
    )
    return "\n".join(line for line in lines if line) + "\n"


def as_read(text: str) -> str:
    """What is left of a text when lines are broken, and letters stand together as fonts and tools like it."""
    plain = unicodedata.normalize("NFKC", text)
    return "".join(letter for letter in plain if not letter.isspace() and unicodedata.category(letter)[0] != "C")


def reads_backwards(text: str) -> bool:
    return any(unicodedata.bidirectional(letter) in ("R", "AL", "AN") for letter in text)


def hostile_page(texts: list[str]) -> page.Page:
    """The page with 16 texts in as many places."""
    (
        title,
        author,
        abstract,
        note,
        subject,
        sentence,
        name,
        kind,
        warning,
        value,
        fact,
        probe,
        path,
        reason,
        method,
        key,
    ) = texts
    made = shown()
    tap = made.taps[1]
    assert tap.maps
    block = tap.maps.blocks[0]
    (strip, *strips), (label, *labels) = block.strips, block.labels
    marked = (replace(strip, probe=probe, alt=probe), *strips)
    block = replace(block, labels=(replace(label, tag=kind), *labels), strips=marked)
    tap = replace(tap, name=name, warnings=(warning,), maps=replace(tap.maps, blocks=(block,)))
    tap = replace(tap, stats=(replace(tap.stats[0], value=value), *tap.stats[1:]))
    finding = replace(made.findings[0], subject=subject, sentence=sentence, rule=sentence, caveat=sentence)
    return replace(
        made,
        title=title,
        run=title,
        authors=(page.Author(author, ""),),
        author_names=(author,),
        abstract=abstract,
        notes=(note,),
        findings=(finding, *made.findings[1:]),
        keys=(page.KeyFigure("0.5", "of it", key), *made.keys[1:]),
        # Their labels are words of ours.
        facts=(page.Fact("source", fact, code=True), page.Fact("licence", fact)),
        photos=tuple(replace(photo, name=probe, alt=probe, note=probe) for photo in made.photos),
        taps=(tap,),
        contents=((tap.label, name),),
        missing=(
            page.MissingLayer(path, kind, "1", reason),
            page.MissingLayer(path, kind, "1", build.tables.NOT_SELECTED),
        ),
        definitions=(replace(made.definitions[0], name=path, text=reason, method=method, unit=method),),
    )


@given(st.lists(HOSTILE_TEXT, min_size=PLACES, max_size=PLACES))
@example(["very_long_name" * 25 + "<script>", *[""] * (PLACES - 1)])
@example([*[""] * 10, "very_long_name" * 45, *[""] * (PLACES - 11)])
@settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_written_stands_in_the_pdf_as_text(texts: list[str]) -> None:
    marked = [f"Qa{number}x{text}x{number}Zq" for number, text in enumerate(texts)]
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "report.pdf")
        made.write_bytes(pdf.render(tiny(), template_dir=None, page=hostile_page(marked)))
        read = as_read(words(made))
    for number, text in enumerate(marked):
        expected = as_read(drawable(text))
        found = re.findall(rf"Qa{number}x.*?x{number}Zq", read)
        assert found, text
        for each in found:
            # What runs from right to left is told by poppler in the order of the page.
            backwards = reads_backwards(text)
            assert (sorted(each) if backwards else each) == (sorted(expected) if backwards else expected)
