"""The time of `fmreport index` over many runs: `python -m benchmarks.index [--runs 1000]`.

Manifests are as large as those of a run of 51 taps on 46 probes. Timed are, each in a fresh process: the first index,
the same again with nothing new, and with one run more.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from fmreport import manifest, recording
from fmreport.facts import Facts, FileFact, ProbeFact
from fmreport.quantities import QUANTITIES

MODELS, TAPS, PROBES, FILES = 50, 51, 46, 80


def main() -> None:
    """Prints a line for each."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=1000)
    runs: int = options.parse_args().runs
    with tempfile.TemporaryDirectory() as name:
        archive = Path(name)
        facts = _facts()
        for number in range(runs):
            size = _write(archive, facts, number)
        print(f"{runs:,} runs of {MODELS} models, {size / 1e3:.0f} kB each")
        print(f"first:         {_timed(archive):.2f} s")
        print(f"nothing new:   {_timed(archive):.2f} s")
        _write(archive, facts, runs)
        print(f"one more:      {_timed(archive):.2f} s")
        print(f"the page:      {(archive / 'index.html').stat().st_size / 1e6:.1f} MB")


def _timed(archive: Path) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "fmreport", "index", str(archive)], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def _write(archive: Path, facts: Facts, number: int) -> int:
    name, release = f"model_{number % MODELS}", f"v{number // MODELS + 1}"
    folder = archive / name / release
    folder.mkdir(parents=True)
    outputs = {f"maps/{i:04d}.npz": FileFact("application/x-npz", i, "ab" * 32) for i in range(FILES)}
    outputs |= {f"report.{kind}": FileFact(f"application/{kind}", 1, "cd" * 32) for kind in ("html", "pdf")}
    numbers: dict[str, float | None] = dict.fromkeys(QUANTITIES, number * 31 % 97 / 97)
    data = manifest.written(replace(facts, name=name, release=release, numbers=numbers), outputs)
    (folder / manifest.FILE).write_bytes(data)
    return len(data)


def _facts() -> Facts:
    return Facts(
        name="",
        release="",
        title="A model under the lens",
        config={"model": {"kind": "keras", "path": "model.keras"}, "seed": 0},
        model={"kind": "keras", "source": "model.keras", "sha256": "ab" * 32, "framework": "keras 3.15.1"},
        preprocess={"size": [160, 160]},
        probes=tuple(ProbeFact(f"image_{i}", f"images/{i}.jpg", f"{i:064x}", (480, 640)) for i in range(PROBES)),
        displayed=("image_0",),
        channel_rule="The 32 channels with the largest variance.",
        versions={"fmreport": "0.1.0", "keras": "3.15.1"},
        taps=tuple(f"block{i}/conv" for i in range(TAPS)),
        columns=recording.meanings(),
    )


if __name__ == "__main__":
    main()
