"""The command line: parse, call the pipeline, print."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from fmreport.cli import caching, creating, judging
from fmreport.cli.console import app, main

__all__ = ("app", "caching", "creating", "judging", "main")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"fmreport {version('fmreport')}")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Nothing to do: options that stand before a command."""
