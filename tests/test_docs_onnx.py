"""The page on ONNX models: what it shows runs as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fmreport import open_run
from fmreport.cli import app

PAGE = (Path(__file__).parent.parent / "docs/onnx.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"^```(python|yaml)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))


def test_the_example_of_the_page_makes_a_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("onnxruntime", "tf2onnx"):
        pytest.importorskip(package, reason="needs fmreport[onnx] and tf2onnx")
    monkeypatch.chdir(tmp_path)
    exec(compile(BLOCKS["python"], "export.py", "exec"), {})
    (tmp_path / "segmenter.yaml").write_text(BLOCKS["yaml"], encoding="utf-8")
    done = CliRunner().invoke(app, ["run", str(tmp_path / "segmenter.yaml"), "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    run = open_run(tmp_path / "segmenter/v1")
    assert list(run.layers["type"]) == ["Conv2D", "ReLU", "Conv2D"]
    assert [path.split("/")[1] for path in run.layers["layer"]] == ["encode_1", "encode_1", "decode_1"]
