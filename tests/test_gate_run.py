"""`fmreport run` with limits in its config: the run is written, judged, and the exit code tells."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from fmreport import numbers
from fmreport.quantities import QUANTITIES
from fmreport.store import Run

MODEL = """
import keras

def make_model():
    keras.utils.set_random_seed(0)
    x = inputs = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(6, 3, strides=2, padding="same", activation="relu", name="stem")(x)
    return keras.Model(inputs, keras.layers.Conv2D(4, 3, padding="same", name="head")(x))
"""
CONFIG = """\
name: tiny
model: {kind: builder, function: "tiny_gated:make_model"}
preprocess: {size: [32, 32]}
probes: [{kind: skimage, names: [cat, coffee]}]
layers: [{type: "*"}]
gate: {max: {taps: 1}, max_change: {gini: 0}, nonfinite: 0}
report: {formats: [html]}
"""


def fmreport(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fmreport", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.slow
def test_a_run_is_written_and_then_held_to_its_limits(tmp_path: Path) -> None:
    (tmp_path / "tiny_gated.py").write_text(MODEL)
    (tmp_path / "tiny.yaml").write_text(CONFIG)

    missing = fmreport("run", "tiny.yaml", "--set", "gate.baseline=v0", cwd=tmp_path)
    assert missing.returncode == 2
    assert "the baseline v0 is no run" in missing.stderr
    assert "done Opening the model" not in missing.stderr

    breached = fmreport("run", "tiny.yaml", cwd=tmp_path)
    assert breached.returncode == 1, breached.stderr
    lines = [line.strip() for line in breached.stdout.splitlines()[-4:]]
    assert lines == [
        "held     nonfinite at most 0: 0 at stem",
        f"breached taps at most 1: {numbers.of_run(Run.open(tmp_path / 'reports/tiny/v1'))['taps']:g}",
        "skipped  gini changed by at most 0: there is no release of tiny before v1",
        "tiny v1: 1 of 3 limits breached, 1 skipped",
    ]
    assert (tmp_path / "reports/tiny/v1/report.html").is_file()

    changed = ("release=v2", "gate.max.taps=9", "gate.baseline=v1")
    held = fmreport("run", "tiny.yaml", *(word for each in changed for word in ("--set", each)), cwd=tmp_path)
    assert held.returncode == 0, held.stdout + held.stderr
    assert "held     gini changed by at most 0" in held.stdout
    assert held.stdout.splitlines()[-1] == "tiny v2: 3 limits held, compared with tiny v1"

    first, second = (json.loads((tmp_path / f"reports/tiny/v{n}/manifest.json").read_bytes()) for n in (1, 2))
    assert list(first["numbers"]) == list(QUANTITIES)
    assert first["numbers"] == second["numbers"] == numbers.of_run(Run.open(tmp_path / "reports/tiny/v1"))

    again = fmreport("verify", "reports/tiny/v2", "--rerun", cwd=tmp_path)
    assert again.returncode == 0, again.stdout

    indexed = fmreport("index", "reports", cwd=tmp_path)
    assert indexed.stdout == "reports/index.html 2 runs of 1 model, 2 new or changed\n"
