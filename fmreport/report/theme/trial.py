"""A document of a line or two, to see what Typst says of a file before a report is made with it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typst

MAIN = "main.typ"


def compiled(source: str, files: Mapping[str, bytes], *, told: str = "") -> Any:
    """Compiles a document with files beside it; `told` is a label of metadata whose value is returned.

    Raises `typst.TypstError` where Typst refuses it.
    """
    with tempfile.TemporaryDirectory(prefix="fmreport-") as folder:
        for name, data in {**files, MAIN: source.encode("utf-8")}.items():
            Path(folder, name).parent.mkdir(parents=True, exist_ok=True)
            Path(folder, name).write_bytes(data)
        main = str(Path(folder, MAIN))
        typst.compile(main, root=folder, ignore_system_fonts=True, format="svg")
        if not told:
            return None
        # After compiling: a query that fails does not say where.
        return json.loads(typst.query(main, told, field="value", one=True, root=folder, ignore_system_fonts=True))
