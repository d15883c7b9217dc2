"""What is compared first, before any number: config, model, preprocessing, probes, versions, processor.

docs/diff.md states these rules for a reader.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from fmreport import mapped
from fmreport.compare.align import shared_probes
from fmreport.compare.comparison import Difference, Probes
from fmreport.errors import CompareError, nearest
from fmreport.facts import UNDECISIVE, Facts

PROBES, PREPROCESSING = "different-probes", "different-preprocessing"
ALLOWED = (PROBES, PREPROCESSING)
"""What may be allowed that is refused otherwise."""
NAMES = ("name", "release", "title", "authors", "abstract", "licence", "date", "doi")
"""Sections of a config that say what a run is called."""
LOOKS = ("figures", "display", "report")
"""Those that say what of it is shown, and how."""
EXECUTION = ("batch", "memory_mb")
"""Those that say how it is worked off."""
MAPS = "measures.maps"
"""Address that says of how many images maps are measured."""
OF_FILES = ("model.kind", "model.path", "model.handle", "model.sha256", "model.trusted")
"""Addresses that say where a model's file is, and not what is done with it."""
DECLARED = ".licence"
"""End of the addresses that say what others may do with a model or its probes."""
WORDS = ("sentence", "like")
"""Parts of the preprocessing that say in other words what its others say."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What is known of two runs before their numbers are compared."""

    differences: tuple[Difference, ...]
    probes: Probes
    warnings: tuple[str, ...]
    notes: tuple[str, ...]


def judge(a: Facts, b: Facts, *, allow: Sequence[str] = ()) -> Judged:
    """All of it. Raises `CompareError` where the runs have seen different things, unless that is allowed."""
    for word in allow:
        if word not in ALLOWED:
            raise CompareError(f"{word} is nothing that can be allowed", fix=nearest(word, ALLOWED))
    preprocessing = tuple(_preprocessing(a, b))
    shared = shared_probes(a, b)
    if preprocessing and PREPROCESSING not in allow:
        raise CompareError(
            f"the runs were preprocessed differently ({_told(preprocessing)}), so that their models saw different "
            "things",
            fix=f"run one of them as the other was, or compare all the same with --allow {PREPROCESSING}",
        )
    if not shared and PROBES not in allow:
        raise CompareError(
            f"the runs have no probe in common: {len(a.probes)} images of A, {len(b.probes)} of B, told by their "
            "SHA-256",
            fix=f"run one of them on the probes of the other, or compare all the same with --allow {PROBES}",
        )
    probes = _probes(a, b, shared)
    differences = (*_model(a, b), *preprocessing, *_config(a, b, probes, preprocessing), *_environment(a, b))
    warnings = tuple(_warnings(a, b, probes, preprocessing))
    return Judged(differences, probes, warnings, tuple(_notes(differences)))


def same_maps(a: Facts, b: Facts) -> bool:
    """Whether two runs measured maps of all their images, or of the same ones in one order."""
    one, other = mapped.of_facts(a), mapped.of_facts(b)
    if not (one.some or other.some):
        return True
    return [probe.sha256 for probe in one.probes] == [probe.sha256 for probe in other.probes]


def _probes(a: Facts, b: Facts, shared: Sequence[tuple[str, str]]) -> Probes:
    of_a, of_b = ({probe.name: probe for probe in side.probes} for side in (a, b))
    there_a, there_b = ({pair[side] for pair in shared} for side in (0, 1))
    other = tuple(there for here, there in shared if of_a[here].mask_sha256 != of_b[there].mask_sha256)
    only_a, only_b = (
        tuple(probe.name for probe in side.probes if probe.name not in there)
        for side, there in ((a, there_a), (b, there_b))
    )
    return Probes(len(shared), only_a, only_b, other, bool(shared), not (only_a or only_b or other))


def _model(a: Facts, b: Facts) -> Iterator[Difference]:
    same_file = _same_file(a, b)
    for key, one, other in _unequal(a.model, b.model):
        if key != "framework":
            yield Difference("model", key, one, other, counts=not (key in ("source", "kind") and same_file))


def _same_file(a: Facts, b: Facts) -> bool:
    return bool(a.model.get("sha256")) and a.model.get("sha256") == b.model.get("sha256")


def _preprocessing(a: Facts, b: Facts) -> Iterator[Difference]:
    one, other = ({key: value for key, value in side.preprocess.items() if key not in WORDS} for side in (a, b))
    for key, here, there in _unequal(one, other):
        yield Difference("preprocessing", key, here, there, counts=True)


def _config(a: Facts, b: Facts, probes: Probes, preprocessing: Sequence[Difference]) -> Iterator[Difference]:
    """Sections that ask for a model, probes or preprocessing count where what they led to is not the same.

    A setting that an older version did not know counts as its default, null.
    """
    quiet = {*NAMES, *LOOKS, *EXECUTION, *UNDECISIVE}
    if probes.same:
        quiet.add("probes")
    if not preprocessing:
        quiet.add("preprocess")
    for key, one, other in _unequal(a.config, b.config):
        section = key.partition(".")[0].partition("[")[0]
        named = key.endswith(DECLARED) or {one, other} == {None, "null"}
        led = (key in OF_FILES and _same_file(a, b)) or (key == MAPS and same_maps(a, b))
        told = not (section in quiet or named or led)
        yield Difference("config", key, one, other, counts=told)


def _environment(a: Facts, b: Facts) -> Iterator[Difference]:
    for key, one, other in _unequal(_surroundings(a), _surroundings(b)):
        yield Difference("environment", key, one, other, counts=False)


def _surroundings(facts: Facts) -> dict[str, Any]:
    """What a run worked in: frameworks, versions and, where it recorded them, its platform and its measures."""
    found = {
        "framework": facts.model.get("framework"),
        **facts.versions,
        "code": facts.code,
        "measures": facts.measures,
    }
    return found | ({"platform": asdict(facts.platform)} if facts.platform else {})


def _warnings(a: Facts, b: Facts, probes: Probes, preprocessing: Sequence[Difference]) -> Iterator[str]:
    if preprocessing:
        yield (
            f"The runs were preprocessed differently ({_told(preprocessing)}): their models saw different things, and "
            "a change may be of the images and not of the model."
        )
    if not probes.paired:
        yield (
            "The runs have no probe in common: every change is between the means of different images, and may be of "
            "the images and not of the model."
        )
    elif probes.only_a or probes.only_b:
        yield (
            f"The runs share {probes.shared} probes of {len(a.probes)} and {len(b.probes)}. Measures are compared over "
            "the shared ones; what a run knows over all of its probes alone (silent channels, histograms) is of "
            "different images, and what is read from the taps is left out."
        )
    elif not same_maps(a, b):
        yield (
            f"Maps were measured of {mapped.of_facts(a).told} of A and {mapped.of_facts(b).told} of B, so that what is "
            "pooled over these, what is read from the taps, and masks of no meaning are left out."
        )
    if probes.other_masks:
        yield (
            f"Masks of {len(probes.other_masks)} shared probes are not the same, so that what is measured with masks "
            "is left out."
        )


def _notes(differences: Sequence[Difference]) -> Iterator[str]:
    named = [each.key for each in differences if each.part == "environment"]
    if named:
        yield (
            f"The runs were made in different surroundings ({', '.join(named)}), of which the last digits of numbers "
            "may come."
        )


def _told(differences: Sequence[Difference]) -> str:
    return ", ".join(f"{each.key}: {each.a or '–'} in A, {each.b or '–'} in B" for each in differences)


def _unequal(a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[tuple[str, str | None, str | None]]:
    """Address and both values, as JSON, of what is not the same; None on the side that lacks it."""
    one, other = (dict(_flat(side)) for side in (a, b))
    for key in dict.fromkeys([*one, *other]):
        if one.get(key) != other.get(key):
            yield key, one.get(key), other.get(key)


def _flat(value: Any, address: str = "") -> Iterator[tuple[str, str]]:
    """Every value with its address: `layers[0].type`. Short lists of plain values stand as one."""
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _flat(item, f"{address}.{key}".removeprefix("."))
    elif isinstance(value, list | tuple) and any(isinstance(item, Mapping | list | tuple) for item in value):
        for i, item in enumerate(value):
            yield from _flat(item, f"{address}[{i}]")
    else:
        yield address, json.dumps(value, ensure_ascii=False, sort_keys=True)
