"""One page over all runs of an archive, made from their manifests alone."""

from __future__ import annotations

from pathlib import Path

from fmreport import archive
from fmreport.archive import Archive
from fmreport.index.build import build
from fmreport.index.page import Page
from fmreport.report import environment, finishing, theme

FILE = "index.html"
TEMPLATE = "index.html.j2"


def write(folder: Path) -> Archive:
    """Writes `index.html` over all runs below a folder, and beside it what the next time need not be read again.

    The bytes of both follow from the manifests and from where they lie below the folder. Raises `StoreError` where
    there is no run, or where the folder cannot be written.
    """
    found = archive.opened(folder)
    archive.replace_file(folder / FILE, to_html(build(found)))
    archive.keep(folder, found)
    return found


def to_html(page: Page) -> bytes:
    """The HTML of a page."""
    jinja = environment.html_environment(None)
    jinja.globals |= {"policy": finishing.POLICY, "theme": theme.read(None)}
    return finishing.finished(environment.render(jinja, TEMPLATE, page, None), jinja)
