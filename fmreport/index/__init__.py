"""One page over all runs of an archive, made from their manifests alone."""

from __future__ import annotations

import os
from pathlib import Path

from fmreport import archive
from fmreport.archive import Archive
from fmreport.errors import StoreError
from fmreport.index.build import build
from fmreport.index.page import Page
from fmreport.report import environment, finishing, theme

FILE = "index.html"
MARK = b'<meta name="generator" content="fmreport index">'
"""In every page that `write` wrote, and may replace."""
TEMPLATE = "index.html.j2"


def write(folder: Path) -> Archive:
    """Writes `index.html` over all runs below a folder, and beside it what the next time need not be read again.

    The bytes of both follow from the manifests and from where they lie below the folder. Raises `StoreError` where
    there is no run, where `index.html` is another program's, or where the folder cannot be written.
    """
    found = archive.opened(folder)
    _check(folder / FILE)
    page = to_html(build(found))
    # First what can be made again from the manifests: a page that is there stays where this cannot be written.
    archive.keep(folder, found)
    archive.replace_file(folder / FILE, page)
    return found


def _check(path: Path) -> None:
    if not os.path.lexists(path):
        return
    try:
        ours = MARK in archive.regular(path)
    except OSError:
        ours = False
    if not ours:
        raise StoreError(f"{path} is not an index that fmreport wrote", fix="move it away, then index again")


def to_html(page: Page) -> bytes:
    """The HTML of a page."""
    jinja = environment.html_environment(None)
    jinja.globals |= {"policy": finishing.POLICY, "theme": theme.read(None)}
    return finishing.finished(environment.render(jinja, TEMPLATE, page, None), jinja)
