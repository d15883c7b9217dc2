"""A run of very many probes is one of few: only where they are listed is another place, and no whole table is held."""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import jsonschema
import pytest
from pyarrow import parquet
from stored_run import contents, facts

from fmreport import archive, manifest, pipeline
from fmreport.errors import StoreError
from fmreport.exports import crate
from fmreport.facts import DECISIVE, Facts, ProbeFact, ProbeTable, digest
from fmreport.report import provenance
from fmreport.store import EXECUTION, MANIFEST, PROBES, TABLES, Run, drafting, plain
from fmreport.store.probes import GROUP, MOST
from fmreport.verification import FAILED, HELD, Check

MANY = GROUP + 7
"""More than one part of the table holds."""


def probe(number: int) -> ProbeFact:
    """One of many, no two alike; every third has a mask, and some things of some are not known."""
    name, group = f'set/"{number}" 猫', "cat" * (number % 2)
    fact = ProbeFact(name, f"a/{number}.png", f"{number:064x}", (number + 1, 7), group=group)
    if number % 3 == 0:
        fact = replace(fact, has_mask=True, mask_origin=f"m/{number}.png", mask_sha256="ef", mask_bytes=number)
    return replace(fact, bytes=number, media_type="image/png") if number % 5 else fact


def probes(count: int = MANY) -> tuple[ProbeFact, ...]:
    return tuple(map(probe, range(count)))


def written(folder: Path, told: Facts) -> Run:
    """A run that is nothing but its record."""
    with drafting(folder, force=False) as draft:
        draft.write_manifest(replace(told, probes=draft.write_probes(told.probes)))
    return Run.open(folder)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return written(tmp_path_factory.mktemp("many") / "v1", replace(facts(), probes=probes()))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with its tables and maps, rendered."""
    made = tmp_path_factory.mktemp("whole")
    with tarfile.open(Path(__file__).parent / "golden" / "run_format_1.tar.xz") as packed:
        packed.extractall(made, filter="data")
    pipeline.render(made / "old")
    return made / "old"


def again(run: Path, folder: Path, told: Callable[[Facts], Facts] = lambda told: told) -> Path:
    """The same run with other facts, its probes in a table where they are too many."""
    before = Run.open(run)
    with drafting(folder, force=False) as draft:
        for path in plain(run):
            if path.name != MANIFEST:
                draft.take(path.relative_to(run).as_posix(), path)
        draft.write_execution({"format": 1, "config": ""})
        facts = told(before.facts)
        draft.write_manifest(replace(facts, probes=draft.write_probes(facts.probes)))
    pipeline.render(folder)
    return folder


def crowded(told: Facts) -> Facts:
    """Many more probes than had been measured, behind these."""
    return replace(told, probes=(*told.probes, *probes(MOST)))


# Where they are listed


def test_many_probes_read_back_as_they_were(many: Run) -> None:
    assert isinstance(many.facts.probes, ProbeTable)
    assert many.facts.probes == probes()
    assert many.facts == replace(facts(), probes=probes())
    assert many.facts != replace(facts(), probes=probes()[::-1])


@pytest.mark.parametrize(
    "place", [slice(100), slice(GROUP - 2, GROUP + 3), slice(-3, None), slice(5, 5), slice(None, None, -4000)]
)
def test_any_part_of_them_is_read(many: Run, place: slice) -> None:
    assert many.facts.probes[place] == probes()[place]


@pytest.mark.parametrize("place", [0, GROUP - 1, GROUP, -1])
def test_any_one_of_them_is_read(many: Run, place: int) -> None:
    assert many.facts.probes[place] == probes()[place]


def test_beyond_the_last_there_is_none(many: Run) -> None:
    with pytest.raises(IndexError):
        many.facts.probes[MANY]


def test_names_lead_to_them_in_the_table_and_in_the_manifest(many: Run) -> None:
    listed = replace(many.facts, probes=probes())
    wanted = {probe(3).name, probe(GROUP + 1).name, "nobody"}
    assert many.facts.named(wanted) == listed.named(wanted) == {p.name: p for p in (probe(3), probe(GROUP + 1))}
    assert many.facts.masks == listed.masks == sum(each.has_mask for each in probes())


@pytest.mark.parametrize("count", [0, 1, 3, MANY])
def test_the_id_is_that_of_their_content_wherever_they_are_listed(many: Run, count: int) -> None:
    listed = replace(facts(), probes=probes(count))
    plainly = asdict(listed)
    for each in plainly["probes"]:
        if not each["group"]:
            del each["group"]
    assert listed.id == digest({name: plainly[name] for name in DECISIVE})
    assert (listed.id == many.facts.id == many.manifest.id) == (count == MANY)


def test_few_probes_are_listed_in_the_manifest_and_nowhere_else(tmp_path: Path) -> None:
    run = written(tmp_path / "v1", replace(facts(), probes=probes(MOST)))
    assert [path.name for path in plain(run.folder)] == [MANIFEST]
    assert json.loads((run.folder / MANIFEST).read_bytes())["probes"] == json.loads(
        json.dumps([asdict(each) for each in probes(MOST)])
    )


def test_a_manifest_of_many_is_short_whole_and_allowed_by_its_schema(many: Run) -> None:
    data = (many.folder / MANIFEST).read_bytes()
    told = json.loads(data)
    assert told["probes"] == {"table": PROBES, "images": MANY, "masks": many.facts.masks}
    assert PROBES in told["outputs"]
    assert len(data) < 5000
    assert manifest.is_sealed(data)
    jsonschema.validate(told, manifest.json_schema())
    for wrong in ({"images": -1}, {"table": "tables/samples.parquet"}, {"owner": "me"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**told, "probes": told["probes"] | wrong}, manifest.json_schema())


def test_the_same_probes_make_the_same_bytes(many: Run, tmp_path: Path) -> None:
    assert contents(written(tmp_path / "v1", many.facts).folder) == contents(many.folder)


# What is wrong with them


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"images": -1}, "probes.images: "),
        ({"table": "/etc/passwd"}, "probes.table: "),
        ({"outputs": {}}, f"probes: {PROBES} is not among the outputs"),
    ],
)
def test_a_manifest_that_misplaces_them_is_an_error(many: Run, wrong: dict[str, object], told: str) -> None:
    content = json.loads((many.folder / MANIFEST).read_bytes())
    content |= {"outputs": {}} if "outputs" in wrong else {"probes": content["probes"] | wrong}
    with pytest.raises(StoreError, match=r"manifest\.json: ") as error:
        manifest.read(json.dumps(content).encode(), "manifest.json")
    assert told in str(error.value)
    assert error.value.fix


def _missing(table: Path) -> None:
    table.unlink()


def _cut(table: Path) -> None:
    data = table.read_bytes()
    table.unlink()
    table.write_bytes(data[:-100])


def _shorter(table: Path) -> None:
    rows = parquet.read_table(table)
    table.unlink()
    parquet.write_table(rows.slice(1), table)


def _narrower(table: Path) -> None:
    rows = parquet.read_table(table)
    table.unlink()
    parquet.write_table(rows.drop_columns(["sha256"]), table)


@pytest.mark.parametrize("harm", [_missing, _cut, _shorter, _narrower])
def test_a_table_that_is_not_theirs_is_an_error_and_fails_verification(
    many: Run, tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    folder = Path(shutil.copytree(many.folder, tmp_path / "v1"))
    harm(folder / PROBES)
    run = Run.open(folder)
    assert len(run.facts.probes) == MANY
    with pytest.raises(StoreError, match=r"probes\.parquet (cannot be read|is not what the run wrote)") as error:
        list(run.facts.probes)
    assert "restore it" in error.value.fix
    checks = pipeline.verify(folder)
    assert any(PROBES in detail for check in checks if check.verdict == FAILED for detail in check.details)


def test_of_a_manifest_alone_it_is_known_how_many_they_are(many: Run) -> None:
    told = manifest.read((many.folder / MANIFEST).read_bytes(), MANIFEST)
    assert (len(told.facts.probes), told.facts.masks) == (MANY, many.facts.masks)
    with pytest.raises(StoreError, match="the manifest was read alone") as error:
        list(told.facts.probes)
    assert error.value.fix == "open the run's folder"
    (entry,) = archive.opened(many.folder.parent).entries
    assert entry.told is not None
    assert entry.told.probes == MANY


# What is made of them


def test_a_run_of_many_is_rendered_verified_and_compared(whole: Path, tmp_path: Path) -> None:
    one, other = (again(whole, tmp_path / name, crowded) for name in ("one", "other"))
    assert contents(one) == contents(other)
    assert isinstance(Run.open(one).facts.probes, ProbeTable)
    before = contents(one)
    pipeline.render(one)
    assert contents(one) == before
    checks: list[Check] = pipeline.verify(one)
    assert {check.verdict for check in checks} == {HELD}, checks
    assert pipeline.differences(one, other).same
    page = (one / "report.html").read_text(encoding="utf-8")
    assert f"{MOST + 2:,} images" in page


def test_the_crate_of_many_names_the_table_in_place_of_each(whole: Path, tmp_path: Path) -> None:
    run = Run.open(again(whole, tmp_path / "v1", lambda told: replace(crowded(told), date="2026-11-21")))
    graph = json.loads((run.folder / crate.FILE).read_bytes())["@graph"]
    held = {entity["@id"]: entity for entity in graph}
    assert held["#input-probes"]["subjectOf"] == {"@id": PROBES}
    assert f"{MOST + 2:,} images" in held["#input-probes"]["name"]
    assert held[PROBES]["@type"] == "File"
    assert "media type" in held[PROBES]["description"]
    assert not [name for name in held if name.startswith(("#input-probe-", "#input-mask-"))]
    (action,) = (entity for entity in graph if entity["@type"] == "CreateAction")
    assert {"@id": "#input-probes"} in action["object"]


def test_the_report_says_where_all_of_them_are(many: Run) -> None:
    made = provenance.told(many)
    assert [each.name for each in made.probes] == [each.name for each in probes(provenance.PRINTED)]
    assert made.probes_note == f"The first 100 of {MANY:,}; {PROBES} of the run's folder has all of them."


def test_however_the_rows_are_parted_the_report_is_the_same(whole: Path, tmp_path: Path) -> None:
    samples = f"tables/{TABLES['samples']}"
    rows = parquet.read_table(whole / samples)

    def parted(size: int) -> dict[str, bytes]:
        folder = tmp_path / str(size)
        before = Run.open(whole)
        with drafting(folder, force=False) as draft:
            for path in plain(whole):
                name = path.relative_to(whole).as_posix()
                if name not in (MANIFEST, samples):
                    draft.take(name, path)
            parquet.write_table(rows, draft.folder / samples, row_group_size=size)
            draft.write_manifest(before.facts)
        assert parquet.ParquetFile(folder / samples).num_row_groups == -(-len(rows) // size)
        run = pipeline.render(folder)
        assert run.samples_of(["probe", "mean"]).astype({"probe": "str"}).equals(run.samples[["probe", "mean"]])
        views = contents(folder)
        return {path: data for path, data in views.items() if path not in (samples, MANIFEST, EXECUTION, "report.pdf")}

    assert parted(1) == parted(len(rows))


# Files that are taken over


def test_what_a_draft_takes_over_stays_what_it_was_where_it_came_from(tmp_path: Path) -> None:
    source = tmp_path / "a.csv"
    source.write_bytes(b"one")
    with drafting(tmp_path / "v1", force=False) as draft:
        draft.take("tables/a.csv", source, "00" * 32)
        assert draft.recorded()["tables/a.csv"].sha256 == "00" * 32
        draft.write("tables/a.csv", b"other")
        assert draft.recorded()["tables/a.csv"].bytes == len(b"other")
        assert draft.recorded()["tables/a.csv"].sha256 != "00" * 32
    assert source.read_bytes() == b"one"
    assert (tmp_path / "v1" / "tables" / "a.csv").read_bytes() == b"other"


def test_a_file_that_changes_is_hashed_again(tmp_path: Path) -> None:
    with drafting(tmp_path / "v1", force=False) as draft:
        draft.write("a", b"one")
        before = draft.recorded()["a"]
        (draft.folder / "a").write_bytes(b"longer")
        assert draft.recorded()["a"] != before
