"""A run folder is written whole or not at all, and read back as it was written."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from stored_run import NAMES, contents, facts, pictures, tables, tiles, write

from fmreport.errors import StoreError
from fmreport.store import TABLES, Run, check_free, drafting
from fmreport.store.place import held


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return write(tmp_path / "net" / "v1")


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_read_back_as_it_was_written(run: Run, name: str) -> None:
    written = tables()[name]
    pd.testing.assert_frame_equal(run.table(name), written, check_exact=True)


def test_everything_else_is_read_back_too(run: Run) -> None:
    assert run.facts == facts()
    found, written = run.tiles("null"), tiles()
    assert found is not None
    assert (found.tap, found.probes, found.grid) == (written.tap, written.probes, written.grid)
    for name in ("channels", "chosen", "values", "low", "high"):
        np.testing.assert_array_equal(getattr(found, name), getattr(written, name))
        assert getattr(found, name).dtype == getattr(written, name).dtype
    assert run.tiles("nan") is None
    assert list(run.pictures()) == list(pictures())
    for name, picture in pictures().items():
        np.testing.assert_array_equal(run.pictures()[name], picture)
    assert list(run.masks()) == ["猫"]
    assert run.report == run.folder / "report.html"


def test_a_run_without_maps_or_pictures_is_one_too(tmp_path: Path) -> None:
    with drafting(tmp_path / "v1", force=False) as draft:
        draft.write_table("layers", tables()["layers"])
        draft.write_pictures({}, {})
        draft.write_manifest(facts())
    run = Run.open(str(tmp_path / "v1"))
    assert run.pictures() == run.masks() == {}
    assert run.tiles("null") is None
    assert run.report.name == "report.pdf"


def test_the_manifest_lists_every_file_with_its_hash(run: Run) -> None:
    written = contents(run.folder)
    manifest = json.loads(written.pop("manifest.json"))
    assert {path: (fact["bytes"], fact["sha256"]) for path, fact in manifest["outputs"].items()} == {
        path: (len(data), hashlib.sha256(data).hexdigest()) for path, data in written.items()
    }
    assert {"tables/summary.csv", "tables/samples.parquet", "maps/0002.npz", "report.html"} <= set(written)


def test_the_manifest_lists_a_file_of_its_own_name_elsewhere(tmp_path: Path) -> None:
    with drafting(tmp_path / "v1", force=False) as draft:
        draft.write("figures/manifest.json", b"{}")
        draft.write_manifest(facts())
    assert list(json.loads((tmp_path / "v1/manifest.json").read_bytes())["outputs"]) == ["figures/manifest.json"]


def test_the_same_run_is_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "one")
    monkeypatch.setattr("time.time", lambda: 2e9)
    monkeypatch.setattr("time.localtime", lambda *_: (2033, 5, 18, 3, 33, 20, 2, 138, 0))
    write(tmp_path / "other")
    one, other = contents(tmp_path / "one"), contents(tmp_path / "other")
    assert len(one) == len(TABLES) + 4
    assert one == other


def test_a_written_run_is_all_that_is_left(run: Run) -> None:
    assert [path.name for path in run.folder.parent.iterdir()] == ["v1"]
    assert run.folder.stat().st_mode & 0o777 == 0o755


def test_a_run_is_replaced_by_force_alone(run: Run) -> None:
    old = contents(run.folder)
    with pytest.raises(StoreError, match="exists already") as refused:
        write(run.folder)
    assert "--force" in refused.value.fix
    assert contents(run.folder) == old
    (run.folder / "report.html").write_bytes(b"old")
    write(run.folder, force=True)
    assert contents(run.folder.parent) == {f"v1/{path}": data for path, data in old.items()}


def test_a_run_of_any_format_is_replaced_by_force(run: Run) -> None:
    manifest = run.folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"format": 2', '"format": 99'))
    with pytest.raises(StoreError, match=r"manifest.json has format 99, and this version reads up to 2"):
        Run.open(run.folder)
    assert write(run.folder, force=True).facts == facts()


def _precious(folder: Path) -> None:
    folder.mkdir()
    (folder / "thesis.tex").write_text("ten years")


def _web_app(folder: Path) -> None:
    folder.mkdir()
    (folder / "manifest.json").write_text('{"name": "app", "icons": []}')


def _broken(folder: Path) -> None:
    folder.mkdir()
    (folder / "manifest.json").write_text('{"format": 1,')


@pytest.mark.parametrize("make", [_precious, _web_app, _broken, lambda folder: folder.write_text("a file")])
def test_force_replaces_nothing_but_a_run(tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / "v1")
    before = contents(tmp_path)
    with pytest.raises(StoreError, match="is no run, so --force does not replace it"):
        write(tmp_path / "v1", force=True)
    assert contents(tmp_path) == before


def test_an_empty_folder_is_replaced_by_force(tmp_path: Path) -> None:
    (tmp_path / "v1").mkdir()
    with pytest.raises(StoreError, match="exists already"):
        check_free(tmp_path / "v1", force=False)
    assert write(tmp_path / "v1", force=True).facts == facts()


def test_a_run_that_appears_meanwhile_is_left_alone(tmp_path: Path) -> None:
    def both() -> None:
        with drafting(tmp_path / "v1", force=False) as draft:
            write(tmp_path / "v2").folder.rename(tmp_path / "v1")
            draft.write("report.html", b"late")

    with pytest.raises(StoreError, match="exists already"):
        both()
    assert (tmp_path / "v1/report.html").read_bytes() == b"<html>"


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="was not written: ") as error:
        write(tmp_path / "file" / "net" / "v1")
    assert "--out" in error.value.fix
    with pytest.raises(StoreError, match="File name too long"):
        write(tmp_path / ("long" * 100) / "v1")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_run_is_written_where_a_link_points(tmp_path: Path) -> None:
    write(tmp_path / "real")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "real/report.html").write_bytes(b"old")
    write(tmp_path / "link", force=True)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real/report.html").read_bytes() == b"<html>"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "real"]


def test_a_run_can_be_written_from_inside(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(run.folder)
    with drafting(Path(), force=True) as draft:
        draft.write("report.html", b"new")
        draft.write_manifest(facts())
    assert set(contents(run.folder.parent)) == {"v1/report.html", "v1/manifest.json"}


def test_a_run_shows_itself_in_a_notebook(run: Run) -> None:
    assert "<table" in run._repr_html_()
    shutil.rmtree(run.folder)
    assert len(run.summary) == len(NAMES)


def test_of_two_writers_at_the_same_time_one_says_so_and_nothing_is_mixed(tmp_path: Path) -> None:
    with drafting(tmp_path / "v1", force=False) as draft:
        draft.write("report.html", b"first")
        with pytest.raises(StoreError, match="v1 is being written by another process") as caught:
            write(tmp_path / "v1")
        assert "wait until it is done" in caught.value.fix
        write(tmp_path / "v2")
        draft.write_manifest(facts())
    assert set(contents(tmp_path / "v1")) == {"report.html", "manifest.json"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["v1", "v2"]


def test_what_a_killed_writer_left_is_removed_by_the_next(tmp_path: Path) -> None:
    left = tmp_path / ".v1.partial"
    (left / "tables").mkdir(parents=True)
    (left / "tables" / "layers.csv").write_text("half")
    assert b"half" not in contents(write(tmp_path / "v1").folder).values()
    assert [path.name for path in tmp_path.iterdir()] == ["v1"]


def test_what_was_moved_away_by_a_killed_writer_is_put_back(tmp_path: Path) -> None:
    write(tmp_path / "v1").folder.rename(tmp_path / ".v1.replaced")
    with pytest.raises(StoreError, match="exists already"):
        write(tmp_path / "v1")
    assert Run.open(tmp_path / "v1").facts == facts()
    assert [path.name for path in tmp_path.iterdir()] == ["v1"]


def test_a_slow_exchange_leaves_the_next_writers_draft_alone(tmp_path: Path) -> None:
    """Between an exchange and the removal of what it replaced, the place is still held."""
    write(tmp_path / "v1")
    with held(tmp_path / "v1") as place:
        place.put(tmp_path / "v1")
        with pytest.raises(StoreError, match="being written"), held(tmp_path / "v1"):
            pass
    assert [path.name for path in tmp_path.iterdir()] == ["v1"]


def test_a_link_in_the_place_of_a_draft_is_refused_and_what_it_leads_to_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "precious.txt").write_text("ten years")
    (tmp_path / ".v1.partial").symlink_to("mine")
    with pytest.raises(StoreError, match="where the run would be made, is no folder"):
        write(tmp_path / "v1")
    assert contents(tmp_path / "mine") == {"precious.txt": b"ten years"}
    assert not (tmp_path / "v1").exists()


def test_a_comparison_replaces_no_run_and_a_run_no_comparison(tmp_path: Path) -> None:
    write(tmp_path / "v1")
    with pytest.raises(StoreError, match="v1 is no comparison, so --force does not replace it"):
        check_free(tmp_path / "v1", force=True, kind="comparison")
    (tmp_path / "diff").mkdir()
    (tmp_path / "diff" / "diff.json").write_text('{"format": 1, "a": {}, "b": {}, "verdict": []}')
    check_free(tmp_path / "diff", force=True, kind="comparison")
    with pytest.raises(StoreError, match="diff is no run, so --force does not replace it"):
        check_free(tmp_path / "diff", force=True)
