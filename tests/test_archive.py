"""Runs are found, read once, and stand in their natural order."""

from __future__ import annotations

import contextlib
import json
import os
import random
from dataclasses import replace
from pathlib import Path

import archives
import pytest
from archives import made
from hypothesis import given
from hypothesis import strategies as st

from fmreport import archive, manifest
from fmreport.errors import StoreError


def opened(folder: Path) -> archive.Archive:
    """As `fmreport index` does it: what was read is kept."""
    found = archive.opened(folder)
    archive.keep(folder, found)
    return found


def folders(found: archive.Archive) -> list[str]:
    return [entry.folder for entry in found.entries]


def test_numbers_in_releases_count_as_numbers() -> None:
    order = ["", "1", "2", "10", "v1", "v1.2", "v1.10", "v2", "v02a", "v10", "v10" + "0" * 5000, "vier"]
    shuffled = random.Random(0).sample(order, len(order))
    assert sorted(shuffled, key=archive.natural) == order


@given(st.lists(st.text(), unique=True), st.randoms())
def test_any_texts_have_one_order(texts: list[str], chance: random.Random) -> None:
    shuffled = chance.sample(texts, len(texts))
    assert sorted(shuffled, key=archive.natural) == sorted(texts, key=archive.natural)


def test_dates_settle_the_order_where_every_run_of_a_model_has_one(tmp_path: Path) -> None:
    for release, date in {"v1": "2026-03-01", "v2": "2026-01-01", "v10": "2026-02-01"}.items():
        made("dated", release, date=date).write(tmp_path)
        made("some", release, date=date if release == "v1" else "").write(tmp_path)
    models = archive.opened(tmp_path).models
    releases = {name: [entry.told.release for entry in entries if entry.told] for name, entries in models.items()}
    assert releases == {"dated": ["v2", "v10", "v1"], "some": ["v1", "v2", "v10"]}


def test_a_run_is_told_as_its_manifest_tells_it(tmp_path: Path) -> None:
    run = made(notes=("one", "two"), date="2026-11-21")
    run.write(tmp_path)
    (entry,) = archive.opened(tmp_path).entries
    told = entry.told
    assert told is not None
    assert (told.name, told.release, told.title, told.date) == ("net", "v1", "How net sees", "2026-11-21")
    assert (told.model, told.framework) == ("keras models/net.keras", "keras 3.15.1")
    assert (told.probes, told.taps, told.notes, told.format) == (8, 2, 2, manifest.FORMAT)
    assert told.id == run.facts.id
    assert told.reports == archive.REPORTS
    assert told.numbers == run.facts.numbers


def test_hidden_folders_and_links_are_left_out_and_runs_are_found_at_any_depth(tmp_path: Path) -> None:
    run = made()
    for folder in ("net/v1", "a/b/c", "top", ".hidden/v1", "net/.v2.abc.partial", "net/v1/inside"):
        run.write(tmp_path, folder)
    (tmp_path / "net/latest").symlink_to("v1")
    assert folders(archive.opened(tmp_path)) == ["a/b/c", "net/v1", "top"]


def test_the_order_in_which_folders_were_made_settles_nothing(tmp_path: Path) -> None:
    runs = list(archives.many(3, 4))
    for number in range(3):
        random.Random(number).shuffle(runs)
        for run in runs:
            run.write(tmp_path / str(number))
    found = [opened(tmp_path / str(number)) for number in range(3)]
    assert found[0] == found[1] == found[2]
    kept = [(tmp_path / str(number) / archive.KEPT).read_bytes() for number in range(3)]
    assert kept[0] == kept[1] == kept[2]


def test_what_has_not_changed_is_not_read_again(tmp_path: Path) -> None:
    places = [run.write(tmp_path) for run in archives.many(2, 3)]
    (tmp_path / "web").mkdir()
    (tmp_path / "web/manifest.json").write_text("{}")
    first, second = opened(tmp_path), opened(tmp_path)
    assert (first.read, second.read) == (7, 0)
    assert first.entries == second.entries
    # Neither its size nor its time tells that a manifest is another.
    file = places[2] / manifest.FILE
    before = file.stat()
    file.write_bytes(file.read_bytes().replace(b"How sd_unet_pets sees", b"Who sd_unet_pets sees"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    third = opened(tmp_path)
    assert third.read == 1
    assert [entry.folder for entry in third.entries if entry.told and entry.told.title.startswith("Who")] == [
        "sd_unet_pets/v3"
    ]
    file.unlink()
    assert len(opened(tmp_path).entries) == 6


@pytest.mark.parametrize(
    "kept", [b"", b"{", b"[]", b'{"format": 0, "entries": []}', b'{"format": 1, "entries": [{"folder": 3}]}', b"\xff"]
)
def test_a_damaged_memory_is_forgotten(tmp_path: Path, kept: bytes) -> None:
    made().write(tmp_path)
    (tmp_path / archive.KEPT).write_bytes(kept)
    assert opened(tmp_path).read == 1
    assert opened(tmp_path).read == 0


DAMAGED = {
    "empty": (b"", "cannot be read"),
    "cut": (b'{"format": 2, "name"', "cannot be read"),
    "binary": (b"\xff\xfe\x00", "cannot be read"),
    "deep": (b"[" * 100_000, "nested too deeply"),
    "foreign": (b'{"name": "a web app", "icons": []}', "no manifest of a run"),
    "list": (b"[1, 2]", "no manifest of a run"),
    "newer": (b'{"format": 99}', "format 99"),
    "poor": (b'{"format": 2, "outputs": {}}', "Field required"),
}


def test_what_is_damaged_or_foreign_is_listed_with_the_reason(tmp_path: Path) -> None:
    made().write(tmp_path)
    for name, (data, _) in DAMAGED.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / manifest.FILE).write_bytes(data)
    (tmp_path / "folder" / manifest.FILE).mkdir(parents=True)
    (tmp_path / "gone").mkdir()
    (tmp_path / "gone" / manifest.FILE).symlink_to("nowhere")
    problems = {entry.folder: entry.problem for entry in archive.opened(tmp_path).problems}
    assert set(problems) == {*DAMAGED, "folder", "gone"}
    for name, (_, reason) in DAMAGED.items():
        assert reason in problems[name]
    assert not any(str(tmp_path) in problem for problem in problems.values())


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    made().write(tmp_path)
    (tmp_path / "pipe").mkdir()
    os.mkfifo(tmp_path / "pipe" / manifest.FILE)
    os.mkfifo(tmp_path / archive.KEPT)
    (problem,) = archive.opened(tmp_path).problems
    assert (problem.folder, problem.problem) == ("pipe", "manifest.json cannot be read: it is no regular file")


def test_a_manifest_of_any_size_is_not_read(tmp_path: Path) -> None:
    made().write(tmp_path)
    (tmp_path / "large").mkdir()
    with (tmp_path / "large" / manifest.FILE).open("wb") as file:
        file.truncate(archive.MOST + 1)
    (problem,) = archive.opened(tmp_path).problems
    assert problem.problem == "manifest.json cannot be read: it has more than 64 MiB"


def test_folders_in_folders_are_no_trouble(tmp_path: Path) -> None:
    made().write(tmp_path)
    with contextlib.chdir(tmp_path):
        for _ in range(1500):
            Path("d").mkdir()
            os.chdir("d")
        found = archive.opened(tmp_path)
        for _ in range(1500):  # what removes the folders of tests calls itself at each
            os.chdir("..")
            Path("d").rmdir()
    assert len(found.models) == 1


def test_a_run_of_format_1_is_a_run(tmp_path: Path) -> None:
    place = made().write(tmp_path)
    (place / manifest.FILE).write_bytes(archives.of_format_1(made()))
    (entry,) = archive.opened(tmp_path).entries
    assert entry.told is not None
    assert (entry.told.format, entry.told.id, entry.told.taps, entry.told.numbers) == (1, "", None, {})
    assert entry.told.probes == 8


def test_numbers_that_are_none_are_undefined(tmp_path: Path) -> None:
    run = made(numbers={"zeros": float("nan"), "gini": float("inf"), "mask": None, "edge": 0.5})
    run.write(tmp_path)
    (entry,) = opened(tmp_path).entries
    assert entry.told is not None
    assert entry.told.numbers == {"zeros": None, "gini": None, "mask": None, "edge": 0.5}
    assert opened(tmp_path).read == 0


def test_halves_of_characters_are_escaped(tmp_path: Path) -> None:
    made(title="half \ud83d of one").write(tmp_path)
    (entry,) = opened(tmp_path).entries
    assert entry.told is not None
    assert entry.told.title == "half \\ud83d of one"


def test_a_folder_without_runs_is_refused_with_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is no folder"):
        archive.opened(tmp_path / "none")
    with pytest.raises(StoreError, match=r"holds no run$") as empty:
        archive.opened(tmp_path)
    assert "fmreport run" in empty.value.fix
    (tmp_path / "a").mkdir()
    (tmp_path / "a/manifest.json").write_text("{")
    with pytest.raises(StoreError, match=r"holds no run that can be read; a: manifest\.json cannot be read"):
        archive.opened(tmp_path)
    place = made().write(tmp_path / "archive")
    with pytest.raises(StoreError, match="is itself a run"):
        archive.opened(place)


def test_the_release_before_is_of_the_same_name(tmp_path: Path) -> None:
    for release in ("v1", "v2", "v10"):
        made("net", release).write(tmp_path)
    other = made("other", "v9").write(tmp_path, "net/v9")
    run = tmp_path / "net/v10"
    assert archive.before(run) == (tmp_path / "net/v2", ())
    assert archive.before(tmp_path / "net/v1") == (None, ())
    assert archive.before(other) == (None, ())


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    target = tmp_path / "index.html"
    archive.replace_file(target, b"one")
    archive.replace_file(target, b"other")
    assert target.read_bytes() == b"other"
    assert list(tmp_path.iterdir()) == [target]
    with pytest.raises(StoreError, match="was not written"):
        archive.replace_file(tmp_path / "none/index.html", b"")
    target.unlink()
    target.mkdir()
    with pytest.raises(StoreError, match="was not written"):
        archive.replace_file(target, b"")
    assert list(tmp_path.iterdir()) == [target]


def test_what_is_kept_is_all_that_is_told(tmp_path: Path) -> None:
    run = made()
    replace(run, facts=replace(run.facts, numbers={"zeros": 0.1 + 0.2})).write(tmp_path)
    first = opened(tmp_path)
    assert json.loads((tmp_path / archive.KEPT).read_text("ascii"))["format"] == archive.FORMAT
    assert opened(tmp_path).entries == first.entries
