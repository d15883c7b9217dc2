"""Commands that look at runs that are made."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fmreport.cli.console import Progress, RunFolder, app, err, escape, out
from fmreport.printable import printable

if TYPE_CHECKING:
    from fmreport.compare.comparison import Comparison
    from fmreport.gate.judging import Judgement
    from fmreport.verification import Check

VERDICTS = {"held": "green", "failed": "bold red", "unchecked": "yellow"}
"""The colour of each verdict of `verify`."""


@app.command()
def verify(
    folders: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Folders that `run` wrote.", show_default=False)
    ],
    rerun: Annotated[
        bool, typer.Option("--rerun", help="Measure again, from the same inputs, and compare the tables.")
    ] = False,
    inputs: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder that the config's paths count from, if it does not lie where it did."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tell whether runs are as they were written, and whether they still reproduce.

    Exit code 0: all held; 1: something did not; 2: nothing failed, but something could not be checked.
    """
    from fmreport import pipeline, verification

    found: list[tuple[Path, list[Check]]] = []
    for folder in folders:
        checks = pipeline.verify(folder, rerun=rerun, inputs=inputs, watch=Progress())
        found.append((folder, checks))
        if as_json:
            continue
        if len(folders) > 1:
            out.print(f"[bold]{escape(str(folder))}[/]")
        for check in checks:
            out.print(f"[{VERDICTS[check.verdict]}]{check.verdict:<9}[/] {escape(check.asked)}")
            for detail in check.details:
                out.print(f"          {escape(detail)}")
    if as_json:
        told = [{"run": str(folder), "checks": [asdict(check) for check in checks]} for folder, checks in found]
        typer.echo(json.dumps(told, indent=1, ensure_ascii=False))
    raise typer.Exit(verification.exit_code([check for _, checks in found for check in checks]))


@app.command()
def diff(
    a: Annotated[Path, typer.Argument(metavar="A", help="The earlier run: a folder that `run` wrote.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="The later run. A change is B less A.")],
    folder: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where to write; else beside B, named by both releases.")
    ] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option(metavar="WHAT", help="Compare in spite of `different-probes` or `different-preprocessing`."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a comparison that exists.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print diff.json; write nothing without --out.")] = False,
) -> None:
    """Say what changed from run A to run B, and write it as diff.html, diff.pdf and diff.json.

    Exit code 0: no difference; 1: some; 2: the runs cannot be compared.
    """
    from fmreport import pipeline

    allowed = allow or ()
    with err.status("Comparing"):
        if as_json and folder is None:
            found, place = pipeline.differences(a, b, allow=allowed), None
        else:
            made = pipeline.diff(a, b, out=folder, allow=allowed, force=force)
            found, place = made.found, made.folder
    if as_json:
        from fmreport.compare.as_json import as_json as written

        typer.echo(written(found).decode("utf-8"), nl=False)
    else:
        _print_comparison(found, place)
    if not found.same:
        raise typer.Exit(1)


def _print_comparison(found: Comparison, folder: Path | None) -> None:
    out.print(f"A: {escape(f'{found.a.name} {found.a.release}')}  B: {escape(f'{found.b.name} {found.b.release}')}")
    for warning in (*found.warnings, *found.notes):
        out.print(f"  [yellow]note[/] {escape(warning)}")
    for sentence in found.verdict:
        out.print(f"  {escape(sentence)}")
    if folder is not None:
        out.print(f"[bold]{escape(str(folder / 'diff.html'))}[/]")


@app.command()
def index(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where runs are archived, such as reports.", show_default=False)
    ],
) -> None:
    """Write DIR/index.html: all runs with links, search and trends of their key numbers, from manifests alone."""
    from fmreport import index as indexes
    from fmreport.report.wording import plural

    found = indexes.write(folder)
    runs = len(found.entries) - len(found.problems)
    told = f"{plural(runs, 'run')} of {plural(len(found.models), 'model')}, {found.read:,} new or changed"
    unread = f", {len(found.problems):,} not read" if found.problems else ""
    out.print(f"[bold]{escape(str(folder / indexes.FILE))}[/] {told}{unread}")


@app.command()
def gate(  # noqa: PLR0913  # each is an option of its own
    folder: RunFolder,
    maxima: Annotated[
        list[str] | None, typer.Option("--max", metavar="QUANTITY=X", help="No tap may have more, e.g. zeros=0.5.")
    ] = None,
    minima: Annotated[
        list[str] | None, typer.Option("--min", metavar="QUANTITY=X", help="No tap may have less.")
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--max-change", metavar="QUANTITY=X", help="No tap may differ more from the baseline, either way."
        ),
    ] = None,
    nonfinite: Annotated[
        int | None, typer.Option(metavar="N", help="No tap may have more values that are NaN or infinite.", min=0)
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(metavar="RUN", help="A release, or the folder of a run; by default the release before."),
    ] = None,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write JUnit XML.")] = None,
    summary: Annotated[Path | None, typer.Option(metavar="FILE", help="Write Markdown.")] = None,
) -> None:
    """Hold a run's key numbers to limits: exit code 0 where all hold, 1 where one is breached, 2 for bad input.

    Limits are those under `gate:` in the config of the run; an option takes the place of the one on the same quantity.
    Where GITHUB_STEP_SUMMARY is set, the summary is appended there, too.
    """
    from fmreport import pipeline
    from fmreport.gate.limits import options

    given = options(maxima or (), minima or (), changes or (), nonfinite)
    tell(pipeline.gate(folder, given, compare=baseline), junit=junit, summary=summary)


def tell(judgement: Judgement, *, junit: Path | None = None, summary: Path | None = None) -> None:
    """Prints and writes what became of each limit, and leaves with 1 where one is breached."""
    from fmreport.gate import words, written

    written.write(judgement, junit_file=junit, summary_file=summary)
    colours = {words.HELD: "green", words.BREACHED: "bold red", words.SKIPPED: "yellow"}
    for outcome in judgement.outcomes:
        state = words.state(outcome)
        told = f"{words.of_limit(outcome.limit)}: {words.of_outcome(outcome)}"
        out.print(f"  [{colours[state]}]{state:<8}[/] {escape(told)}")
    for note in judgement.notes:
        out.print(f"  [yellow]note[/] {escape(printable(note))}")
    compared = f", compared with {judgement.baseline}" if judgement.baseline else ""
    out.print(f"[bold]{escape(printable(judgement.run))}[/]: {words.verdict(judgement)}{escape(compared)}")
    if judgement.breached:
        raise typer.Exit(1)
