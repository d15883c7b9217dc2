"""Kills writers of runs, as a program of its own: `python killing.py run|write FOLDER [TRIES]`.

It imports what a writer needs and then forks one for each try, so that a try costs no import. After every kill it looks
at what is left, and prints what is wrong; at the end a writer that is not killed has to succeed with what was left.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from stored_run import contents, write
from test_cli import TINY

from fmreport.errors import StoreError
from fmreport.store import EXECUTION, MANIFEST
from fmreport.verification import exit_code, files

CONFIG = """\
name: net
model: {kind: builder, function: "tiny_model:make_model"}
preprocess: {size: [24, 24]}
probes:
  - {kind: skimage, names: [cat]}
layers: [{type: Conv2D}]
figures: {channels: 2}
"""
EVENTS = ("open", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.scandir", "os.truncate")


def forked(job: Callable[[], object]) -> int:
    """A child that does a job and ends with 0, or with 3 where it fails."""
    child = os.fork()
    if child:
        return child
    try:
        job()
    except BaseException as error:  # noqa: BLE001 - told by the exit code, for the parent to report
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        os._exit(3)
    os._exit(0)


def ended(child: int) -> int:
    """The child's exit code; negative: the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed_after(job: Callable[[], object], seconds: float) -> int:
    child = forked(job)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    return ended(child)


def killed_at(job: Callable[[], object], event: int, below: Path) -> int:
    """The job in a child that kills itself just before the given access to a path below a folder."""
    place, left = os.fsencode(below), [event]

    def hook(name: str, arguments: tuple[object, ...]) -> None:
        path = arguments[0] if name in EVENTS and arguments else None
        if isinstance(path, str | bytes | os.PathLike) and os.fsencode(path).startswith(place):
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)

    def watched() -> None:
        sys.addaudithook(hook)
        job()

    return ended(forked(watched))


def hashed(folder: Path) -> dict[str, bytes]:
    return {path: data for path, data in contents(folder).items() if path != EXECUTION}


def wrong(reports: Path, kept: dict[str, bytes], whole: dict[str, bytes]) -> list[str]:
    """What a kill has damaged: the older run, or a folder that is taken for a whole run and is none."""
    found = []
    if hashed(reports / "net" / "v1") != kept:
        found.append("the older run has changed")
    if hashed(reports / "net" / "v2") != whole:
        found.append("the run that is replaced is neither the old one nor the new one")
    for manifest in reports.rglob(MANIFEST):
        folder = manifest.parent
        try:
            accepted = exit_code(files(folder)) == 0
        except StoreError:
            accepted = False
        if accepted and hashed(folder) not in (kept, whole):
            found.append(f"{folder.name} is accepted and is not whole")
    return found


def main() -> None:
    kind, folder = sys.argv[1], Path(sys.argv[2]).resolve()
    reports = folder / "reports"
    jobs = {"run": lambda: _run(folder, "v2"), "write": lambda: write(reports / "net" / "v2", force=True)}
    job, complaints, tries = jobs[kind], [], 0
    if kind == "run":
        (folder / "tiny_model.py").write_text(TINY)
        (folder / "net.yaml").write_text(CONFIG)
        import keras  # noqa: F401 - with TensorFlow, once for all children

        import fmreport.pipeline  # noqa: F401
    before = forked((lambda: _run(folder, "v1")) if kind == "run" else lambda: write(reports / "net" / "v1"))
    assert ended(before) == 0, "the first run fails"
    began = time.monotonic()
    assert ended(forked(job)) == 0, "the second run fails"
    lasted = time.monotonic() - began
    kept, whole = hashed(reports / "net" / "v1"), hashed(reports / "net" / "v2")
    rng = random.Random(0)
    while True:
        tries += 1
        status = killed_after(job, rng.uniform(0, lasted)) if kind == "run" else killed_at(job, tries, reports)
        complaints += [f"try {tries}: {each}" for each in wrong(reports, kept, whole)]
        complaints += [f"try {tries}: the writer fails"] * (status > 0)
        if tries == int(sys.argv[3]) if kind == "run" else status == 0:
            break
    complaints += ["the last run fails"] * (ended(forked(job)) != 0)
    complaints += ["the last run is not whole"] * (hashed(reports / "net" / "v2") != whole)
    complaints += [f"{path.name} is left" for path in (reports / "net").iterdir() if path.name.startswith(".")]
    sys.stdout.write("\n".join([*complaints, f"{tries} tries"]) + "\n")


def _run(folder: Path, release: str) -> None:
    import fmreport

    overrides = [f"release={release}", "report.formats=[html]"]
    fmreport.run(folder / "net.yaml", out=folder / "reports", overrides=overrides, force=True)


if __name__ == "__main__":
    main()
