"""What of a theme cannot be used is refused before a report is made, with its file, its line and the next step."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image
from run_data import small_run

from fmreport.errors import RenderError
from fmreport.figures import glyphs
from fmreport.report import pdf, theme

SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9">{}</svg>'
FONT = (glyphs.fonts() / "STIXGeneralBol.ttf").read_bytes()
EXTENDS = '{% extends "fmreport/report.html.j2" %}\n'


def png(*size: int) -> bytes:
    data = io.BytesIO()
    Image.effect_noise(size, 90).save(data, "png")
    return data.getvalue()


def made(folder: Path, files: dict[str, str | bytes]) -> Path:
    folder = folder / "mine"
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data.encode("utf-8") if isinstance(data, str) else data)
    return folder


REFUSED: list[tuple[dict[str, str | bytes], str, str]] = [
    # Style sheets: what would be loaded, is not there, or would end the sheet.
    ({"theme.css": '\n@import "x.css";'}, "mine/theme.css:2: a report loads nothing", "write the rules"),
    (
        {"theme.css": "a { background: url(https://x.y/z.png) }"},
        "theme.css:1: https://x.y/z.png would be",
        "into mine/",
    ),
    ({"theme.css": "a { background: url(//x.y/z.png) }"}, "theme.css:1: //x.y/z.png would be loaded", "into mine/"),
    (
        {"theme.css": "\n\nb { src: url('fonts/b.ttf') }", "fonts/a.ttf": FONT},
        "theme.css:3: mine/ has no",
        "fonts/a.ttf",
    ),
    ({"theme.css": "b { src: url(../logo.svg) }"}, "theme.css:1: mine/ has no file ../logo.svg", "there is none"),
    ({"theme.css": "b { src: url(a.ttf) }", "a.ttf": FONT}, "theme.css:1: a.ttf is not in fonts/", "move it"),
    ({"theme.css": "/* </style> */"}, "theme.css:1: </style> would end", "leave it out"),
    ({"theme.css": "\n</STYLE >"}, "theme.css:2: </style> would end", "leave it out"),
    ({"theme.css": b"\xff\xfe"}, "mine/theme.css is not in UTF-8", "UTF-8"),
    # Typst: its own refusals with file and line, and names and kinds that nothing would use.
    ({"theme.typ": '\n#let ink = rgb("#xyz")'}, "mine/theme.typ:2: Typst refuses it: color string", "mend that line"),
    ({"theme.typ": "#let ink = rgb("}, "mine/theme.typ:1: Typst refuses it: unclosed delimiter", "mend that line"),
    ({"theme.typ": '#import "x.typ": *'}, "mine/theme.typ:1: Typst refuses it: file not found", "fmreport/theme.typ"),
    ({"theme.typ": b"\xff\xfe"}, "mine/theme.typ is not in UTF-8", "UTF-8"),
    ({"theme.typ": "\n#let acent = red"}, "mine/theme.typ:2: no template knows acent", "nearest: accent"),
    (
        {"theme.typ": '#let _ink = 1 // #let ink\n#let ink = "red"'},
        "mine/theme.typ:2: ink is to be of kind color",
        "rgb(",
    ),
    ({"theme.typ": "#let logo-height = 3"}, "theme.typ:1: logo-height is to be of kind length", "= 14mm"),
    ({"theme.typ": "#let text-font = red"}, "theme.typ:1: text-font is to be of kind font, not color", "Libertinus"),
    ({"theme.typ": '#let text-font = ("DejaVu Sans", "Intr")'}, "theme.typ:1: there is no font 'Intr'", "nearest of"),
    ({"typst/theme.typ": "#let", "theme.typ": ""}, "mine/typst/theme.typ:1: Typst refuses it", "mend that line"),
    # Logos.
    ({"logo.svg": "<svg>"}, "mine/logo.svg is no SVG: no element found: line 1", "save it anew"),
    ({"logo.svg": '<svg viewBox="0 0 1 1"/>'}, "its first element is svg, not svg in the namespace", "save it anew"),
    ({"logo.svg": SVG.replace("viewBox", "id")}, "mine/logo.svg has no size", "save it anew"),
    ({"logo.svg": SVG.format('<image href="x.png"/>')}, "logo.svg refers to x.png", "save it anew"),
    ({"logo.svg": SVG.format("<style>@import 'x'</style>")}, "logo.svg loads a file or a font", "save it anew"),
    ({"logo.svg": SVG.format('<rect fill="url(x.svg#a)"/>')}, "logo.svg loads a file or a font", "save it anew"),
    ({"logo.svg": SVG.replace("0 0 9 9", "0 0 9 x")}, "mine/logo.svg has no size", "save it anew"),
    ({"logo.svg": SVG.replace("viewBox", 'width="0" height="0" id')}, "logo.svg: Typst refuses it", "save it anew"),
    ({"logo.svg": b" " * 256_001}, "mine/logo.svg has 256 kB; a logo may have 256 kB", "simplify the drawing"),
    ({"logo.svg": SVG, "logo.png": png(9, 9)}, "mine/ has two logos: logo.svg, logo.png", "keep one"),
    ({"logo.png": SVG}, "mine/logo.png is no PNG that can be read", "save it anew"),
    ({"logo.png": png(99, 99)[:900]}, "mine/logo.png is no PNG that can be read", "save it anew"),
    ({"logo.png": png(4097, 1)}, "mine/logo.png has 4097 × 1 pixels; a side of a logo may have 4096", "save it anew"),
    ({"logo.svg": SVG, "logo.txt": " \n"}, "mine/logo.txt is empty", "take it away; then it is “Logo”"),
    # Fonts.
    ({"fonts/a.woff": "wOFF"}, "mine/fonts/a.woff is of a kind that a report does not take", ".woff2 is for HTML only"),
    ({"fonts/a.ttf": "wOF2" + " " * 99}, "mine/fonts/a.ttf is no .ttf font: it begins with b'wOF2'", "published"),
    ({"fonts/b/a.ttf": FONT[:9999]}, "mine/fonts/b/a.ttf is damaged", "published"),
    ({"fonts/a.otf": b"OTTO" + bytes(99)}, "mine/fonts/a.otf is damaged", "published"),
    ({"fonts/a.woff2": "wOF2" + " " * 99}, "mine/fonts/a.woff2 is damaged", "published"),
    (
        {"fonts/a.woff2": b"wOF2" + bytes(7) + bytes([12]), "theme.typ": '#let code-font = "A"'},
        "theme.typ:1: there is no font 'A' for the PDF",
        "a .woff2 is for HTML only",
    ),
    # Templates.
    ({"report.html.j2": EXTENDS + "{% block fotter %}{% endblock %}"}, "html.j2:2: there is no block fotter", "footer"),
    (
        {"report.html.j2": EXTENDS + "\n{% if page.notes %}{% block note %}{% endblock %}{% endif %}"},
        "mine/report.html.j2:3: there is no block note to fill",
        "nearest: notes, footer; all of them: fmreport templates",
    ),
    (
        {"report.typ.j2": '{% extends "fmreport/report.typ.j2" %}{% block navigation %}{% endblock %}'},
        "mine/report.typ.j2:1: there is no block navigation to fill",
        "attachments",
    ),
    (
        {"report.html.j2": '{% extends "base.j2" %}{% block fotter %}{% endblock %}', "base.j2": EXTENDS},
        "mine/report.html.j2:1: there is no block fotter",
        "footer",
    ),
    (
        {"report.html.j2": '{% extends "report.html.j2" %}'},
        "mine/report.html.j2 extends itself",
        "fmreport/report.html.j2",
    ),
    ({"report.html.j2": "\n{% block footer %}"}, "mine/report.html.j2:2: Unexpected end of template", "mend that line"),
    # Nothing of use.
    ({"fonts/OFL.txt": "a licence", "logo.txt": "words"}, "mine holds no template, theme, logo or font", "theme.css"),
]


@pytest.mark.parametrize(
    ("files", "said", "fix"), REFUSED, ids=[f"{i} {said}" for i, (_, said, _) in enumerate(REFUSED)]
)
def test_what_cannot_be_used_is_refused_with_its_place_and_the_next_step(
    files: dict[str, str | bytes], said: str, fix: str, tmp_path: Path
) -> None:
    with pytest.raises(RenderError) as caught:
        theme.check(made(tmp_path, files))
    assert said in str(caught.value)
    assert fix in caught.value.fix
    assert "fmreport-" not in str(caught.value) + caught.value.fix  # the temporary folder


TAKEN: list[dict[str, str | bytes]] = [
    {"theme.css": '/* url(x.woff2) @import */ a { b: url(#x); c: url(data:,); d: "url(x) @import" }'},
    {"theme.css": 'a { src: url( "./fonts/a%20b.TTF" ) }', "fonts/a b.TTF": FONT, "fonts/OFL.txt": "a licence"},
    {"theme.typ": ""},
    {"theme.typ": '#let _mine = 1\n#let text-font = ((name: "dejavu sans", covers: "latin-in-cjk"), "STIXGeneral")'},
    {"logo.svg": SVG.format('<a href="https://x.y"><rect fill="url( \'#a\')" style="fill:url(&quot;#a&quot;)"/></a>')},
    {"logo.png": png(40, 9)},
    {"report.html.j2": "<p>all of it anew {% block mine %}{% endblock %}"},
    {"report.html.j2": EXTENDS + "{% block footer %}{% block mine %}{% endblock %}{% endblock %}"},
    {"report.html.j2": EXTENDS + "{% block title %}{{ theme.logo }}{% endblock %}", "notes.txt": "beside it"},
    {"css/page.css": "a {}"},
]


@pytest.mark.parametrize("files", TAKEN, ids=[", ".join(files) for files in TAKEN])
def test_what_can_be_used_is_taken(files: dict[str, str | bytes], tmp_path: Path) -> None:
    theme.check(made(tmp_path, files))


def test_the_folder_one_stands_in_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(made(tmp_path, {"logo.txt": "", "logo.svg": SVG}))
    with pytest.raises(RenderError, match=r"^mine/logo\.txt is empty"):
        theme.check(Path())


def test_a_theme_that_only_a_document_shows_to_be_wrong_is_refused_without_the_path_to_it(tmp_path: Path) -> None:
    folder = made(tmp_path, {"typst/theme.typ": "#let ink = red"})
    with pytest.raises(RenderError, match=r"Typst refuses the document: .*unknown variable") as caught:
        pdf.render(small_run(), template_dir=folder)
    assert "report.typ:" in str(caught.value)
    assert "fmreport-" not in str(caught.value)
