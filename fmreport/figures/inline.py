"""A plot's SVG as an element of a page: colours by role, ids of its own, no styles, no more digits than can be seen."""

from __future__ import annotations

import re

from fmreport.figures.plots import ROLES

_NUMBER = re.compile(r"-?\d+\.\d+")
_DATA = re.compile(r' (d|x|y|points|transform)="([^"]*)"')


def inline(svg: bytes, name: str) -> str:
    """The `<svg>` element alone, to stand inside a page that sets `--plot-ink` and the other roles."""
    text = svg.decode("utf-8")
    text = text[text.index("<svg") :]
    # A page with a content security policy drops styles that it does not know: attributes say the same.
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->|<style.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r' (?:width|height|version|xmlns(?::xlink)?)="[^"]*"', "", text[: text.index(">")]) + text[
        text.index(">") :
    ].replace("xlink:href", "href")
    # What it shows is told by what holds it.
    text = text.replace("<svg", '<svg aria-hidden="true" stroke-linejoin="round" stroke-linecap="butt"', 1)
    text = re.sub(r' style="([^"]*)"', lambda m: _attributes(m[1]), text)
    text = _with_own_ids(text, name)
    for role, colour in ROLES.items():
        text = text.replace(colour, f"var(--plot-{role})")
    text = _DATA.sub(lambda m: f' {m[1]}="{_short(m[1], m[2])}"', text)
    return re.sub(r">\s+<", "><", text).strip()


def _with_own_ids(text: str, name: str) -> str:
    """Ids that something refers to, told from those of other plots; the others are left out."""
    used = set(re.findall(r"(?:url\(|href=\")#([^)\"]+)", text))
    text = re.sub(r' id="([^"]+)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", text)
    return re.sub(r"(url\(|href=\")#", lambda m: f"{m[1]}#{name}-", text)


def _attributes(style: str) -> str:
    """The declarations of a `style` attribute as attributes of their own."""
    pairs = (declaration.split(":", 1) for declaration in style.split(";") if declaration.strip())
    # Of what is said twice the last counts.
    last = {name.strip(): value.strip() for name, value in pairs}
    return "".join(f' {name}="{value}"' for name, value in last.items())


def _short(attribute: str, value: str) -> str:
    """Places to a hundredth of a point; a factor of scale keeps all its digits."""

    def rounded(text: str) -> str:
        return _NUMBER.sub(lambda m: f"{float(m[0]):.2f}".rstrip("0").rstrip("."), text)

    if attribute == "transform":
        return re.sub(r"translate\([^)]*\)", lambda m: rounded(m[0]), value)
    return re.sub(r"\s*([A-Za-z])\s*", r"\1", rounded(value)) if attribute == "d" else rounded(value)
