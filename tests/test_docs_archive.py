"""What docs/archive.md and docs/workflow.yaml say is true."""

from __future__ import annotations

import re
import shlex
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import typer.main
from ruamel.yaml import YAML

from fmreport import config
from fmreport.cli import app
from fmreport.config import Limits
from fmreport.gate.limits import options
from fmreport.quantities import QUANTITIES, RUN

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/archive.md").read_text("utf-8")
WORKFLOW = YAML(typ="safe").load(ROOT / "docs/workflow.yaml")
STEPS = WORKFLOW["jobs"]["audit"]["steps"]


def commands() -> list[list[str]]:
    """The words of every call of fmreport in the workflow, on the page and in the README."""
    text = "\n".join(step.get("run", "") for step in STEPS)
    for page in (PAGE, (ROOT / "README.md").read_text("utf-8")):
        text += "\n" + "\n".join(re.findall(r"^```sh\n(.*?)^```", page, re.DOTALL | re.MULTILINE))
    lines = text.replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("fmreport ")]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_a_command_and_its_options_exist(words: list[str]) -> None:
    group: Any = typer.main.get_command(app)
    known = {name for parameter in group.commands[words[0]].params for name in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known


def test_there_are_commands_to_check() -> None:
    assert {words[0] for words in commands()} >= {"run", "gate", "index", "check"}


def test_limits_of_the_commands_can_be_understood() -> None:
    told = [words for words in commands() if words[0] == "gate"]
    assert len(told) >= 3
    for words in told:
        pairs = list(pairwise(words))
        maxima, changes = ([value for name, value in pairs if name == option] for option in ("--max", "--max-change"))
        assert len(options(maxima, changes=changes)) == len(maxima) + len(changes) > 0


def test_the_workflow_is_one() -> None:
    assert set(WORKFLOW) == {"name", "on", "permissions", "concurrency", "jobs"}
    assert all(("uses" in step) != ("run" in step) for step in STEPS)
    # What a tag is called must not become a part of a command.
    assert not any("${{" in step.get("run", "") for step in STEPS)


def test_the_config_of_the_gate_loads(tmp_path: Path) -> None:
    (section,) = re.findall(r"^```yaml\n(gate:.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    minimal = "name: f\nmodel: {kind: builder, function: 'm:f'}\nprobes: [{kind: skimage, names: [cat]}]\n"
    (tmp_path / "f.yaml").write_text(minimal + section, encoding="utf-8")
    gate = config.load(tmp_path / "f.yaml").gate
    assert gate is not None
    assert (gate.max.zeros, gate.min.mask, gate.max_change.gini, gate.nonfinite, gate.baseline) == (
        0.9, 0.3, 0.05, 0, "v1",
    )  # fmt: skip


def test_the_page_says_of_every_quantity_what_it_means() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) \| ?(.*?) ?\|$", PAGE, re.MULTILINE)
    assert rows == [(each.name, each.unit, each.meaning, each.whole) for each in QUANTITIES.values()]
    of_run = [name for name, each in QUANTITIES.items() if each.held == RUN]
    assert list(QUANTITIES)[-len(of_run) :] == of_run
    assert len(of_run) == 4


def test_a_config_can_limit_every_quantity_and_nothing_else() -> None:
    assert list(Limits.model_fields) == list(QUANTITIES)
    assert Limits(zeros=0.0, taps=3).given == {"zeros": 0.0, "taps": 3.0}
