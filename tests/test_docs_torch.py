"""The page on PyTorch models: what it shows runs as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fmreport import open_run
from fmreport.cli import app

PAGE = (Path(__file__).parent.parent / "docs/torch.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"^```(python|yaml)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))


def test_the_example_of_the_page_makes_a_report(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="PyTorch is an extra")
    (tmp_path / "segmenter.py").write_text(BLOCKS["python"], encoding="utf-8")
    (tmp_path / "segmenter.yaml").write_text(BLOCKS["yaml"], encoding="utf-8")
    done = CliRunner().invoke(app, ["run", str(tmp_path / "segmenter.yaml"), "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    run = open_run(tmp_path / "segmenter/v1")
    assert list(run.layers["tap"]) == ["encode/0", "encode/1", "encode/2", "decode/1"]
    assert list(run.layers["type"]) == ["Conv2D", "BatchNormalization", "ReLU", "Conv2D"]
