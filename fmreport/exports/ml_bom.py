"""The model of a run as a component in CycloneDX 1.6, for a bill of materials (ECMA-424).

Version 1.6, though 1.7 is out: nothing here needs more, and what reads the later one reads this one too.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

from fmreport.exports.addresses import of_doi, of_licence, spdx
from fmreport.facts import Facts
from fmreport.report import findings
from fmreport.store import MANIFEST, Run

FILE = "ml_bom.cdx.json"
VERSION = "1.6"
RUNS = uuid.UUID("6a9f3f8e-0d5c-5b0e-9c36-6f2f8d1f4e77")
"""The name space in which a run's ID gives the serial number."""
MODEL = "model"

Json = dict[str, Any]


def written(run: Run) -> bytes:
    """The bill, which holds the model alone; the same run has the same serial number."""
    facts = run.facts
    bill = {
        "$schema": f"http://cyclonedx.org/schema/bom-{VERSION}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": VERSION,
        "serialNumber": uuid.uuid5(RUNS, facts.id).urn,
        "version": 1,
        "metadata": _metadata(facts),
        "components": [_model(run)],
    }
    return (json.dumps(bill, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")


def _metadata(facts: Facts) -> Json:
    tool = {"type": "application", "name": "fmreport", "version": facts.versions["fmreport"]}
    made: Json = {"tools": {"components": [tool]}}
    if facts.date:
        made["timestamp"] = f"{facts.date}T00:00:00Z"
    if authors := facts.config.get("authors"):
        made["authors"] = [{"name": author["name"]} for author in authors]
    return made


def _model(run: Run) -> Json:
    facts = run.facts
    component: Json = {
        "type": "machine-learning-model",
        "bom-ref": MODEL,
        "name": facts.name,
        "version": facts.release,
        "description": facts.title,
    }
    if facts.model.get("sha256"):
        component["hashes"] = [{"alg": "SHA-256", "content": facts.model["sha256"]}]
    if declared := facts.licences.get("model"):
        component["licenses"] = [{"license": _licence(declared)}]
    component["externalReferences"] = list(_references(facts))
    component["modelCard"] = _card(facts)
    component["properties"] = list(_properties(run))
    return component


def _licence(declared: str) -> Json:
    known, link = spdx(declared), of_licence(declared)
    return ({"id": known} if known else {"name": declared}) | ({"url": link} if link else {})


def _references(facts: Facts) -> Iterator[Json]:
    for kind in facts.config["report"]["formats"]:
        yield {"type": "evidence", "url": f"report.{kind}", "comment": "the audit, in the folder of this file"}
    yield {"type": "build-meta", "url": MANIFEST, "comment": "hashes of what the audit read and wrote, in that folder"}
    if facts.config.get("doi"):
        yield {"type": "documentation", "url": of_doi(facts.config["doi"]), "comment": "the model or the paper"}


def _card(facts: Facts) -> Json:
    """What a run knows of the model. It measures no performance, and does not guess how the model was trained."""
    size = facts.preprocess["size"]
    parameters: Json = {"inputs": [{"format": f"image of {size[0]} × {size[1]} pixels"}]}
    section = facts.config.get("model") or {}
    known = {"application": section.get("name"), "bit": f"BiT-{section.get('variant')}"}
    if section.get("kind") in known:
        parameters["modelArchitecture"] = known[section["kind"]]
    return {"modelParameters": parameters}


def _properties(run: Run) -> Iterator[Json]:
    facts = run.facts
    told = {
        "run_id": facts.id,
        "command": facts.command,
        "framework": str(facts.model.get("framework") or ""),
        "parameters": str(facts.model.get("parameters") or ""),
        "preprocess": str(facts.preprocess.get("sentence") or ""),
    }
    told |= {
        f"finding:{each.subject}": f"{each.verdict}: {each.sentence}" + (f" But: {each.caveat}." if each.caveat else "")
        for each in findings.told(run)
    }
    yield from ({"name": f"fmreport:{name}", "value": value} for name, value in told.items() if value)
