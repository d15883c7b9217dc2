"""Medians of interleaved runs, and the peak memory of a child process: machines are shared and noisy."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

MB = 1 << 20


def interleaved(ways: Mapping[str, Callable[[], object]], runs: int) -> dict[str, list[float]]:
    """Seconds of each run of each way, taken in turn; before each, one run that does not count.

    What ran before leaves caches and the heap in its own state: without that run, a way would pay for its neighbour.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(runs):
        for name, way in ways.items():
            way()
            start = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def compared(seconds: Mapping[str, list[float]], base: str) -> dict[str, dict[str, float]]:
    """Per way: the median time, and the median of its ratio to `base` turn by turn, which drift cancels from."""
    rows = {}
    for name, times in seconds.items():
        ratios = [time / of_base for time, of_base in zip(times, seconds[base], strict=True)]
        rows[name] = {"seconds": median(times), "ratio": median(ratios)}
    return rows


def peak(build: Callable[[], Callable[[], object]], runs: int = 3) -> dict[str, float]:
    """Megabytes of resident memory at the peak of what `build` returns, whole and above the process before its runs.

    For use in a fresh process.
    """
    way = build()
    idle = status("VmRSS")
    for _ in range(runs):
        way()
    return {"whole": status("VmHWM") / MB, "above": (status("VmHWM") - idle) / MB}


def in_fresh_process(module: str, *arguments: str) -> Any:
    """What `python -m module arguments` prints last, as JSON."""
    done = subprocess.run([sys.executable, "-m", module, *arguments], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def status(field: str) -> int:
    """Bytes of a field of this process's status (Linux)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))
