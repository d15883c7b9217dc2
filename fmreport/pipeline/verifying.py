"""Whether a run is what it says it is: its files, its reports, and what it measured."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from fmreport import config as settings
from fmreport import (
    probes,
    verification,
)
from fmreport.config import Config
from fmreport.environment import one_thread
from fmreport.errors import ConfigError, FmreportError
from fmreport.facts import UNDECISIVE
from fmreport.pipeline.rendering import TEMPLATES, making, rendered_again
from fmreport.pipeline.running import run
from fmreport.recording import Unwatched, Watch
from fmreport.store import Run
from fmreport.verification import FAILED, HELD, UNCHECKED, Check

MISFITS = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)
"""What a manifest that was written by hand can make its readers raise."""


@one_thread()
def verify(
    folder: Path | str, *, rerun: bool = False, inputs: Path | None = None, watch: Watch | None = None
) -> list[Check]:
    """Whether a run's files are as recorded, and whether its reports are made again from its tables to the byte.

    With `rerun` its inputs are compared, all is measured again, and the tables are compared; paths in its config count
    from `inputs`, else from where the config lay. Raises `StoreError` where there is no run.
    """
    folder, watch = Path(folder).absolute(), watch or Unwatched()
    with watch.stage("Hashing"):
        checks = verification.files(folder)
    if any(check.verdict == FAILED for check in checks):
        untold = ("its files are not as recorded",)
        checks.append(Check("rendered again, its reports and figures have the same bytes", UNCHECKED, untold))
        checks += [Check("made again, its tables have the same bytes", UNCHECKED, untold)] * rerun
        return checks
    run_before = Run.open(folder)
    with TemporaryDirectory() as temporary:
        try:
            again = rendered_again(run_before, Path(temporary) / folder.name, template=None, watch=watch)
            checks.append(verification.rendered(run_before, again.folder, making()))
        except FmreportError as error:
            checks.append(Check("rendered again", UNCHECKED, (str(error), error.fix)))
        except MISFITS as error:
            told = f"its manifest and its tables do not fit: {type(error).__name__}: {error}"
            checks.append(Check("rendered again", FAILED, (told,)))
            return checks
        if rerun:
            checks += _rerun(run_before, Path(temporary), inputs, watch)
    return checks


def _rerun(before: Run, temporary: Path, inputs: Path | None, watch: Watch) -> list[Check]:
    try:
        config = _config_of(before, inputs)
        with watch.stage("Reading the probes") as advance:
            found = probes.collect(config.probes, config.folder, advance=advance)
        checks = [verification.same_probes(before.facts, found.facts)]
        if checks[0].verdict == FAILED:
            return checks
        again = run(config, out=temporary / "again", watch=watch)
    except FmreportError as error:
        return [Check("made again from its inputs", UNCHECKED, (str(error), error.fix))]
    checks.append(verification.same_inputs(before.facts, again.facts))
    return checks + (verification.same_tables(before, again) if checks[-1].verdict == HELD else [])


def _config_of(made: Run, inputs: Path | None) -> Config:
    """The config of a run, as it was resolved, where its paths lead to the inputs."""
    if inputs is None:
        if not made.beside or "\0" in made.beside:
            raise ConfigError(
                f"{made.folder} does not say where its config lay",
                fix="name the folder that its paths count from: --inputs",
            )
        config = (made.folder / made.beside).resolve()
        if not config.is_file():
            raise ConfigError(
                f"{made.folder}: its config does not lie where it did, at {made.beside} from the run",
                fix="name the folder that its paths count from: --inputs DIR",
            )
        inputs = config.parent
    # What only judges a run may name others beside it, which are not beside the one that is made again.
    data = {name: section for name, section in made.facts.config.items() if name not in UNDECISIVE}
    if (made.folder / TEMPLATES).is_dir():
        data["report"] = {**data["report"], "template": str(made.folder / TEMPLATES)}
    return settings.from_dict(data, inputs)
