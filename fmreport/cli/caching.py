"""Commands that look at a cache of finished shards."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fmreport.cli.console import app, escape, out
from fmreport.errors import FmreportError

if TYPE_CHECKING:
    from fmreport.cache import Entry

DAY = 86400.0
MEGABYTE = 1e6
MOST = 1e12
"""Days, or megabytes, that an option can say: beyond them, and for what is no number, nothing can be meant."""
NOT_WHOLE = ("(not whole)", "", "")
"""What stands in the place of run, model and measure where a file is damaged, left half written, or not ours."""

cache = typer.Typer(help="List and prune the finished shards that `run --cache DIR` keeps.", no_args_is_help=True)
app.add_typer(cache, name="cache")
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="What `run` was given with --cache.", show_default=False)]


@dataclass(slots=True)
class _Group:
    """Files of one model and one measure."""

    files: int = 0
    images: int = 0
    bytes: int = 0
    used: float = 0.0

    def add(self, entry: Entry, images: int) -> None:
        """One more file, of so many images."""
        self.files += 1
        self.images += images
        self.bytes += entry.bytes
        self.used = max(self.used, entry.used)


@cache.command("list")
def listed(folder: Folder) -> None:
    """Say what DIR holds: by run and measure, how many shards of how many images, and when they were last used."""
    from rich.console import Console
    from rich.table import Table

    from fmreport.cache import Cache

    groups: dict[tuple[str, str, str], _Group] = {}
    whole = _Group()
    for entry in Cache(folder).entries():
        told = entry.told
        key = (told["name"], told["model"], told["piece"]) if told else NOT_WHOLE
        images = told["images"] if told else 0
        groups.setdefault(key, _Group()).add(entry, images)
        whole.add(entry, images)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("run", "model", "measure", "shards", "images", "MB", "last used"):
        table.add_column(title, justify="right" if title in ("shards", "images", "MB") else "left")
    for (name, model, piece), group in sorted(groups.items()):
        used = time.strftime("%Y-%m-%d %H:%M", time.localtime(group.used))
        counts = f"{group.files:,}", f"{group.images:,}", _megabytes(group.bytes)
        table.add_row(escape(name), escape(model), escape(piece), *counts, used)
    # A pipe has no width of its own; what is cut there is lost.
    (out if out.is_terminal else Console(width=400, highlight=False)).print(table)
    out.print(f"{_files(whole.files)}, {_megabytes(whole.bytes)} MB")


@cache.command()
def prune(
    folder: Folder,
    days: Annotated[
        float | None, typer.Option(metavar="N", help="Remove what no run has used for N days; 0: all.")
    ] = None,
    megabytes: Annotated[
        float | None,
        typer.Option("--mb", metavar="N", help="Remove what was used longest ago, until N MB are left."),
    ] = None,
) -> None:
    """Remove finished shards from DIR, and what was left of runs that were stopped."""
    from fmreport.cache import Cache

    if days is None and megabytes is None:
        raise FmreportError("nothing says what is to go", fix="give --days N, --mb N or both; --days 0 removes all")
    for option, given in (("--days", days), ("--mb", megabytes)):
        if given is not None and not 0 <= given <= MOST:
            said = f"{option} {given:g}: expected a number from 0 to {MOST:g}"
            raise FmreportError(said, fix=f"write it as {option} 30")
    before = None if days is None else time.time() - days * DAY
    gone = Cache(folder).prune(before=before, most=None if megabytes is None else round(megabytes * MEGABYTE))
    out.print(f"removed {_files(len(gone))}, {_megabytes(sum(entry.bytes for entry in gone))} MB")


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count:,} files"


def _megabytes(size: int) -> str:
    """Some, where there are some."""
    return f"{size / MEGABYTE:,.1f}" if size >= 0.1 * MEGABYTE or not size else "< 0.1"
