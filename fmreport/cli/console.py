"""The program, its two streams, its errors and its progress bars."""

from __future__ import annotations

import io
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer
from rich import markup
from rich.console import Console

from fmreport.dates import build_date
from fmreport.errors import FmreportError
from fmreport.printable import printable, shortened

if TYPE_CHECKING:
    from fmreport.extract import Advance

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


def escape(text: str) -> str:
    """Text that others wrote, as the consoles take it: no markup, and nothing that commands a terminal."""
    return markup.escape(printable(text, but="\n"))


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
        # Libraries read it while they are imported, and end in a traceback.
        build_date()
        app()
    except FmreportError as error:
        _stop(str(error), error.fix)
    except (KeyboardInterrupt, SystemExit) as end:
        # Typer turns Ctrl-C inside a command into exit code 130.
        if isinstance(end, SystemExit) and end.code != INTERRUPTED:
            raise
        _stop("stopped", "no run was written, and --cache keeps finished shards; start again when it suits")
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
    err.print(f"[bold red]error:[/] {escape(shortened(message))}")
    err.print(f"[bold]next:[/] {escape(shortened(fix))}")
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

    def say(self, text: str) -> None:
        """One line above the bars."""
        err.print(f"[yellow]note[/] {escape(shortened(text))}")
