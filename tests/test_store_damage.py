"""A run folder that is missing or damaged is one error that names the file and the next step."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from stored_run import write

from fmreport.errors import StoreError
from fmreport.store import TABLES, Run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return write(tmp_path / "net" / "v1")


@pytest.fixture
def damaged(run: Run) -> Iterator[Callable[[str, bytes | None], Run]]:
    """Opens the run again after a file of it was replaced, or removed."""

    def damage(path: str, data: bytes | None) -> Run:
        if data is None:
            (run.folder / path).unlink()
        else:
            (run.folder / path).write_bytes(data)
        return Run.open(run.folder)

    return damage


def complaint(read: Callable[[], Any]) -> str:
    with pytest.raises(StoreError) as error:
        read()
    assert error.value.fix
    return str(error.value)


def test_a_folder_without_a_manifest_is_no_run(tmp_path: Path, damaged: Callable[..., Run]) -> None:
    assert "is no run: it has no manifest.json" in complaint(lambda: damaged("manifest.json", None))
    assert "is no run" in complaint(lambda: Run.open(tmp_path / "nowhere"))
    (tmp_path / "file").write_text("")
    assert "is no run" in complaint(lambda: Run.open(tmp_path / "file"))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "manifest.json cannot be read"),
        (b'{"format": 1, "na', "manifest.json cannot be read"),
        (b"\xff\xfe\x00", "manifest.json cannot be read"),
        (b"[1]", "is no manifest"),
        (b'{"format": 9}', "has format 9, and this version reads up to 2"),
        (b"{}", "is no manifest"),
        (b'{"format": 2}', "has no 'outputs'"),
        (b'{"format": 1, "outputs": []}', "manifest.json cannot be read"),
        (b'{"a":' * 200_000, "manifest.json cannot be read"),
        (b'{"format": 2, "outputs": {}, "name": 3}', "manifest.json: "),
    ],
)
def test_a_damaged_manifest_is_an_error(damaged: Callable[..., Run], data: bytes, message: str) -> None:
    assert message in complaint(lambda: damaged("manifest.json", data))


@pytest.mark.parametrize("name", ["name", "probes", "displayed", "config", "outputs"])
def test_a_manifest_that_lacks_something_is_an_error(run: Run, damaged: Callable[..., Run], name: str) -> None:
    manifest = json.loads((run.folder / "manifest.json").read_bytes())
    del manifest[name]
    told = complaint(lambda: damaged("manifest.json", json.dumps(manifest).encode()))
    assert "manifest.json" in told
    assert name in told


@pytest.mark.parametrize("value", [3, {"a": [None]}])
@pytest.mark.parametrize("name", ["name", "probes", "displayed", "outputs", "platform", "numbers"])
def test_a_manifest_that_holds_something_else_is_an_error(
    run: Run, damaged: Callable[..., Run], name: str, value: object
) -> None:
    manifest = json.loads((run.folder / "manifest.json").read_bytes())
    manifest[name] = value
    told = complaint(lambda: damaged("manifest.json", json.dumps(manifest).encode()))
    assert "manifest.json" in told
    assert name in told


@pytest.mark.parametrize("data", [None, b"", b"\x00\xff" * 50], ids=["missing", "empty", "noise"])
@pytest.mark.parametrize("name", TABLES)
def test_a_damaged_table_is_an_error(damaged: Callable[..., Run], name: str, data: bytes | None) -> None:
    opened = damaged(f"tables/{TABLES[name]}", data)
    assert f"{TABLES[name]} cannot be read" in complaint(lambda: opened.table(name))


@pytest.mark.parametrize("name", ["samples", "channels", "histograms"])
def test_a_cut_table_is_an_error(run: Run, damaged: Callable[..., Run], name: str) -> None:
    path = f"tables/{TABLES[name]}"
    whole = (run.folder / path).read_bytes()
    assert f"{TABLES[name]} cannot be read" in complaint(lambda: damaged(path, whole[:-10]).table(name))


@pytest.mark.parametrize("part", ["empty", "cut", "other"])
def test_damaged_maps_are_an_error(run: Run, damaged: Callable[..., Run], part: str) -> None:
    whole = (run.folder / "maps/0002.npz").read_bytes()
    flipped = whole[:200] + bytes([whole[200] ^ 255]) + whole[201:]
    data = {"empty": b"", "cut": whole[: len(whole) // 2], "other": flipped}[part]
    assert "0002.npz cannot be read" in complaint(lambda: damaged("maps/0002.npz", data).tiles("null"))
    assert "probes.npz cannot be read" in complaint(lambda: damaged("maps/probes.npz", whole).pictures())
    assert "probes.npz cannot be read" in complaint(lambda: damaged("maps/probes.npz", None).masks())


def test_a_tap_that_is_not_there_is_an_error(run: Run) -> None:
    with pytest.raises(StoreError, match="has no tap 'nul'") as error:
        run.tiles("nul")
    assert "null" in error.value.fix


@pytest.mark.parametrize("path", ["/etc/passwd", "tables/../../layers.csv"])
def test_a_manifest_whose_files_lead_out_of_the_run_is_an_error(
    run: Run, damaged: Callable[..., Run], path: str
) -> None:
    manifest = json.loads((run.folder / "manifest.json").read_bytes())
    manifest["outputs"][path] = next(iter(manifest["outputs"].values()))
    assert "leads out of the run" in complaint(lambda: damaged("manifest.json", json.dumps(manifest).encode()))
