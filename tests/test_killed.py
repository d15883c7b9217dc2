"""`kill -9` at any moment: older runs stay as they are, nothing half-written passes for a run, the next succeeds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TRIES = 8
"""At random moments of a whole run; `python tests/killing.py run FOLDER 1000` tries more often."""

pytestmark = pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="there is no fork here")


def killing(*arguments: str) -> list[str]:
    script = Path(__file__).with_name("killing.py")
    done = subprocess.run(
        [sys.executable, str(script), *arguments], capture_output=True, text=True, timeout=1200, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_writer_that_is_killed_before_any_access_to_the_archive_does_no_harm(tmp_path: Path) -> None:
    *complaints, tries = killing("write", str(tmp_path))
    assert complaints == []
    assert int(tries.split()[0]) > 80


@pytest.mark.slow
def test_a_run_that_is_killed_at_any_moment_does_no_harm(tmp_path: Path) -> None:
    *complaints, tries = killing("run", str(tmp_path), str(TRIES))
    assert complaints == []
    assert tries == f"{TRIES} tries"
