"""The page as a PDF: Jinja -> Typst -> PDF/A-3a and PDF/UA-1, with tables and methods attached."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import typst

from fmreport.dates import epoch
from fmreport.errors import RenderError
from fmreport.figures import plots
from fmreport.report import environment, methods, printed, theme
from fmreport.report.build import ATTACHED, Advance, build
from fmreport.report.page import Page
from fmreport.report.theme import fonts, typ
from fmreport.store import MANIFEST, Run

TEMPLATE = "report.typ.j2"
STANDARDS: list[typst.PDFStandard] = ["a-3a", "ua-1"]


@dataclass
class _Assets:
    """The files that a document refers to."""

    files: dict[str, bytes] = field(default_factory=dict)

    def add(self, data: bytes, suffix: str) -> str:
        """The name under which the document finds the bytes."""
        name = f"{hashlib.sha256(data).hexdigest()[:24]}.{suffix}"
        self.files[name] = data
        return name


def render(
    run: Run,
    *,
    template_dir: Path | None,
    page: Page | None = None,
    advance: Advance = lambda done, total: None,
) -> bytes:
    """The PDF report; `page` is the run's page where it is built already, `advance(done, total)` follows the taps.

    Raises `RenderError` where a template fails or Typst refuses what it made.
    """
    theme.check(template_dir)
    shown = printed.printed(run, page or build(run, advance=advance))
    attached = {f"{name}.csv": _csv(run, name) for name in ATTACHED}
    attached |= {methods.FILE: methods.load().text.encode("utf-8"), MANIFEST: run.record}
    return typeset(shown, template_dir, attached, date=run.facts.date)


def typeset(
    page: object,
    template_dir: Path | None,
    attached: Mapping[str, bytes],
    *,
    date: str,
    template: str = TEMPLATE,
) -> bytes:
    """The PDF of a page that the template is for, with the files that it attaches; `date` is ISO 8601, or empty.

    Raises `RenderError` where the template fails or Typst refuses what it made.
    """
    assets = _Assets({**attached, **typ.files(template_dir)})
    source = page_to_typst(page, template_dir, assets, template)
    with tempfile.TemporaryDirectory(prefix="fmreport-") as folder:
        for name, data in assets.files.items():
            Path(folder, name).parent.mkdir(exist_ok=True)
            Path(folder, name).write_bytes(data)
        main = Path(folder, "main.typ")
        main.write_text(source, encoding="utf-8")
        try:
            made = typst.compile(
                str(main),
                root=folder,
                font_paths=fonts.paths(template_dir),
                ignore_system_fonts=True,
                pdf_standards=STANDARDS,
                timestamp=epoch(date),
            )
        except typst.TypstError as error:
            raise _refused(error, folder, template_dir, template) from error
    if not isinstance(made, bytes):
        raise TypeError("typst.compile returned no PDF")
    return made


def page_to_typst(
    page: object, template_dir: Path | None, assets: _Assets | None = None, template: str = TEMPLATE
) -> str:
    """The Typst source of a page; the files it refers to are added to `assets`."""
    jinja = environment.typst_environment(template_dir)
    colours = typ.plot_colours(template_dir)
    jinja.filters |= {
        "asset": (assets or _Assets()).add,
        "recoloured": lambda svg: plots.recoloured(svg, colours),
    }
    jinja.globals["theme"] = theme.read(template_dir)
    return environment.render(jinja, template, page, template_dir)


def _csv(run: Run, name: str) -> bytes:
    text: str = run.table(name).to_csv(index=False, lineterminator="\n")
    return text.encode("utf-8")


def _refused(error: typst.TypstError, folder: str, template_dir: Path | None, template: str) -> RenderError:
    """Typst's own message, which shows the line that the template made, without the path of the temporary folder."""
    message = re.sub(rf"\S*{re.escape(Path(folder).name)}/", "", error.diagnostic or error.message)
    message = message.replace("main.typ", template.removesuffix(".j2")).strip()
    own = "" if template_dir is None else f" in {template_dir.name}/"
    return RenderError(
        f"Typst refuses the document: {message}",
        fix=f"mend what the template{own} makes there, or leave report.template out",
    )
