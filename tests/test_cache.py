"""A folder of finished shards: whole or absent, found again by what decides them, and told when damaged."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from typer.testing import CliRunner

import fmreport
from fmreport.cache import Cache, DamagedError, key_of
from fmreport.cli import app
from fmreport.config import from_dict
from fmreport.errors import FmreportError, StoreError

KEY = key_of("context", {"measure": "zeros"})
TOLD = {"name": "run", "model": "model.keras", "piece": "zeros", "images": 64}
ARRAYS = {
    "0/row/zeros": np.arange(64),
    "0/channel/total": np.linspace(-1, 1, 7),
    "0/place/drawn": np.linspace(-3, 3, 12).astype(ml_dtypes.bfloat16).reshape(3, 4),
    "0/positions/drawn": np.array(9),
    "0/row/silent": np.array([True, False]),
}
DTYPES = st.sampled_from(["float64", "float32", "float16", "int64", "int32", "uint8", "bool"])


def put(folder: Path, *keys: str, used: float | None = None) -> Cache:
    made = Cache(folder)
    for key in keys or (KEY,):
        made.put(key, ARRAYS, TOLD)
        if used is not None:
            os.utime(made.path(key), (used, used))
    return made


def keys(count: int) -> list[str]:
    return [key_of("context", {"number": number}) for number in range(count)]


def test_what_was_put_is_found_again_bit_for_bit(tmp_path: Path) -> None:
    made = put(tmp_path / "new/cache")
    assert made.holds(KEY)
    found = made.get(KEY)
    assert found.keys() == ARRAYS.keys()
    for name, value in ARRAYS.items():
        assert found[name].dtype == value.dtype
        assert found[name].tobytes() == value.tobytes()
        assert found[name].shape == value.shape


@settings(max_examples=30, deadline=None)
@given(
    st.dictionaries(
        st.from_regex(r"[0-9]{1,3}/[a-z]{1,8}/[a-z_]{1,12}", fullmatch=True),
        DTYPES.flatmap(
            lambda dtype: arrays_of.arrays(dtype, arrays_of.array_shapes(min_dims=0, min_side=0, max_side=5))
        ),
        max_size=4,
    )
)
def test_arrays_of_any_shape_come_back(tmp_path_factory: pytest.TempPathFactory, given_arrays: dict[str, Any]) -> None:
    made = Cache(tmp_path_factory.mktemp("cache"))
    made.put(KEY, given_arrays, TOLD)
    found = made.get(KEY)
    assert {name: (value.dtype, value.shape, value.tobytes()) for name, value in found.items()} == {
        name: (value.dtype, value.shape, value.tobytes()) for name, value in given_arrays.items()
    }


def test_nothing_is_held_that_was_not_put(tmp_path: Path) -> None:
    assert not Cache(tmp_path / "nowhere").holds(KEY)
    assert not put(tmp_path).holds(keys(1)[0])


@pytest.mark.parametrize("context", ["context", "other"])
@pytest.mark.parametrize("identity", [{"measure": "zeros"}, {"measure": "zeros", "control": 1}, {"measure": "counts"}])
def test_keys_differ_as_what_decides_does(context: str, identity: dict[str, Any]) -> None:
    same = (context, identity) == ("context", {"measure": "zeros"})
    assert (key_of(context, identity) == KEY) is same
    assert key_of(context, dict(reversed(identity.items()))) == key_of(context, identity)


def test_every_changed_byte_is_found(tmp_path: Path) -> None:
    made = put(tmp_path)
    whole = made.path(KEY).read_bytes()
    rng = np.random.default_rng(0)
    header = whole.index(b"\n")
    for at in (*rng.integers(header + 1, len(whole), 60), len(whole) - 1, header + 1, 0, 1):
        made.path(KEY).write_bytes(whole[:at] + bytes([whole[at] ^ 0x5A]) + whole[at + 1 :])
        with pytest.raises(DamagedError):
            made.get(KEY)
    for cut in (0, 1, header, len(whole) // 2, len(whole) - 1):
        made.path(KEY).write_bytes(whole[:cut])
        with pytest.raises(DamagedError):
            made.get(KEY)


def test_a_file_under_another_files_name_is_found(tmp_path: Path) -> None:
    one, other = keys(2)
    made = put(tmp_path, one)
    made.path(other).parent.mkdir(exist_ok=True)
    made.path(one).rename(made.path(other))
    with pytest.raises(DamagedError):
        made.holds(other)
    with pytest.raises(DamagedError):
        made.get(other)


def test_a_file_that_is_gone_is_as_one_that_is_damaged(tmp_path: Path) -> None:
    made = put(tmp_path)
    made.path(KEY).unlink()
    assert not made.holds(KEY)
    with pytest.raises(DamagedError):
        made.get(KEY)


def test_what_cannot_be_written_says_what_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    first, second = keys(2)
    made = put(tmp_path, first)
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(StoreError, match=r"cache .* cannot be used: No space left on device") as caught:
        made.put(second, ARRAYS, TOLD)
    assert "finished shards are kept" in caught.value.fix
    assert made.holds(first)
    assert not made.holds(second)
    assert [entry.path for entry in made.entries()] == [made.path(first)], "and nothing half-written is left"


def test_a_cache_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StoreError, match=r"cache .*file cannot be used: "):
        Cache(tmp_path / "file").put(KEY, ARRAYS, TOLD)
    with pytest.raises(StoreError, match="is no folder"):
        list(Cache(tmp_path / "file").entries())
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("file", "link"):
        with pytest.raises(StoreError, match=rf"^the cache .*{name} is no folder$") as caught:
            Cache(tmp_path / name).check()
        assert "--cache" in caught.value.fix
    Cache(tmp_path).check()
    Cache(tmp_path / "new").check()
    assert not (tmp_path / "new").exists()


def test_a_run_with_a_cache_that_is_a_file_opens_no_model(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    data = {"name": "n", "model": {"kind": "keras", "path": "nowhere.keras"}}
    data["probes"] = [{"kind": "skimage", "names": ["cat"]}]  # type: ignore[assignment]
    with pytest.raises(StoreError, match="file is no folder"):
        fmreport.run(from_dict(data, tmp_path), out=tmp_path / "reports", cache=tmp_path / "file")
    assert not (tmp_path / "reports").exists()


def test_pruning_takes_what_was_used_longest_ago(tmp_path: Path) -> None:
    now = time.time()
    names = keys(4)
    for age, key in enumerate(names):
        put(tmp_path, key, used=now - 100 * (age + 1))
    made = Cache(tmp_path)
    size = made.path(names[0]).stat().st_size
    gone = made.prune(before=now - 350)
    assert [entry.path for entry in gone] == [made.path(names[3])]
    gone = made.prune(most=size)
    assert [entry.path for entry in gone] == [made.path(names[2]), made.path(names[1])]
    assert made.holds(names[0])
    assert made.prune(most=size) == []


def test_reading_is_using(tmp_path: Path) -> None:
    long_ago = time.time() - 1000
    made = put(tmp_path, used=long_ago)
    made.get(KEY)
    assert next(made.entries()).used > long_ago + 900


def test_pruning_takes_what_is_not_whole_and_nothing_that_is_not_its_own(tmp_path: Path) -> None:
    made = put(tmp_path)
    mine = [tmp_path / "notes.txt", made.path(KEY).parent / "notes.txt", made.path(KEY).parent / "short.shard"]
    for path in mine:
        path.write_text("mine")
    left, under_way = (made.path(KEY).parent / f"{name}.partial" for name in ("left", "new"))
    for path in (left, under_way):
        path.write_bytes(b"half")
    os.utime(left, (0, 0))
    damaged = made.path(keys(1)[0])
    damaged.parent.mkdir(exist_ok=True)
    damaged.write_bytes(b"{}")
    link = made.path(KEY).parent / ("0" * 64 + ".shard")
    link.symlink_to(tmp_path / "notes.txt")
    assert {entry.path for entry in made.prune(before=0)} == {left, damaged}
    assert all(path.exists() for path in (*mine, under_way, link))
    assert made.holds(KEY)


def command(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["cache", *arguments])
    return done.exit_code, done.output


def test_the_commands_say_what_is_there_and_what_went(tmp_path: Path) -> None:
    put(tmp_path, *keys(3))
    code, text = command("list", str(tmp_path))
    assert code == 0
    row = next(line for line in text.splitlines() if "zeros" in line).split()
    assert row[:5] == ["run", "model.keras", "zeros", "3", "192"]
    assert "3 files" in text
    code, text = command("prune", str(tmp_path), "--days", "1")
    assert (code, text.split(",")[0]) == (0, "removed 0 files")
    code, text = command("prune", str(tmp_path), "--mb", "0")
    assert (code, text.split(",")[0]) == (0, "removed 3 files")
    assert list(tmp_path.iterdir()) == []


def test_pruning_without_a_measure_removes_nothing(tmp_path: Path) -> None:
    made = put(tmp_path)
    done = CliRunner().invoke(app, ["cache", "prune", str(tmp_path)])
    assert done.exit_code != 0
    assert "nothing says what is to go" in str(done.exception)
    assert made.holds(KEY)


@pytest.mark.parametrize("option", ["--days", "--mb"])
@pytest.mark.parametrize("given", ["inf", "-inf", "nan", "-1", "1e+308"])
def test_pruning_takes_numbers_from_zero(tmp_path: Path, option: str, given: str) -> None:
    made = put(tmp_path)
    done = CliRunner().invoke(app, ["cache", "prune", str(tmp_path), option, given])
    assert str(done.exception) == f"{option} {given}: expected a number from 0 to 1e+12"
    assert isinstance(done.exception, FmreportError)
    assert done.exception.fix == f"write it as {option} 30"
    assert made.holds(KEY)


@pytest.mark.parametrize("told", [{"images": "many"}, {"images": None}, {"images": -1}, {"name": ["run"]}], ids=str)
def test_what_is_not_told_as_ours_is_not_whole(tmp_path: Path, told: dict[str, Any]) -> None:
    made = put(tmp_path)
    made.put(key_of("foreign", {}), ARRAYS, {**TOLD, **told})
    code, text = command("list", str(tmp_path))
    assert code == 0
    (row,) = (line.split() for line in text.splitlines() if "(not whole)" in line)
    assert row[:4] == ["(not", "whole)", "1", "0"]
    assert "2 files" in text
    assert [entry.path for entry in made.prune()] == [made.path(key_of("foreign", {}))]
