"""Odd images through a real network: found at the right taps, with their pictures; alike ones are left alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import odd_images
import pandas as pd
import pytest
from pdf_texts import words
from run_data import HOSTILE, SyntheticRun, small_run
from scipy import stats
from test_report_html import Document

import fmreport
from fmreport import pipeline
from fmreport.analysis.outliers import CONSTANT, EXPECTED, FEWEST, NOT_FINITE, Outliers
from fmreport.records import IMAGE
from fmreport.report import build, html, outliers, pdf
from fmreport.store import Run

ALIKE = 60


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Of alike images and four odd ones."""
    images = {f"p{i:02}": odd_images.texture(i) for i in range(ALIKE)} | odd_images.odd()
    config = odd_images.write(tmp_path_factory.mktemp("odd") / "set", images)
    return fmreport.run(config, out=config.parent / "reports")


def test_every_planted_image_is_found_and_before_any_other(run: Run) -> None:
    first = [image.name for image in build.build(run).outliers.images]
    assert set(first[:4]) == set(odd_images.odd())


def test_each_is_found_at_the_right_taps_and_for_the_right_reason(run: Run) -> None:
    rows = run.analyses["outliers"].set_index(["tap", "probe"])
    assert rows.loc[(IMAGE, "black"), "quantity"] == CONSTANT
    assert rows.loc[(IMAGE, "upscaled"), "quantity"] == "high_frequency"
    assert rows.loc[(IMAGE, "upscaled"), "z"] < 0
    assert rows.loc[("conv0", "noise"), "z"] > 0
    assert rows.loc[(IMAGE, "inverted"), "quantity"] != "high_frequency"
    assert set(rows["taps_beyond"].loc[IMAGE].loc[["black", "noise"]]) == {5}


def test_alike_images_are_beyond_the_limit_no_more_often_than_expected(run: Run) -> None:
    rows = run.analyses["outliers"]
    alike = rows[~rows["probe"].isin(odd_images.odd())]
    # Taps share their images, so that what is found at one may be found at all.
    assert len(alike) <= 5 * stats.poisson.ppf(0.99, EXPECTED)


def test_a_run_keeps_pictures_of_what_is_odd_beside_the_first_ones(run: Run) -> None:
    kept = list(run.pictures())
    assert kept[:24] == ["black", "inverted", "noise", *(f"p{i:02}" for i in range(20)), "p20"]
    assert "upscaled" in kept[24:]


def test_rendering_again_makes_the_same_section(run: Run) -> None:
    before = run.report.read_bytes()
    assert pipeline.render(run.folder).report.read_bytes() == before


def test_the_section_tells_what_was_found_beside_what_was_expected(run: Run) -> None:
    found, reading = build.build(run).outliers.sentences
    assert found.startswith("Of 64 images ")
    assert "0.2 would be expected there over all 5 taps" in found
    assert "robust standard deviations" in reading


def odd_run(**rows: list[object]) -> SyntheticRun:
    """A run in which rows of the table are made up."""
    made = small_run()
    table = pd.DataFrame(rows, columns=[column.name for column in Outliers.columns])
    facts = made.facts
    probes = tuple(replace(facts.probes[0], name=f"p{i}", group=HOSTILE) for i in range(30))
    told = replace(facts, probes=(*facts.probes, *probes))
    return replace(made, facts=told, analyses={**made.analyses, "outliers": table})


def hostile() -> SyntheticRun:
    """A name that is hostile, an image without a picture, one of every kind."""
    return odd_run(
        tap=[IMAGE, HOSTILE, HOSTILE, "stem/conv"],
        probe=["cat", "p1", "p2", "p2"],
        quantity=["zero_fraction", NOT_FINITE, CONSTANT, "mean"],
        value=[0.98, 1, 0, -3.25],
        median=[0.004, float("nan"), float("nan"), 0.5],
        z=[12.3, float("nan"), float("nan"), -6.0],
        limit=[4.5] * 4,
        beyond=[1, 2, 2, 1],
        images=[32] * 4,
        odd=[3] * 4,
        taps_beyond=[1, 1, 2, 2],
    )


def test_every_kind_is_told_in_words_with_the_value_beside_the_median() -> None:
    told = {image.name: image for image in build.build(hostile()).outliers.images}
    assert list(told) == ["p1", "p2", "cat"]
    assert told["cat"].told == "exact zeros 98.0%, median 0.4% (z\u00a012.3)"
    assert (told["cat"].taps, told["cat"].tap, told["cat"].href) == ("at 1 of 9 taps", IMAGE, "")
    assert told["p1"].told == "1 value NaN or infinite"
    assert told["p2"].told == "all its values are equal"
    assert (told["p1"].jpeg, told["p1"].group) == (b"", HOSTILE)
    assert told["cat"].jpeg
    assert told["cat"].alt == f"Probe cat, unlike the rest: {told['cat'].told} at {IMAGE}"


def test_each_tap_names_its_oddest_images_and_links_to_its_section() -> None:
    rows = {tap.name: tap for tap in build.build(hostile()).outliers.taps}
    assert list(rows) == [IMAGE, HOSTILE, "stem/conv"]
    assert rows["stem/conv"].images == (("p2", "mean −3.25, median 0.500 (z\u00a0−6.00)"),)
    assert (rows["stem/conv"].count, rows["stem/conv"].href, rows["stem/conv"].label) == ("1", "#stem/conv", "tap-1")


def test_the_html_holds_the_pictures_and_escapes_every_name() -> None:
    page = html.render(hostile(), template_dir=None, budget_mb=10)
    text = page.decode().partition('aria-labelledby="s-outliers"')[2].partition("</section>")[0]
    document = Document(text)
    assert len(document.named("img")) == 1
    assert all(image["alt"] for image in document.named("img"))
    assert not document.named("script")
    assert "Images unlike the rest" in text


def test_the_pdf_tells_the_same(tmp_path: Path) -> None:
    file = tmp_path / "report.pdf"
    file.write_bytes(pdf.render(hostile(), template_dir=None))
    told = words(file)
    assert "Images unlike the rest" in told
    assert "all its values are equal" in told


def test_few_images_none_odd_and_an_older_run_are_said() -> None:
    few = small_run()
    assert outliers.told(few).sentences == (
        f"2 images are too few to tell which is unlike the rest: that takes {FEWEST}.",
    )
    none = outliers.told(odd_run()).sentences[0]
    assert none.startswith("None of 32 images is unlike the rest at any tap. Of alike images ")
    older = replace(few, facts=replace(few.facts, measures={}))
    assert outliers.told(older).sentences == ("Not looked for: the run was made by an older version of fmreport.",)
    broken = hostile()
    broken.facts = replace(broken.facts, probes=broken.facts.probes[:4])
    assert (
        "Whether images are unlike the rest in other ways is told from 20 images on"
        in (outliers.told(broken).sentences[0])
    )
