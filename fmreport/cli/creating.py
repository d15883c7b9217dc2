"""Commands that make a run, and what leads to one."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from fmreport.cli.console import ConfigFile, Overrides, Progress, RunFolder, app, err, escape, out
from fmreport.errors import FmreportError

if TYPE_CHECKING:
    from fmreport.inventory import Inventory
    from fmreport.records import Tap

LEGEND = """\
Index: position among the taps of the same type, from 1. A layer that holds others counts what they hold and do.
{marks}
Zeros: whether exact zeros are made on purpose: by design, by chance (not on purpose) or unknown.\
"""
"""What the columns of `fmreport layers` mean."""


@app.command()
def run(
    config: ConfigFile,
    overrides: Overrides = None,
    folder: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where runs are archived.")] = Path("reports"),
    force: Annotated[bool, typer.Option("--force", help="Replace a run that exists.")] = False,
    cache: Annotated[
        Path | None,
        typer.Option("--cache", metavar="DIR", help="Keep finished shards in DIR, and compute none that is there."),
    ] = None,
) -> None:
    """Tap the model, measure, and write the report to DIR/name/release/."""
    from fmreport import config as settings
    from fmreport import pipeline

    progress, start = Progress(), time.monotonic()
    settled = settings.load(config, overrides or ())
    done = pipeline.run(settled, out=folder, force=force, cache=cache, watch=progress)
    for figure in pipeline.telling(done):
        out.print(f"  [bold]{escape(figure.value)}[/] {escape(figure.label)}")
    for note in done.facts.notes:
        out.print(f"  [yellow]note[/] {escape(note)}")
    for note in pipeline.advice(done):
        out.print(f"  [dim]note {escape(note)}[/]")
    out.print(f"[bold]{escape(str(done.report))}[/] after {time.monotonic() - start:.1f} s")
    if settled.gate is not None:
        from fmreport.cli.judging import tell

        tell(pipeline.gate(done))


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
