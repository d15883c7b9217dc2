"""What a gate writes: JUnit XML, a summary in Markdown, the terminal, and an exit code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import gated
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from run_data import HOSTILE

from fmreport import pipeline
from fmreport.gate import junit, summary, words, written
from fmreport.gate.judging import Judgement, Outcome, Reading
from fmreport.gate.limits import Limit, options
from fmreport.printable import printable
from fmreport.store import Run

ATTRIBUTES = {
    "testsuites": set[str](),
    "testsuite": {"name", "tests", "failures", "errors", "skipped"},
    "testcase": {"name", "classname"},
    "failure": {"type", "message"},
    "skipped": {"message"},
    "system-out": set[str](),
}
"""Of every element that is written: the attributes that it has; all are known to the schema that Jenkins publishes."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    planted = {HOSTILE: {"silent": 3}, "stem/relu": {"silent": 8}, "body/relu": {"silent": 2}}
    return gated.write(tmp_path_factory.mktemp("archive") / "net/v1", planted=planted)


@pytest.fixture(scope="module")
def judgement(run: Run) -> Judgement:
    """One limit that holds, one that three taps breach, and one that is skipped."""
    return pipeline.gate(run, options(maxima=["silent_channels=0.1", "taps=6"], changes=["zeros=0"]))


def named(tap: str) -> Judgement:
    """A judgement in which a tap of some name is beyond two limits."""
    limits = Limit("max", "zeros", 0.5), Limit("max_change", "zeros", 0.5)
    breaches = Reading(tap, 0.75), Reading(tap, 0.75, 0.0, tap)
    outcomes = [Outcome(*each, (each[1], each[1]), 2) for each in zip(limits, breaches, strict=True)]
    return Judgement(tap, tap, tuple(outcomes), (tap,))


def counted(data: bytes) -> dict[str, int]:
    """Test cases by what became of them; the counts of the suite must say the same."""
    (suite,) = ET.fromstring(data)
    cases = suite.findall("testcase")
    found = {
        "tests": len(cases),
        "failures": sum(case.find("failure") is not None for case in cases),
        "errors": 0,
        "skipped": sum(case.find("skipped") is not None for case in cases),
    }
    assert {name: int(suite.attrib[name]) for name in found} == found
    return found


def test_junit_has_a_case_for_each_limit_and_for_each_tap_beyond_one(judgement: Judgement) -> None:
    data = junit.junit(judgement)
    beyond = sum(len(outcome.breaches) for outcome in judgement.breached)
    assert beyond == 3
    assert counted(data) == {"tests": 3 + beyond, "failures": 1 + beyond, "errors": 0, "skipped": 1}
    messages = [failure.attrib["message"] for failure in ET.fromstring(data).iter("failure")]
    assert messages[0] == "1 at stem/relu; 2 others beyond it, too"
    assert "0.125 at body/relu; limit: silent_channels at most 0.1" in messages


def test_junit_lists_so_many_taps_and_no_more() -> None:
    readings = tuple(Reading(f"tap {i}", 1.0 + i) for i in range(1000))
    outcome = Outcome(Limit("max", "zeros", 0.5), readings[0], readings, 1000)
    assert counted(junit.junit(Judgement("net v1", "", (outcome,), ())))["tests"] == 1 + junit.MOST


@given(st.text(st.characters(exclude_categories=())))
def test_junit_is_xml_of_the_schema_whatever_a_tap_is_called(tap: str) -> None:
    data = junit.junit(named(tap))
    counted(data)
    for element in ET.fromstring(data).iter():
        assert set(element.attrib) == ATTRIBUTES[element.tag]
    assert (printable(tap) in {case.attrib["name"] for case in ET.fromstring(data).iter("testcase")}) == bool(tap)


def test_the_parts_of_a_suite_stand_in_the_order_of_the_schema(judgement: Judgement) -> None:
    (suite,) = ET.fromstring(junit.junit(named("a")))
    tags = [child.tag for child in suite]
    assert tags == ["testcase"] * (len(tags) - 1) + ["system-out"]
    assert b"<?xml version='1.0' encoding='UTF-8'?>" in junit.junit(judgement)


def shown(text: str) -> tuple[str, set[str]]:
    """What GitHub shows of Markdown: its text, and the elements that it is made of."""
    html = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(text)
    root = ET.fromstring(f"<r>{html}</r>")
    return "".join(root.itertext()), {element.tag for element in root.iter()} - {"r"}


def test_the_summary_says_what_became_of_every_limit(judgement: Judgement) -> None:
    text, tags = shown(summary.summary(judgement))
    assert "net v1: 1 of 3 limits breached, 1 skipped" in text
    for outcome in judgement.outcomes:
        assert words.of_limit(outcome.limit) in text
        assert words.of_outcome(outcome) in text
        assert summary.MARKS[words.state(outcome)] in text
        assert all(words.of_reading(reading, outcome.limit) in text for reading in outcome.breaches)
    assert tags == {"h3", "table", "thead", "tbody", "tr", "th", "td", "p", "ul", "li"}


@given(st.text(st.characters(exclude_categories=())))
def test_the_summary_shows_a_name_as_text_whatever_it_holds(tap: str) -> None:
    text, tags = shown(summary.summary(named(f"a{tap}b")))
    assert tags <= {"h3", "table", "thead", "tbody", "tr", "th", "td", "p", "ul", "li"}
    assert f"0.75 at {printable(f'a{tap}b')}" in text


def test_the_summary_lists_so_many_taps_and_says_how_many_more() -> None:
    readings = tuple(Reading(f"tap {i}", 1.0 + i) for i in range(1000))
    outcome = Outcome(Limit("max", "zeros", 0.5), readings[0], readings, 1000)
    text = summary.summary(Judgement("net v1", "", (outcome,), ()))
    assert "- and 980 more" in text
    assert text.count("\n") < summary.MOST + 15


def test_the_same_judgement_is_the_same_bytes_wherever_the_run_lies(run: Run, tmp_path: Path) -> None:
    import shutil

    there = tmp_path / "elsewhere/net/v1"
    shutil.copytree(run.folder, there)
    limits = options(maxima=["silent_channels=0.1"], changes=["zeros=0"])
    one, other = pipeline.gate(run, limits), pipeline.gate(there, limits)
    assert one == other
    assert (junit.junit(one), summary.summary(one)) == (junit.junit(other), summary.summary(other))


def test_the_summary_is_appended_where_github_says(judgement: Judgement, tmp_path: Path) -> None:
    job, own = tmp_path / "job.md", tmp_path / "own.md"
    job.write_text("before\n")
    written.write(judgement, summary_file=own, environment={written.GITHUB: str(job)})
    assert job.read_text("utf-8") == "before\n" + own.read_text("utf-8")
    written.write(judgement, environment={written.GITHUB: ""})
    assert own.read_text("utf-8") == summary.summary(judgement)


def fmreport(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fmreport", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_the_command_leaves_with_0_1_or_2(run: Run, tmp_path: Path) -> None:
    held = fmreport("gate", run.folder, "--nonfinite", "0", "--max", "zeros=1")
    assert (held.returncode, held.stderr) == (0, "")
    assert held.stdout.splitlines()[-1] == "net v1: 2 limits held"
    files = tmp_path / "gate.xml", tmp_path / "gate.md"
    breached = fmreport("gate", run.folder, "--max", "silent_channels=0.1", "--junit", files[0], "--summary", files[1])
    assert breached.returncode == 1
    assert "breached silent_channels at most 0.1: 1 at stem/relu; 2 others beyond it, too" in breached.stdout
    assert counted(files[0].read_bytes())["failures"] == 4
    assert "1 at stem/relu" in shown(files[1].read_text("utf-8"))[0]
    for arguments in (["--max", "zero=1"], [], ["--nonfinite", "0", "--junit", tmp_path / "no/such/folder.xml"]):
        refused = fmreport("gate", run.folder, *arguments)
        assert refused.returncode == 2
        assert "next:" in refused.stderr
