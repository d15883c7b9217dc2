"""Groups of images in a report: found where they differ through a real network, shown side by side, and bounded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import odd_images
import pandas as pd
import pytest
from pdf_texts import words
from run_data import HOSTILE, SyntheticRun, small_run, with_facets
from test_report_html import Document

import fmreport
from fmreport import figures
from fmreport.analysis import Evidence
from fmreport.analysis.facets import Facets
from fmreport.figures.facets import LOOKS, apart
from fmreport.records import IMAGE
from fmreport.report import build, facets, html, pdf
from fmreport.store import Run

GROUPS = ("sharp", "blurred", "plain")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Of sixty alike images, a third of which is slightly blurred."""
    blur = {"sharp": 1.0, "blurred": 1.3, "plain": 1.0}
    images = {f"{name}{i}": odd_images.texture(i, blur=blur[name]) for name in GROUPS for i in range(20)}
    config = odd_images.write(tmp_path_factory.mktemp("facets") / "set", images)
    return fmreport.run(config, out=config.parent / "reports")


def table(run: Run, of: dict[str, str]) -> pd.DataFrame:
    """What the analysis makes of the run's images in these groups."""
    taps = (IMAGE, *run.layers["tap"])
    return Facets().table(Evidence(taps, {}, np.ones(1), 0, (), 0, samples=run.samples.__getitem__, facets=of))


def declared(run: Run) -> dict[str, str]:
    """The group of every probe, which its name begins with."""
    return {probe.name: probe.name.rstrip("0123456789") for probe in run.facts.probes}


def test_a_group_of_blurred_images_is_found_by_its_fineness(run: Run) -> None:
    made = table(run, declared(run))
    found = made[(made["p"] < 0.05) & (made["facet"] == "blurred") & (made["tap"] == IMAGE)]
    assert found.set_index("quantity").loc["high_frequency", "higher"] < 0.05
    assert apart(made)[0] == "blurred"


def test_no_group_is_found_where_the_labels_are_dealt_out_anew(run: Run) -> None:
    """By Holm's correction in one of twenty."""
    names, groups = zip(*declared(run).items(), strict=True)
    found = 0
    for seed in range(20):
        dealt = np.random.default_rng(seed).permutation(groups)
        found += bool((table(run, dict(zip(names, map(str, dealt), strict=True)))["p"] < 0.05).any())
    assert found <= 3


def test_a_run_without_groups_has_no_section(run: Run) -> None:
    assert not len(run.analyses["facets"])
    assert build.build(run).facets is None
    assert "s-facets" not in run.report.read_text(encoding="utf-8")


def many(count: int) -> SyntheticRun:
    """A run with so many groups."""
    return with_facets(small_run(), [f"group {number}" for number in range(count)])


def test_the_section_tells_how_many_differ_and_where_most() -> None:
    made = build.build(with_facets(small_run())).facets
    assert made is not None
    assert made.sentences[0].startswith("Of 3 groups that the config declares 1 is unlike the other images")
    first, second, few = made.rows
    assert (first.name, first.images, first.p) == ("day", "30", "0.010")
    assert first.told == "standard deviation 0.800 (0.750 to 0.850), others 0.500; higher in 80.0% of pairs"
    assert (second.name, second.p) == (HOSTILE, "1.000")
    assert (few.told, few.tap, few.p) == ("fewer than 10 images, or others: not compared", "", "")


def test_html_and_pdf_show_them_and_escape_their_names(tmp_path: Path) -> None:
    run = with_facets(small_run())
    text = html.render(run, template_dir=None, budget_mb=10).decode()
    section = text.partition('aria-labelledby="s-facets"')[2].partition("</section>")[0]
    document = Document(section)
    assert len(document.named("tr")) == 4
    assert not document.named("script")
    assert 'href="#s-facets"' in text
    assert section.count("<svg") == 2
    (tmp_path / "report.pdf").write_bytes(pdf.render(run, template_dir=None))
    assert "Groups side by side" in words(tmp_path / "report.pdf")


def test_of_many_groups_a_few_are_drawn_some_have_a_row_and_the_rest_is_in_the_table() -> None:
    run = many(1000)
    made = facets.told(run, None)
    assert made is not None
    assert len(made.rows) == facets.SHOWN
    assert made.note == "The 20 of 1,000 groups that differ most; all are in facets.csv."
    plot = figures.draw("facets", run)
    assert plot is not None
    assert plot.caption.startswith(f"{len(LOOKS)} of 1,000 groups, those that differ most")


def test_a_thousand_groups_make_the_page_no_larger_than_twenty_do() -> None:
    sizes = [len(html.render(many(count), template_dir=None, budget_mb=10)) for count in (20, 1000)]
    assert sizes[1] < 1.01 * sizes[0]


def test_groups_too_small_to_compare_are_said_to_be() -> None:
    run = with_facets(small_run())
    few = run.analyses["facets"].assign(p=np.nan)
    made = facets.told(replace(run, analyses={**run.analyses, "facets": few}), None)
    assert made is not None
    (sentence,) = made.sentences
    assert sentence.startswith("The config declares 3 groups, none with 10 images or more beside as many others")
