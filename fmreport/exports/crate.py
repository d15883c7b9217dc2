"""A run as an RO-Crate: which files there are, what they were made from, by what and by whom.

RO-Crate 1.3 and its profile Process Run Crate 0.6, written as JSON-LD. It is made of the run's record alone, without a
clock, so that the same run has the same crate.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from fmreport.exports.addresses import SPDX, of_doi, of_licence, spdx
from fmreport.exports.described import Described
from fmreport.facts import Facts, FileFact, InputFact, ProbeFact, ProbeTable
from fmreport.media_types import FOLDER, media_type
from fmreport.store import EXECUTION, MANIFEST, PROBES, Run

FILE = "ro-crate-metadata.json"
SPECIFICATION = "https://w3id.org/ro/crate/1.3"
PROFILE, PROFILE_VERSION = "https://w3id.org/ro/wfrun/process/0.6", "0.6"
TOOL, CODE, CONFIG, MODEL, ID = "#fmreport", "#code", "#config", "#input-model", "#id"
LATER = (MANIFEST, EXECUTION)
"""Files that are written when the crate is: the manifest holds the crate's hash, so that the crate cannot hold its, and
what is true of one execution is in no hash at all. Both are listed without bytes and hash."""
UNLICENSED = "No licence is declared: ask the authors before you use it."

Entity = dict[str, Any]


def written(run: Run, outputs: Mapping[str, FileFact]) -> bytes:
    """The crate of a run that has a date; `outputs` tells of every file but the crate and those of `LATER`."""
    graph = list(_graph(run, outputs))
    distinct = {entity["@id"]: entity for entity in graph}
    content = {"@context": f"{SPECIFICATION}/context", "@graph": list(distinct.values())}
    # What a name of a file has that is no Unicode stands as an escape, which JSON allows.
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")


def _graph(run: Run, outputs: Mapping[str, FileFact]) -> Iterator[Entity]:
    facts = run.facts
    files = list(_files(run, outputs))
    inputs = list(_inputs(facts))
    authors = [_author(number, each) for number, each in enumerate(facts.config.get("authors") or (), start=1)]
    yield {
        "@id": FILE,
        "@type": "CreativeWork",
        "conformsTo": {"@id": SPECIFICATION},
        "about": {"@id": "./"},
    }
    yield _root(facts, files, authors)
    yield {
        "@id": PROFILE,
        "@type": ["CreativeWork", "Profile"],
        "name": "Process Run Crate",
        "version": PROFILE_VERSION,
    }
    yield from _action(facts, files, inputs, authors)
    yield from _software(facts)
    yield from authors
    yield from _licences(facts)
    if facts.config.get("doi"):
        yield _cited(facts.config["doi"])
    yield _digest(ID, "ID of the run", facts.id)
    yield from files
    yield from inputs


def _root(facts: Facts, files: Sequence[Entity], authors: Sequence[Entity]) -> Entity:
    said = facts.config.get("abstract") or f"What fmreport measured of {facts.model.get('source') or 'a model'}."
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": f"{facts.title} ({facts.name} {facts.release})",
        "description": said,
        "version": facts.release,
        "datePublished": facts.date,
        "license": _licence(facts.licences.get("report", "")) or UNLICENSED,
        "identifier": {"@id": ID},
        "conformsTo": {"@id": PROFILE},
        "about": {"@id": MODEL},
        "mentions": {"@id": f"#run-{facts.id}"},
        "hasPart": _references(files),
    }
    if authors:
        root["author"] = _references(authors)
    if facts.config.get("doi"):
        # Of the model or the paper, says the config: the crate itself may get another.
        root["citation"] = {"@id": of_doi(facts.config["doi"])}
    return root


def _action(
    facts: Facts, files: Sequence[Entity], inputs: Sequence[Entity], authors: Sequence[Entity]
) -> Iterator[Entity]:
    """What was done. When it was is true of one execution alone: `EXECUTION` tells it, and the crate does not."""
    copied = [each for each in files if each["@id"].startswith("templates/")]
    made = [each for each in files if not each["@id"].startswith("templates/")]
    action = {
        "@id": f"#run-{facts.id}",
        "@type": "CreateAction",
        "name": f"fmreport run of {facts.name}, release {facts.release}",
        "description": facts.command,
        "instrument": {"@id": TOOL},
        "object": _references([*inputs, *copied]),
        "result": _references(made),
    }
    if authors:
        action["agent"] = _references(authors)
    yield action


def _software(facts: Facts) -> Iterator[Entity]:
    yield {
        "@id": TOOL,
        "@type": "SoftwareApplication",
        "name": "fmreport",
        "description": "One YAML file in, one reproducible report out: how a vision model sees, layer by layer.",
        "version": facts.versions["fmreport"],
        # An address must be given, of what documents it: every report holds its methods.
        "url": {"@id": f"report.{facts.config['report']['formats'][0]}"},
        "identifier": {"@id": CODE},
        "softwareRequirements": [f"{name} {version}" for name, version in facts.versions.items() if name != "fmreport"],
    }
    yield _digest(CODE, "fmreport's own modules and templates", facts.code)


def _digest(name: str, of: str, value: str) -> Entity:
    return {"@id": name, "@type": "PropertyValue", "name": of, "propertyID": "SHA-256", "value": value}


def _author(number: int, author: Mapping[str, Any]) -> Entity:
    orcid = author.get("orcid")
    return {
        "@id": f"https://orcid.org/{orcid}" if orcid else f"#author-{number}",
        "@type": "Person",
        "name": author["name"],
    }


def _cited(doi: str) -> Entity:
    return {
        "@id": of_doi(doi),
        "@type": "CreativeWork",
        "name": "the model or the paper that the run is about",
        "identifier": of_doi(doi),
    }


def _licence(declared: str) -> Any:
    """A declared licence as the value of a property: a reference where it can be read somewhere, else its text."""
    found = of_licence(declared)
    return {"@id": found} if found else declared


def _licences(facts: Facts) -> Iterator[Entity]:
    for declared in (facts.licences.get("report", ""), facts.licences.get("model", ""), _licence_of_probes(facts)):
        if found := of_licence(declared):
            name = spdx(declared) or declared
            by = f"SPDX lists it as {name}" if found.startswith(SPDX) else "as the config names it"
            yield {"@id": found, "@type": "CreativeWork", "name": name, "description": by, "url": found}


def _files(run: Run, outputs: Mapping[str, FileFact]) -> Iterator[Entity]:
    described = Described(run)
    for path in sorted([*outputs, *LATER]):
        entity = {
            # As bytes, where a name is no Unicode.
            "@id": quote(path, errors="surrogateescape"),
            "@type": "File",
            "name": path,
            "description": described[path],
            "encodingFormat": media_type(path),
        }
        yield entity if path in LATER else {**entity, **_measured(outputs[path].bytes, outputs[path].sha256)}


def _measured(size: int | None, sha256: str) -> Entity:
    known = {"contentSize": str(size)} if size is not None else {}
    return {**known, "sha256": sha256}


def _inputs(facts: Facts) -> Iterator[Entity]:
    """What was read and does not lie in the crate: under ids that lead nowhere, with the path that the config gives."""
    yield {
        "@id": CONFIG,
        "@type": "CreativeWork",
        "name": "the config",
        "description": f"with every default written out it stands in {MANIFEST}, under config",
        "subjectOf": {"@id": MANIFEST},
    }
    yield _model(facts)
    for number, code in enumerate((each for each in facts.inputs if each.role == "code"), start=1):
        yield _read(f"#input-code-{number}", code, "code that the config names")
    for number, table in enumerate((each for each in facts.inputs if each.role == "probes"), start=1):
        yield _read(f"#input-table-{number}", table, "a table that names images")
    licence = _licence_of_probes(facts)
    if isinstance(facts.probes, ProbeTable):
        yield _table(facts.probes, licence)
        return
    for number, probe in enumerate(facts.probes, start=1):
        yield _image(number, probe, licence)
        if probe.mask_sha256:
            yield _mask(number, probe, licence)


def _licence_of_probes(facts: Facts) -> str:
    """What all sections of probes declare alike: which one an image came by is not recorded."""
    declared = {section.get("licence") or "" for section in facts.config.get("probes") or ()}
    return str(declared.pop()) if len(declared) == 1 else ""


def _model(facts: Facts) -> Entity:
    licence = _licensed(facts.licences.get("model", ""))
    for each in facts.inputs:
        if each.role == "model":
            return {**_read(MODEL, each, "the model"), **licence}
    name = str(facts.model.get("source") or "the model")
    return {
        "@id": MODEL,
        "@type": "CreativeWork",
        "name": name,
        "description": "the model, read from no file",
        **licence,
    }


def _read(name: str, read: InputFact, what: str) -> Entity:
    folder = read.file.media_type == FOLDER
    kind = {"@type": "Dataset"} if folder else {"@type": "File", "encodingFormat": read.file.media_type}
    return {
        "@id": name,
        **kind,
        "name": read.path,
        "description": f"{what}, {_place(read.path)}"
        + (": a folder, whose hash is over the names and bytes of its files in order" if folder else ""),
        **_located(read.path),
        **_measured(read.file.bytes, read.file.sha256),
    }


def _table(probes: ProbeTable, licence: str) -> Entity:
    """Images that are too many for an entity each: they stand in a file of the crate."""
    return {
        "@id": "#input-probes",
        "@type": "CreativeWork",
        "name": f"{len(probes):,} images",
        "description": f"the images that the model was shown, {probes.masks:,} of them with a mask; {PROBES} has the "
        "name, path, size, bytes, media type and SHA-256 of each",
        "subjectOf": {"@id": PROBES},
        **_licensed(licence),
    }


def _image(number: int, probe: ProbeFact, licence: str) -> Entity:
    return {
        "@id": f"#input-probe-{number}",
        "@type": "File",
        "name": probe.name,
        "description": f"an image that the model was shown, {_place(probe.origin)}",
        "encodingFormat": probe.media_type,
        **_located(probe.origin),
        **_measured(probe.bytes, probe.sha256),
        **_licensed(licence),
    }


def _mask(number: int, probe: ProbeFact, licence: str) -> Entity:
    lies = _located(probe.mask_origin)
    return {
        "@id": f"#input-mask-{number}",
        "@type": "File",
        "name": f"mask of {probe.name}",
        "description": f"where the object is, {_place(probe.mask_origin)}"
        + ("" if lies else "; the hash is of its pixels"),
        "encodingFormat": probe.mask_media_type,
        **lies,
        **_measured(probe.mask_bytes, probe.mask_sha256),
        **_licensed(licence if lies else ""),
    }


def _is_path(origin: str) -> bool:
    """Whether a text leads from the config to a file, and is no name in a package, no address, no end of a path."""
    return ":" not in origin and not origin.startswith(".../")


def _place(origin: str) -> str:
    return "at a path relative to the config" if _is_path(origin) else f"known as {origin}"


def _located(origin: str) -> Entity:
    return {"localPath": origin} if _is_path(origin) else {}


def _licensed(declared: str) -> Entity:
    return {"license": _licence(declared)} if declared else {}


def _references(entities: Sequence[Entity]) -> list[Entity]:
    return [{"@id": entity["@id"]} for entity in entities]
