"""`fmreport verify`: what was damaged is named, what was not is let be, and a run made again is the same run."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stored_run import contents, facts, tables, tiles
from test_cli import CONFIG, TINY, fmreport

import fmreport as package
from fmreport import manifest, pipeline, verification
from fmreport.store import EXECUTION, MANIFEST, Run, drafting, file_fact
from fmreport.verification import FAILED, HELD, UNCHECKED, Check, exit_code


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("verify")
    (made / "tiny_model.py").write_text(TINY)
    (made / "tiny.yaml").write_text(CONFIG)
    return made


@pytest.fixture(scope="module")
def run(folder: Path) -> Run:
    return package.run(folder / "tiny.yaml", out=folder / "reports")


@pytest.fixture
def other(run: Run, tmp_path: Path) -> Path:
    """A copy to do harm to."""
    return Path(shutil.copytree(run.folder, tmp_path / "v1"))


def verdicts(checks: list[Check]) -> dict[str, str]:
    """What is told under each verdict."""
    told: dict[str, str] = {}
    for check in checks:
        told[check.verdict] = "\n".join((told.get(check.verdict, ""), check.asked, *check.details))
    return told


def test_a_run_verifies_as_whole_and_as_made_again_from_its_inputs(run: Run) -> None:
    before = contents(run.folder)
    checks = pipeline.verify(run.folder, rerun=True)
    assert {check.verdict for check in checks} == {HELD}, checks
    assert exit_code(checks) == 0
    assert contents(run.folder) == before


def test_the_command_says_what_held_and_ends_with_its_code(run: Run, other: Path) -> None:
    done = fmreport("verify", str(run.folder), cwd=other)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("held") == 4
    (other / "tables/layers.csv").write_bytes(b"tap\n")
    done = fmreport("verify", str(run.folder), str(other), "--json", cwd=other)
    assert done.returncode == 1
    whole, damaged = json.loads(done.stdout)
    assert (whole["run"], damaged["run"]) == (str(run.folder), str(other))
    assert {check["verdict"] for check in whole["checks"]} == {HELD}
    assert [check["verdict"] for check in damaged["checks"]] == [HELD, HELD, FAILED, UNCHECKED]
    assert "tables/layers.csv is not what the run wrote" in damaged["checks"][2]["details"][0]
    done = fmreport("verify", str(other), f"{other}/", cwd=other)
    assert done.returncode == 1
    headings = [line for line in done.stdout.splitlines() if not line.startswith((" ", HELD, FAILED, UNCHECKED))]
    assert headings == [str(other)] * 2
    done = fmreport("verify", "nowhere", cwd=other)
    assert done.returncode == 2
    assert "nowhere is no run" in done.stderr


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stored") / "v1"
    with drafting(folder, force=False) as draft:
        draft.write_table("layers", tables()["layers"])
        draft.write_table("samples", tables()["samples"])
        draft.write_tiles(2, tiles())
        draft.write("report.html", b"<html>")
        draft.write("empty", b"")
        draft.write_execution({"format": 1, "config": "", "seconds": {"all": 1.5}})
        draft.write_manifest(facts())
    return folder


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_every_changed_byte_of_any_file_is_found_and_named(stored: Path, data: st.DataObject) -> None:
    whole = contents(stored)
    name = data.draw(st.sampled_from(sorted(path for path, held in whole.items() if held)))
    damaged = bytearray(whole[name])
    damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= data.draw(st.integers(1, 255))
    (stored / name).write_bytes(damaged)
    try:
        checks = verification.files(stored)
    finally:
        (stored / name).write_bytes(whole[name])
    assert exit_code(checks) == 1
    assert name in verdicts(checks)[FAILED]
    assert exit_code(verification.files(stored)) == 0


@pytest.mark.slow
def test_a_byte_of_every_file_of_a_real_run_is_found_and_named(run: Run, other: Path) -> None:
    rng = np.random.default_rng(0)
    for name, whole in contents(run.folder).items():
        for place in {0, len(whole) - 1, *rng.integers(0, len(whole), 3).tolist()}:
            damaged = bytearray(whole)
            damaged[place] ^= int(rng.integers(1, 256))
            (other / name).write_bytes(damaged)
            checks = verification.files(other)
            assert name in verdicts(checks)[FAILED]
        (other / name).write_bytes(whole)
    assert exit_code(verification.files(other)) == 0


def test_missing_and_foreign_files_are_named(other: Path) -> None:
    (other / "report.pdf").unlink()
    (other / "maps/notes.txt").write_text("mine")
    told = verdicts(verification.files(other))[FAILED]
    assert "report.pdf is missing" in told
    assert "maps/notes.txt is no file of the run" in told
    (other / EXECUTION).unlink()
    assert f"{EXECUTION} is missing" in "".join(
        detail for check in verification.files(other) for detail in check.details
    )


def test_a_manifest_that_is_sealed_anew_with_another_id_is_found(other: Path) -> None:
    content = json.loads((other / MANIFEST).read_bytes())
    del content["sha256"]
    content["config"]["seed"] = 7
    (other / MANIFEST).write_bytes(manifest.sealed(content))
    assert "the ID is not that of what it records" in verdicts(verification.files(other))[FAILED]


def sealed_anew(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Writes the manifest as a run would that had recorded something else."""
    run = Run.open(folder)
    content = json.loads((folder / MANIFEST).read_bytes())
    change(content)
    told = manifest.read(json.dumps(content).encode(), "changed")
    (folder / MANIFEST).write_bytes(manifest.written(told.facts, run.manifest.outputs))


def test_reports_that_other_code_made_cannot_be_checked_where_they_differ(other: Path) -> None:
    page = other / "report.html"
    page.write_bytes(page.read_bytes() + b"<!-- as it was -->")

    def by_the_same(content: dict[str, Any]) -> None:
        content["rendered"] = pipeline.making()

    def by_another(content: dict[str, Any]) -> None:
        content["rendered"] = {**pipeline.making(), "matplotlib": "1.0"}

    for change, verdict in ((by_the_same, FAILED), (by_another, UNCHECKED)):
        sealed_anew(other, change)
        run = Run.open(other)
        outputs = {**run.manifest.outputs, "report.html": file_fact(page)}
        (other / MANIFEST).write_bytes(manifest.written(run.facts, outputs))
        checks = pipeline.verify(other)
        assert [check.verdict for check in checks] == [HELD, HELD, HELD, verdict]
        assert "report.html" in checks[-1].details[0]
    assert "matplotlib 1.0, here" in checks[-1].details[1]


def test_inputs_that_changed_are_named_and_nothing_is_compared(run: Run, folder: Path, tmp_path: Path) -> None:
    elsewhere = Path(shutil.copytree(folder, tmp_path / "elsewhere", ignore=shutil.ignore_patterns("reports")))
    (elsewhere / "tiny_model.py").write_text(TINY + "# a comment\n")
    checks = pipeline.verify(run.folder, rerun=True, inputs=elsewhere)
    told = verdicts(checks)
    assert "code tiny_model.py has changed" in told[FAILED]
    assert not [check for check in checks if "bytes" in check.asked and "made again" in check.asked]


def test_inputs_that_are_gone_cannot_be_checked(run: Run, tmp_path: Path) -> None:
    done = fmreport("verify", str(run.folder), "--rerun", "--inputs", ".", cwd=tmp_path)
    assert done.returncode == 2, done.stdout
    assert "tiny_model" in done.stdout
    assert "there is no module tiny_model" in done.stdout or "is no module" in done.stdout


def changed(folder: Path, *, by: float, versions: dict[str, str]) -> Run:
    """The run of `stored_run` with every number of one table multiplied, made with other versions."""
    with drafting(folder, force=True) as draft:
        for name, table in tables().items():
            numbers = [] if name != "summary" else ["mean"]
            draft.write_table(name, table.assign(**{column: table[column] * (1 + by) for column in numbers}))
        draft.write_tiles(2, tiles())
        draft.write_pictures({}, {})
        draft.write_execution({"format": 1, "config": ""})
        draft.write_manifest(replace(facts(), versions=versions))
    return Run.open(folder)


@pytest.mark.parametrize(
    ("by", "versions", "verdict"),
    [
        (0, {"fmreport": "0"}, HELD),
        (1e-9, {"fmreport": "0"}, FAILED),
        (1e-9, {"fmreport": "1"}, HELD),
        (1e-2, {"fmreport": "1"}, FAILED),
    ],
)
def test_tables_are_compared_bit_for_bit_and_within_tolerances_where_they_were_made_elsewhere(
    tmp_path: Path, by: float, versions: dict[str, str], verdict: str
) -> None:
    before = changed(tmp_path / "before", by=0, versions={"fmreport": "0"})
    checks = verification.same_tables(before, changed(tmp_path / "after", by=by, versions=versions))
    last = [check for check in checks if "summary" in check.asked] or checks
    assert last[0].verdict == verdict, checks
    if by and versions["fmreport"] == "1":
        assert checks[0].verdict == HELD
        assert "fmreport 0, here 1" in checks[0].details[1]
    if by == 1e-2:
        assert "mean differs by 0.0099" in "".join(last[0].details) or "mean differs by 0.01" in "".join(
            last[0].details
        )


def test_values_that_moved_to_another_bin_are_few_elsewhere(tmp_path: Path) -> None:
    made = {}
    for name, moved in (("before", 0), ("near", 5), ("far", 500)):
        bins = pd.DataFrame({"tap": "t", "low": [0.0, 1.0, 2.0], "high": [1.0, 2.0, 3.0], "count": [1000, moved, 2000]})
        bins.loc[0, "count"] -= moved
        with drafting(tmp_path / name, force=False) as draft:
            for table, frame in {**tables(), "histograms": bins[bins["count"] > 0]}.items():
                draft.write_table(table, frame)
            draft.write_manifest(replace(facts(), versions={"fmreport": name}))
        made[name] = Run.open(tmp_path / name)
    near, far = (
        next(check for check in verification.same_tables(made["before"], made[name]) if "histograms" in check.asked)
        for name in ("near", "far")
    )
    assert near.verdict == HELD
    assert far.verdict == FAILED
    assert "t: count differs by 0.17" in far.details


@pytest.mark.parametrize(("column", "verdict"), [("zero_fraction", HELD), ("mean", FAILED)])
def test_values_that_rounding_takes_across_zero_are_a_share_of_all_values(
    tmp_path: Path, column: str, verdict: str
) -> None:
    made = {}
    for name, share in (("before", 0.010), ("after", 0.0102)):
        with drafting(tmp_path / name, force=False) as draft:
            for table, frame in tables().items():
                draft.write_table(table, frame.assign(**{column: share}) if table == "summary" else frame)
            draft.write_manifest(replace(facts(), versions={"fmreport": name}))
        made[name] = Run.open(tmp_path / name)
    checks = verification.same_tables(made["before"], made["after"])
    assert next(check for check in checks if "summary" in check.asked).verdict == verdict


def test_rows_that_only_one_run_has_are_a_failure(tmp_path: Path) -> None:
    before = changed(tmp_path / "before", by=0, versions={"fmreport": "0"})
    fewer = tables()["summary"].iloc[1:]
    with drafting(tmp_path / "less", force=False) as draft:
        for name, table in {**tables(), "summary": fewer}.items():
            draft.write_table(name, table)
        draft.write_tiles(2, tiles())
        draft.write_pictures({}, {})
        draft.write_manifest(replace(facts(), versions={"fmreport": "1"}))
    checks = verification.same_tables(before, Run.open(tmp_path / "less"))
    assert "it has other rows" in verdicts(checks)[FAILED]


def test_a_run_that_cannot_be_read_is_named(other: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    (other / "report.pdf").chmod(0)
    assert "report.pdf" in verdicts(verification.files(other))[FAILED]


def linked(folder: Path) -> None:
    (folder / "maps" / "outside").symlink_to("/etc")


def dangling(folder: Path) -> None:
    (folder / "gone").symlink_to("nowhere")


def piped(folder: Path) -> None:
    os.mkfifo(folder / "pipe")


def emptied(folder: Path) -> None:
    (folder / "nothing").mkdir()


def replaced_by_a_link(folder: Path) -> None:
    table = folder / "tables" / "layers.csv"
    table.rename(folder.parent / "layers.csv")
    table.symlink_to(folder.parent / "layers.csv")


@pytest.mark.parametrize("harm", [linked, dangling, piped, emptied, replaced_by_a_link])
def test_what_is_no_plain_file_is_no_file_of_a_run(stored: Path, tmp_path: Path, harm: Callable[[Path], None]) -> None:
    folder = Path(shutil.copytree(stored, tmp_path / "v1"))
    harm(folder)
    assert "is no file of the run" in verdicts(verification.files(folder))[FAILED]


def test_a_manifest_that_was_forged_and_sealed_anew_is_found_when_it_is_made_again(other: Path) -> None:
    def richer(content: dict[str, Any]) -> None:
        content["numbers"]["zeros"] = 0.0

    sealed_anew(other, richer)
    checks = pipeline.verify(other)
    assert checks[-1].verdict == FAILED
    assert MANIFEST in checks[-1].details[0]


@pytest.mark.parametrize("name", ["config", "preprocess"])
def test_a_manifest_that_does_not_fit_its_tables_is_a_failure_and_no_crash(other: Path, name: str) -> None:
    def emptier(content: dict[str, Any]) -> None:
        content[name] = {}

    sealed_anew(other, emptier)
    assert "do not fit" in verdicts(pipeline.verify(other))[FAILED]
