"""What a user's folder lays over fmreport's own templates: single blocks, colours, fonts, a logo."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from fmreport.errors import RenderError
from fmreport.report.environment import builtin_templates
from fmreport.report.theme import blocks, css, fonts, logo, typ

OTHERS = ("new.yaml.j2", "new_theme", "index.html.j2", "index")
"""What lies among fmreport's templates and is no part of a report: what a user's own files begin as, and the index."""
OF_USE = (css.FILE, typ.FILE, *logo.FILES)


@dataclass(frozen=True, slots=True)
class Theme:
    """What templates know as `theme`; nothing where there is no folder."""

    css: Markup
    """Rules that follow all others; empty where there are none."""
    typ: bool
    """Whether there is a theme.typ."""
    logo: logo.Logo | None

    @property
    def size(self) -> int:
        """Bytes that it takes in an HTML report."""
        return len(self.css.encode("utf-8")) + (len(self.logo.uri) if self.logo else 0)


def read(template_dir: Path | None) -> Theme:
    """What templates know of a folder. Raises `RenderError` where its style sheet or its logo cannot be used."""
    if template_dir is None:
        return Theme(css=Markup(), typ=False, logo=None)
    folder = template_dir.absolute()
    return Theme(Markup(css.read(folder)), typ=(folder / typ.FILE).is_file(), logo=logo.read(folder))


def check(template_dir: Path | None) -> None:
    """Raises `RenderError` where a folder is missing, holds nothing that a report uses, or anything that it cannot."""
    if template_dir is None:
        return
    if not template_dir.is_dir():
        raise RenderError(
            f"{template_dir} is no folder", fix="name a folder of templates, or leave report.template out"
        )
    # Messages name the folder, and `.` has no name.
    folder = template_dir.absolute()
    fonts.check(folder)
    names = known()
    if not any((folder / name).is_file() for name in names) and not fonts.files(folder):
        raise RenderError(
            f"{template_dir} holds no template, theme, logo or font that a report uses",
            fix=f"known names: {', '.join((*OF_USE, *blocks.TEMPLATES))}, {fonts.FOLDER}/*{', *'.join(fonts.KINDS)}, "
            "and the parts that fmreport templates lists",
        )
    css.read(folder)
    logo.check(folder)
    blocks.check(folder, [name for name in names if name.endswith(".j2")])
    typ.check(folder)


def known() -> list[str]:
    """Files by which a folder changes a report, fonts aside."""
    builtin = builtin_templates()
    parts = (path.relative_to(builtin) for path in builtin.rglob("*") if path.is_file())
    return [*OF_USE, *sorted(part.as_posix() for part in parts if part.parts[0] not in OTHERS)]
