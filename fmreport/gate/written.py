"""Where a judgement is written, beside the terminal."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from fmreport.errors import GateError
from fmreport.gate.judging import Judgement
from fmreport.gate.junit import junit
from fmreport.gate.summary import summary

GITHUB = "GITHUB_STEP_SUMMARY"
"""The variable in which GitHub Actions names the file that a job's summary is appended to."""


def write(
    judgement: Judgement,
    *,
    junit_file: Path | None = None,
    summary_file: Path | None = None,
    environment: Mapping[str, str] = os.environ,
) -> None:
    """Writes the files that are asked for, and appends to the summary of a GitHub job where there is one."""
    if junit_file is not None:
        _write(junit_file, junit(judgement), "wb")
    text = summary(judgement).encode("utf-8")
    if summary_file is not None:
        _write(summary_file, text, "wb")
    if environment.get(GITHUB):
        _write(Path(environment[GITHUB]), text, "ab")


def _write(path: Path, data: bytes, mode: str) -> None:
    try:
        with path.open(mode) as file:
            file.write(data)
    except OSError as error:
        raise GateError(
            f"{path} was not written: {error.strerror or error}", fix="name a file in a folder that can be written"
        ) from error
