"""LaTeX: how a table is written, and how any text is made safe for it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.metadata import version

from fmreport.report.wording import DASH

NEEDS = ("array", "booktabs", "longtable")
"""Packages that the tables use."""
OPENING = r"""% {what}, by fmreport {version}. In the preamble: \usepackage{{{packages}}}
\begingroup\footnotesize\setlength{{\tabcolsep}}{{3pt}}"""
TABLE = r"""\begin{{longtable}}{{{columns}}}
\caption{{{caption}}}\label{{tab:{label}}}\\
\toprule
{head} \\
\midrule
\endfirsthead
\toprule
{head} \\
\midrule
\endhead
\bottomrule
\endfoot
{rows}
\end{{longtable}}"""
RULE = r"\midrule"
BREAK = "\u200b"
"""Where a text may break: a space without width."""
SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "[": "{[}", "]": "{]}", "*": "{*}", "|": r"\textbar{}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "×": r"$\times$", "≤": r"$\leq$", "≥": r"$\geq$", "†": r"$\dagger$", DASH: "--", BREAK: r"\allowbreak{}",
    "−": "$-$", "·": r"$\cdot$", "→": r"$\to$", "∞": r"$\infty$", "…": r"\ldots{}",
    "\u2018": "`", "\u2019": "'", "\u201c": "``", "\u201d": "''",
    **{letter: f"$^{{{plain}}}$" for letter, plain in zip("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789", strict=True)},
}  # fmt: skip
"""Letters that LaTeX reads as something else, or does not know without a package."""
UNKNOWN = "«»ÐÞðþĄąĐđĘęĦħĮįĸĿŀŉŊŋŦŧŲų"
"""Letters between U+00A1 and U+017E that it does not know in its first encoding of fonts."""


def document(what: str, *tables: str) -> str:
    """Tables with the packages that they need in the first line."""
    opening = OPENING.format(what=" ".join(what.split()), version=version("fmreport"), packages=",".join(NEEDS))
    return "\n".join((opening, *tables, r"\endgroup", ""))


def table(columns: str, caption: str, label: str, rows: Sequence[Sequence[str]], *, total: bool = False) -> str:
    """The first row is the head; with `total`, the last stands below a line."""
    head, *body = (" & ".join(map(escaped, row)) for row in rows)
    lines = [f"{row} \\\\" for row in body]
    if total:
        lines.insert(-1, RULE)
    words = re.sub("[^A-Za-z0-9]+", "-", label).strip("-")
    return TABLE.format(columns=columns, caption=escaped(caption), label=words, head=head, rows="\n".join(lines))


def texts(width: float) -> str:
    """A column of this share of the line, whose texts break."""
    return rf">{{\raggedright\arraybackslash}}p{{{width}\linewidth}}"


def broken(name: str, *, behind: str = "/_.-") -> str:
    """A name that may break behind each slash, underscore, point and hyphen."""
    return re.sub(rf"(?<=[{re.escape(behind)}])(?=.)", BREAK, name)


def escaped(text: str) -> str:
    """The text as LaTeX prints it in any font; what that cannot be told is written as its code point: `[U+1F408]`."""
    return "".join(map(_letter, text))


def _letter(letter: str) -> str:
    if letter in SPECIAL:
        return SPECIAL[letter]
    if letter.isspace():
        return " "
    if " " < letter <= "~" or ("¡" <= letter <= "ž" and letter not in UNKNOWN):
        return letter
    return escaped(f"[U+{ord(letter):04X}]")
