"""Every dated run is an RO-Crate: laws of RO-Crate 1.3 and Process Run Crate 0.6, read by the library `rocrate` too."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from rocrate.rocrate import ROCrate
from run_data import HOSTILE, SyntheticRun, small_run

from fmreport import exports
from fmreport.exports import crate, described
from fmreport.facts import FileFact, InputFact, ProbeFact
from fmreport.store import EXECUTION, LATEX, MANIFEST, TABLES, recorded

Entities = dict[str, dict[str, Any]]
TABLE = InputFact("probes", "lists/val.csv", FileFact("text/csv", 7, "7a" * 32))
MODEL = InputFact("model", "models/net.keras", FileFact("application/zip", 9, "3f" * 32))
PROBES = (
    ProbeFact("猫", "a/猫 1.png", "cd" * 32, (4, 5), True, "m/猫.png", "ef" * 32, 7, "image/png", 3, "image/png"),
    ProbeFact("cat", "skimage:cat", "01" * 32, (3, 3), True, "fmreport outline: cat", "02" * 32, 8, "image/png"),
    ProbeFact("b", ".../b.png", "03" * 32, (3, 3)),
)
FILES = {
    "report.html": b"<html>",
    "tables/layers.csv": b"tap\n",
    "templates/my theme #1 50%.css": b"a{}",
    "templates/\udce4.css": b"b{}",
    MANIFEST: b"{}",
    EXECUTION: b"{}",
}


def made(**facts: Any) -> SyntheticRun:
    run = small_run()
    code = InputFact("code", "my_model.py", FileFact("text/x-python", 5, "0c" * 32))
    return replace(run, facts=replace(run.facts, **{"probes": PROBES, "inputs": (MODEL, code, TABLE), **facts}))


def configured(**settings: Any) -> SyntheticRun:
    return made(config={**small_run().facts.config, **settings})


def written(folder: Path, run: SyntheticRun) -> Path:
    """The run's folder, with few of its files and the crate around them."""
    for path, data in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    for path, data in exports.crates(run, recorded(folder)):
        (folder / path).write_bytes(data)
    return folder


def entities(run: SyntheticRun, outputs: dict[str, FileFact] | None = None) -> Entities:
    """Those of the run's crate, by their ids; none twice."""
    graph = json.loads(crate.written(run, outputs or {"report.html": FileFact("text/html", 6, "aa" * 32)}))["@graph"]
    assert len({entity["@id"] for entity in graph}) == len(graph)
    return {entity["@id"]: entity for entity in graph}


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict) and set(value) == {"@id"}:
        yield value["@id"]
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from references(each)


def only(value: Any) -> str:
    (found,) = references(value)
    return found


# The crate and its files


def test_another_library_reads_every_file_with_its_size_and_hash(tmp_path: Path) -> None:
    folder = written(tmp_path, made())
    read = ROCrate(folder)
    held = {unquote(each.id, errors="surrogateescape"): each for each in read.root_dataset["hasPart"]}
    assert set(held) == set(FILES)
    for path in set(FILES) - {MANIFEST, EXECUTION}:
        assert held[path].type == "File"
        assert held[path]["contentSize"] == str(len(FILES[path]))
        assert held[path]["sha256"] == hashlib.sha256(FILES[path]).hexdigest()
    action = only(read.root_dataset["mentions"].properties()["instrument"])
    assert read.dereference(action)["version"] == "0.1.0"


def test_what_is_written_after_the_crate_is_listed_without_a_hash() -> None:
    listed = entities(made())
    for path in (MANIFEST, EXECUTION):
        assert listed[path]["@type"] == "File"
        assert not {"sha256", "contentSize"} & set(listed[path])


def test_the_crate_lists_everything_but_itself() -> None:
    assert crate.FILE not in set(references(entities(made())["./"]["hasPart"]))


def test_every_kind_of_file_is_described() -> None:
    told = described.Described(small_run())
    paths = [f"tables/{file}" for file in TABLES.values()]
    paths += [*LATEX.values(), MANIFEST, EXECUTION, "maps/0001.npz", "maps/probes.npz", "figures/a.svg", "report.pdf"]
    paths += [export.FILE for export in exports.EXPORTS.values()]
    assert [path for path in paths if told[path] == told["unheard of"]] == []


def test_a_run_without_a_date_has_no_crate(tmp_path: Path) -> None:
    written(tmp_path, made(date=""))
    assert not (tmp_path / crate.FILE).exists()


def test_the_same_run_has_the_same_crate_in_whatever_order_its_files_are_found() -> None:
    outputs = {f"maps/{number:04d}.npz": FileFact("application/zip", number, "aa" * 32) for number in range(9)}
    turned = dict(reversed(outputs.items()))
    assert crate.written(made(), outputs) == crate.written(made(), turned)


# What the specifications ask for


def test_every_reference_leads_to_an_entity_and_every_id_is_an_address() -> None:
    found = entities(configured(doi="10.5281/zenodo.<1>#%"))
    assert set(references(list(found.values()))) - set(found) == {crate.SPECIFICATION}
    assert [name for name in found if not re.fullmatch(r"[A-Za-z0-9._~:/?#@!$&'()*+,;=%-]+", name)] == []


def test_the_root_has_what_every_crate_must_have() -> None:
    found = entities(made())
    descriptor, root = found["ro-crate-metadata.json"], found["./"]
    assert descriptor["@type"] == "CreativeWork"
    assert (only(descriptor["about"]), only(descriptor["conformsTo"])) == ("./", crate.SPECIFICATION)
    assert root["@type"] == "Dataset"
    assert root["datePublished"] == "2026-11-21"
    assert all(root[key] for key in ("name", "description", "license"))
    assert re.fullmatch(r"https://w3id\.org/ro/wfrun/process/\d+\.\d+", only(root["conformsTo"]))
    profile = found[only(root["conformsTo"])]
    assert {"CreativeWork", "Profile"} <= set(profile["@type"])
    assert profile["@id"].endswith(profile["version"])


def test_the_run_is_an_action_of_fmreport_on_what_was_read() -> None:
    run = made()
    found = entities(run)
    action = found[only(found["./"]["mentions"])]
    assert action["@type"] == "CreateAction"
    assert run.facts.id in action["@id"]
    assert action["description"] == run.facts.command
    tool = found[only(action["instrument"])]
    assert tool["@type"] == "SoftwareApplication"
    assert (tool["name"], tool["version"]) == ("fmreport", "0.1.0")
    assert only(tool["url"]) == "report.html"
    assert "softwareVersion" not in tool  # beside `version` it should not stand
    assert set(references(action["result"])) == {"report.html", MANIFEST, EXECUTION}
    assert [found[name]["name"] for name in references(action["agent"])] == ["Ada Example", "Bo Sample"]


def test_a_crate_claims_no_time_of_execution() -> None:
    assert not {"startTime", "endTime"} & {key for entity in entities(made()).values() for key in entity}


# What was read


def test_inputs_are_listed_with_their_hashes_though_they_are_not_in_the_crate() -> None:
    found = entities(made())
    read = [found[name] for name in references(found[only(found["./"]["mentions"])]["object"])]
    inputs = {each["name"]: each for each in read}
    assert all(each["@id"].startswith("#") for each in read)
    assert not {each["@id"] for each in read} & set(references(found["./"]["hasPart"]))
    assert inputs["models/net.keras"]["sha256"] == MODEL.file.sha256
    assert inputs["my_model.py"]["sha256"] == "0c" * 32
    for probe in PROBES:
        assert inputs[probe.name]["sha256"] == probe.sha256
    assert inputs["mask of 猫"]["sha256"] == "ef" * 32
    # Only what lies beside the config is a path.
    assert inputs["猫"]["localPath"] == "a/猫 1.png"
    assert "localPath" not in inputs["cat"]
    assert "skimage:cat" in inputs["cat"]["description"]
    assert "pixels" in inputs["mask of cat"]["description"]
    assert "localPath" not in inputs["b"]
    assert "mask of b" not in inputs
    assert only(found["./"]["about"]) == inputs["models/net.keras"]["@id"]


def test_a_model_folder_is_a_dataset_and_one_of_code_is_no_file() -> None:
    folder = InputFact("model", "saved", FileFact("inode/directory", 99, "3f" * 32))
    of_folder = entities(made(inputs=(folder,)))[crate.MODEL]
    assert (of_folder["@type"], of_folder["sha256"]) == ("Dataset", "3f" * 32)
    assert "folder" in of_folder["description"]
    of_code = entities(made(inputs=()))[crate.MODEL]
    assert of_code["@type"] == "CreativeWork"
    assert "sha256" not in of_code


def test_templates_of_the_users_own_were_read_and_lie_in_the_crate() -> None:
    found = entities(made(), {"templates/a.css": FileFact("text/css", 1, "aa" * 32)})
    action = found[only(found["./"]["mentions"])]
    assert "templates/a.css" in set(references(action["object"])) - set(references(action["result"]))


def test_all_of_many_probes_are_listed() -> None:
    many = tuple(replace(PROBES[0], name=f"{HOSTILE}{number}") for number in range(2_000))
    found = entities(made(probes=many))
    assert sum(name.startswith("#input-probe-") for name in found) == len(many)
    assert sum(name.startswith("#input-mask-") for name in found) == len(many)


# Whose it is, and what may be done with it


def test_authors_are_known_by_their_orcid() -> None:
    found = entities(made())
    ada, bo = references(found["./"]["author"])
    assert ada == "https://orcid.org/0000-0002-1825-0097"
    assert (found[ada]["@type"], found[ada]["name"]) == ("Person", "Ada Example")
    assert (bo, found[bo]["name"]) == ("#author-2", "Bo Sample")
    nobody = entities(configured(authors=[]))
    assert "author" not in nobody["./"]
    assert not any("agent" in entity for entity in nobody.values())


@pytest.mark.parametrize(
    ("declared", "address"),
    [
        ("CC-BY-4.0", "https://spdx.org/licenses/CC-BY-4.0"),
        ("apache-2.0", "https://spdx.org/licenses/Apache-2.0"),
        ("https://example.org/licence", "https://example.org/licence"),
    ],
)
def test_a_licence_that_can_be_read_somewhere_is_a_link(declared: str, address: str) -> None:
    found = entities(made(licences={"report": declared, "model": "MIT"}))
    assert only(found["./"]["license"]) == address
    assert found[address]["@type"] == "CreativeWork"
    assert only(found[crate.MODEL]["license"]) == "https://spdx.org/licenses/MIT"


@pytest.mark.parametrize("declared", ["CC BY 4.0", "MIT OR Apache-2.0", "ours alone", "GPL-3.0+", "https://a b"])
def test_a_licence_of_another_kind_is_its_own_words(declared: str) -> None:
    assert entities(made(licences={"report": declared}))["./"]["license"] == declared


def test_that_no_licence_is_declared_is_said() -> None:
    assert entities(made(licences={}))["./"]["license"] == crate.UNLICENSED


def test_images_have_the_licence_that_all_probes_declare() -> None:
    alike = entities(configured(probes=[{"licence": "CC0-1.0"}, {"licence": "CC0-1.0"}]))
    assert only(alike["#input-probe-1"]["license"]) == "https://spdx.org/licenses/CC0-1.0"
    different = entities(configured(probes=[{"licence": "CC0-1.0"}, {"licence": None}]))
    assert "license" not in different["#input-probe-1"]


def test_the_doi_of_the_model_or_paper_is_cited_and_not_taken_for_that_of_the_crate() -> None:
    found = entities(configured(doi="10.5281/zenodo.1234567"))
    cited = only(found["./"]["citation"])
    assert cited == found[cited]["identifier"] == "https://doi.org/10.5281/zenodo.1234567"
    assert found[only(found["./"]["identifier"])]["value"] == configured(doi="10.5281/zenodo.1234567").facts.id
