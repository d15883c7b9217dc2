"""Where a report comes from: inputs and outputs with their hashes, the config in full, and how to make it again."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML

from fmreport.facts import Facts, ProbeTable
from fmreport.report import page
from fmreport.report.wording import listed
from fmreport.store import MADE_OF, MANIFEST, PROBES, Run

PRINTED = 100
"""Rows of a list of hashes on paper: of probes there may be millions, and the run's folder has them all."""
WIDEST = 60
"""Letters in a line of the printed config."""
SETTINGS = {
    "op_determinism": "deterministic kernels",
    "tensor_float_32": "TensorFloat-32",
    "arithmetic_optimization": "rewriting of formulas",
}
"""What decides how numbers are rounded, in words; environment variables stand as they are called."""
SHORT = 12
"""Digits of a run's ID where it is only to be told from others."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One image and its mask."""

    name: str
    origin: str
    sha256: str
    mask: str
    """Where its mask is from; empty where it has none."""
    mask_sha256: str


@dataclass(frozen=True, slots=True)
class File:
    """One file of the run's folder."""

    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Provenance:
    """What was used, what was made, and how to make it again."""

    probes: tuple[Probe, ...]
    """The first `PRINTED` of them."""
    probes_note: str
    """Where the others are; empty where these are all."""
    config: tuple[str, ...]
    """Every setting, as lines of YAML."""
    seeds: str
    steps: tuple[str, ...]
    """How to make it again, step by step."""
    files: tuple[File, ...]
    """The first `PRINTED` of them, tables before maps."""
    files_note: str


def told(run: Run) -> Provenance:
    """All of it, from the run's own record."""
    facts = run.facts
    outputs = {path: fact["sha256"] for path, fact in json.loads(run.record)["outputs"].items()}
    # Tables first: of maps there may be hundreds.
    ordered = sorted(outputs, key=lambda path: (not path.startswith(f"{MADE_OF[0]}/"), path))
    return Provenance(
        probes=tuple(
            Probe(each.name, each.origin, each.sha256, each.mask_origin, each.mask_sha256)
            for each in facts.probes[:PRINTED]
        ),
        probes_note=_others(len(facts.probes), of_run=isinstance(facts.probes, ProbeTable)),
        config=tuple(as_yaml(facts.config).splitlines()),
        seeds=_seeds(facts.config),
        steps=tuple(_steps(run)),
        files=tuple(File(path, outputs[path]) for path in ordered[:PRINTED]),
        files_note=" ".join(filter(None, (_files_note(outputs), _others(len(outputs))))),
    )


def edition(facts: Facts) -> str:
    """Which run this is, in a line: name, release, date where it has one, and the beginning of its ID."""
    return " · ".join(filter(None, (f"{facts.name} {facts.release}", facts.date, f"run {facts.id[:SHORT]}")))


def circumstances(facts: Facts) -> Iterator[page.Fact]:
    """When, from what and on what the run was made, and what holds of another one."""
    if facts.date:
        yield page.Fact("Date", facts.date)
    yield page.Fact("Run ID", facts.id, code=True)
    if repository := facts.repository:
        state = "with changes that are not committed" if repository.dirty else "without changes"
        yield page.Fact("Repository", f"commit {repository.commit}, {state}")
    if platform := facts.platform:
        devices = ", ".join(platform.devices) or "no accelerator"
        yield page.Fact("Platform", f"{platform.system}, {devices}; {', '.join(platform.processor_features)}")
        settings = (f"{SETTINGS.get(name, name)} {value}" for name, value in platform.settings.items())
        yield page.Fact("Determinism", ", ".join(settings))
    same = "processor features" + (" and accelerator" if facts.platform and facts.platform.devices else "")
    yield page.Fact(
        "Made again",
        f"The same inputs, config, versions and {same} give the same bytes. Elsewhere numbers may differ in their last "
        "digits; fmreport verify --rerun says by how much.",
    )


def as_yaml(config: dict[str, Any]) -> str:
    """A resolved config as YAML that fmreport reads, in the order of its settings."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = None
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.allow_unicode = True
    yaml.width = WIDEST
    out = io.StringIO()
    yaml.dump(config, out)
    return out.getvalue()


def _others(count: int, *, of_run: bool = False) -> str:
    where = f"{PROBES} of the run's folder" if of_run else f"the attached {MANIFEST}"
    return "" if count <= PRINTED else f"The first {PRINTED} of {count:,}; {where} has all of them."


def _files_note(outputs: Iterable[str]) -> str:
    folders = sorted({f"{path.partition('/')[0]}/" for path in outputs})
    return (
        f"What this report was made from, in {listed(folders)} of the run's folder, and the SHA-256 of each file, as "
        "in the attached manifest.json. The manifest that lies beside this file lists the report, too, which cannot "
        "hold its own hash."
    )


def _seeds(config: dict[str, Any]) -> str:
    models = (config.get("controls") or {}).get("randomised", 0)
    drawn = ["the channels for comparison", "moved masks", "resamples of images"]
    drawn += ["the order of permuted weights"] if models else []
    return f"Seed {config.get('seed', 0)} settles all that is drawn at random: {listed(drawn)}."


def _steps(run: Run) -> Iterator[str]:
    facts = run.facts
    file = f"{facts.name}.yaml"
    yield (f"Install fmreport {facts.versions.get('fmreport', '')} with the versions above.")
    yield (
        f"Save the config below as {file} where its paths lead to the model and the probes; their SHA-256 stand above "
        "and below."
    )
    yield f"fmreport run {file} measures again and writes reports/{facts.name}/{facts.release}/."
    yield f"fmreport render reports/{facts.name}/{facts.release} makes the reports again, from tables and maps alone."
    yield "Compare the SHA-256 of tables and maps with those of the files below."
