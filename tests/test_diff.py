"""`fmreport diff` from end to end: a planted pair of models, exit codes, and what is never overwritten."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import planted_pair
import pytest
from altered import another, raised, stored, with_probes
from run_data import small_run
from stored_run import contents
from test_cli import fmreport, refused
from test_imports import loaded

from fmreport import diff, pipeline, run
from fmreport.compare.comparison import EQUAL
from fmreport.errors import StoreError
from fmreport.pipeline import Difference

CONFIG = """\
name: net
release: {release}
model: {{kind: builder, function: "planted_pair:{function}"}}
preprocess: {{size: [32, 32], range: [-1, 1]}}
probes:
  - {{kind: skimage, names: [cat, astronaut, coffee, rocket, camera, coins, brick, grass, clock, page, text]}}
layers: [{{name: "**"}}]
figures: {{channels: 16}}
"""


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Difference:
    folder = tmp_path_factory.mktemp("planted")
    shutil.copy(planted_pair.__file__, folder)
    for release, function in (("v1", "before"), ("v2", "after")):
        (folder / f"{release}.yaml").write_text(CONFIG.format(release=release, function=function))
        run(folder / f"{release}.yaml", out=folder / "reports")
    return diff(folder / "reports/net/v1", folder / "reports/net/v2")


@pytest.mark.slow
def test_exactly_what_was_planted_is_found(planted: Difference) -> None:
    found = planted.found
    changed = {(tap.pair.a, tap.pair.b) for tap in found.taps if tap.pair.a != tap.pair.b}
    assert changed == set(planted_pair.RENAMED.items())
    assert {tap.pair.how for tap in found.taps} == {"same path", "renamed"}
    assert [lone.name for lone in found.added] == [planted_pair.ADDED]
    assert sorted(lone.name for lone in found.removed) == sorted(planted_pair.REMOVED)
    assert [tap.pair.b for tap in found.taps if tap.activation] == [planted_pair.ACTIVATION]
    silent = {tap.pair.b: change.new for tap in found.taps for change in tap.channels if not change.handed_on}
    assert silent == {"b6_act": planted_pair.SILENT}
    assert found.counts.newly_silent == 9
    assert {fact.name for tap in found.taps for fact in tap.facts} == {"type", "zeros", "zeros_reason"}
    assert found.warnings == found.notes == ()


@pytest.mark.slow
def test_what_lies_before_the_first_change_is_equal_to_the_last_bit(planted: Difference) -> None:
    states = {tap.pair.b: tap.state for tap in planted.found.taps}
    first = [tap.pair.b for tap in planted.found.taps if tap.begins]
    assert first == ["sum"]
    onset = planted.found.onset
    assert (onset.agree, onset.until, onset.start) == (0, "b3_act", "sum")
    place = list(states).index("sum")
    assert set(list(states.values())[:place]) == {EQUAL}
    assert EQUAL not in list(states.values())[place:]


@pytest.mark.slow
def test_a_comparison_is_written_beside_its_second_run(planted: Difference) -> None:
    assert planted.folder.name == "diff-v1-v2"
    assert planted.folder.parent.name == "net"
    assert sorted(path.name for path in planted.folder.iterdir()) == ["diff.html", "diff.json", "diff.pdf"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    before = small_run()
    stored(before, folder / "v1")
    stored(raised(another(before, release="v2"), "stem/conv", "gini", 0.25), folder / "v2")
    stored(with_probes(another(before, release="v3"), {"cat": "x", "coffee": "y"}), folder / "v3")
    return folder


def test_the_exit_code_says_whether_anything_differs(runs: Path, tmp_path: Path) -> None:
    same = fmreport("diff", str(runs / "v1"), str(runs / "v1"), "--out", "same", cwd=tmp_path)
    assert (same.returncode, "No difference: all 8 taps" in same.stdout) == (0, True)
    other = fmreport("diff", str(runs / "v1"), str(runs / "v2"), "--out", "other", cwd=tmp_path)
    assert other.returncode == 1
    assert "A: sd_unet_pets v1  B: sd_unet_pets v2" in other.stdout
    assert "The numbers of 1 of 8 paired taps changed" in other.stdout
    assert "Traceback" not in other.stderr
    message = refused(fmreport("diff", str(runs / "v1"), str(runs / "v3"), "--out", "none", cwd=tmp_path))
    assert "no probe in common" in message
    assert not (tmp_path / "none").exists()


def test_nothing_is_overwritten_in_silence(runs: Path, tmp_path: Path) -> None:
    diff(runs / "v1", runs / "v2", out=tmp_path / "made")
    before = contents(tmp_path / "made")
    with pytest.raises(StoreError, match="exists already"):
        diff(runs / "v1", runs / "v1", out=tmp_path / "made")
    assert contents(tmp_path / "made") == before
    diff(runs / "v1", runs / "v1", out=tmp_path / "made", force=True)
    assert json.loads((tmp_path / "made/diff.json").read_bytes())["same"] is True
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("mine")
    with pytest.raises(StoreError, match="is no comparison, so --force"):
        diff(runs / "v1", runs / "v2", out=tmp_path / "mine", force=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made", "mine"]


def test_json_is_printed_and_nothing_is_written(runs: Path, tmp_path: Path) -> None:
    done = fmreport("diff", str(runs / "v1"), str(runs / "v2"), "--json", cwd=tmp_path)
    assert done.returncode == 1
    assert json.loads(done.stdout)["counts"]["changed"] == 1
    assert list(tmp_path.iterdir()) == []
    assert sorted(path.name for path in runs.iterdir()) == ["v1", "v2", "v3"]


def test_a_damaged_run_is_refused(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "v1", tmp_path / "broken")
    (tmp_path / "broken/tables/summary.csv").write_text("tap\n")
    with pytest.raises(StoreError, match="is not what the run wrote"):
        pipeline.differences(runs / "v1", tmp_path / "broken")
    assert "is no run" in refused(fmreport("diff", str(runs / "v1"), "nowhere", cwd=tmp_path))


def test_comparing_loads_no_framework(runs: Path, tmp_path: Path) -> None:
    printed, frameworks = loaded("diff", str(runs / "v1"), str(runs / "v1"), "--out", "out", folder=tmp_path)
    assert "No difference" in printed
    assert frameworks == []
