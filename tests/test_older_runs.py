"""A run that an earlier fmreport made is still a run: `golden/run_format_1.tar.xz` holds one, as it was written."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import jsonschema
import pytest

from fmreport import manifest, pipeline
from fmreport.store import MANIFEST, Run
from fmreport.verification import FAILED, HELD, UNCHECKED


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with tarfile.open(Path(__file__).parent / "golden" / "run_format_1.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "old"


def test_a_run_of_format_1_is_read_with_its_facts_tables_and_maps(folder: Path) -> None:
    run = Run.open(folder)
    assert (run.manifest.format, run.manifest.id) == (1, "")
    assert (run.facts.name, run.facts.release) == ("tiny", "old")
    assert [probe.name for probe in run.facts.probes] == ["cat", "coffee"]
    assert run.facts.probes[0].bytes is run.facts.platform is None
    assert list(run.layers["tap"]) == ["stem", "pool", "body/conv", "mean", "head"]
    assert run.tiles("stem") is not None
    assert run.manifest.outputs["tables/layers.csv"].media_type == "text/csv"


def test_its_files_are_verified_and_what_it_does_not_record_cannot_be_checked(folder: Path) -> None:
    checks = pipeline.verify(folder, rerun=True)
    verdicts = {check.asked: check.verdict for check in checks}
    assert verdicts["manifest.json is whole"] == UNCHECKED
    assert [verdict for asked, verdict in verdicts.items() if "other files are as recorded" in asked] == [HELD]
    assert FAILED not in verdicts.values()
    (folder / "tables" / "layers.csv").write_text("tap\n")
    assert FAILED in {check.verdict for check in pipeline.verify(folder)}


def test_rendering_it_makes_a_manifest_of_todays_format_that_says_what_is_not_known(folder: Path) -> None:
    before = Run.open(folder)
    after = pipeline.render(folder)
    assert after.manifest.format == manifest.FORMAT
    assert after.facts.numbers["taps"] == 5
    assert after.layers.equals(before.layers)
    content = json.loads((folder / MANIFEST).read_bytes())
    jsonschema.validate(content, manifest.json_schema())
    assert content["platform"] is None
    assert content["probes"][0]["bytes"] is None
    assert content["outputs"]["tables/layers.csv"]["bytes"] > 0


def test_two_runs_of_which_one_is_older_are_compared(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "new"
    other.mkdir()
    with tarfile.open(Path(__file__).parent / "golden" / "run_format_1.tar.xz") as archive:
        archive.extractall(other, filter="data")
    pipeline.render(other / "old")
    assert pipeline.differences(folder, other / "old").same
