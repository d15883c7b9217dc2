"""The default config, run by two processes in other circumstances, gives the same bytes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from stored_run import contents

from fmreport.store import EXECUTION

CONFIG = Path(__file__).parent.parent / "configs" / "sd_unet_pets.yaml"
LATER = """
import time
now = time.time
time.time = lambda: now() + 4e8
"""
"""Another clock: Python imports it by itself."""


def running(folder: Path, *options: str, **environment: str) -> subprocess.Popen[str]:
    folder.mkdir(parents=True)
    shutil.copy(CONFIG, folder)
    command = [sys.executable, "-m", "fmreport", "run", CONFIG.name, *options]
    given = {name: value for name, value in os.environ.items() if name != "TF_NUM_INTRAOP_THREADS"} | environment
    return subprocess.Popen(command, cwd=folder, env=given, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_the_default_config_gives_the_same_bytes_whoever_runs_it_wherever_and_however(tmp_path: Path) -> None:
    clock = tmp_path / "clock"
    clock.mkdir()
    (clock / "sitecustomize.py").write_text(LATER)
    one = running(tmp_path / "a", "--set", "batch=1", TZ="Asia/Kathmandu", LC_ALL="C", PYTHONHASHSEED="1", USER="a")
    other = running(
        tmp_path / "b" / "deeper",
        *("--set", "batch=3"),
        TZ="America/St_Johns",
        LC_ALL="tr_TR.UTF-8",
        PYTHONHASHSEED="2",
        USER="b",
        HOME=str(tmp_path),
        PYTHONPATH=os.pathsep.join([str(clock), os.environ.get("PYTHONPATH", "")]),
        COLUMNS="40",
    )
    for each in (one, other):
        told = each.communicate()[1]
        assert each.returncode == 0, told
    made = contents(tmp_path / "a/reports/sd_unet_pets/v1"), contents(tmp_path / "b/deeper/reports/sd_unet_pets/v1")
    assert made[0].keys() == made[1].keys()
    assert {path for path, data in made[0].items() if data != made[1][path]} == {EXECUTION}
    assert {"report.html", "report.pdf", "manifest.json", "tables/samples.parquet", "maps/0002.npz"} <= made[0].keys()
    assert b'"batch": 2,' in made[0][EXECUTION]
    assert b'"batch": 3,' in made[1][EXECUTION]
