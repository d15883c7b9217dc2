"""A run folder is written whole or not at all, and read back as it was written."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fmreport.errors import StoreError
from fmreport.records import Facts, ProbeFact, Tiles
from fmreport.store import TABLES, Draft, Run, check_free, drafting

NAMES = (
    "NA",
    "null",
    "nan",
    "None",
    "1",
    "conv,1",
    'he said "a"',
    "zwei\nZeilen",
    "\u05e9\u05dc\u05d5\u05dd 🐈",
    "true",
)
"""Names that a careless reader takes for something else."""


def facts() -> Facts:
    return Facts(
        name="net",
        release="v1",
        title="Ein Netz, ein 猫",
        config={"layers": [{"type": "Conv2D"}], "seed": 0, "doi": None},
        model={"kind": "keras", "source": "net.keras", "sha256": "ab", "framework": "keras 3", "parameters": 7},
        preprocess={"size": [8, 8], "mean": []},
        probes=(
            ProbeFact("猫", "a/猫.png", "cd", (4, 5), True, "m/猫.png", "ef"),
            ProbeFact("b", "b.png", "01", (3, 3)),
        ),
        displayed=("猫",),
        channel_rule="The first.",
        versions={"fmreport": "0"},
        notes=("a note",),
    )


def tables() -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(0)
    count = len(NAMES)
    sizes = pd.array([None, *range(1, count)], "Int64")
    awkward = np.array([0.1 + 0.2, 1 / 3, 1e-300, np.pi * 1e17, np.nan, *rng.random(count - 5)])
    layers = {"tap": NAMES, "layer": NAMES, "type": ["Conv2D"] * count, "order": range(1, count + 1)}
    layers |= {"height": sizes, "width": sizes, "zeros_reason": [""] * count}
    rows = {"tap": np.repeat(NAMES, 3), "value": rng.normal(size=3 * count), "nan": np.arange(3 * count)}
    return {
        "layers": pd.DataFrame(layers),
        "inventory": pd.DataFrame({"path": NAMES, "taps": ["", *NAMES[1:]], "reason": ["NA", *[""] * (count - 1)]}),
        "summary": pd.DataFrame({"tap": NAMES, "finite": range(count), "mean": awkward, "gini": [np.nan] * count}),
        "samples": pd.DataFrame({"probe": ["p"] * (3 * count), **rows}),
        "channels": pd.DataFrame({**rows, "silent": rng.random(3 * count) < 0.5}),
        "histograms": pd.DataFrame({"tap": NAMES, "low": awkward, "count": np.arange(count) + 2**60}),
    }


def tiles() -> Tiles:
    rng = np.random.default_rng(1)
    low = rng.normal(size=(2, 3)).astype(np.float32)
    low[1, 1] = np.nan
    values = rng.integers(0, 256, (2, 3, 4, 5)).astype(np.uint8)
    return Tiles("null", ("猫", "b"), np.array([5, 0, 2]), np.array([True, True, False]), values, low, low + 1, (8, 10))


def pictures() -> dict[str, np.ndarray]:
    return {"猫": np.arange(60, dtype=np.uint8).reshape(4, 5, 3), "pictures": np.zeros((3, 3, 3), np.uint8)}


STEPS: tuple[Callable[[Draft], None], ...] = (
    *(lambda draft, name=name: draft.write_table(name, tables()[name]) for name in TABLES),
    lambda draft: draft.write_tiles(2, tiles()),
    lambda draft: draft.write_pictures(pictures(), {"猫": np.ones((4, 5), np.uint8)}),
    lambda draft: draft.write("report.html", b"<html>"),
    lambda draft: draft.write_manifest(facts()),
)
"""Everything that writes a run, in order."""


def write(destination: Path, *, force: bool = False) -> Run:
    with drafting(destination, force=force) as draft:
        for step in STEPS:
            step(draft)
    return Run.open(destination)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below, hidden ones too, by its path."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return write(tmp_path / "net" / "v1")


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_read_back_as_it_was_written(run: Run, name: str) -> None:
    written = tables()[name]
    pd.testing.assert_frame_equal(getattr(run, name), written, check_exact=True)


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
    assert manifest["outputs"] == {path: hashlib.sha256(data).hexdigest() for path, data in written.items()}
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
    manifest.write_text(manifest.read_text().replace('"format": 1', '"format": 99'))
    with pytest.raises(StoreError, match="run format 99"):
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
            write(tmp_path / "v1")
            draft.write("report.html", b"late")

    with pytest.raises(StoreError, match="exists already"):
        both()
    assert (tmp_path / "v1/report.html").read_bytes() == b"<html>"


class Failing:
    """`Path.write_bytes` that fails at the n-th call, after it has written a part."""

    def __init__(self, call: int, error: BaseException) -> None:
        self.left, self.error, self.original = call, error, Path.write_bytes

    def __get__(self, path: Path | None, owner: type) -> Callable[[bytes], int]:
        def write_bytes(data: bytes) -> int:
            self.left -= 1
            if self.left == 0:
                self.original(path, data[: len(data) // 2])  # type: ignore[arg-type]
                raise self.error
            return self.original(path, data)  # type: ignore[arg-type]

        return write_bytes


FULL = OSError(errno.ENOSPC, "No space left on device")
FAILURES: tuple[tuple[BaseException, type[BaseException], str], ...] = (
    (FULL, StoreError, "the disk is full"),
    (OSError(errno.EACCES, "Permission denied"), StoreError, "was not written: Permission denied"),
    (KeyboardInterrupt("stop"), KeyboardInterrupt, "stop"),
    (RuntimeError("a defect"), RuntimeError, "a defect"),
)


@pytest.mark.parametrize("call", range(1, len(STEPS) + 1))
@pytest.mark.parametrize(("error", "raised", "message"), FAILURES, ids=["full", "denied", "ctrl-c", "defect"])
@pytest.mark.parametrize("there", [False, True], ids=["new", "forced"])
def test_a_failed_write_leaves_everything_as_it_was(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    call: int,
    error: BaseException,
    raised: type[BaseException],
    message: str,
    there: bool,
) -> None:
    destination = tmp_path / "reports" / "net" / "v1"
    if there:
        write(destination)
    before, folders = contents(tmp_path), sorted(tmp_path.rglob("*"))
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", Failing(call, error))
        with pytest.raises(raised, match=re.escape(message)):
            write(destination, force=there)
    assert contents(tmp_path) == before
    assert sorted(tmp_path.rglob("*")) == folders


@pytest.mark.parametrize("call", [1, 2])
@pytest.mark.parametrize("error", [FULL, KeyboardInterrupt()], ids=["full", "ctrl-c"])
@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
def test_a_failed_rename_leaves_the_old_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, call: int, error: BaseException, done: bool
) -> None:
    """An interrupt may arrive before a rename or just after it; the old run or the new one stands, whole and alone."""
    destination = tmp_path / "v1"
    write(destination)
    (destination / "report.html").write_bytes(b"old")
    old = contents(destination)
    original, count = Path.rename, iter(range(1, 9))

    def rename(path: Path, target: Path) -> Path:
        fails = next(count) == call
        if fails and not done:
            raise error
        moved = original(path, target)
        if fails:
            raise error
        return moved

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", rename)
        with pytest.raises((StoreError, KeyboardInterrupt)):
            write(destination, force=True)
    assert Run.open(destination).facts == facts()
    if not (done and call == 2):
        assert contents(destination) == old
    else:
        assert (destination / "report.html").read_bytes() == b"<html>"
    assert [path.name for path in tmp_path.iterdir()] == ["v1"]


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
        (b'{"format": 2}', "has run format 2, this version reads 1"),
        (b"{}", "has run format None, this version reads 1"),
    ],
)
def test_a_damaged_manifest_is_an_error(damaged: Callable[..., Run], data: bytes, message: str) -> None:
    assert message in complaint(lambda: damaged("manifest.json", data))


@pytest.mark.parametrize("change", ["name", "probes", "displayed"])
def test_a_manifest_that_lacks_something_is_an_error(run: Run, damaged: Callable[..., Run], change: str) -> None:
    manifest = json.loads((run.folder / "manifest.json").read_bytes())
    for value in (None, 3):
        lacking = {key: v for key, v in manifest.items() if key != change} | ({} if value is None else {change: value})
        if value is None or change != "name":
            opened = damaged("manifest.json", json.dumps(lacking).encode())
            assert "manifest.json cannot be read" in complaint(lambda: opened.facts)  # noqa: B023


@pytest.mark.parametrize("data", [None, b"", b"\x00\xff" * 50], ids=["missing", "empty", "noise"])
@pytest.mark.parametrize("name", TABLES)
def test_a_damaged_table_is_an_error(damaged: Callable[..., Run], name: str, data: bytes | None) -> None:
    opened = damaged(f"tables/{TABLES[name]}", data)
    assert f"{TABLES[name]} cannot be read" in complaint(lambda: getattr(opened, name))


@pytest.mark.parametrize("name", ["samples", "channels", "histograms"])
def test_a_cut_table_is_an_error(run: Run, damaged: Callable[..., Run], name: str) -> None:
    path = f"tables/{TABLES[name]}"
    whole = (run.folder / path).read_bytes()
    assert f"{TABLES[name]} cannot be read" in complaint(lambda: getattr(damaged(path, whole[:-10]), name))


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


def test_a_full_disk_is_told_whatever_writes(tmp_path: Path) -> None:
    """A real limit on the size of files, met by a child process."""
    code = (
        "import resource, sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path\nfrom test_store import write\n"
        "from fmreport.errors import StoreError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (700, 700))\n"
        "try:\n    write(Path(sys.argv[2]))\nexcept StoreError as error:\n    print(error)\n"
    )
    import subprocess
    import sys

    told = subprocess.run(
        [sys.executable, "-c", code, str(Path(__file__).parent), str(tmp_path / "net" / "v1")],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
    )
    assert "was not written: File too large" in told.stdout, told.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_run_shows_itself_in_a_notebook(run: Run) -> None:
    assert "<table" in run._repr_html_()
    shutil.rmtree(run.folder)
    assert len(run.summary) == len(NAMES)
