"""What a run is made with and when: versions, fmreport's own code, the config's repository, the date."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from fmreport.facts import Platform, Repository

PACKAGES = (
    "fmreport",
    "tensorflow",
    "keras",
    "tf-keras",
    "numpy",
    "numba",
    "scipy",
    "pandas",
    "pyarrow",
    "scikit-image",
    "pillow",
    "matplotlib",
    "jinja2",
    "typst",
)
"""Packages whose versions decide what a run holds."""
OWN = Path(__file__).parent
SETTINGS = (
    "TF_ENABLE_ONEDNN_OPTS",
    "ONEDNN_MAX_CPU_ISA",
    "TF_XLA_FLAGS",
    "XLA_FLAGS",
    "TF_USE_CUDNN",
    "NPY_DISABLE_CPU_FEATURES",
    "NUMBA_CPU_NAME",
    "NUMBA_CPU_FEATURES",
)
"""Environment variables that choose between kernels that round differently."""


def versions() -> dict[str, str]:
    """Python's version and those of `PACKAGES`."""
    return {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}


@cache
def code() -> str:
    """SHA-256 over the names and bytes of fmreport's own modules and templates: a version may be changed in place."""
    files = {path.relative_to(OWN).as_posix(): path for path in OWN.rglob("*.py")}
    templates = next(folder for folder in (OWN / "templates", OWN.parent / "templates") if folder.is_dir())
    files |= {f"templates/{path.relative_to(templates).as_posix()}": path for path in templates.rglob("*.*")}
    digest = hashlib.sha256()
    for name in sorted(files):
        # A checkout may end lines otherwise.
        content = files[name].read_bytes().replace(b"\r\n", b"\n")
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def here(framework: dict[str, str], devices: Sequence[str], settings: dict[str, str]) -> Platform:
    """The machine, as far as it may decide the last digits of numbers."""
    extensions = np.show_config(mode="dicts")["SIMD Extensions"]
    chosen = {name: os.environ[name] for name in SETTINGS if name in os.environ}
    return Platform(
        system=f"{platform.system()} {platform.machine()}",
        processor_features=tuple(sorted({*extensions.get("baseline", ()), *extensions.get("found", ())})),
        devices=tuple(devices),
        framework=framework,
        settings={**settings, **chosen},
    )


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def one_thread() -> Iterator[None]:
    """NumPy's linear algebra on one thread: several add up in another order, on another number of cores."""
    with threadpool_limits(limits=1, user_api="blas"):
        yield


def repository(folder: Path) -> Repository | None:
    """The git repository that a folder lies in; None where it lies in none, or where git is not at hand."""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None
    # What git does not follow may be a report that was just made.
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return Repository(commit.strip(), bool(changed))


def _git(folder: Path, *command: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(folder), *command], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None
