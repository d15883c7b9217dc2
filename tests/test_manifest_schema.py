"""The JSON schema of a manifest allows what runs write, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from stored_run import write

from fmreport.manifest import json_schema


def complaints(content: dict[str, Any]) -> list[str]:
    return [error.message for error in Draft202012Validator(json_schema()).iter_errors(content)]


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = write(tmp_path_factory.mktemp("run") / "v1").folder
    return (folder / "manifest.json").read_text(encoding="utf-8")


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(json_schema())


def test_it_allows_the_manifest_of_a_run(content: str) -> None:
    assert complaints(json.loads(content)) == []


def test_it_asks_for_every_entry(content: str) -> None:
    for entry in json.loads(content):
        rest = json.loads(content)
        del rest[entry]
        assert complaints(rest) == [f"{entry!r} is a required property"]


CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "an older format": lambda told: told.update(format=1),
    "no ID": lambda told: told.update(id="v1"),
    "an unknown entry": lambda told: told.update(hostname="here"),
    "a name of another type": lambda told: told.update(name=7),
    "a probe without a hash": lambda told: told["probes"][0].pop("sha256"),
    "a probe with an unknown entry": lambda told: told["probes"][0].update(owner="me"),
    "a size of one number": lambda told: told["probes"][0].update(size=[4]),
    "an output that is a hash alone": lambda told: told["outputs"].update({"report.html": "ab"}),
    "bytes that are text": lambda told: told["outputs"]["report.html"].update(bytes="6"),
    "a seed that is text": lambda told: told.update(seeds={"channels": "0"}),
    "a manifest without its hash": lambda told: told.update(sha256=""),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_it_refuses(change: Callable[[dict[str, Any]], object], content: str) -> None:
    told = json.loads(content)
    change(told)
    assert complaints(told)
