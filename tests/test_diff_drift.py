"""Drift from end to end: a model and the same in 8 bits under other names, and what page and PDF say of it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import planted_drift
import pytest
from altered import another
from drifting import moved, network, run_of
from in_browser import opened
from pdf_texts import words
from test_cli import fmreport

from fmreport import config, diff, probes, run
from fmreport.analysis.sketch import ROWS
from fmreport.compare.comparing import compare
from fmreport.compare.comparison import EQUAL
from fmreport.pipeline import Difference
from fmreport.probes import Preprocess
from fmreport.report.comparison import html, pdf
from fmreport.report.comparison.build import Limit, build

CONFIG = """\
name: net
release: {release}
model: {{kind: builder, function: "planted_drift:{release}"}}
preprocess: {{size: [32, 32], range: [-1, 1]}}
probes:
  - {{kind: skimage, names: [cat, astronaut, coffee, rocket, camera, coins, brick, grass, clock, page, text]}}
layers: [{{name: "**"}}]
"""
ERROR = (2 * ROWS) ** -0.5


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("drift")
    shutil.copy(planted_drift.__file__, made)
    for release in ("whole", "rounded"):
        (made / f"{release}.yaml").write_text(CONFIG.format(release=release))
        run(made / f"{release}.yaml", out=made / "reports")
    return made


@pytest.fixture(scope="module")
def planted(folder: Path) -> Difference:
    return diff(folder / "reports/net/whole", folder / "reports/net/rounded")


def activations(folder: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """What every layer of both holds, by its name in B, from the models themselves."""
    import keras

    read = config.load(folder / "whole.yaml")
    preprocess = Preprocess((32, 32), range=(-1, 1))
    images = np.stack([preprocess.apply(probe.image) for probe in probes.collect(read.probes, read.folder)])
    sides = []
    for model in (planted_drift.whole(), planted_drift.rounded()):
        layers = model.layers[1:]
        told = keras.Model(model.input, [layer.output for layer in layers])(images)
        sides.append({layer.name: np.asarray(each, np.float64) for layer, each in zip(layers, told, strict=True)})
    return {name: (one, sides[1][name]) for one, name in zip(sides[0].values(), sides[1], strict=True)}


@pytest.mark.slow
def test_drift_starts_where_weights_were_rounded_and_is_that_of_the_activations(
    planted: Difference, folder: Path
) -> None:
    found = planted.found
    assert len(found.taps) == 2 * planted_drift.BLOCKS + 1
    assert (found.added, found.removed) == ((), ())
    assert found.onset.start == f"layer{planted_drift.EXACT}_conv"
    assert (found.onset.agree, found.onset.until) == (0, f"layer{planted_drift.EXACT - 1}_relu")
    assert {tap.state for tap in found.taps[: 2 * planted_drift.EXACT]} == {EQUAL}
    held = activations(folder)
    for tap in found.taps:
        assert tap.drift is not None
        one, other = held[tap.pair.b]
        true = np.linalg.norm(other - one) / np.linalg.norm(one)
        assert tap.drift.relative == pytest.approx(true, rel=4 * ERROR, abs=1e-9), tap.pair.b
        most = np.abs(other - one).max() / np.abs(one).max()
        assert (tap.drift.largest or 0) <= most * (1 + 1e-5)
        axes = tuple(range(one.ndim - 1))
        shift = np.linalg.norm((other - one).mean(axis=axes)) / np.sqrt((one**2).mean(axis=axes).sum())
        assert tap.drift.shift == pytest.approx(shift, rel=1e-2, abs=1e-7)
    drifted = [tap.drift.relative for tap in found.taps if tap.drift and tap.drift.relative]
    assert len(drifted) == 2 * (planted_drift.BLOCKS - planted_drift.EXACT) + 1
    assert 1e-3 < min(drifted) < max(drifted) < 0.1


@pytest.mark.slow
def test_the_terminal_says_where_it_starts(planted: Difference, folder: Path) -> None:
    done = fmreport("diff", "reports/net/whole", "reports/net/rounded", "--out", "again", cwd=folder)
    assert done.returncode == 1
    told = " ".join(done.stdout.split())
    assert "Numbers agree to the last bit up to layer1_relu; drift starts at layer2_conv (0.0" in told
    kept = json.loads((folder / "again/diff.json").read_bytes())
    assert (kept["format"], kept["onset"]["start"]) == (2, "layer2_conv")
    assert kept["taps"][4]["drift"]["of"] == "values"


@pytest.fixture(scope="module")
def sides() -> Any:
    """Two runs of which one tap is infinite, one beyond the tolerance, some near it and some equal."""
    before = network(3)
    before["layer4"] = np.zeros_like(before["layer4"])
    after = moved(before, {"layer1": 2e-6, "layer2": 5e-6, "layer3": 4e-3, "head": 0.02})
    after["layer4"] = network(4)["layer4"]
    return run_of(before), another(run_of(after), release="v2")


@pytest.fixture(scope="module")
def files(sides: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made, found = tmp_path_factory.mktemp("page"), compare(*sides)
    (made / "diff.html").write_bytes(html.render(*sides, found, template_dir=None, budget_mb=10))
    (made / "diff.pdf").write_bytes(pdf.render(*sides, found, template_dir=None))
    return made


def test_the_table_has_a_column_of_it(sides: Any) -> None:
    page = build(*sides, compare(*sides), Limit(9, 0))
    assert page.table.drift
    cells = {row.name: row.drift for row in page.table.rows}
    assert (cells["layer0"], cells["layer4"], cells["tokens"]) == ("=", "∞", "=")
    assert re.fullmatch(r"\d\.\d·10⁻⁶", cells["layer1"])
    assert re.fullmatch(r"0\.00\d\d", cells["layer3"])
    assert any(note.startswith("Drift: relative error") for note in page.table.notes)


def test_a_section_says_all_that_is_known_of_it(sides: Any) -> None:
    page = build(*sides, compare(*sides), Limit(9, 0))
    told = {tap.name: fact.value for tap in page.taps for fact in tap.facts if fact.term == "numerical drift"}
    assert told["layer4"] == "A is 0 everywhere and B is not: its relative error is infinite."
    parts = (
        r"relative error 0\.00\d\d",
        r"[^;]* of it a shift of channels",
        r"a value changed by 0\.00\d+ of the largest, at least",
        "CKA 1 − [^;]*",
    )
    assert re.fullmatch("; ".join(parts), told["layer3"])
    assert ", of the channels’ means in each image;" in told["head"]


def test_the_figure_says_in_words_where_drift_starts(sides: Any) -> None:
    figure = build(*sides, compare(*sides), Limit(9, 0)).drift
    assert figure is not None
    assert "The first above 0.0001 is that of layer3." in figure.alt
    assert "Relative errors of 8 of 8 rows of taps." in figure.alt
    assert "the first tap above the tolerance" in figure.caption


def test_where_nothing_has_drifted_there_is_no_figure_and_where_nothing_is_known_no_column(sides: Any) -> None:
    before, _ = sides
    same = build(before, before, compare(before, before), Limit(9, 0))
    assert (same.drift, same.table.drift) == (None, True)
    older = another(before)
    older.analyses["sketch"] = older.analyses["sketch"].iloc[:0]
    unknown = build(before, older, compare(before, older), Limit(9, 0))
    assert (unknown.drift, unknown.table.drift) == (None, False)
    assert any("Numerical drift is not told: B has no random sums" in note for note in unknown.notes)


def test_page_and_print_show_it(files: Path) -> None:
    page = (files / "diff.html").read_text(encoding="utf-8")
    assert 'id="figure-drift_by_depth"' in page
    assert 'title="norm of B less A, of that of A">drift</th>' in page
    printed = words(files / "diff.pdf")
    assert "Numerical drift by depth" in printed
    assert "drift starts at layer3" in printed


@pytest.mark.parametrize("width", [360, 1440])
def test_the_figure_is_seen_whole_at_any_width(files: Path, width: int, browser: Any) -> None:
    page, said = opened(browser, files / "diff.html", viewport={"width": width, "height": 900})
    assert said == []
    drawing = page.locator("#figure-drift_by_depth .drawing").bounding_box()
    assert 0 <= drawing["x"] < drawing["x"] + drawing["width"] <= width
    assert drawing["height"] > 100
    assert page.evaluate("document.documentElement.scrollWidth") <= width
