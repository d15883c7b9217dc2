"""Dates come from the config or from SOURCE_DATE_EPOCH, and from nowhere else."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from fmreport import dates
from fmreport.errors import ConfigError


def test_the_config_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(dates.EPOCH, raising=False)
    assert (dates.date(None), dates.date("2026-11-21")) == ("", "2026-11-21")
    monkeypatch.setenv(dates.EPOCH, "86399")
    assert (dates.date(None), dates.date("2026-11-21")) == ("1970-01-01", "2026-11-21")
    assert dates.epoch("1970-01-02") == 86400
    assert dates.epoch("") == 0


@pytest.mark.parametrize("found", ["abc", "-1", " 5 ", "\u0663", "1e3", "99999999999999", "1.5"])
def test_what_is_no_time_is_an_error(monkeypatch: pytest.MonkeyPatch, found: str) -> None:
    monkeypatch.setenv(dates.EPOCH, found)
    with pytest.raises(ConfigError, match="SOURCE_DATE_EPOCH is") as caught:
        dates.build_date()
    assert "unset it" in caught.value.fix


def test_the_command_says_so_before_a_library_ends_in_a_traceback() -> None:
    command = [sys.executable, "-m", "fmreport", "index", "."]
    done = subprocess.run(command, env={**os.environ, dates.EPOCH: "abc"}, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "SOURCE_DATE_EPOCH is 'abc'" in done.stderr
    assert "Traceback" not in done.stderr
