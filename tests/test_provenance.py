"""Laws of what is told of a run's making: the methods in sentences, and the way to make it again."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from config_texts import FULL, write
from run_data import SyntheticRun, TapSpec, make_run, small_run, with_target
from stored_run import facts as stored_facts
from stored_run import tables as stored_tables

from fmreport.analysis import resampling
from fmreport.config import from_dict, load
from fmreport.report import build, provenance, summary_of_methods
from fmreport.report.page import Page
from fmreport.store import Run, drafting


@cache
def shown() -> Page:
    return build.build(small_run())


def told(run: SyntheticRun) -> dict[str, str]:
    """The summary; what it takes from the page is the same for every run of this model."""
    return {paragraph.title: paragraph.text for paragraph in summary_of_methods.told(run, shown())}


def asking(run: SyntheticRun, **config: Any) -> SyntheticRun:
    """The same run of a config that says something else."""
    return replace(run, facts=replace(run.facts, config={**run.facts.config, **config}))


# The methods in sentences


def test_the_summary_tells_what_was_run_from_the_facts_of_the_run() -> None:
    run = asking(
        small_run(), layers=[{"type": "Conv2D"}, {"name": "**/relu", "optional": True}], exclude=[{"index": [1, 5]}]
    )
    text = told(run)
    assert "models/sd_unet_pets_w8.keras (keras 3.15.1), with 21,507,171 parameters" in text["Model and taps"]
    assert "8 taps (outputs) of its 11 layers" in text["Model and taps"]
    assert "by type Conv2D; by name **/relu, without those by index 1 and 5" in text["Model and taps"]
    assert text["Preprocessing"] == run.facts.preprocess["sentence"]
    assert "shown 2 images: cat and coffee. 1 of them has a mask" in text["Probes"]
    values = int(run.summary[["finite", "nan", "inf"]].to_numpy().sum())
    assert f"all {values:,} values" in text["Measuring"]
    assert run.facts.channel_rule in text["What is shown"]
    assert "Attribution" not in text


def test_the_summary_tells_how_many_controls_and_masks_of_no_meaning_there_were() -> None:
    run = small_run()
    assert "measured again 2 times" in told(run)["Controls"]
    assert "20 masks that mean nothing: those of other images." in told(run)["Edges and masks"]
    read = run.analyses["readability"].replace({"target": {"shuffled 20": "shifted 1"}})
    mixed = replace(run, analyses={**run.analyses, "readability": read})
    assert "19 are those of other images and 1 are the images' own, moved" in told(mixed)["Edges and masks"]
    without = replace(
        run,
        controls=run.controls.iloc[:0],
        analyses={**run.analyses, "readability": run.analyses["readability"].iloc[:0]},
    )
    assert "not measured with randomised weights" in told(without)["Controls"]
    assert "Edges and masks" not in told(without)


@pytest.mark.parametrize("masks", [0, 1, resampling.FEWEST])
def test_the_summary_tells_whether_there_are_intervals(masks: int) -> None:
    run = small_run()
    probe = run.facts.probes[0]
    probes = tuple(replace(probe, name=f"{i}", has_mask=i < masks) for i in range(12))
    text = told(replace(run, facts=replace(run.facts, probes=probes)))
    rests, read = text["What the verdicts rest on"], text["Edges and masks"]
    assert ("Masks of no meaning set the scale" in rests) == (masks > 0)
    assert ("so that none is given" in rests) == (masks == 1)
    assert ("1,000 resamples" in rests) == (masks == resampling.FEWEST)
    assert ("None has a mask" in text["Probes"]) == (masks == 0)
    # Of fewer than 10 images each is held out alone: here of those with masks, of the others, or of both.
    assert ("left out is a fifth of the images at a time" in read) == (masks == 0)
    assert ("or, where there are few, each in turn" in read) == (masks > 0)


def test_the_summary_tells_of_wide_taps_of_the_colours_and_of_the_target() -> None:
    wide = make_run([TapSpec("a", "Conv2D", (8, 8, 65))], shown=2, tile=8, probes=("cat",))
    assert "64 fixed random combinations" in told(wide)["Measuring"]
    assert "combinations" not in told(small_run())["Measuring"]
    assert "compare places, not strengths" in told(wide)["What is shown"]
    assert "compare strengths" in told(asking(wide, figures={"scale": "tap", "tile": 80}))["What is shown"]
    assert "class 0 of head/conv, mean over its positions" in told(with_target(small_run()))["Attribution"]


# To make it again


def test_the_printed_config_is_the_config(tmp_path: Path) -> None:
    resolved = from_dict(FULL, tmp_path).resolved()
    text = provenance.as_yaml(resolved)
    assert load(write(tmp_path, text)).resolved() == resolved
    assert max(len(line) for line in text.splitlines() if "/" not in line) <= provenance.WIDEST + 10


def test_provenance_names_every_probe_and_file_with_its_hash_and_the_steps() -> None:
    run = asking(small_run(), seed=7)
    made = provenance.told(run)
    assert [(probe.name, probe.sha256) for probe in made.probes] == [(p.name, p.sha256) for p in run.facts.probes]
    assert [file.path for file in made.files] == ["tables/layers.csv", "maps/0001.npz"]
    assert "Seed 7 " in made.seeds
    assert "permuted weights" not in made.seeds
    assert "permuted weights" in provenance.told(asking(run, controls={"randomised": 3})).seeds
    steps = " ".join(made.steps)
    assert "fmreport run sd_unet_pets.yaml" in steps
    assert "fmreport render reports/sd_unet_pets/v1" in steps
    assert "seed: 7" in made.config


def test_the_edition_tells_runs_apart() -> None:
    facts = small_run().facts
    assert provenance.edition(facts) == f"sd_unet_pets v1 · 2026-11-21 · run {facts.id[:12]}"
    assert provenance.edition(replace(facts, date="")) == f"sd_unet_pets v1 · run {replace(facts, date='').id[:12]}"


def test_the_circumstances_of_a_run_are_told_as_far_as_they_are_known() -> None:
    facts = small_run().facts
    told = {fact.term: fact.value for fact in provenance.circumstances(facts)}
    assert (told["Date"], told["Run ID"]) == ("2026-11-21", facts.id)
    assert told["Repository"] == f"commit {'5e' * 20}, without changes"
    assert told["Platform"] == "Linux x86_64, no accelerator; AVX2, FMA3"
    assert told["Determinism"] == "deterministic kernels on"
    assert "processor features give the same bytes" in told["Made again"]
    bare = replace(facts, date="", platform=None, repository=None)
    assert {fact.term for fact in provenance.circumstances(bare)} == {"Run ID", "Made again"}


def test_changes_that_are_not_committed_and_accelerators_are_told() -> None:
    facts = small_run().facts
    assert facts.platform
    assert facts.repository
    other = replace(
        facts,
        platform=replace(facts.platform, devices=("NVIDIA H200",)),
        repository=replace(facts.repository, dirty=True),
    )
    told = {fact.term: fact.value for fact in provenance.circumstances(other)}
    assert told["Repository"].endswith("with changes that are not committed")
    assert told["Platform"].startswith("Linux x86_64, NVIDIA H200; ")
    assert "processor features and accelerator give the same bytes" in told["Made again"]


def test_the_record_is_the_manifest_as_it_was_before_there_was_a_report(tmp_path: Path) -> None:
    with drafting(tmp_path / "v1", force=False) as draft:
        for name, table in stored_tables().items():
            draft.write_table(name, table)
        draft.write_manifest(stored_facts())
        before = (draft.folder / "manifest.json").read_bytes()
        draft.write("report.html", b"<p>")
        draft.write("figures/a.svg", b"<svg/>")
        draft.write_manifest(stored_facts())
    run = Run.open(tmp_path / "v1")
    assert run.record == before != (tmp_path / "v1" / "manifest.json").read_bytes()
    outputs = json.loads(run.record)["outputs"]
    assert (
        outputs["tables/layers.csv"]["sha256"]
        == hashlib.sha256((run.folder / "tables/layers.csv").read_bytes()).hexdigest()
    )
    assert {re.split("/", path)[0] for path in outputs} == {"tables"}
    assert json.loads(run.record)["config"] == asdict(stored_facts())["config"]


def test_of_many_probes_the_first_are_printed_and_the_others_are_in_the_manifest(tmp_path: Path) -> None:
    with drafting(tmp_path / "run", force=False) as draft:
        for name, table in stored_tables().items():
            draft.write_table(name, table)
        facts = stored_facts()
        many = tuple(replace(facts.probes[0], name=f"probe {n}") for n in range(provenance.PRINTED + 1))
        draft.write_manifest(replace(facts, probes=many))
    made = provenance.told(Run.open(tmp_path / "run"))
    assert [probe.name for probe in made.probes] == [probe.name for probe in many[:-1]]
    assert made.probes_note == "The first 100 of 101; the attached manifest.json has all of them."
    assert "The first" not in made.files_note
