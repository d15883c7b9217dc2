"""PDFs as text: what poppler's tools make of them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

OLD = "Suspects object is wrong type"
"""What an old poppler says of every tagged PDF of version 1.7; it is its own mistake."""


def poppler(tool: str, *arguments: str | Path) -> str:
    """What one of poppler's tools prints; that it warns of anything is a failure."""
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} (poppler-utils) is not installed")
    done = subprocess.run([tool, *map(str, arguments)], capture_output=True, text=True, check=True)
    assert [line for line in done.stderr.splitlines() if OLD not in line] == []
    return done.stdout


def words(pdf: Path, *arguments: str) -> str:
    """The text of a PDF in the order in which it is read, lines joined."""
    return " ".join(poppler("pdftotext", "-raw", *arguments, pdf, "-").split())
