"""Whatever fails while a run is written, nothing of it is left and what was there before stays."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from stored_run import STEPS, contents, facts, write

from fmreport.errors import StoreError
from fmreport.store import Run


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
        patch.setattr("fmreport.store.place._exchanged", lambda *_: False)
        patch.setattr(Path, "rename", rename)
        with pytest.raises((StoreError, KeyboardInterrupt)):
            write(destination, force=True)
    assert Run.open(destination).facts == facts()
    if not (done and call == 2):
        assert contents(destination) == old
    else:
        assert (destination / "report.html").read_bytes() == b"<html>"
    assert [path.name for path in tmp_path.iterdir()] == ["v1"]


def test_a_full_disk_is_told_whatever_writes(tmp_path: Path) -> None:
    """A real limit on the size of files, met by a child process."""
    code = (
        "import resource, sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path\nfrom stored_run import write\n"
        "from fmreport.errors import StoreError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (700, 700))\n"
        "try:\n    write(Path(sys.argv[2]))\nexcept StoreError as error:\n    print(error)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, str(Path(__file__).parent), str(tmp_path / "net" / "v1")],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
    )
    assert "was not written: File too large" in told.stdout, told.stderr
    assert list(tmp_path.iterdir()) == []
