"""Laws of a theme, told by the one in docs/theme: what it says arrives in both formats, and nothing else changes."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from built import page_of, report_of
from in_browser import opened
from PIL import Image
from run_data import small_run
from test_figures import SIGHT, told_apart
from test_report_pdf import poppler

from fmreport.errors import RenderError
from fmreport.figures import glyphs, plots
from fmreport.report import html, pdf, printed, theme
from fmreport.report.environment import builtin_templates
from fmreport.report.theme import typ

EXAMPLE = Path(__file__).parent.parent / "docs" / "theme"
LINE = "Reviewed by the example lab, which answers for"
ALT = "Example lab: an eye whose iris is a grid of nine squares"
SCHEMES = ("light", "dark")
ON = {
    "paper": ("ink", "muted", "accent", "plot-first", "plot-second", "plot-third"),
    "raised": ("ink", "muted", "accent"),
    "warn-paper": ("ink", "warn-ink"),
    "plot-band": ("ink", "muted", "plot-first", "plot-second", "plot-third"),
}
"""What is written on what in HTML."""
ON_PRINT = {
    "paper": ("ink", "muted", "accent", "plot-first", "plot-second", "plot-third"),
    "tint": ("ink", "muted"),
    "warn-tint": ("ink", "warn"),
}


@pytest.fixture(scope="module")
def page() -> bytes:
    return html.render(small_run(), template_dir=EXAMPLE, budget_mb=10, page=page_of("small"))


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("theme") / "report.pdf"
    path.write_bytes(pdf.render(small_run(), template_dir=EXAMPLE, page=page_of("small")))
    return path


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours `#rrggbb`, 1 to 21, as WCAG 2 defines it."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        red, green, blue = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def colours(*sheets: Path) -> dict[str, tuple[str, str]]:
    """Colours by day and by night of style sheets that are laid over one another."""
    pattern = re.compile(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)")
    return {name: (day, night) for sheet in sheets for name, day, night in pattern.findall(sheet.read_text("utf-8"))}


def test_contrast_is_computed_as_wcag_does() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


@pytest.mark.parametrize("scheme", [0, 1], ids=SCHEMES)
@pytest.mark.parametrize("folders", [[], [EXAMPLE]], ids=["own", "example"])
def test_every_text_of_a_page_can_be_read_by_day_and_by_night(folders: list[Path], scheme: int) -> None:
    found = colours(builtin_templates() / "css" / "theme.css", *(folder / "theme.css" for folder in folders))
    for ground, texts in ON.items():
        for text in texts:
            assert contrast(found[text][scheme], found[ground][scheme]) >= 4.5, f"{text} on {ground}"


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("scheme", [0, 1], ids=SCHEMES)
@pytest.mark.parametrize("last", ["plot-third", "ink"])
def test_series_of_the_example_can_be_told_apart_by_every_eye(last: str, scheme: int, sight: str) -> None:
    found = colours(EXAMPLE / "theme.css")
    assert told_apart([found[name][scheme] for name in ("plot-first", "plot-second", "muted", last)], sight) >= 18


def test_every_printed_text_of_the_example_can_be_read() -> None:
    own, laid = typ.values(EXAMPLE)
    for ground, texts in ON_PRINT.items():
        for text in texts:
            for found in (own, own | laid):
                assert contrast(found[text].value, found[ground].value) >= 4.5, f"{text} on {ground}"


def test_print_has_the_colours_of_the_page_by_day() -> None:
    by_day = {name: day for name, (day, _) in colours(EXAMPLE / "theme.css").items()}
    _, laid = typ.values(EXAMPLE)
    other_names = {"hairline": "rule", "tint": "raised"}
    assert {name: value.value for name, value in laid.items()} == {
        name: by_day[other_names.get(name, name)] for name in laid
    }


def test_a_page_with_a_theme_is_the_same_bytes_every_time_and_its_policy_covers_the_style(page: bytes) -> None:
    assert page == html.render(small_run(), template_dir=EXAMPLE, budget_mb=10)
    (style,) = re.findall(rb"<style>(.*?)</style>", page, re.DOTALL)
    assert (EXAMPLE / "theme.css").read_bytes().strip() in style
    digest = base64.b64encode(hashlib.sha256(style).digest()).decode()
    assert f"style-src 'sha256-{digest}';".encode() in page


@pytest.mark.parametrize("scheme", SCHEMES)
def test_colours_logo_and_block_of_a_theme_are_on_the_page(
    browser: Any, page: bytes, scheme: str, tmp_path: Path
) -> None:
    (tmp_path / "report.html").write_bytes(page)
    shown, said = opened(browser, tmp_path / "report.html", color_scheme=scheme)
    which = SCHEMES.index(scheme)
    found = colours(EXAMPLE / "theme.css")
    for selector, name, attribute in (
        ("body", "paper", "backgroundColor"),
        ("body", "ink", "color"),
        ("h1", "accent", "color"),
    ):
        colour = found[name][which]
        rgb = ", ".join(str(int(colour[i : i + 2], 16)) for i in (1, 3, 5))
        assert shown.locator(selector).first.evaluate(f"it => getComputedStyle(it).{attribute}") == f"rgb({rgb})"
    logo = shown.get_by_alt_text(ALT, exact=True)
    assert logo.is_visible()
    assert logo.evaluate("it => it.naturalWidth > 0 && it.getBoundingClientRect().height <= 64")
    assert shown.get_by_text(LINE).is_visible()
    assert said == []
    # An SVG may know the colours of the page that it stands on.
    drawn = Image.open(io.BytesIO(logo.screenshot())).convert("RGB")
    assert tuple(bytes.fromhex(found["accent"][which][1:])) in {colour for _, colour in drawn.getcolors(1 << 20)}
    shown.context.close()


@pytest.mark.parametrize("width", [360, 1440])
def test_a_logo_leaves_the_page_as_wide_as_the_screen(browser: Any, page: bytes, width: int, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_bytes(page)
    shown, _ = opened(browser, tmp_path / "report.html", viewport={"width": width, "height": 800})
    assert shown.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    title, logo = shown.locator("h1").bounding_box(), shown.locator(".logo").bounding_box()
    assert title["x"] < logo["x"] < width
    shown.context.close()


def test_a_pdf_with_a_theme_is_the_same_bytes_every_time(document: Path) -> None:
    # Both standards are asked for in every compilation: what breaks one of them is refused.
    assert document.read_bytes() == pdf.render(small_run(), template_dir=EXAMPLE)


def test_colours_logo_and_block_of_a_theme_are_in_the_pdf(document: Path, tmp_path: Path) -> None:
    assert f"/Alt({ALT})".encode() in document.read_bytes()
    text = " ".join(poppler("pdftotext", "-l", "1", document, "-").split())
    assert f"{LINE} SD-UNet on Oxford-IIIT Pet." in text
    poppler("pdftoppm", "-r", "100", "-l", "1", "-png", document, tmp_path / "page")
    (first,) = tmp_path.glob("page*.png")
    drawn = Image.open(first).convert("RGB")
    corner = drawn.crop((drawn.width * 3 // 4, 0, drawn.width, drawn.height // 8))
    (_, found) = typ.values(EXAMPLE)
    for part, name in ((corner, "accent"), (drawn, "ink"), (drawn, "muted")):
        assert tuple(bytes.fromhex(found[name].value[1:])) in {colour for _, colour in part.getcolors(1 << 20)}, name


def test_plots_in_the_pdf_take_the_colours_of_the_theme_and_only_those() -> None:
    shown = printed.printed(small_run(), page_of("small"))
    plain, themed = pdf._Assets(), pdf._Assets()
    pdf.page_to_typst(shown, None, plain)
    pdf.page_to_typst(shown, EXAMPLE, themed)
    before, after = (
        sorted(data.decode() for name, data in assets.files.items() if name.endswith(".svg"))
        for assets in (plain, themed)
    )
    assert len(before) == len((shown.lead, shown.strip, *shown.more_figures))
    assert len(after) == len(before) + 1  # the logo
    new = typ.plot_colours(EXAMPLE)
    assert set(new) == {"ink", "muted", "rule", "band", "first", "second", "third"}
    old = {plots.ROLES[role] for role in new}
    assert any(colour in svg for svg in before for colour in old)
    assert not any(colour in svg for svg in after for colour in old)
    assert typ.plot_colours(None) == {}


def test_colours_of_plots_are_exchanged_all_at_once() -> None:
    swapped = plots.recoloured(
        f"{plots.FIRST} {plots.SECOND} {plots.INK}".encode(), {"first": plots.SECOND, "second": plots.FIRST}
    )
    assert swapped.decode() == f"{plots.SECOND} {plots.FIRST} {plots.INK}"


def write(folder: Path, **files: str | bytes) -> Path:
    """A folder of files, `theme_css="..."` for theme.css; what stands in fonts/ is a font of matplotlib's own."""
    folder.mkdir(exist_ok=True)
    for name, data in files.items():
        path = folder / name.replace("_", ".", 1)
        path.write_bytes(data.encode("utf-8") if isinstance(data, str) else data)
    return folder


def with_font(folder: Path, name: str = "mine.ttf") -> Path:
    (folder / "fonts").mkdir(parents=True)
    shutil.copy(glyphs.fonts() / "STIXGeneralBol.ttf", folder / "fonts" / name)
    return folder


def test_what_a_theme_leaves_out_stays_as_it_is(tmp_path: Path) -> None:
    plain = report_of("small")
    laid = html.render(small_run(), template_dir=write(tmp_path, theme_css="h1 { color: red }\n"), budget_mb=10)
    policies = [re.search(rb"style-src '[^']*'", each) for each in (plain, laid)]
    assert (
        laid.replace(b"h1 { color: red }\n", b"", 1).replace(
            policies[1][0] if policies[1] else b"", policies[0][0] if policies[0] else b"", 1
        )
        == plain
    )


def test_a_font_of_a_theme_is_used_by_both_formats(browser: Any, tmp_path: Path) -> None:
    folder = write(
        with_font(tmp_path / "mine"),
        theme_css='@font-face { font-family: Mine; src: url("fonts/mine.ttf") }\n:root { --text: Mine, serif }',
        theme_typ='#let text-font = ("STIXGeneral", "DejaVu Sans")',
    )
    (tmp_path / "report.html").write_bytes(
        html.render(small_run(), template_dir=folder, budget_mb=10, page=page_of("small"))
    )
    shown, said = opened(browser, tmp_path / "report.html")
    assert shown.evaluate("document.fonts.ready.then(all => [...all].map(font => [font.family, font.status]))") == [
        ["Mine", "loaded"]
    ]
    assert said == []
    shown.context.close()
    (tmp_path / "report.pdf").write_bytes(pdf.render(small_run(), template_dir=folder, page=page_of("small")))
    assert "STIXGeneral-Bold" in poppler("pdffonts", tmp_path / "report.pdf")


def test_a_page_that_its_fonts_make_too_large_says_so(tmp_path: Path) -> None:
    folder = write(with_font(tmp_path / "mine"), theme_css="@font-face { src: url(fonts/mine.ttf) }")
    with pytest.raises(RenderError, match=r"report\.budget_mb") as caught:
        html.render(small_run(), template_dir=folder, budget_mb=0.1, page=page_of("small"))
    size = theme.read(folder).size / 1e6
    assert size == pytest.approx((folder / "fonts" / "mine.ttf").stat().st_size * 4 / 3e6, rel=0.01)
    assert f"take smaller fonts: those and the logo have {size:.1f} MB" in caught.value.fix
    with pytest.raises(RenderError) as caught:
        html.render(small_run(), template_dir=None, budget_mb=0.1, page=page_of("small"))
    assert "fonts" not in caught.value.fix


def test_a_theme_may_build_on_fmreports_own_and_have_helpers(tmp_path: Path) -> None:
    text = '#import "fmreport/theme.typ": *\n#let _lighter(it) = it.lighten(50%)\n#let hairline = _lighter(ink)\n'
    folder = write(tmp_path, theme_typ=text)
    theme.check(folder)
    assert typ.plot_colours(folder)["rule"] != plots.RULE
    assert pdf.render(small_run(), template_dir=folder, page=page_of("small")).startswith(b"%PDF")


@pytest.mark.parametrize("size", [(900, 30), (30, 900)])
def test_a_logo_in_pixels_of_any_shape_stays_small(size: tuple[int, int], browser: Any, tmp_path: Path) -> None:
    data = io.BytesIO()
    Image.new("RGBA", size, (200, 0, 0, 128)).save(data, "png")
    folder = write(tmp_path / "mine", logo_png=data.getvalue(), logo_txt="  A red\nbar & more ")
    (tmp_path / "report.html").write_bytes(
        html.render(small_run(), template_dir=folder, budget_mb=10, page=page_of("small"))
    )
    shown, said = opened(browser, tmp_path / "report.html")
    box = shown.get_by_alt_text("A red bar & more", exact=True).bounding_box()
    assert box["width"] <= 224
    assert box["height"] <= 64
    assert box["width"] / box["height"] == pytest.approx(size[0] / size[1], rel=0.1)
    assert said == []
    shown.context.close()
    (tmp_path / "report.pdf").write_bytes(pdf.render(small_run(), template_dir=folder, page=page_of("small")))
    listed = poppler("pdfimages", "-list", "-l", "1", tmp_path / "report.pdf").splitlines()[2]
    across, down = (
        int(pixels) / int(dots) * 25.4 for pixels, dots in zip(listed.split()[3:5], listed.split()[12:14], strict=True)
    )
    assert across <= 50.5
    assert down <= 14.5


def test_a_logo_without_words_is_called_a_logo(tmp_path: Path) -> None:
    folder = write(tmp_path, logo_svg=(EXAMPLE / "logo.svg").read_bytes())
    assert b'alt="Logo"' in html.render(small_run(), template_dir=folder, budget_mb=10, page=page_of("small"))


def test_the_picture_of_the_example_is_small() -> None:
    assert (EXAMPLE.parent / "theme.png").stat().st_size <= 200_000
