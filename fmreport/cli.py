"""The command line: parse, call the pipeline, print."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer
from rich.console import Console
from rich.markup import escape

from fmreport.errors import FmreportError

if TYPE_CHECKING:
    from fmreport.compare.comparison import Comparison
    from fmreport.extract import Advance
    from fmreport.gate.judging import Judgement
    from fmreport.inventory import Inventory
    from fmreport.records import Tap

app = typer.Typer(
    help="One YAML file in, one reproducible report out: how a vision model sees.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


def _own_stderr() -> TextIO:
    """A descriptor of its own: what frameworks write to stderr while they start is held back, progress is not."""
    try:
        return os.fdopen(os.dup(2), "w", encoding="utf-8", errors="backslashreplace")
    except OSError:  # closed by whoever started the process
        return io.StringIO()


out = Console(highlight=False, soft_wrap=True, emoji=False)
err = Console(file=_own_stderr(), highlight=False, soft_wrap=True, emoji=False)

INTERRUPTED = 130
VERDICTS = {"held": "green", "failed": "bold red", "unchecked": "yellow"}
"""The colour of each verdict of `verify`."""
LEGEND = """\
Index: position among the taps of the same type, from 1. A layer that holds others counts what they hold and do.
{marks}
Zeros: whether exact zeros are made on purpose: by design, by chance (not on purpose) or unknown.\
"""
"""What the columns of `fmreport layers` mean."""

ConfigFile = Annotated[Path, typer.Argument(metavar="CONFIG", help="The YAML file.", show_default=False)]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="A folder that `run` wrote.", show_default=False)]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Lay a setting over the config, e.g. `--set figures.channels=16`."),
]


def main() -> None:
    """Runs a command; every error a user can meet becomes a message and exit code 2."""
    # Whoever ends the process politely ends it as Ctrl-C does: what was half done is taken away.
    for each in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(each) != signal.SIG_IGN:
            signal.signal(each, signal.default_int_handler)
    try:
        app()
    except FmreportError as error:
        _stop(str(error), error.fix)
    except (KeyboardInterrupt, SystemExit) as end:
        # Typer turns Ctrl-C inside a command into exit code 130.
        if isinstance(end, SystemExit) and end.code != INTERRUPTED:
            raise
        _stop("stopped", "nothing was written; start again when it suits")
    except BrokenPipeError:
        sys.exit(2)
    except MemoryError:
        _stop("out of memory", "a smaller preprocess.size, fewer layers, or a smaller batch")
    except (OSError, UnicodeError) as error:
        _stop(
            f"{type(error).__name__}: {error}",
            "check the names and paths in the config, and that they can be read and written",
        )


def _stop(message: str, fix: str) -> None:
    err.print(f"[bold red]error:[/] {escape(message)}")
    err.print(f"[bold]next:[/] {escape(fix)}")
    sys.exit(2)


class Progress:
    """Draws a bar for each stage and remembers how long it took."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, title: str) -> Iterator[Advance]:
        """One stage: a spinner until a total is known, then a bar."""
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (
            SpinnerColumn(),
            TextColumn("{task.description:<19}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        start = time.monotonic()
        with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bars:
            task = bars.add_task(title, total=None)
            yield lambda done, total: bars.update(task, completed=done, total=total)
        self.seconds[title] = time.monotonic() - start
        err.print(f"[green]done[/] {title:<19} {self.seconds[title]:6.1f} s")


@app.command()
def run(
    config: ConfigFile,
    overrides: Overrides = None,
    folder: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where runs are archived.")] = Path("reports"),
    force: Annotated[bool, typer.Option("--force", help="Replace a run that exists.")] = False,
) -> None:
    """Tap the model, measure, and write the report to DIR/name/release/."""
    from fmreport import config as settings
    from fmreport import pipeline

    progress, start = Progress(), time.monotonic()
    settled = settings.load(config, overrides or ())
    done = pipeline.run(settled, out=folder, force=force, watch=progress)
    for figure in pipeline.telling(done):
        out.print(f"  [bold]{escape(figure.value)}[/] {escape(figure.label)}")
    for note in done.facts.notes:
        out.print(f"  [yellow]note[/] {escape(note)}")
    for note in pipeline.advice(done):
        out.print(f"  [dim]note {escape(note)}[/]")
    out.print(f"[bold]{escape(str(done.report))}[/] after {time.monotonic() - start:.1f} s")
    if settled.gate is not None:
        _tell(pipeline.gate(done))


@app.command()
def check(config: ConfigFile, overrides: Overrides = None) -> None:
    """Find everything that can be wrong with a config, its images and its model file, without opening the model."""
    from fmreport import config as settings
    from fmreport import pipeline

    pipeline.check(settings.load(config, overrides or ()))
    out.print(f"{escape(str(config))}: nothing wrong")


@app.command()
def layers(
    config: ConfigFile,
    overrides: Overrides = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON: taps, layers and parts, and what each column means.")
    ] = False,
    as_latex: Annotated[
        bool, typer.Option("--latex", help="Print two LaTeX tables: the parts of the model, and what is tapped.")
    ] = False,
) -> None:
    """List every layer: what is tapped, what could be, and what cannot and why.

    With parameters, multiply-adds and receptive fields; what the columns and marks mean stands below the table.
    """
    from fmreport import config as settings
    from fmreport import pipeline
    from fmreport.report.listing import described

    if as_json and as_latex:
        raise FmreportError("--json and --latex exclude each other", fix="give one of them")
    with err.status("Opening the model"):
        listed = pipeline.listing(settings.load(config, overrides or ()))
    if as_json:
        typer.echo(json.dumps(described(listed), indent=1))
    elif as_latex:
        from fmreport.report.latex import latex

        typer.echo(latex(listed), nl=False)
    else:
        _print_layers(listed.inventory)
    if listed.inventory.problem:
        raise listed.inventory.problem


def _print_layers(listed: Inventory) -> None:
    from rich.table import Table

    from fmreport.inventory import layers_table
    from fmreport.report.rows import records
    from fmreport.report.wording import is_known, legend, rounded, sees

    facts = {row["tap"]: row for row in records(layers_table(listed.taps, listed.size))}
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    for title in ("tap", "type", "index", "shape", "parameters", "MACs", "sees", "zeros"):
        numeric = title in ("index", "parameters", "MACs", "sees")
        table.add_column(title, overflow="fold", justify="right" if numeric else "left")
    marked = []
    for tap in _as_tree(listed.taps):
        row = facts[tap.name]
        marked += [rounded(float(row["macs"])) if is_known(row["macs"]) else "?", sees(row)]
        above, slash, own = tap.name.rpartition("/")
        table.add_row(
            "[green]*[/]" if tap.name in listed.selected else "",
            f"[dim]{escape(above)}{slash}[/]{escape(own)}" if slash else escape(own),
            tap.type,
            str(tap.index),
            str(row["shape"]),
            f"{tap.parameters:,}",
            *marked[-2:],
            tap.zeros,
        )
    # A pipe has no width of its own; what is cut there is lost.
    (out if out.is_terminal else Console(width=400, highlight=False)).print(table)
    out.print(f"[dim]{escape(LEGEND.format(marks=legend(marked)))}[/]")
    _print_sums(listed)
    for layer in listed.layers:
        if layer.reason and layer.path:
            out.print(f"[yellow]cannot be tapped:[/] {escape(layer.path)} ({layer.type}): {escape(layer.reason)}")


def _print_sums(listed: Inventory) -> None:
    from fmreport.inventory import inventory_table, summed
    from fmreport.report.tables import multiply_adds
    from fmreport.report.wording import in_words

    inventory = inventory_table(listed.layers)
    layers = sum(bool(layer.path) for layer in listed.layers)
    out.print(f"{layers} layers, {len(listed.taps)} taps, {len(listed.selected)} selected ([green]*[/])")
    height, width = listed.size
    macs = in_words(multiply_adds(inventory))
    out.print(
        f"{summed(inventory)['parameters']:,} parameters; multiply-adds for an image of {height} x {width}: {macs}"
    )


def _as_tree(taps: Sequence[Tap]) -> list[Tap]:
    """What holds others before them, and each level in the order in which the model runs."""
    first: dict[tuple[str, ...], int] = {}
    places = {}
    for tap in taps:
        levels = tuple(tap.layer.split("/"))
        places[tap.name] = [levels[:depth] for depth in range(1, len(levels) + 1)]
        for above in places[tap.name]:
            first.setdefault(above, tap.order)
    return sorted(taps, key=lambda tap: ([first[above] for above in places[tap.name]], tap.order))


@app.command()
def render(
    folder: RunFolder,
    template: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Your own blocks, colours, fonts and logo, laid over the report's."),
    ] = None,
) -> None:
    """Make the report again from a run's tables alone."""
    from fmreport import pipeline

    done = pipeline.render(folder, template=template, watch=Progress())
    out.print(f"[bold]{escape(str(done.report))}[/]")


@app.command()
def verify(
    folder: RunFolder,
    rerun: Annotated[
        bool, typer.Option("--rerun", help="Measure again, from the same inputs, and compare the tables.")
    ] = False,
    inputs: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder that the config's paths count from, if it does not lie where it did."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tell whether a run is as it was written, and whether it still reproduces.

    Exit code 0: all held; 1: something did not; 2: nothing failed, but something could not be checked.
    """
    from fmreport import pipeline, verification

    checks = pipeline.verify(folder, rerun=rerun, inputs=inputs, watch=Progress())
    if as_json:
        typer.echo(json.dumps([asdict(check) for check in checks], indent=1, ensure_ascii=False))
    else:
        for check in checks:
            out.print(f"[{VERDICTS[check.verdict]}]{check.verdict:<9}[/] {escape(check.asked)}")
            for detail in check.details:
                out.print(f"          {escape(detail)}")
    raise typer.Exit(verification.exit_code(checks))


@app.command()
def diff(
    a: Annotated[Path, typer.Argument(metavar="A", help="The earlier run: a folder that `run` wrote.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="The later run. A change is B less A.")],
    folder: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where to write; otherwise beside B, diff-<A>-<B>.")
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
    _tell(pipeline.gate(folder, given, compare=baseline), junit=junit, summary=summary)


def _tell(judgement: Judgement, *, junit: Path | None = None, summary: Path | None = None) -> None:
    """Prints and writes what became of each limit, and leaves with 1 where one is breached."""
    from fmreport.gate import words, written

    written.write(judgement, junit_file=junit, summary_file=summary)
    colours = {words.HELD: "green", words.BREACHED: "bold red", words.SKIPPED: "yellow"}
    for outcome in judgement.outcomes:
        state = words.state(outcome)
        told = f"{words.of_limit(outcome.limit)}: {words.of_outcome(outcome)}"
        out.print(f"  [{colours[state]}]{state:<8}[/] {escape(told)}")
    for note in judgement.notes:
        out.print(f"  [yellow]note[/] {escape(words.printable(note))}")
    compared = f", compared with {judgement.baseline}" if judgement.baseline else ""
    out.print(f"[bold]{escape(words.printable(judgement.run))}[/]: {words.verdict(judgement)}{escape(compared)}")
    if judgement.breached:
        raise typer.Exit(1)


@app.command()
def templates(
    copy: Annotated[
        Path | None,
        typer.Option("--copy", metavar="DIR", help="Start a theme of your own in DIR, where it overwrites nothing."),
    ] = None,
) -> None:
    """List the report's templates and their blocks, each of which a folder of your own may replace."""
    from fmreport.report import theme
    from fmreport.report.theme import blocks, start

    if copy is not None:
        out.print(f"{escape(str(copy))}: {', '.join(start.write(copy))}")
        out.print(f"try it: fmreport render RUN --template {escape(str(copy))}")
        return
    listed = list(blocks.listed())
    width = max(len(block.name) for block in listed)
    for template in blocks.TEMPLATES:
        out.print(f"[bold]{template}[/]")
        for block in listed:
            if block.template == template:
                out.print(f"  {block.name:<{width}}  {escape(block.holds)}")
    out.print("[bold]laid over fmreport's own[/]")
    out.print(f"  {', '.join(theme.OF_USE)}, and what lies in fonts/")
    out.print("[bold]parts, each replaced as a whole by a file of the same name[/]")
    out.print(f"  {', '.join(name for name in theme.known() if name not in (*theme.OF_USE, *blocks.TEMPLATES))}")


@app.command()
def new(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A model file or folder, a Hub address, builtin:NAME, an architecture's name, or module:function.",
            show_default=False,
        ),
    ],
) -> None:
    """Print a commented config for a model, to save and run."""
    from fmreport import config as settings
    from fmreport.report.environment import builtin_templates

    typer.echo(settings.new_config(model, (builtin_templates() / "new.yaml.j2").read_text(encoding="utf-8")), nl=False)


@app.command()
def schema(
    of_manifest: Annotated[
        bool, typer.Option("--manifest", help="Print that of a run's manifest.json, to check one with other tools.")
    ] = False,
) -> None:
    """Print the JSON schema of a config, for an editor's completion."""
    from fmreport import config as settings
    from fmreport import manifest

    typer.echo(json.dumps(manifest.json_schema() if of_manifest else settings.json_schema(), indent=1))


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"fmreport {version('fmreport')}")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Nothing to do: options that stand before a command."""
