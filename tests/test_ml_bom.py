"""The model as a component: held against the schema of CycloneDX, which its own library brings along."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from run_data import HOSTILE, SyntheticRun, small_run

from fmreport.exports import ml_bom


def run(**facts: Any) -> SyntheticRun:
    made = small_run()
    return replace(made, facts=replace(made.facts, **facts))


def bill(made: SyntheticRun) -> dict[str, Any]:
    """The bill of a run, which the schema allows."""
    text = ml_bom.written(made).decode()
    assert not JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    told: dict[str, Any] = json.loads(text)
    return told


def model(made: SyntheticRun) -> dict[str, Any]:
    (component,) = bill(made)["components"]
    assert component["type"] == "machine-learning-model"
    return dict(component)


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"title": HOSTILE, "release": HOSTILE},
        {"licences": {"model": "apache-2.0"}},
        {"licences": {"model": "ours alone"}},
        {"config": {**small_run().facts.config, "doi": "10.5281/zenodo.<1>", "authors": []}},
        {"model": {"kind": "builder", "source": "m:f", "sha256": ""}},
        {"date": "", "target": "class 0 of head"},
    ],
    ids=str,
)
def test_the_schema_of_cyclonedx_allows_the_bill(facts: dict[str, Any]) -> None:
    assert bill(run(**facts))["components"]


def test_the_schema_refuses_another_one() -> None:
    broken = bill(run())
    broken["components"][0]["hashes"][0]["content"] = "not a hash"
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(broken))


def test_the_component_is_the_model_with_its_hash_release_and_licence() -> None:
    told = model(run(licences={"model": "apache-2.0"}))
    assert (told["name"], told["version"]) == ("sd_unet_pets", "v1")
    assert told["hashes"] == [{"alg": "SHA-256", "content": "3f" * 32}]
    assert told["licenses"][0]["license"]["id"] == "Apache-2.0"
    assert model(run(licences={"model": "ours alone"}))["licenses"] == [{"license": {"name": "ours alone"}}]
    assert not {"hashes", "licenses"} & set(model(run(licences={}, model={**run().facts.model, "sha256": ""})))


def test_the_model_card_holds_what_the_run_knows_and_no_performance() -> None:
    card = model(run())["modelCard"]
    assert card == {"modelParameters": {"inputs": [{"format": "image of 160 × 160 pixels"}]}}
    config = {**run().facts.config, "model": {"kind": "bit", "variant": "R50x1"}}
    assert model(run(config=config))["modelCard"]["modelParameters"]["modelArchitecture"] == "BiT-R50x1"


def test_properties_tell_the_run_and_its_findings() -> None:
    made = run(command="fmreport run a.yaml")
    told = {each["name"]: each["value"] for each in model(made)["properties"]}
    assert told["fmreport:run_id"] == made.facts.id
    assert told["fmreport:command"] == "fmreport run a.yaml"
    assert told["fmreport:parameters"] == "21507171"
    assert any(name.startswith("fmreport:finding:") for name in told)


def test_the_report_is_its_evidence() -> None:
    addresses = {each["url"]: each["type"] for each in model(run())["externalReferences"]}
    assert addresses == {"report.html": "evidence", "report.pdf": "evidence", "manifest.json": "build-meta"}


def test_the_serial_number_follows_from_the_run_and_the_time_from_its_date() -> None:
    assert ml_bom.written(run()) == ml_bom.written(run())
    assert bill(run())["serialNumber"] != bill(run(code="other"))["serialNumber"]
    assert bill(run())["metadata"]["timestamp"] == "2026-11-21T00:00:00Z"
    assert "timestamp" not in bill(run(date=""))["metadata"]
